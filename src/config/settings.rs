//! The settings of a process: what is true after file, environment and flags were read.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::experiment::{experiment, live, prices, token};
use super::lints::lints;
use super::reader::Reader;
use super::telemetry::telemetry;
use super::topics::topics;
use super::upstream::{allowed_paths, paths, upstream};
use crate::document::Problem;
use crate::inject::{Budget, Tokenizer};
use crate::keys::{KeyRing, read_keys};
use crate::knowledge::Limits;
use crate::live::{LiveSettings, Prices};
use crate::proxy::{ProxySettings, RouteSettings};
use crate::retrieval::{EmbedderSettings, ModelSource, SearchSettings};
use crate::server::{ConnectionSettings, TlsSettings};
use crate::snapshot::{BreakerSettings, Experiment, PlannerSettings, SnapshotSettings, WatchMode};
use crate::telemetry::TelemetrySettings;
use crate::upstream::UpstreamSettings;

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What flags set, besides the file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Keys with their values as text.
    pub values: Vec<(&'static str, String)>,
}

/// Everything that is configured.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where clients are served.
    pub listen: SocketAddr,
    /// Where operators are.
    pub admin_listen: SocketAddr,
    /// The hash of the token that operators show, where one is configured.
    pub admin_token: Option<blake3::Hash>,
    /// Whether the console is served to operators.
    pub console: bool,
    /// The folder of the reports that the console lists.
    pub console_reports: Option<PathBuf>,
    /// TLS towards clients.
    pub tls: Option<TlsSettings>,
    /// Worker threads.
    pub workers: usize,
    /// How long running requests may go on at shutdown.
    pub drain: Duration,
    /// Limits of connections.
    pub connection: ConnectionSettings,
    /// Limits of requests.
    pub proxy: ProxySettings,
    /// The upstream; `None` where no URL is set, which only `serve` needs.
    pub upstream: Option<UpstreamSettings>,
    /// What snapshots are built from.
    pub snapshot: SnapshotSettings,
    /// How changes of files are noticed.
    pub watch: WatchMode,
    /// The embedding model.
    pub embedder: EmbedderSettings,
    /// Fusion and gate.
    pub search: SearchSettings,
    /// Deadlines and memory.
    pub planner: PlannerSettings,
    /// Threads that retrieve.
    pub retrieval_workers: usize,
    /// Requests that may wait for them.
    pub retrieval_queue: usize,
    /// The live experiment.
    pub experiment: Experiment,
    /// Receipts and counts.
    pub live: LiveSettings,
    /// What tokens cost, where it is known.
    pub prices: Option<Prices>,
    /// Where traces go; `None`: nowhere.
    pub telemetry: Option<TelemetrySettings>,
    /// Token budgets.
    pub budget: Budget,
    /// How logs are written.
    pub log_format: LogFormat,
    /// Which logs are written, as `tracing` filters say it.
    pub log_level: String,
    /// What was written, by key: to tell what has changed.
    pub written: BTreeMap<&'static str, String>,
}

/// Reads the configuration. A file that is not there is an empty one if `optional`. The settings come
/// with warnings; without settings at least one problem is an error.
pub fn load(file: &Path, optional: bool, overrides: &Overrides) -> (Option<Settings>, Vec<Problem>) {
    let text = match std::fs::read(file) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let problem =
                    Problem::error(file, format!("the file is not UTF-8: {error}")).hint("save it as UTF-8");
                return (None, vec![problem]);
            }
        },
        Err(error) if optional && error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            let problem = Problem::error(file, format!("the configuration cannot be read: {error}"))
                .hint("`foreword init DIR` writes one with comments");
            return (None, vec![problem]);
        }
    };
    let mut reader = Reader::new(file, &text, &overrides.values);
    let settings = resolve(&mut reader);
    let failed = reader.problems.iter().any(Problem::is_error);
    ((!failed).then_some(settings), reader.problems)
}

