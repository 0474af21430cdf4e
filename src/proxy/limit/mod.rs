//! A bound on requests at once. The place of a request is free again when its answer has ended, not
//! when it began: streams count for as long as they run.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::Response;
use tokio::sync::Semaphore;
use tower::{Layer, Service};

use super::body::Answer;
use super::call::{Answering, Call};
use super::error::ProxyError;

/// Makes [`Limit`].
#[derive(Clone)]
pub struct LimitLayer {
    places: Arc<Semaphore>,
}

impl LimitLayer {
    /// Admits `max_requests` at once.
    pub fn new(max_requests: usize) -> Self {
        LimitLayer { places: Arc::new(Semaphore::new(max_requests.min(Semaphore::MAX_PERMITS))) }
    }
}

impl<S> Layer<S> for LimitLayer {
    type Service = Limit<S>;

    fn layer(&self, inner: S) -> Limit<S> {
        Limit { inner, places: Arc::clone(&self.places) }
    }
}

/// Turns away what is too much.
#[derive(Clone)]
pub struct Limit<S> {
    inner: S,
    places: Arc<Semaphore>,
}

impl<S> Service<Call> for Limit<S>
where
    S: Service<Call, Response = Response<Answer>, Error = ProxyError, Future = Answering>,
{
    type Response = Response<Answer>;
    type Error = ProxyError;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Answering {
        match Arc::clone(&self.places).try_acquire_owned() {
            // The record lives as long as the answer, and the place with it.
            Ok(permit) => {
                call.exchange.permit.get_or_init(|| permit);
                self.inner.call(call)
            }
            Err(_) => Box::pin(std::future::ready(Err(ProxyError::Busy))),
        }
    }
}
