//! Lets those through who have a key, and takes the key off: it is the proxy's and never the upstream's.

use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderMap, HeaderValue, Response};
use tower::{Layer, Service};

use super::body::Answer;
use super::call::{Answering, Call};
use super::error::ProxyError;
use super::route::is_about;
use crate::keys::{KeyRing, Refusal};

/// The proxy's own field: leaves `Authorization` to the upstream.
const KEY: HeaderName = HeaderName::from_static("x-foreword-key");
/// Fields in which clients send keys, in the order in which they are looked at.
const FIELDS: [HeaderName; 4] =
    [KEY, AUTHORIZATION, HeaderName::from_static("api-key"), HeaderName::from_static("x-api-key")];

/// Makes [`Authenticate`].
#[derive(Clone)]
pub struct AuthenticateLayer {
    keys: Option<Arc<ArcSwap<KeyRing>>>,
}

impl AuthenticateLayer {
    /// Demands one of `keys` as they are when a call comes; without any, everybody may call.
    pub fn new(keys: Option<Arc<ArcSwap<KeyRing>>>) -> Self {
        AuthenticateLayer { keys }
    }
}

impl<S> Layer<S> for AuthenticateLayer {
    type Service = Authenticate<S>;

    fn layer(&self, inner: S) -> Authenticate<S> {
        Authenticate { inner, keys: self.keys.clone() }
    }
}

/// Demands keys.
#[derive(Clone)]
pub struct Authenticate<S> {
    inner: S,
    keys: Option<Arc<ArcSwap<KeyRing>>>,
}

impl<S> Service<Call> for Authenticate<S>
where
    S: Service<Call, Response = Response<Answer>, Error = ProxyError, Future = Answering>,
{
    type Response = Response<Answer>;
    type Error = ProxyError;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut call: Call) -> Answering {
        let Some(keys) = &self.keys else { return self.inner.call(call) };
        // What this proxy does is said to everybody.
        if is_about(&call.parts) {
            return self.inner.call(call);
        }
        let keys = keys.load();
        let admitted = match take_key(&mut call.parts.headers) {
            Some(value) => keys.admit(text(&value)),
            None => Err(Refusal::Unknown),
        };
        match admitted {
            Ok(client) => {
                call.exchange.client.get_or_init(|| client);
                self.inner.call(call)
            }
            Err(refusal) => Box::pin(std::future::ready(Err(match refusal {
                Refusal::Unknown => ProxyError::Unauthenticated,
                Refusal::TooMany(wait) => ProxyError::RateLimited(wait),
            }))),
        }
    }
}

/// The key that a request carries: the first that has the form of one of ours. Every field that holds such a one is taken
/// out, so that none reaches the upstream.
fn take_key(headers: &mut HeaderMap) -> Option<HeaderValue> {
    let mut found = None;
    for name in FIELDS {
        let key = headers.get_all(&name).iter().find(|value| text(value).starts_with("fw-")).cloned();
        if key.is_some() {
            headers.remove(name);
            found = found.or(key);
        }
    }
    found
}

/// The key in a field: with or without the scheme `Bearer`.
fn text(value: &HeaderValue) -> &str {
    let text = value.to_str().unwrap_or_default().trim();
    match text.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
        _ => text,
    }
}
