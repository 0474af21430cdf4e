//! What the proxy answers for itself, and when.

use std::time::Duration;

use http::StatusCode;

use crate::snapshot::TreatmentError;
use crate::upstream::{BodyError, UpstreamError};

/// Why a request got no answer of the upstream.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The upstream gave none.
    #[error("forwarding to the upstream")]
    Upstream(#[source] UpstreamError),
    /// The client's body broke off, or stayed silent.
    #[error("reading the request body")]
    ClientBody(#[source] BodyError),
    /// The request target is of a form that a gateway does not serve.
    #[error("refusing the request target: {0}")]
    Target(&'static str),
    /// The path is not among those that may be reached with the operator's key.
    #[error("refusing a path outside of upstream.allowed_paths")]
    PathNotAllowed,
    /// An experiment asks for what cannot be had.
    #[error("refusing a request of an experiment")]
    Arm(#[source] TreatmentError),
    /// No key, or none that is known.
    #[error("refusing a request without a known key")]
    Unauthenticated,
    /// More requests than the key's rate.
    #[error("more requests than the key's rate allows")]
    RateLimited(Duration),
    /// As many requests as allowed are running.
    #[error("too many requests at once")]
    Busy,
}

impl ProxyError {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            ProxyError::Upstream(UpstreamError::Target(_)) | ProxyError::Target(_) | ProxyError::Arm(_) => {
                StatusCode::BAD_REQUEST
            }
            ProxyError::Upstream(UpstreamError::Timeout(_)) => StatusCode::GATEWAY_TIMEOUT,
            ProxyError::Upstream(UpstreamError::ClientBody { late: true, .. }) => StatusCode::REQUEST_TIMEOUT,
            ProxyError::Upstream(UpstreamError::ClientBody { late: false, .. }) => StatusCode::BAD_REQUEST,
            ProxyError::Upstream(_) => StatusCode::BAD_GATEWAY,
            ProxyError::ClientBody(BodyError::Silent(_) | BodyError::Slow(_)) => StatusCode::REQUEST_TIMEOUT,
            ProxyError::ClientBody(BodyError::Broken(_)) => StatusCode::BAD_REQUEST,
            ProxyError::PathNotAllowed => StatusCode::FORBIDDEN,
            ProxyError::Unauthenticated => StatusCode::UNAUTHORIZED,
            ProxyError::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
            ProxyError::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            ProxyError::Upstream(UpstreamError::Connect(_)) => "upstream_unreachable",
            ProxyError::Upstream(UpstreamError::Broken(_) | UpstreamError::Switched) => "upstream_broken",
            ProxyError::Upstream(UpstreamError::Timeout(_)) => "upstream_timeout",
            ProxyError::Upstream(UpstreamError::Target(_)) | ProxyError::Target(_) => "bad_target",
            ProxyError::ClientBody(BodyError::Silent(_) | BodyError::Slow(_))
            | ProxyError::Upstream(UpstreamError::ClientBody { late: true, .. }) => "request_body_timeout",
            ProxyError::ClientBody(BodyError::Broken(_))
            | ProxyError::Upstream(UpstreamError::ClientBody { late: false, .. }) => "request_body_broken",
            ProxyError::PathNotAllowed => "path_not_allowed",
            ProxyError::Arm(_) => "unknown_arm",
            ProxyError::Unauthenticated => "invalid_api_key",
            ProxyError::RateLimited(_) => "rate_limit_exceeded",
            ProxyError::Busy => "too_many_requests_at_once",
        }
    }

    /// One or two sentences for the person at the client: nothing of addresses, keys or bodies.
    pub fn advice(&self) -> &'static str {
        match self {
            ProxyError::Upstream(UpstreamError::Connect(_)) => {
                "foreword cannot reach the upstream endpoint. Check that it runs and that upstream.url is right."
            }
            ProxyError::Upstream(UpstreamError::Switched) => {
                "The upstream endpoint switched to another protocol without being asked. Check that upstream.url is right."
            }
            ProxyError::Upstream(UpstreamError::Broken(_)) => {
                "The upstream endpoint closed the connection before it answered. The request may be tried again."
            }
            ProxyError::Upstream(UpstreamError::Timeout(_)) => {
                "The upstream endpoint did not begin to answer in time (upstream.first_byte_timeout)."
            }
            ProxyError::Upstream(UpstreamError::Target(_)) | ProxyError::Target(_) => {
                "foreword serves plain paths only: no absolute URLs, no CONNECT, no dot segments, and a Host."
            }
            ProxyError::ClientBody(BodyError::Silent(_) | BodyError::Slow(_))
            | ProxyError::Upstream(UpstreamError::ClientBody { late: true, .. }) => {
                "The request body did not arrive in time (server.body_timeout)."
            }
            ProxyError::ClientBody(BodyError::Broken(_))
            | ProxyError::Upstream(UpstreamError::ClientBody { late: false, .. }) => {
                "The request body broke off or is badly framed."
            }
            ProxyError::PathNotAllowed => {
                "This path may not be used with the key that foreword holds (upstream.allowed_paths)."
            }
            ProxyError::Arm(TreatmentError::Unknown(_)) => {
                "x-foreword-arm names no arm: see `foreword measure --help` for those that there are."
            }
            ProxyError::Arm(TreatmentError::NoRecipe(..)) => {
                "x-foreword-arm names a recipe or placement that is not among the recipes (knowledge.prompts)."
            }
            ProxyError::Arm(TreatmentError::Strict(_)) => {
                "x-foreword-arm asks for system messages inside a conversation, which needs upstream.profile = \"lenient\"."
            }
            ProxyError::Unauthenticated => {
                "foreword knows no such key. Send one that its operator gave you, as API key or in x-foreword-key."
            }
            ProxyError::RateLimited(_) => {
                "This key's rate of requests is used up (requests_per_minute). Try again after the time in Retry-After."
            }
            ProxyError::Busy => {
                "foreword is handling as many requests as it may (server.max_requests). Try again shortly."
            }
        }
    }
}
