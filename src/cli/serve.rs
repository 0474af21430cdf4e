//! `foreword serve`: start, say what runs, stop in good order.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;

use super::Exit;
use super::arguments::{Common, Serve};
use super::log::LogWriter;
use super::print::{err, failure, not_started, out, problems};
use super::reload::{LevelHandle, Watched, level_handle};
use crate::app::{Addresses, Bound, Core, StartError, bind, core};
use crate::config::{LogFormat, Settings, load};
use crate::document::Severity;
use crate::keys::KeyRing;
use crate::server::Drained;

pub(super) fn run(common: &Common, serve: &Serve) -> Exit {
    let (file, optional) = common.file();
    let (settings, found) = load(&file, optional, &serve.overrides(common));
    problems(&found, Severity::Warning);
    let Some(settings) = settings else { return Exit::BadInput };
    let log = match LogWriter::start() {
        Ok(log) => log,
        Err(error) => {
            failure(&error);
            return Exit::Runtime;
        }
    };
    let level = match start_logs(&settings, log.clone()) {
        Ok(level) => level,
        Err(error) => {
            err(&format!(
                "foreword: log.level is not a filter such as `info` or `foreword=debug`: {error}\n"
            ));
            return Exit::BadInput;
        }
    };
    let written = settings.written.clone();
    let keys = settings.proxy.keys.clone();
    let watched = Watched { file, optional, overrides: serve.overrides(common), written, level, keys };
    let runtime = match runtime(settings.workers) {
        Ok(runtime) => runtime,
        Err(error) => {
            failure(&error);
            return Exit::Runtime;
        }
    };
    let served = runtime.block_on(start_and_run(settings, watched));
    // Retrieval that still works in the background is not waited for.
    runtime.shutdown_timeout(Duration::from_millis(200));
    log.flush();
    served.unwrap_or_else(|error| not_started(&error))
}

async fn start_and_run(settings: Settings, watched: Watched) -> Result<Exit, StartError> {
    let url = settings.upstream.as_ref().map(|upstream| upstream.address.to_string()).unwrap_or_default();
    let drain = settings.drain;
    if settings.upstream.is_none() {
        return Err(StartError::NoUpstream);
    }
    let core = core(&settings, &mut progress())?;
    // A line each: what stands in the knowledge is for `check` to show, not for a log.
    for problem in core.problems.iter().filter(|problem| problem.severity >= Severity::Warning) {
        err(&format!("{problem}\n"));
    }
    if let Some(keys) = &settings.proxy.keys {
        err(&unknown_brands(&keys.load(), &core));
    }
    let bound = bind(settings, core).await?;
    // Before it says that it runs: whoever reads that may stop it at once.
    let mut signals = StopSignals::new().map_err(StartError::Signals)?;
    let hangup = signal(SignalKind::hangup()).map_err(StartError::Signals)?;
    let following = tokio::spawn(watched.follow(hangup, Arc::clone(&bound.core().reloader)));
    out(&banner(&bound, &url));
    let in_flight = bound.core().metrics.gauges.in_flight.clone();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = bound.run(async {
        // A sender that is gone has told to stop as well.
        let _told = stopped.await;
    });
    tokio::pin!(running);
    let drained = tokio::select! {
        drained = &mut running => drained,
        () = signals.next() => {
            out(&format!("foreword: stopping; running requests have {drain:?} to end, or until told again\n"));
            let _already_stopping = stop.send(());
            tokio::select! {
                drained = &mut running => drained,
                () = signals.next() => Drained { cut: usize::try_from(in_flight.get()).unwrap_or(0) },
            }
        }
    };
    following.abort();
    match drained.cut {
        0 => out("foreword: stopped, every running request has ended\n"),
        cut => out(&format!("foreword: stopped, {cut} running requests were cut\n")),
    }
    Ok(Exit::Success)
}

