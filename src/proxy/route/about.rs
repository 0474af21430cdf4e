//! `/.well-known/foreword.json`: what this proxy does to requests, for whoever meets it.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, Response};

use super::super::body::Answer;

/// Where it is found (RFC 8615).
const PATH: &str = "/.well-known/foreword.json";

/// Whether a request asks for it.
pub(in crate::proxy) fn is_about(parts: &Parts) -> bool {
    asks(&parts.method, parts.uri.path())
}

fn asks(method: &Method, path: &str) -> bool {
    path == PATH && matches!(*method, Method::GET | Method::HEAD)
}

/// The answer, if the request is for it. It says nothing of brands, keys or the upstream.
pub(super) fn about(method: &Method, path: &str, keeps_questions: bool) -> Option<Response<Answer>> {
    if !asks(method, path) {
        return None;
    }
    let text = serde_json::json!({
        "service": "foreword",
        "version": env!("CARGO_PKG_VERSION"),
        "what": "This proxy may put facts and example answers about brands in front of questions that they fit. \
                 Answers come from the model behind it.",
        "opt_out": { "x-foreword-context": "off", "sec-gpc": "1" },
        "told_by_response_headers": ["x-foreword-decision", "x-foreword-items", "x-foreword-receipt"],
        "keeps_text_of_requests": keeps_questions,
    });
    let mut response = Response::new(Answer::own(format!("{text:#}\n")));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
    if method == Method::HEAD {
        *response.body_mut() = Answer::Own(Bytes::new().into());
    }
    Some(response)
}
