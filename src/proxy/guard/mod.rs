//! Refuses request targets that a gateway must not serve: those of a forward proxy, and paths that mean
//! another path to the upstream than to us.

mod target;

use std::task::{Context, Poll};

use http::Response;
use tower::{Layer, Service};

use super::body::Answer;
use super::call::{Answering, Call};
use super::error::ProxyError;
use target::fault;

/// Makes [`Guard`].
#[derive(Clone, Copy)]
pub struct GuardLayer;

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { inner }
    }
}

/// Lets plain targets through.
#[derive(Clone)]
pub struct Guard<S> {
    inner: S,
}

impl<S> Service<Call> for Guard<S>
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
        match fault(&call.parts) {
            Some(fault) => Box::pin(std::future::ready(Err(ProxyError::Target(fault)))),
            None => self.inner.call(call),
        }
    }
}
