//! The outermost layer: begins the record, and ties the report to the answer's body.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use tower::{Layer, Service};

use super::report::Report;
use crate::live::Recorder;
use crate::metrics::Metrics;
use crate::proxy::body::{Answer, AnswerBody};
use crate::proxy::call::Call;
use crate::proxy::exchange::Exchange;
use crate::tap::Tapped;
use crate::upstream::TimedBody;

/// Makes [`Observe`].
#[derive(Clone)]
pub struct ObserveLayer {
    metrics: Arc<Metrics>,
    recorder: Recorder,
    log_share: f64,
    body_timeout: Duration,
}

impl ObserveLayer {
    /// Counts into `metrics` and hands what has ended to `recorder`; of the requests that ended well a share of
    /// `log_share` is logged. Request bodies may stay silent for `body_timeout`.
    pub fn new(metrics: Arc<Metrics>, recorder: Recorder, log_share: f64, body_timeout: Duration) -> Self {
        ObserveLayer { metrics, recorder, log_share, body_timeout }
    }
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Observe<S> {
        Observe {
            inner,
            metrics: Arc::clone(&self.metrics),
            recorder: self.recorder.clone(),
            log_share: self.log_share,
            body_timeout: self.body_timeout,
        }
    }
}

/// Observes every request.
#[derive(Clone)]
pub struct Observe<S> {
    inner: S,
    metrics: Arc<Metrics>,
    recorder: Recorder,
    log_share: f64,
    body_timeout: Duration,
}

impl<S> Service<Request<Incoming>> for Observe<S>
where
    S: Service<Call, Response = Response<Answer>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<AnswerBody>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let exchange = Arc::new(Exchange::new());
        if let Some(trace) = self.recorder.trace(&mut parts.headers) {
            exchange.trace.get_or_init(|| trace);
        }
        let (metrics, recorder) = (Arc::clone(&self.metrics), self.recorder.clone());
        let mut report = Report::begin(Arc::clone(&exchange), metrics, recorder, self.log_share, &parts);
        let body = TimedBody::paced(body, self.body_timeout);
        let answering = self.inner.call(Call { parts, body, exchange });
        Box::pin(async move {
            let (parts, body) = answering.await?.into_parts();
            report.answered(parts.status.as_u16(), &parts.headers);
            Ok(Response::from_parts(parts, Tapped::new(body, report)))
        })
    }
}
