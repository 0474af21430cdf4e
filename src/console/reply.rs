//! What the console answers with: bodies, and the header fields that keep a page to itself.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, Full, Limited};
use tokio::sync::mpsc;

use super::form::Form;

/// Nothing but our own files: no script or style within a page, no other host, no frame around a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// A report of a measurement brings its own style and runs nothing. Only a page of the console may frame it.
const REPORT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox; form-action 'none'; \
                             frame-ancestors 'self'; base-uri 'none'";

/// Bytes of a form.
const LARGEST_FORM: usize = 4 << 20;

/// What the admin listener answers with.
pub type Reply = Response<Body>;

/// A body that is known, or lines as they come.
#[derive(Debug)]
pub enum Body {
    /// Known.
    Whole(Full<Bytes>),
    /// Written by a task that ends when nobody reads any more.
    Lines(mpsc::Receiver<Bytes>),
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        Body::Whole(Full::new(Bytes::from(text)))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Body::Whole(body) => Pin::new(body).poll_frame(context),
            Body::Lines(lines) => lines.poll_recv(context).map(|line| line.map(|line| Ok(Frame::data(line)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Whole(body) => body.is_end_stream(),
            Body::Lines(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Whole(body) => body.size_hint(),
            Body::Lines(_) => SizeHint::default(),
        }
    }
}

/// A page of the console.
pub(super) fn page(status: StatusCode, html: String) -> Reply {
    let mut reply = Response::new(Body::from(html));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    guard(headers);
    reply
}

/// The HTML of a report, to be framed.
pub(super) fn report(html: String) -> Reply {
    let mut reply = page(StatusCode::OK, html);
    reply.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(REPORT_POLICY));
    reply
}

/// JSON lines as they come.
pub(super) fn lines(lines: mpsc::Receiver<Bytes>) -> Reply {
    let mut reply = Response::new(Body::Lines(lines));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson; charset=utf-8"));
    guard(reply.headers_mut());
    reply
}

/// A JSON document.
pub(super) fn json(document: &serde_json::Value) -> Reply {
    let mut reply = Response::new(Body::from(document.to_string()));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    guard(reply.headers_mut());
    reply
}

/// Goes on at another page, by GET.
pub(super) fn see_other(path: &'static str) -> Reply {
    let mut reply = Response::new(Body::from(String::new()));
    *reply.status_mut() = StatusCode::SEE_OTHER;
    reply.headers_mut().insert(LOCATION, HeaderValue::from_static(path));
    guard(reply.headers_mut());
    reply
}

/// What every answer says: it is kept nowhere, and is what its type says.
fn guard(headers: &mut HeaderMap) {
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    for (name, value) in [
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Reads a posted form; `None` where it is too long or breaks off.
pub async fn read_form(body: hyper::body::Incoming) -> Option<Form> {
    let bytes = Limited::new(body, LARGEST_FORM).collect().await.ok()?.to_bytes();
    Some(Form::read(&String::from_utf8_lossy(&bytes)))
}
