//! The spans of a chat request, by the times that were taken on its way. Names follow OpenTelemetry's semantic
//! conventions for generative AI where there are any.

use std::time::Duration;

use super::finished::Finished;
use crate::telemetry::{Attribute, Kind, Span, TraceContext};

/// Where the time of a chat request went.
#[derive(Debug, Clone, Default)]
pub struct Timing {
    /// From the request's head to its whole body.
    pub read: Option<Duration>,
    /// Within planning: waiting for retrieval; `None` where every turn was known.
    pub retrieve: Option<Duration>,
    /// The model that the request names.
    pub model: Option<String>,
}

/// All spans of a request, the one of the whole request first.
pub(super) fn spans(finished: &Finished, context: &TraceContext) -> Vec<Span> {
    let began = u64::try_from(finished.began.as_nanosecond()).unwrap_or(0);
    let at = |after: Duration| began + after.as_nanos() as u64;
    let read = finished.timing.read.unwrap_or_default();
    let planned = read + finished.planning;
    let span = |id, parent, name: String, kind, from, to| Span {
        trace: context.trace,
        id,
        parent,
        name,
        kind,
        began: at(from),
        ended: at(to),
        attributes: Vec::new(),
        is_error: false,
    };
    let part = |name: &str, from, to| {
        let id = fastrand::u64(1..).to_be_bytes();
        span(id, Some(context.own), name.to_owned(), Kind::Internal, from, to)
    };
    let model = finished.timing.model.as_deref();
    let name = model.map_or_else(|| "chat".to_owned(), |model| format!("chat {model}"));
    let mut whole =
        span(context.own, context.parent, name.clone(), Kind::Server, Duration::ZERO, finished.total);
    whole.attributes = attributes(finished);
    whole.is_error = finished.status >= 500 || finished.ending == "failed";
    let mut spans = vec![whole];
    if finished.timing.read.is_some() {
        spans.push(part("read", Duration::ZERO, read));
        let retrieved = read + finished.timing.retrieve.unwrap_or_default();
        if finished.timing.retrieve.is_some() {
            spans.push(part("retrieve", read, retrieved));
        }
        spans.push(part("render", retrieved, planned.max(retrieved)));
    }
    if finished.first_byte.is_some() {
        let mut call = span(
            context.upstream,
            Some(context.own),
            name,
            Kind::Client,
            planned.min(finished.total),
            finished.total,
        );
        call.attributes = vec![
            ("gen_ai.operation.name", "chat".into()),
            ("http.response.status_code", u64::from(finished.status).into()),
        ];
        call.is_error = finished.status >= 400 || finished.ending == "failed";
        spans.push(call);
    }
    spans
}

fn attributes(finished: &Finished) -> Vec<(&'static str, Attribute)> {
    let mut all: Vec<(&'static str, Attribute)> = vec![
        ("gen_ai.operation.name", "chat".into()),
        ("http.response.status_code", u64::from(finished.status).into()),
        ("foreword.receipt", finished.id.to_string().as_str().into()),
        ("foreword.decision", finished.decision.as_str().into()),
        ("foreword.items", (finished.decision.items() as u64).into()),
        ("foreword.tokens_added", u64::from(finished.decision.tokens()).into()),
        ("foreword.ending", finished.ending.into()),
    ];
    all.extend(finished.timing.model.as_deref().map(|model| ("gen_ai.request.model", model.into())));
    if let Some(first_byte) = finished.first_byte {
        all.push(("foreword.upstream_first_byte_us", (first_byte.as_micros() as u64).into()));
    }
    if let Some(usage) = finished.reading.as_ref().and_then(|reading| reading.usage) {
        all.push(("gen_ai.usage.input_tokens", usage.prompt_tokens.into()));
        all.push(("gen_ai.usage.output_tokens", usage.completion_tokens.into()));
        all.push(("gen_ai.usage.cache_read.input_tokens", usage.cached_tokens.into()));
    }
    if let Some(observed) = finished.spoken.as_ref().and_then(|spoken| spoken.observed.as_ref()) {
        all.push(("foreword.arm", (&*observed.assignment.arm).into()));
        all.push(("foreword.eligible", observed.is_eligible.into()));
    }
    all
}
