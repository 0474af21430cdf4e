//! The innermost service: one call to the upstream.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::Response;
use tower::Service;

use super::body::Answer;
use super::call::{Answering, Outbound};
use super::error::ProxyError;
use crate::metrics::Metrics;
use crate::upstream::Upstream;

/// Sends requests to the upstream and hands its answer up as it comes.
#[derive(Clone)]
pub struct Forward {
    upstream: Arc<Upstream>,
    metrics: Arc<Metrics>,
}

impl Forward {
    /// Sends to `upstream`.
    pub fn new(upstream: Upstream, metrics: Arc<Metrics>) -> Self {
        Forward { upstream: Arc::new(upstream), metrics }
    }
}

impl Service<Outbound> for Forward {
    type Response = Response<Answer>;
    type Error = ProxyError;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, outbound: Outbound) -> Answering {
        let Forward { upstream, metrics } = self.clone();
        Box::pin(async move {
            let Outbound { parts, target, body, exchange } = outbound;
            let sent = tokio::time::Instant::now();
            let response = upstream.send(parts, &target, body).await.map_err(ProxyError::Upstream)?;
            let took = sent.elapsed();
            exchange.first_byte.get_or_init(|| took);
            metrics.upstream_answered(took);
            Ok(response.map(Answer::Upstream))
        })
    }
}