fn resolve(reader: &mut Reader) -> Settings {
    let upstream = upstream(reader);
    let operator_key = upstream.as_ref().is_some_and(|upstream| upstream.authorization.is_some());
    let keys = keys(reader);
    let experiment = experiment(reader);
    let live = live(reader);
    let listen = listen(reader, keys.is_some());
    let snapshot = snapshot(reader);
    let admin_token = token(reader, "admin.token_env");
    Settings {
        written: reader.written(),
        listen,
        admin_listen: admin_listen(reader, admin_token.is_some()),
        admin_token,
        console: reader.flag("admin.console", false),
        console_reports: reader.text("console.reports").map(|_| reader.path("console.reports", "")),
        tls: tls(reader),
        workers: count(reader, "server.workers", available_workers(), 1..=256),
        drain: reader.duration("server.drain_timeout", Duration::from_secs(30)),
        connection: ConnectionSettings {
            header_timeout: reader.duration("server.header_timeout", Duration::from_secs(30)),
            max_header_bytes: count(reader, "server.max_header_bytes", 64 << 10, 8 << 10..=1 << 20),
            max_headers: count(reader, "server.max_headers", 128, 16..=1_000),
            max_streams: u32::try_from(reader.number("server.max_streams", 256, 1..=10_000)).unwrap_or(256),
        },
        proxy: ProxySettings {
            max_requests: count(reader, "server.max_requests", 4_096, 1..=1_000_000),
            body_timeout: reader.duration("server.body_timeout", Duration::from_secs(60)),
            max_body_bytes: count(reader, "injection.max_body_bytes", 8 << 20, 1 << 10..=1 << 30),
            headers: reader.flag("injection.headers", true),
            cut_leaks: reader.choice("leaks.policy", false, &[("observe", false), ("cut", true)]),
            log_share: reader.share("log.sample", 1.0),
            keys,
            route: RouteSettings {
                brand_header: reader.flag("knowledge.brand_header", false),
                filter_headers: reader.flag("knowledge.filter_headers", false),
                allowed_paths: allowed_paths(reader, operator_key),
                paths: paths(reader),
                experiment_token: token(reader, "measure.token_env"),
                conversation_header: experiment.header.clone(),
                keeps_questions: live.unanswered,
            },
        },
        upstream,
        watch: reader.choice(
            "knowledge.watch",
            WatchMode::Auto,
            &[("auto", WatchMode::Auto), ("poll", WatchMode::Poll), ("off", WatchMode::Off)],
        ),
        embedder: embedder(reader),
        search: SearchSettings {
            false_injection_rate: reader
                .fraction("retrieval.false_injection_rate", SearchSettings::default().false_injection_rate),
            min_score: reader.fraction("retrieval.min_score", SearchSettings::default().min_score),
            model_languages: reader
                .list("retrieval.model_languages")
                .unwrap_or(SearchSettings::default().model_languages),
            lexical_weight: reader
                .fraction("retrieval.lexical_weight", SearchSettings::default().lexical_weight),
            ..SearchSettings::default()
        },
        planner: planner(reader),
        retrieval_workers: count(reader, "retrieval.workers", 1, 1..=64),
        retrieval_queue: count(reader, "retrieval.queue", 64, 1..=100_000),
        experiment,
        live,
        prices: prices(reader),
        telemetry: telemetry(reader),
        budget: budget(reader),
        log_format: reader.choice(
            "log.format",
            LogFormat::Text,
            &[("text", LogFormat::Text), ("json", LogFormat::Json)],
        ),
        log_level: reader.text("log.level").unwrap_or_else(|| "info".to_owned()),
        snapshot,
    }
}

/// The keys of clients, where the configuration names a file of them.
fn keys(reader: &mut Reader) -> Option<Arc<ArcSwap<KeyRing>>> {
    reader.text("server.keys")?;
    let file = reader.path("server.keys", "");
    match read_keys(&file) {
        Ok(keys) => Some(Arc::new(ArcSwap::from_pointee(keys))),
        Err(problems) => {
            reader.problems.extend(problems);
            None
        }
    }
}

/// TLS towards clients, where the configuration names certificate and key.
fn tls(reader: &mut Reader) -> Option<TlsSettings> {
    let [certificate, key] = ["server.tls_certificate", "server.tls_key"].map(|key| (key, reader.text(key)));
    match (certificate, key) {
        ((_, None), (_, None)) => None,
        ((_, Some(_)), (_, Some(_))) => Some(TlsSettings {
            certificate: reader.path("server.tls_certificate", ""),
            key: reader.path("server.tls_key", ""),
        }),
        ((missing, None), (given, _)) | ((given, _), (missing, None)) => {
            reader.problem(given, &format!("needs {missing} beside it: name both files, or neither"));
            None
        }
    }
}

fn listen(reader: &mut Reader, has_keys: bool) -> SocketAddr {
    let address: SocketAddr =
        reader.parsed("server.listen", ([127, 0, 0, 1], 8080).into(), "an address such as 127.0.0.1:8080");
    if !address.ip().is_loopback() && !has_keys && !reader.flag("server.allow_unauthenticated", false) {
        reader.problem(
            "server.listen",
            "is reachable from other machines, and everybody may call: make keys with `foreword key new` and name \
             their file with server.keys, or put foreword behind something that checks who calls and set \
             server.allow_unauthenticated = true, or listen on 127.0.0.1",
        );
    }
    address
}

fn admin_listen(reader: &mut Reader, has_token: bool) -> SocketAddr {
    let address: SocketAddr =
        reader.parsed("admin.listen", ([127, 0, 0, 1], 8081).into(), "an address such as 127.0.0.1:8081");
    if !address.ip().is_loopback() && !has_token {
        reader.problem(
            "admin.listen",
            "is reachable from other machines, and everybody may look: make a token and name it with admin.token_env, or listen on \
             127.0.0.1",
        );
    }
    address
}

