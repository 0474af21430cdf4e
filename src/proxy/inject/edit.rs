//! Answers of requests to which something was added, changed on their way: a brand's disclosure behind them, and an
//! end before what they must not give away.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderName, Response};
use http_body::{Body, Frame};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::chat::{Cutter, Dialect, Footer};
use crate::leaks::{Inserted, Watch};
use crate::metrics::{Disclosing, Metrics};
use crate::proxy::body::Answer;
use crate::proxy::exchange::Exchange;
use crate::upstream::{BodyError, TimedBody};

/// Header fields that bind an answer to its bytes.
const BOUND: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("signature"),
];

/// What is to be done with an answer.
#[derive(Default)]
pub(super) struct Edits {
    /// What stands behind it.
    pub(super) disclosure: Option<Arc<str>>,
    /// What it must not give away.
    pub(super) secrets: Option<Arc<Inserted>>,
}

/// An answer that is changed on its way.
pub struct Edited {
    inner: TimedBody,
    guard: Option<Guard>,
    footer: Option<Footer>,
    metrics: Arc<Metrics>,
    trailers: Option<Frame<Bytes>>,
    has_ended: bool,
}

/// Ends an answer before it gives something away.
struct Guard {
    cutter: Cutter,
    secrets: Arc<Inserted>,
    /// What was read of each choice.
    watches: BTreeMap<u64, Watch>,
    is_stream: bool,
    exchange: Arc<Exchange>,
}

impl Guard {
    fn new(dialect: Dialect, is_stream: bool, secrets: Arc<Inserted>, exchange: Arc<Exchange>) -> Guard {
        let cutter = Cutter::new(dialect, is_stream);
        Guard { cutter, secrets, watches: BTreeMap::new(), is_stream, exchange }
    }

    /// What may leave of a piece of the answer; `None`: of its end.
    fn pass(&mut self, bytes: Option<&[u8]>) -> Vec<u8> {
        let Guard { cutter, secrets, watches, is_stream, exchange } = self;
        let mut gives_away = |index: u64, text: &str| {
            let leak = if *is_stream {
                watches.entry(index).or_insert_with(|| Watch::new(Arc::clone(secrets))).push(text)
            } else {
                let mut watch = Watch::new(Arc::clone(secrets));
                watch.push(text).or_else(|| watch.finish())
            };
            leak.inspect(|leak| {
                exchange.cut.get_or_init(|| *leak);
            })
            .is_some()
        };
        match bytes {
            Some(bytes) => cutter.feed(bytes, &mut gives_away),
            None => cutter.finish(&mut gives_away),
        }
    }
}

/// Whether a program is to read the answer: then nothing is put behind it.
pub(super) fn is_for_programs(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Request {
        response_format: Option<Format>,
        text: Option<Text>,
        // What servers of open models call it.
        guided_json: Option<IgnoredAny>,
        guided_choice: Option<IgnoredAny>,
        guided_regex: Option<IgnoredAny>,
        guided_grammar: Option<IgnoredAny>,
        structured_outputs: Option<IgnoredAny>,
        grammar: Option<IgnoredAny>,
        json_schema: Option<IgnoredAny>,
        regex: Option<IgnoredAny>,
        ebnf: Option<IgnoredAny>,
        format: Option<IgnoredAny>,
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
    let constraints = [
        request.guided_json,
        request.guided_choice,
        request.guided_regex,
        request.guided_grammar,
        request.structured_outputs,
        request.grammar,
        request.json_schema,
        request.regex,
        request.ebnf,
        request.format,
    ];
    if constraints.iter().any(Option::is_some) {
        return true;
    }
    let format = request.response_format.or_else(|| request.text?.format);
    format.is_some_and(|format| format.r#type.as_deref() != Some("text"))
}

/// The answer with these edits, as far as they can be made.
pub(super) fn edit(
    response: Response<Answer>,
    edits: Edits,
    dialect: Dialect,
    metrics: &Arc<Metrics>,
    exchange: &Arc<Exchange>,
) -> Response<Answer> {
    if !response.status().is_success() {
        return response;
    }
    let is_stream = is_stream(response.headers());
    let footer = edits
        .disclosure
        .as_deref()
        .and_then(|text| is_stream.and_then(|is_stream| Footer::new(text, dialect, is_stream)));
    if edits.disclosure.is_some() && footer.is_none() {
        metrics.disclosed(Disclosing::Impossible);
    }
    let guard = edits
        .secrets
        .zip(is_stream)
        .map(|(secrets, is_stream)| Guard::new(dialect, is_stream, secrets, Arc::clone(exchange)));
    let (mut parts, body) = response.into_parts();
    match body {
        Answer::Upstream(inner) if footer.is_some() || guard.is_some() => {
            parts.headers.remove(CONTENT_LENGTH);
            parts.headers.remove(ETAG);
            let metrics = Arc::clone(metrics);
            let edited = Edited { inner, guard, footer, metrics, trailers: None, has_ended: false };
            Response::from_parts(parts, Answer::Edited(Box::new(edited)))
        }
        body => Response::from_parts(parts, body),
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

impl Edited {
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
                    Ok(data) => self.pass(&data),
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

    fn pass(&mut self, data: &[u8]) -> Vec<u8> {
        let Some(guard) = &mut self.guard else { return self.behind(data) };
        let told = guard.pass(Some(data));
        let has_cut = guard.cutter.has_cut();
        let mut out = self.behind(&told);
        if has_cut {
            // The rest is of no use to anybody: the upstream is hung up on.
            out.append(&mut self.close());
        }
        out
    }

    fn end(&mut self) -> Vec<u8> {
        let rest = self.guard.as_mut().map(|guard| guard.pass(None)).unwrap_or_default();
        let mut out = self.behind(&rest);
        out.append(&mut self.close());
        out
    }

    /// A piece with what the footer makes of it.
    fn behind(&mut self, data: &[u8]) -> Vec<u8> {
        match &mut self.footer {
            Some(footer) => footer.feed(data),
            None => data.to_vec(),
        }
    }

    fn close(&mut self) -> Vec<u8> {
        self.has_ended = true;
        let Some(footer) = &mut self.footer else { return Vec::new() };
        let rest = footer.finish();
        let result = if footer.added() > 0 { Disclosing::Added } else { Disclosing::Nothing };
        self.metrics.disclosed(result);
        rest
    }

    pub(in crate::proxy) fn is_over(&self) -> bool {
        self.has_ended && self.trailers.is_none()
    }
}
