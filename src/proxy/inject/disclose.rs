//! A brand's disclosure behind the answers of requests to which something was added.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderName, Response};
use http_body::{Body, Frame};
use serde::Deserialize;

use crate::chat::{Dialect, Footer};
use crate::metrics::{Disclosing, Metrics};
use crate::proxy::body::Answer;
use crate::upstream::{BodyError, TimedBody};

/// Header fields that bind an answer to its bytes.
const BOUND: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("signature"),
];

/// An answer with a footer.
pub struct Disclosed {
    inner: TimedBody,
    footer: Footer,
    metrics: Arc<Metrics>,
    trailers: Option<Frame<Bytes>>,
    has_ended: bool,
}

/// Whether a program is to read the answer: then nothing is put behind it.
pub(super) fn is_for_programs(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Request {
        response_format: Option<Format>,
        text: Option<Text>,
    }
    #[derive(Deserialize)]
    struct Text {
        format: Option<Format>,
    }
    #[derive(Deserialize)]
    struct Format {
        r#type: Option<String>,
    }
    let Ok(request) = serde_json::from_slice::<Request>(body) else { return true };
    let format = request.response_format.or_else(|| request.text?.format);
    format.is_some_and(|format| format.r#type.as_deref() != Some("text"))
}

/// The answer with `text` behind it, where that can be done.
pub(super) fn disclose(
    response: Response<Answer>,
    text: &str,
    dialect: Dialect,
    metrics: &Arc<Metrics>,
) -> Response<Answer> {
    if !response.status().is_success() {
        return response;
    }
    let footer = is_stream(response.headers()).and_then(|is_stream| Footer::new(text, dialect, is_stream));
    let (mut parts, body) = response.into_parts();
    match (footer, body) {
        (Some(footer), Answer::Upstream(inner)) => {
            parts.headers.remove(CONTENT_LENGTH);
            parts.headers.remove(ETAG);
            let metrics = Arc::clone(metrics);
            let disclosed = Disclosed { inner, footer, metrics, trailers: None, has_ended: false };
            Response::from_parts(parts, Answer::Disclosed(Box::new(disclosed)))
        }
        (_, body) => {
            metrics.disclosed(Disclosing::Impossible);
            Response::from_parts(parts, body)
        }
    }
}

/// Whether the answer is a stream of events; `None`: it is neither that nor plain JSON.
fn is_stream(headers: &HeaderMap) -> Option<bool> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let is_plain = text(CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
    if !is_plain || BOUND.iter().any(|name| headers.contains_key(name)) {
        return None;
    }
    match text(CONTENT_TYPE)? {
        media if media.starts_with("text/event-stream") => Some(true),
        media if media.starts_with("application/json") => Some(false),
        _ => None,
    }
}

impl Disclosed {
    pub(in crate::proxy) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            if self.has_ended {
                return Poll::Ready(self.trailers.take().map(Ok));
            }
            let bytes = match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.footer.feed(&data),
                    Err(trailers) => {
                        self.trailers = Some(trailers);
                        self.end()
                    }
                },
                None => self.end(),
            };
            if !bytes.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(bytes.into()))));
            }
        }
    }

    fn end(&mut self) -> Vec<u8> {
        self.has_ended = true;
        let rest = self.footer.finish();
        let result = if self.footer.added() > 0 { Disclosing::Added } else { Disclosing::Nothing };
        self.metrics.disclosed(result);
        rest
    }

    pub(in crate::proxy) fn is_over(&self) -> bool {
        self.has_ended && self.trailers.is_none()
    }
}
