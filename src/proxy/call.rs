//! A request on its way down the stack. Each layer hands on a type that says what has been settled.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Response};

use super::body::Answer;
use super::error::ProxyError;
use super::exchange::Exchange;
use crate::chat::Dialect;
use crate::snapshot::{Choice, Treatment};
use crate::upstream::{RequestBody, TimedBody};

/// As it came from the client.
pub struct Call {
    /// Method, target and header fields.
    pub parts: Parts,
    /// The body, unread.
    pub body: TimedBody,
    /// The request's record.
    pub exchange: Arc<Exchange>,
}

/// Path and brand are settled.
pub struct Routed {
    /// The call.
    pub call: Call,
    /// Path and query for the upstream.
    pub target: String,
    /// The request shape, where injection knows it.
    pub dialect: Option<Dialect>,
    /// Which items may be told.
    pub choice: Choice,
    /// The client asked for an answer without added context.
    pub opted_out: bool,
    /// How an experiment asks it to be treated; `None` for the requests of users.
    pub treatment: Option<Treatment>,
    /// What the client calls the conversation.
    pub conversation: Option<HeaderValue>,
}

/// Everything is settled: this is what leaves.
pub struct Outbound {
    /// Method and header fields.
    pub parts: Parts,
    /// Path and query for the upstream.
    pub target: String,
    /// The body.
    pub body: RequestBody,
    /// The request's record.
    pub exchange: Arc<Exchange>,
}

/// What every layer but the outermost returns.
pub type Answering = Pin<Box<dyn Future<Output = Result<Response<Answer>, ProxyError>> + Send>>;
