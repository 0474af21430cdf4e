//! The innermost service: one call to the upstream, and what remains of it where both sides switch to another protocol.

mod tunnel;

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use tower::Service;

use super::body::Answer;
use super::call::{Answering, Outbound};
use super::error::ProxyError;
use crate::metrics::Metrics;
use crate::upstream::Upstream;

pub use tunnel::Tunnels;

/// Sends requests to the upstream and hands its answer up as it comes.
#[derive(Clone)]
pub struct Forward {
    upstream: Arc<Upstream>,
    metrics: Arc<Metrics>,
    tunnels: Tunnels,
}

impl Forward {
    /// Sends to `upstream`; connections that become tunnels are among `tunnels`.
    pub fn new(upstream: Upstream, metrics: Arc<Metrics>, tunnels: Tunnels) -> Self {
        Forward { upstream: Arc::new(upstream), metrics, tunnels }
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
        let Forward { upstream, metrics, tunnels } = self.clone();
        Box::pin(async move {
            let Outbound { mut parts, target, body, exchange } = outbound;
            let client = parts.extensions.remove::<OnUpgrade>();
            let sent = tokio::time::Instant::now();
            let mut response = upstream.send(parts, &target, body).await.map_err(ProxyError::Upstream)?;
            let took = sent.elapsed();
            exchange.first_byte.get_or_init(|| took);
            metrics.upstream_answered(took);
            if let (StatusCode::SWITCHING_PROTOCOLS, Some(client)) = (response.status(), client) {
                let idle_timeout = upstream.settings().idle_timeout;
                tunnels.open(client, hyper::upgrade::on(&mut response), idle_timeout, exchange);
            }
            Ok(response.map(Answer::Upstream))
        })
    }
}
