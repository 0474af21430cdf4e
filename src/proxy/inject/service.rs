//! The layer that reads, decides and splices.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH};
use http::{HeaderValue, Response};
use tower::{Layer, Service};

use super::admit::{head_reason, is_signed};
use super::edit::{Edits, edit, is_for_programs};
use super::read::{Read, read_body};
use crate::chat::Dialect;
use crate::inject::{Decision, SkipReason, inserted};
use crate::live::{Spoken, Timing};
use crate::metrics::{Metrics, PrefixBreak};
use crate::proxy::body::Answer;
use crate::proxy::call::{Answering, Call, Outbound, Routed};
use crate::proxy::error::ProxyError;
use crate::proxy::exchange::{Exchange, Told};
use crate::snapshot::{Planned, Planner, Request};
use crate::upstream::RequestBody;

/// What the layer needs to know.
#[derive(Debug, Clone, Copy)]
pub struct InjectSettings {
    /// Largest body that is read whole.
    pub max_body_bytes: usize,
    /// Whether an answer ends before it gives away what only the model was to see.
    pub cut_leaks: bool,
}

/// Makes [`Inject`].
#[derive(Clone)]
pub struct InjectLayer {
    preparation: Arc<Preparation>,
}

impl InjectLayer {
    /// Plans with `planner`.
    pub fn new(planner: Arc<Planner>, metrics: Arc<Metrics>, settings: InjectSettings) -> Self {
        InjectLayer { preparation: Arc::new(Preparation { planner, metrics, settings }) }
    }
}

impl<S> Layer<S> for InjectLayer {
    type Service = Inject<S>;

    fn layer(&self, inner: S) -> Inject<S> {
        Inject { inner, preparation: Arc::clone(&self.preparation) }
    }
}

/// Adds to chat requests what fits.
#[derive(Clone)]
pub struct Inject<S> {
    inner: S,
    preparation: Arc<Preparation>,
}

impl<S> Service<Routed> for Inject<S>
where
    S: Service<Outbound, Response = Response<Answer>, Error = ProxyError, Future = Answering>
        + Clone
        + Send
        + 'static,
{
    type Response = Response<Answer>;
    type Error = ProxyError;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, routed: Routed) -> Answering {
        let Some(dialect) = routed.dialect else {
            let Call { parts, body, exchange } = routed.call;
            let body = RequestBody::client(body);
            return self.inner.call(Outbound { parts, target: routed.target, body, exchange });
        };
        let mut this = self.clone();
        let preparation = Arc::clone(&self.preparation);
        Box::pin(async move {
            let exchange = Arc::clone(&routed.call.exchange);
            let outbound = preparation.prepare(routed, dialect).await?;
            let mut response = this.inner.call(outbound).await?;
            let edits = preparation.edits(&exchange);
            if edits.disclosure.is_some() || edits.secrets.is_some() {
                response = edit(response, edits, dialect, &preparation.metrics, &exchange);
            }
            Ok(response)
        })
    }
}

/// What happens before a chat request is forwarded.
struct Preparation {
    planner: Arc<Planner>,
    metrics: Arc<Metrics>,
    settings: InjectSettings,
}

impl Preparation {
    /// Reads the body, decides, and makes what leaves.
    async fn prepare(&self, routed: Routed, dialect: Dialect) -> Result<Outbound, ProxyError> {
        let Routed { call: Call { mut parts, body, exchange }, target, choice, opted_out, .. } = routed;
        let treatment = routed.treatment.as_ref();
        if let Some(treatment) = treatment {
            self.planner.can_treat(treatment).map_err(ProxyError::Arm)?;
        }
        let limit = self.settings.max_body_bytes;
        let reason = if opted_out { Some(SkipReason::OptOut) } else { head_reason(&parts.headers, limit) };
        if opted_out {
            self.metrics.prefix_broken(PrefixBreak::OptOut);
        }
        if let Some(reason) = reason {
            self.record(&exchange, Decision::Skipped(reason));
            return Ok(Outbound { parts, target, body: RequestBody::client(body), exchange });
        }
        let body = match read_body(body, limit).await.map_err(ProxyError::ClientBody)? {
            Read::Longer(read, rest) => {
                self.record(&exchange, Decision::Skipped(SkipReason::TooLarge));
                RequestBody::resumed(read, rest)
            }
            Read::Whole(bytes, Some(trailers)) if is_signed(&trailers) => {
                self.record(&exchange, Decision::Skipped(SkipReason::Signed));
                RequestBody::whole(bytes, Some(trailers))
            }
            Read::Whole(bytes, trailers) => {
                let read = exchange.started.elapsed();
                let started = tokio::time::Instant::now();
                let conversation = routed.conversation.as_ref().map(HeaderValue::as_bytes);
                let holdout = exchange.client.get().and_then(|client| client.holdout);
                let request =
                    Request { body: bytes, dialect, choice: &choice, treatment, conversation, holdout };
                let planned = self.planner.plan(request).await;
                exchange.planning.get_or_init(|| started.elapsed());
                self.record(&exchange, planned.decision);
                if let Some(treatment) = treatment {
                    exchange.told.get_or_init(|| Told {
                        canary: treatment.canary(&planned.snapshot.id),
                        snapshot: Arc::clone(&planned.snapshot.id),
                        placed: Arc::clone(&planned.placed),
                    });
                }
                let Planned { retrieve, model, .. } = &planned;
                exchange.timing.get_or_init(|| Timing {
                    read: Some(read),
                    retrieve: *retrieve,
                    model: model.clone(),
                });
                let disclosure = planned.disclosure.clone().filter(|_| !is_for_programs(&planned.body));
                exchange.spoken.get_or_init(|| Spoken::new(&planned, disclosure));
                if self.settings.cut_leaks && matches!(planned.decision, Decision::Injected { .. }) {
                    // What is compressed cannot be read in time.
                    parts.headers.remove(ACCEPT_ENCODING);
                }
                if trailers.is_some() || matches!(planned.decision, Decision::Injected { .. }) {
                    // The client of the upstream states the new one, or sends chunks with trailers behind them.
                    parts.headers.remove(CONTENT_LENGTH);
                }
                RequestBody::whole(planned.body, trailers)
            }
        };
        Ok(Outbound { parts, target, body, exchange })
    }

    /// What is to be done with the answer.
    fn edits(&self, exchange: &Exchange) -> Edits {
        let Some(spoken) = exchange.spoken.get() else { return Edits::default() };
        let is_injected = matches!(exchange.decision.get(), Some(Decision::Injected { .. }));
        let guarded = self.settings.cut_leaks && is_injected;
        let secrets = guarded.then(|| Arc::new(inserted(&spoken.placed, spoken.placement)));
        Edits { disclosure: spoken.disclosure.clone(), secrets }
    }

    fn record(&self, exchange: &Exchange, decision: Decision) {
        exchange.decision.get_or_init(|| decision);
        let took = exchange.planning.get().copied().unwrap_or_default();
        self.metrics.decided(decision.as_str(), decision.items(), decision.tokens(), took);
    }
}