/// A line for each brand that a key names and the knowledge does not hold: its client is told nothing of it.
fn unknown_brands(keys: &KeyRing, core: &Core) -> String {
    let snapshot = core.planner.snapshot();
    let is_known = |id: &&String| snapshot.brands.iter().any(|brand| brand.id == **id);
    let mut lines = String::new();
    for client in keys.clients() {
        for brand in client.brands.iter().filter(|brand| !is_known(brand)) {
            let name = &client.name;
            lines.push_str(&format!(
                "warning: the key of `{name}` names the brand `{brand}`, which is not in the knowledge folder\n"
            ));
        }
    }
    lines
}

fn runtime(workers: usize) -> io::Result<tokio::runtime::Runtime> {
    // One worker needs no stealing, and is cheaper without the machinery for it.
    let mut builder = match workers {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    if workers > 1 {
        builder.worker_threads(workers);
    }
    builder.enable_all().build()
}

fn start_logs(
    settings: &Settings,
    writer: LogWriter,
) -> Result<LevelHandle, tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::builder().parse(&settings.log_level)?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(io::stderr().is_terminal());
    Ok(match settings.log_format {
        LogFormat::Text => {
            let subscriber = subscriber.with_filter_reloading();
            let handle = level_handle(subscriber.reload_handle());
            subscriber.init();
            handle
        }
        LogFormat::Json => {
            let subscriber = subscriber.json().flatten_event(true).with_filter_reloading();
            let handle = level_handle(subscriber.reload_handle());
            subscriber.init();
            handle
        }
    })
}

/// Tells how far the first embedding of a large folder is, once a second.
pub(super) fn progress() -> impl FnMut(usize, usize) {
    let mut told = Instant::now();
    move |done, all| {
        if told.elapsed() >= Duration::from_secs(1) {
            told = Instant::now();
            err(&format!("embedding: {done} of {all} texts\n"));
        }
    }
}

fn banner(bound: &Bound, upstream: &str) -> String {
    let Addresses { proxy, admin } = bound.addresses();
    let core = bound.core();
    let snapshot = core.planner.snapshot();
    let brands: Vec<String> =
        snapshot.brands.iter().map(|brand| format!("{} ({} items)", brand.id, brand.len())).collect();
    let recipes: Vec<&str> = snapshot.recipes.keys().map(String::as_str).collect();
    let model = match &core.model {
        Ok(name) if snapshot.report.waiting > 0 => {
            format!("{name} (words alone are compared until {} texts have a vector)", snapshot.report.waiting)
        }
        Ok(name) => name.clone(),
        Err(reason) => format!("none, so that only words are compared ({reason})"),
    };
    let scheme = if bound.is_encrypted() { "https" } else { "http" };
    format!(
        "foreword {version}\n\
         \x20 listening on {scheme}://{proxy}\n\
         \x20 forwarding to {upstream}\n\
         \x20 admin on http://{admin} (/healthz, /readyz, /metrics)\n\
         \x20 console: {console}\n\
         \x20 brands: {brands}\n\
         \x20 recipe: {recipe} (of {recipes})\n\
         \x20 embedding model: {model}\n\
         \x20 ready in {ms} ms, {embedded} items embedded anew\n\
         Point your chatbot's base URL at {scheme}://{proxy}/v1, or try:\n\
         \x20 curl -i {scheme}://{proxy}/v1/chat/completions -H 'content-type: application/json' \\\n\
         \x20   -d '{{\"model\":\"NAME\",\"messages\":[{{\"role\":\"user\",\"content\":\"Your question\"}}]}}'\n\
         Stop with Ctrl-C.\n",
        version = env!("CARGO_PKG_VERSION"),
        console = if bound.has_console() {
            format!("http://{admin}/console/")
        } else {
            "off (admin.console = true turns it on)".to_owned()
        },
        brands = brands.join(", "),
        recipe = snapshot.recipe.name,
        recipes = recipes.join(", "),
        ms = core.took.as_millis(),
        embedded = snapshot.report.embedded,
    )
}

/// SIGINT and SIGTERM, listened to from its making on.
struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    fn new() -> io::Result<StopSignals> {
        Ok(StopSignals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
