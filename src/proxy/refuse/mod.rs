//! Errors become OpenAI-shaped answers, in this one place.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response};
use tower::{Layer, Service};

use super::body::Answer;
use super::call::{Answering, Call};
use super::error::ProxyError;
use crate::chat::error_body;
use crate::metrics::Metrics;

/// Makes [`Refuse`].
#[derive(Clone)]
pub struct RefuseLayer {
    metrics: Arc<Metrics>,
}

impl RefuseLayer {
    /// Counts into `metrics`.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        RefuseLayer { metrics }
    }
}

impl<S> Layer<S> for RefuseLayer {
    type Service = Refuse<S>;

    fn layer(&self, inner: S) -> Refuse<S> {
        Refuse { inner, metrics: Arc::clone(&self.metrics) }
    }
}

/// Answers for what failed below.
#[derive(Clone)]
pub struct Refuse<S> {
    inner: S,
    metrics: Arc<Metrics>,
}

impl<S> Service<Call> for Refuse<S>
where
    S: Service<Call, Response = Response<Answer>, Error = ProxyError, Future = Answering>,
{
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Answer>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let receipt = call.exchange.receipt;
        let metrics = Arc::clone(&self.metrics);
        let answering = self.inner.call(call);
        Box::pin(async move {
            answering.await.or_else(|error| {
                // The one place where an error of the request path is logged, with its whole chain.
                tracing::warn!(%receipt, code = error.code(), error = &error as &dyn std::error::Error, "refused");
                metrics.error_answered(error.code());
                Ok(answer(&error))
            })
        })
    }
}

fn answer(error: &ProxyError) -> Response<Answer> {
    let mut response = Response::new(Answer::own(error_body(error.code(), error.advice())));
    *response.status_mut() = error.status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("x-foreword-error", HeaderValue::from_static(error.code()));
    match error {
        ProxyError::Busy => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // Whole seconds, and never sooner than it helps.
        ProxyError::RateLimited(wait) => {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
        }
        ProxyError::Unauthenticated => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        _ => {}
    }
    response
}
