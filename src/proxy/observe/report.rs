//! The end of a request: counted and logged exactly once, also when the client has gone.

use std::sync::Arc;

use bytes::Bytes;
use http::header::HeaderName;
use http::request::Parts;
use http::{HeaderMap, Method, header};

use crate::live::{Finished, Recorder};
use crate::metrics::{Ending, Metrics, Route};
use crate::proxy::exchange::Exchange;
use crate::tap::{AnswerReader, Usage, Watch};

/// The status that the log gives to a request whose client went away before an answer began.
const CLIENT_CLOSED_REQUEST: u16 = 499;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A longer id of a client is not logged.
const LONGEST_REQUEST_ID: usize = 128;
/// Characters of a path that are logged.
const LONGEST_PATH: usize = 256;

/// Watches an answer and reports how it ended.
pub struct Report {
    exchange: Arc<Exchange>,
    metrics: Arc<Metrics>,
    method: Method,
    path: String,
    /// The client's own id of the request, as far as it is short and plain.
    request_id: Option<String>,
    status: u16,
    bytes: u64,
    reader: Option<AnswerReader>,
    recorder: Recorder,
    log_share: f64,
    reported: bool,
}

impl Report {
    /// A report on a request that has just begun.
    pub(super) fn begin(
        exchange: Arc<Exchange>,
        metrics: Arc<Metrics>,
        recorder: Recorder,
        log_share: f64,
        parts: &Parts,
    ) -> Report {
        let request_id = parts.headers.get(&REQUEST_ID).and_then(|id| id.to_str().ok());
        metrics.gauges.in_flight.inc();
        Report {
            exchange,
            metrics,
            method: parts.method.clone(),
            path: parts.uri.path().chars().take(LONGEST_PATH).collect(),
            request_id: request_id.filter(|id| id.len() <= LONGEST_REQUEST_ID).map(str::to_owned),
            status: CLIENT_CLOSED_REQUEST,
            bytes: 0,
            reader: None,
            recorder,
            log_share,
            reported: false,
        }
    }

    /// The answer's head has come.
    pub(super) fn answered(&mut self, status: u16, headers: &HeaderMap) {
        self.status = status;
        if self.route() == Route::Chat && (200..300).contains(&status) {
            let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
            let (media, encoding) = (text(header::CONTENT_TYPE), text(header::CONTENT_ENCODING));
            // Text is read where it is compared with that of other arms.
            let observed = self.exchange.spoken.get().is_some_and(|spoken| spoken.observed.is_some());
            self.reader = Some(AnswerReader::new(media, encoding, observed));
        }
    }

    fn route(&self) -> Route {
        self.exchange.route.get().copied().unwrap_or(Route::Refused)
    }

    fn report(&mut self, ending: Ending) {
        if std::mem::replace(&mut self.reported, true) {
            return;
        }
        let route = self.route();
        self.metrics.gauges.in_flight.dec();
        self.metrics.request_ended(route, self.status, ending);
        if route == Route::Chat {
            self.metrics.chat_answered(self.exchange.started.elapsed());
        }
        let reading = self.reader.take().map(AnswerReader::finish);
        let usage = reading.as_ref().and_then(|reading| reading.usage);
        if let Some(usage) = usage {
            self.metrics.usage_reported(usage.prompt_tokens, usage.cached_tokens);
        }
        if self.is_logged(ending) {
            self.log(route, usage, ending);
        }
        if let Some(&decision) = self.exchange.decision.get() {
            self.recorder.record(Finished {
                id: self.exchange.receipt,
                began: self.exchange.began,
                client: self.exchange.client.get().map(|client| client.name.clone()),
                decision,
                spoken: self.exchange.spoken.get().cloned(),
                cut: self.exchange.cut.get().copied(),
                status: self.status,
                ending: ending.as_str(),
                trace: self.exchange.trace.get().copied(),
                timing: self.exchange.timing.get().cloned().unwrap_or_default(),
                planning: self.exchange.planning.get().copied().unwrap_or_default(),
                first_byte: self.exchange.first_byte.get().copied(),
                total: self.exchange.started.elapsed(),
                reading,
            });
        }
    }

    /// Everything that did not end well is logged, and a share of the rest, which the receipt's id draws.
    fn is_logged(&self, ending: Ending) -> bool {
        let is_well = self.status < 400 && ending == Ending::Complete;
        let draw = f64::from(self.exchange.receipt.as_u128() as u32) / f64::from(u32::MAX);
        !is_well || self.log_share >= 1.0 || draw < self.log_share
    }

    fn log(&self, route: Route, usage: Option<Usage>, ending: Ending) {
        let decision = self.exchange.decision.get();
        tracing::info!(
            target: "foreword::access",
            receipt = %self.exchange.receipt,
            request_id = self.request_id,
            client = self.exchange.client.get().map(|client| &*client.name),
            method = %self.method,
            path = self.path,
            status = self.status,
            route = route.as_str(),
            decision = decision.map(|decision| decision.as_str()),
            items = decision.map(|decision| decision.items()),
            tokens_added = decision.map(|decision| decision.tokens()),
            planning_us = self.exchange.planning.get().map(|took| took.as_micros() as u64),
            first_byte_us = self.exchange.first_byte.get().map(|took| took.as_micros() as u64),
            total_us = self.exchange.started.elapsed().as_micros() as u64,
            bytes = self.bytes,
            prompt_tokens = usage.map(|usage| usage.prompt_tokens),
            cached_tokens = usage.map(|usage| usage.cached_tokens),
            ending = ending.as_str(),
            "request"
        );
    }
}

impl Watch for Report {
    fn data(&mut self, bytes: &Bytes) {
        self.bytes += bytes.len() as u64;
        if let Some(reader) = &mut self.reader {
            reader.data(bytes);
        }
    }

    fn ended(mut self, ending: Ending) {
        self.report(ending);
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        self.report(Ending::Cancelled);
    }
}