/// A name, or the path of a model's `tokenizer.json`.
fn tokenizer(reader: &mut Reader) -> Tokenizer {
    const KEY: &str = "injection.tokenizer";
    match reader.text(KEY).as_deref() {
        None | Some("o200k") => Tokenizer::O200k,
        Some("cl100k") => Tokenizer::Cl100k,
        Some("estimate") => Tokenizer::Estimate,
        Some(file) if file.ends_with(".json") => {
            let path = reader.path(KEY, "");
            Tokenizer::of_file(&path).unwrap_or_else(|wrong| {
                reader.problem(KEY, &format!("names {}: {wrong}", path.display()));
                Tokenizer::Estimate
            })
        }
        Some(_) => {
            reader
                .problem(KEY, "must be \"o200k\", \"cl100k\", \"estimate\" or the path of a tokenizer.json");
            Tokenizer::Estimate
        }
    }
}

fn snapshot(reader: &mut Reader) -> SnapshotSettings {
    let defaults = Limits::default();
    let cache = match reader.text("knowledge.cache").as_deref() {
        Some("off") => None,
        _ => Some(reader.path("knowledge.cache", ".foreword/cache").join("vectors.bin")),
    };
    SnapshotSettings {
        knowledge: reader.path("knowledge.folder", "knowledge"),
        prompts: reader.path("knowledge.prompts", "prompts"),
        cache,
        limits: Limits {
            max_file_bytes: count(
                reader,
                "knowledge.max_file_bytes",
                defaults.max_file_bytes,
                1 << 10..=1 << 30,
            ),
            max_item_bytes: count(reader, "knowledge.max_item_bytes", defaults.max_item_bytes, 64..=1 << 20),
            ..defaults
        },
        recipe: reader.text("injection.recipe").unwrap_or_else(|| "pairs".to_owned()),
        default_brands: reader.list("knowledge.default_brands").unwrap_or_default(),
        tokenizer: tokenizer(reader),
        lenient: reader.choice("upstream.profile", false, &[("strict", false), ("lenient", true)]),
        lints: lints(reader),
        topics: topics(reader),
        lexical_first: count(reader, "retrieval.lexical_first", 500, 0..=1 << 40),
    }
}

fn embedder(reader: &mut Reader) -> EmbedderSettings {
    let model = match reader.text("retrieval.model").as_deref() {
        Some("off") => ModelSource::Off,
        None => ModelSource::Folder(reader.nearest_above(".foreword/models/all-minilm-l6-v2-int8")),
        Some(name) => {
            let folder = reader.path("retrieval.model", name);
            // What is neither there nor written like a path is a name of fastembed's list.
            let named = !folder.exists() && !name.starts_with(['.', '/']);
            if named { ModelSource::Named(name.to_owned()) } else { ModelSource::Folder(folder) }
        }
    };
    EmbedderSettings {
        model,
        library: reader.text("retrieval.onnx_runtime").map(|_| reader.path("retrieval.onnx_runtime", "")),
        threads: count(reader, "retrieval.threads", 1, 1..=64),
        cache_entries: count(reader, "retrieval.query_cache", 4_096, 1..=10_000_000),
        ..EmbedderSettings::default()
    }
}

fn planner(reader: &mut Reader) -> PlannerSettings {
    PlannerSettings {
        deadline: reader.duration("retrieval.deadline", Duration::from_millis(50)),
        deadline_per_past_turn: reader
            .duration("retrieval.deadline_per_past_turn", Duration::from_millis(10)),
        deadline_cap: reader.duration("retrieval.deadline_cap", Duration::from_secs(1)),
        background: Duration::from_secs(5),
        cache_entries: count(reader, "injection.plan_cache", 20_000, 1..=10_000_000),
        breaker: BreakerSettings {
            failures: u32::try_from(reader.number("retrieval.breaker_failures", 8, 1..=1_000_000))
                .unwrap_or(8),
            pause: reader.duration("retrieval.breaker_pause", BreakerSettings::default().pause),
        },
    }
}

fn budget(reader: &mut Reader) -> Budget {
    let tokens = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let context = reader.number("upstream.context_tokens", 0, 0..=100_000_000);
    let context_tokens = (context > 0).then(|| tokens(context));
    let conversation = tokens(reader.number("injection.conversation_tokens", 2_000, 1..=1_000_000));
    let share = f64::from(reader.fraction("injection.context_share", 0.5));
    let of_context = context_tokens.map_or(u32::MAX, |context| (f64::from(context) * share) as u32);
    Budget { conversation_tokens: conversation.min(of_context), context_tokens }
}

fn count(
    reader: &mut Reader,
    key: &'static str,
    default: usize,
    bounds: std::ops::RangeInclusive<usize>,
) -> usize {
    let number = reader.number(key, default as u64, *bounds.start() as u64..=*bounds.end() as u64);
    usize::try_from(number).unwrap_or(default)
}

fn available_workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_settings_are_sound() {
        let (settings, problems) = load(Path::new("no-such-file.toml"), true, &Overrides::default());
        assert!(settings.is_some(), "{problems:?}");
    }
}
