//! Response fields say what was decided about a chat request, also where the upstream gave no answer.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Response};
use tower::{Layer, Service};
use uuid::Uuid;

use super::body::Answer;
use super::call::Call;
use super::exchange::Exchange;

const DECISION: HeaderName = HeaderName::from_static("x-foreword-decision");
const ITEMS: HeaderName = HeaderName::from_static("x-foreword-items");
/// What requests of an experiment are told besides.
const TOKENS: HeaderName = HeaderName::from_static("x-foreword-tokens");
const ITEM_IDS: HeaderName = HeaderName::from_static("x-foreword-item-ids");
const SNAPSHOT: HeaderName = HeaderName::from_static("x-foreword-snapshot");
const CANARY: HeaderName = HeaderName::from_static("x-foreword-canary");
const PLANNING: HeaderName = HeaderName::from_static("x-foreword-planning-us");
const RECEIPT: HeaderName = HeaderName::from_static("x-foreword-receipt");

/// Makes [`Announce`].
#[derive(Clone, Copy)]
pub struct AnnounceLayer {
    to_all: bool,
}

impl AnnounceLayer {
    /// Requests of an experiment are told always, the others if `to_all`.
    pub fn new(to_all: bool) -> Self {
        AnnounceLayer { to_all }
    }
}

impl<S> Layer<S> for AnnounceLayer {
    type Service = Announce<S>;

    fn layer(&self, inner: S) -> Announce<S> {
        Announce { inner, to_all: self.to_all }
    }
}

/// Adds the fields.
#[derive(Clone)]
pub struct Announce<S> {
    inner: S,
    to_all: bool,
}

impl<S> Service<Call> for Announce<S>
where
    S: Service<Call, Response = Response<Answer>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Answer>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let (exchange, to_all) = (Arc::clone(&call.exchange), self.to_all);
        let answering = self.inner.call(call);
        Box::pin(async move {
            let mut response = answering.await?;
            if to_all || exchange.told.get().is_some() {
                announce(response.headers_mut(), &exchange);
            }
            Ok(response)
        })
    }
}

/// Says on the response what was decided, if anything was.
fn announce(headers: &mut HeaderMap, exchange: &Exchange) {
    let Some(decision) = exchange.decision.get() else { return };
    headers.insert(DECISION, HeaderValue::from_static(decision.as_str()));
    headers.insert(ITEMS, HeaderValue::from(decision.items()));
    let mut receipt = Uuid::encode_buffer();
    let receipt = exchange.receipt.hyphenated().encode_lower(&mut receipt);
    if let Ok(receipt) = HeaderValue::from_str(receipt) {
        headers.insert(RECEIPT, receipt);
    }
    if let Some(told) = exchange.told.get() {
        headers.insert(TOKENS, HeaderValue::from(decision.tokens()));
        let ids = told.placed.iter().flat_map(|placed| placed.items.iter()).map(|item| &*item.id);
        let took = exchange.planning.get().map_or(0, |took| took.as_micros() as u64);
        headers.insert(PLANNING, HeaderValue::from(took));
        let canary = told.canary.as_deref().and_then(|canary| HeaderValue::from_str(canary).ok());
        headers.extend(canary.map(|canary| (CANARY, canary)));
        for (name, text) in
            [(SNAPSHOT, told.snapshot.to_string()), (ITEM_IDS, ids.collect::<Vec<_>>().join(" "))]
        {
            headers.extend(HeaderValue::from_str(&text).ok().map(|value| (name, value)));
        }
    }
}
