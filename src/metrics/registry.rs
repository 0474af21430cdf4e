//! The counters, gauges and histograms of a process, in the Prometheus text format.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::labels::{Disclosing, Ending, LiveLoss, PrefixBreak, ReloadResult, Route, TunnelEnd};

/// Upper bounds in seconds, from 100 microseconds to one second.
const FAST: [f64; 10] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0];
/// Upper bounds in seconds for waiting on a model.
const SLOW: [f64; 11] = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: Route,
    /// `1xx` to `5xx`.
    status: &'static str,
    ending: Ending,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabels {
    decision: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CauseLabels {
    cause: PrefixBreak,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    result: ReloadResult,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerLabels {
    /// One of the configured arms.
    arm: String,
    eligible: &'static str,
    /// `yes`, `no`, or `missing`.
    mention: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DisclosureLabels {
    result: Disclosing,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TunnelLabels {
    ending: TunnelEnd,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LossLabels {
    cause: LiveLoss,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    code: &'static str,
}

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    decisions: Family<DecisionLabels, Counter>,
    errors: Family<ErrorLabels, Counter>,
    prefix_breaks: Family<CauseLabels, Counter>,
    reloads: Family<ReloadLabels, Counter>,
    answers: Family<AnswerLabels, Counter>,
    receipts_lost: Family<LossLabels, Counter>,
    disclosures: Family<DisclosureLabels, Counter>,
    tunnels: Family<TunnelLabels, Counter>,
    items: Counter,
    tokens_added: Counter,
    upstream_tokens: Counter,
    spans_lost: Counter,
    breaker_openings: Counter,
    leaks: Counter,
    upstream_cached_tokens: Counter,
    plan_hits: Counter,
    plan_misses: Counter,
    plan_seconds: Histogram,
    first_byte_seconds: Histogram,
    answer_seconds: Histogram,
    embedding_seconds: Histogram,
    search_seconds: Histogram,
    /// Values that go up and down.
    pub gauges: Gauges,
}

/// Values that go up and down.
#[derive(Clone, Default)]
pub struct Gauges {
    /// Requests that are being answered.
    pub in_flight: Gauge,
    /// Open client connections.
    pub connections: Gauge,
    /// One while retrieval is left alone.
    pub breaker_open: Gauge,
    /// Retrievals that run or wait.
    pub retrievals: Gauge,
    /// Open tunnels: connections that have become WebSockets.
    pub tunnels: Gauge,
    /// Items in the served snapshot.
    pub snapshot_items: Gauge,
    /// Texts that have no vector yet.
    pub texts_waiting: Gauge,
    /// When the served snapshot was built, in seconds since 1970.
    pub snapshot_time: Gauge<f64, AtomicU64>,
    /// When the certificate for clients ends, in seconds since 1970; zero without one.
    pub certificate_end: Gauge,
}

impl Metrics {
    /// All metrics at zero.
    pub fn new() -> Metrics {
        let mut registry = Registry::with_prefix("foreword");
        let metrics = Metrics {
            requests: Family::default(),
            decisions: Family::default(),
            errors: Family::default(),
            prefix_breaks: Family::default(),
            reloads: Family::default(),
            answers: Family::default(),
            receipts_lost: Family::default(),
            disclosures: Family::default(),
            tunnels: Family::default(),
            items: Counter::default(),
            tokens_added: Counter::default(),
            upstream_tokens: Counter::default(),
            spans_lost: Counter::default(),
            breaker_openings: Counter::default(),
            leaks: Counter::default(),
            upstream_cached_tokens: Counter::default(),
            plan_hits: Counter::default(),
            plan_misses: Counter::default(),
            plan_seconds: Histogram::new(FAST),
            first_byte_seconds: Histogram::new(SLOW),
            answer_seconds: Histogram::new(SLOW),
            embedding_seconds: Histogram::new(FAST),
            search_seconds: Histogram::new(FAST),
            gauges: Gauges::default(),
            registry: Registry::default(),
        };
        metrics.begin_at_zero();
        metrics.register_counters(&mut registry);
        metrics.register_values(&mut registry);
        Metrics { registry, ..metrics }
    }

    /// Counters that alerts are made of are there before anything has happened.
    fn begin_at_zero(&self) {
        for &cause in PrefixBreak::ALL {
            self.prefix_breaks.get_or_create(&CauseLabels { cause }).inc_by(0);
        }
        for &result in ReloadResult::ALL {
            self.reloads.get_or_create(&ReloadLabels { result }).inc_by(0);
        }
        for &cause in LiveLoss::ALL {
            self.receipts_lost.get_or_create(&LossLabels { cause }).inc_by(0);
        }
        for &result in Disclosing::ALL {
            self.disclosures.get_or_create(&DisclosureLabels { result }).inc_by(0);
        }
    }

    fn register_counters(&self, registry: &mut Registry) {
        let mut counter = |name: &str, help: &str, family: &Counter| {
            registry.register(name, help, family.clone());
        };
        counter("injected_items", "Items added to requests", &self.items);
        counter("injected_tokens", "Tokens added to requests", &self.tokens_added);
        counter("upstream_prompt_tokens", "Prompt tokens that the upstream reported", &self.upstream_tokens);
        counter(
            "upstream_cached_tokens",
            "Prompt tokens that the upstream reported as cached",
            &self.upstream_cached_tokens,
        );
        counter("leaks", "Answers that give away what only the model was to see", &self.leaks);
        counter("breaker_openings", "Times that retrieval was left alone", &self.breaker_openings);
        counter("spans_lost", "Spans that no collector took", &self.spans_lost);
        counter("plan_cache_hits", "Requests whose whole plan was known", &self.plan_hits);
        counter("plan_cache_misses", "Requests that needed retrieval", &self.plan_misses);
        registry.register("requests", "Requests by kind, status and ending", self.requests.clone());
        registry.register("decisions", "Chat requests by decision", self.decisions.clone());
        registry.register("proxy_errors", "Answers of our own by error code", self.errors.clone());
        registry.register(
            "prefix_breaks",
            "Requests that could not continue what was sent for the turn before",
            self.prefix_breaks.clone(),
        );
        registry.register("reloads", "Reloads by result", self.reloads.clone());
        registry.register("answers", "Answers by arm, and whether they name the brand", self.answers.clone());
        registry.register("disclosures", "Disclosures by what became of them", self.disclosures.clone());
        registry.register("tunnels", "Tunnels by how they ended", self.tunnels.clone());
        registry.register("receipts_lost", "Receipts that were not kept", self.receipts_lost.clone());
    }

    fn register_values(&self, registry: &mut Registry) {
        let seconds = Unit::Seconds;
        registry.register_with_unit(
            "plan_duration",
            "Time from the request body to the decision",
            seconds.clone(),
            self.plan_seconds.clone(),
        );
        registry.register_with_unit(
            "upstream_first_byte_duration",
            "Time from the request to the upstream's response head",
            seconds.clone(),
            self.first_byte_seconds.clone(),
        );
        registry.register_with_unit(
            "chat_answer_duration",
            "Time from a chat request to the end of its answer",
            seconds.clone(),
            self.answer_seconds.clone(),
        );
        registry.register_with_unit(
            "embedding_duration",
            "Time to the vector of one query, remembered or computed",
            seconds.clone(),
            self.embedding_seconds.clone(),
        );
        registry.register_with_unit(
            "search_duration",
            "Time for search, fusion and gate of one query",
            seconds,
            self.search_seconds.clone(),
        );
        let gauges = &self.gauges;
        registry.register("in_flight_requests", "Requests being answered", gauges.in_flight.clone());
        registry.register("open_connections", "Open client connections", gauges.connections.clone());
        registry.register("breaker_open", "One while retrieval is left alone", gauges.breaker_open.clone());
        registry.register("retrieval_jobs", "Retrievals that run or wait", gauges.retrievals.clone());
        registry.register("open_tunnels", "Open WebSockets", gauges.tunnels.clone());
        registry.register("snapshot_items", "Items in the served snapshot", gauges.snapshot_items.clone());
        registry.register(
            "texts_waiting",
            "Texts without a vector yet: the words alone of their brands are compared",
            gauges.texts_waiting.clone(),
        );
        registry.register(
            "snapshot_timestamp",
            "When the served snapshot was built, in seconds since 1970",
            gauges.snapshot_time.clone(),
        );
        registry.register(
            "tls_certificate_expiry_timestamp",
            "When the certificate for clients or one that signs it ends, in seconds since 1970; 0 without TLS",
            gauges.certificate_end.clone(),
        );
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running version", build);
    }

    /// A request has been answered.
    pub fn request_ended(&self, route: Route, status: u16, ending: Ending) {
        let status = match status {
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        self.requests.get_or_create(&RequestLabels { route, status, ending }).inc();
    }

    /// A chat request was decided upon. `decision` is the name of a decision, never free text.
    pub fn decided(&self, decision: &'static str, items: usize, tokens: u32, took: Duration) {
        self.decisions.get_or_create(&DecisionLabels { decision }).inc();
        self.items.inc_by(items as u64);
        self.tokens_added.inc_by(u64::from(tokens));
        self.plan_seconds.observe(took.as_secs_f64());
    }

    /// Whether a chat request's plan was known.
    pub fn plan_known(&self, known: bool) {
        if known {
            self.plan_hits.inc()
        } else {
            self.plan_misses.inc()
        };
    }

    /// The proxy answered with an error of its own. `code` is one of the fixed error codes.
    pub fn error_answered(&self, code: &'static str) {
        self.errors.get_or_create(&ErrorLabels { code }).inc();
    }

    /// The circuit breaker on retrieval has opened or closed.
    pub fn breaker(&self, is_open: bool) {
        self.gauges.breaker_open.set(i64::from(is_open));
        if is_open {
            self.breaker_openings.inc();
        }
    }

    /// A conversation's outbound prefix was broken.
    pub fn prefix_broken(&self, cause: PrefixBreak) {
        self.prefix_breaks.get_or_create(&CauseLabels { cause }).inc();
    }

    /// A reload ended.
    pub fn reloaded(&self, result: ReloadResult) {
        self.reloads.get_or_create(&ReloadLabels { result }).inc();
    }

    /// An answer was searched for mentions; `None`: it could not be. `arm` is one of the configured ones.
    pub fn answer_scored(&self, arm: &str, eligible: bool, mentioned: Option<bool>) {
        let mention = match mentioned {
            Some(true) => "yes",
            Some(false) => "no",
            None => "missing",
        };
        let eligible = if eligible { "yes" } else { "no" };
        self.answers.get_or_create(&AnswerLabels { arm: arm.to_owned(), eligible, mention }).inc();
    }

    /// A disclosure was to be put behind an answer.
    pub fn disclosed(&self, result: Disclosing) {
        self.disclosures.get_or_create(&DisclosureLabels { result }).inc();
    }

    /// An answer gave away what only the model was to see.
    pub fn leaked(&self) {
        self.leaks.inc();
    }

    /// Spans were not taken by a collector.
    pub fn spans_lost(&self, count: u64) {
        self.spans_lost.inc_by(count);
    }

    /// A tunnel ended.
    pub fn tunnel_ended(&self, ending: TunnelEnd) {
        self.tunnels.get_or_create(&TunnelLabels { ending }).inc();
    }

    /// Receipts were not kept.
    pub fn receipts_lost(&self, cause: LiveLoss, count: u64) {
        self.receipts_lost.get_or_create(&LossLabels { cause }).inc_by(count);
    }

    /// The upstream sent its response head.
    pub fn upstream_answered(&self, took: Duration) {
        self.first_byte_seconds.observe(took.as_secs_f64());
    }

    /// A chat request's answer has ended.
    pub fn chat_answered(&self, took: Duration) {
        self.answer_seconds.observe(took.as_secs_f64());
    }

    /// A query was looked up: time for its vector, and for all the rest.
    pub fn looked_up(&self, embedding: Duration, search: Duration) {
        self.embedding_seconds.observe(embedding.as_secs_f64());
        self.search_seconds.observe(search.as_secs_f64());
    }

    /// The upstream reported its token usage.
    pub fn usage_reported(&self, prompt: u64, cached: u64) {
        self.upstream_tokens.inc_by(prompt);
        self.upstream_cached_tokens.inc_by(cached);
    }

    /// Everything in the OpenMetrics text format.
    pub fn render(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}
