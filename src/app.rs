//! Settings become running parts: the one place where everything is put together.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::admin;
use crate::config::Settings;
use crate::console::{self, Console};
use crate::document::Problem;
use crate::live::Recorder;
use crate::metrics::{Gauges, Metrics};
use crate::proxy::{Tunnels, stack};
use crate::retrieval::{Embedder, ModelSource, OpenError, Pool};
use crate::server::{CertificateError, Drained, Tls, serve};
use crate::snapshot::{Builder, Planner, Reloader, watch as watch_files};
use crate::telemetry::{Exporter, TelemetryError};
use crate::upstream::{TlsError, Upstream};

/// How long a retrieval may take before it counts as hanging: twice what a plan is worked on in the background.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the last traces may take to be sent.
const LAST_TRACES: Duration = Duration::from_secs(2);

/// Why the proxy did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Knowledge or recipes cannot serve.
    #[error("the knowledge or the recipes have errors")]
    Knowledge(Vec<Problem>),
    /// No upstream is configured.
    #[error("no upstream is configured: set upstream.url, or pass --upstream URL")]
    NoUpstream,
    /// The model is there and cannot be used.
    #[error("the embedding model cannot be used")]
    Model(#[source] OpenError),
    /// TLS.
    #[error("the upstream's TLS cannot be set up")]
    Tls(#[from] TlsError),
    /// The certificate for clients.
    #[error("clients cannot be served over TLS")]
    Certificate(#[from] CertificateError),
    /// Traces cannot be sent.
    #[error("traces cannot be sent")]
    Telemetry(#[from] TelemetryError),
    /// Receipts have no thread.
    #[error("the thread of receipts cannot be started")]
    Receipts(#[source] io::Error),
    /// The signals that stop a process cannot be received.
    #[error("signals cannot be received")]
    Signals(#[source] io::Error),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {}", remedy(source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// What helps against an address that cannot be listened on.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another process does already; stop it, or name another address with --listen (server.listen) or --admin \
             (admin.listen)"
        }
        io::ErrorKind::AddrNotAvailable => "it is no address of this machine",
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 are for root, or for who has CAP_NET_BIND_SERVICE"
        }
        _ => "see server.listen and admin.listen",
    }
}

/// Retrieval and injection, without a network: what `explain` needs and `serve` builds upon.
pub struct Core {
    /// Plans requests.
    pub planner: Arc<Planner>,
    /// Keeps the snapshot current.
    pub reloader: Arc<Reloader>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// What is worth knowing about the files.
    pub problems: Vec<Problem>,
    /// The embedding model's name, or why there is none.
    pub model: Result<String, String>,
    /// Time for all of it.
    pub took: Duration,
}

/// Loads model, knowledge and recipes. `progress` is told how many items of how many have a vector.
pub fn core(settings: &Settings, progress: &mut dyn FnMut(usize, usize)) -> Result<Core, StartError> {
    let started = Instant::now();
    let (embedder, model) = open_embedder(settings)?;
    let metrics = Arc::new(Metrics::new());
    let builder = Builder::new(settings.snapshot.clone(), embedder.clone(), settings.search.clone());
    let (reloader, problems) =
        Reloader::start(builder, Arc::clone(&metrics), progress).map_err(StartError::Knowledge)?;
    let pool = Pool::new(settings.retrieval_workers, settings.retrieval_queue, PATIENCE);
    let planner = reloader.planner(
        embedder,
        settings.search.clone(),
        settings.budget,
        pool,
        settings.planner,
        settings.experiment.clone(),
    );
    Ok(Core {
        planner: Arc::new(planner),
        reloader: Arc::new(reloader),
        metrics,
        problems,
        model,
        took: started.elapsed(),
    })
}

/// The embedder, and its name or why there is none.
pub type MaybeEmbedder = (Option<Arc<Embedder>>, Result<String, String>);

/// Opens the embedding model. A model or library that is simply not there means
/// lexical retrieval; one that is there and broken is an error.
pub fn open_embedder(settings: &Settings) -> Result<MaybeEmbedder, StartError> {
    if matches!(settings.embedder.model, ModelSource::Off) {
        return Ok((None, Err("retrieval.model is \"off\"".to_owned())));
    }
    match Embedder::open(&settings.embedder) {
        Ok(embedder) => {
            let name = embedder.id().to_owned();
            Ok((Some(Arc::new(embedder)), Ok(name)))
        }
        Err(error) if error.is_absent() => Ok((None, Err(error.to_string()))),
        Err(error) => Err(StartError::Model(error)),
    }
}

/// A proxy that listens and is not yet serving.
pub struct Bound {
    core: Core,
    settings: Settings,
    upstream: Upstream,
    tls: Option<Tls>,
    recorder: Recorder,
    /// Sends traces until the recorder is gone.
    exporting: Option<JoinHandle<()>>,
    console: Option<Console>,
    listener: TcpListener,
    admin: TcpListener,
}

/// Where a proxy listens.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// For clients.
    pub proxy: SocketAddr,
    /// For operators.
    pub admin: SocketAddr,
}

/// Sets up the upstream and takes the sockets.
pub async fn bind(settings: Settings, core: Core) -> Result<Bound, StartError> {
    let upstream = Upstream::new(settings.upstream.clone().ok_or(StartError::NoUpstream)?)?;
    let tls = settings.tls.as_ref().map(Tls::open).transpose()?;
    let (exporter, exporting) = match settings.telemetry.clone() {
        Some(telemetry) => {
            let (exporter, task) = Exporter::start(telemetry, Arc::clone(&core.metrics))?;
            (Some(exporter), Some(task))
        }
        None => (None, None),
    };
    let recorder = Recorder::start(settings.live.clone(), Arc::clone(&core.metrics), exporter);
    let recorder = recorder.map_err(StartError::Receipts)?;
    let console = if settings.console { Some(console(&settings, &core)?) } else { None };
    let listener = listen(settings.listen).await?;
    let admin = listen(settings.admin_listen).await?;
    Ok(Bound { core, settings, upstream, tls, recorder, exporting, console, listener, admin })
}

/// The console, with a pool of its own towards the upstream.
fn console(settings: &Settings, core: &Core) -> Result<Console, StartError> {
    Ok(Console::new(console::Parts {
        planner: Arc::clone(&core.planner),
        reloader: Arc::clone(&core.reloader),
        metrics: Arc::clone(&core.metrics),
        upstream: settings.upstream.clone().map(Upstream::new).transpose()?,
        reports: settings.console_reports.clone(),
        store: settings.live.store.clone(),
        keeps_questions: settings.live.unanswered,
        prices: settings.prices.clone(),
        model: core.model.clone(),
        signs_in: settings.admin_token.is_some(),
    }))
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })
}

impl Bound {
    /// Where it listens: the ports that the system chose where 0 was asked for.
    pub fn addresses(&self) -> Addresses {
        let local = |listener: &TcpListener, asked| listener.local_addr().unwrap_or(asked);
        Addresses {
            proxy: local(&self.listener, self.settings.listen),
            admin: local(&self.admin, self.settings.admin_listen),
        }
    }

    /// Whether clients are served over TLS.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether operators have a console.
    pub fn has_console(&self) -> bool {
        self.console.is_some()
    }

    /// The loaded core.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// Serves until `shutdown` is done, then lets running requests end.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Drained {
        let Bound { core, settings, upstream, tls, recorder, exporting, console, listener, admin } = self;
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(async move {
            shutdown.await;
            stop.send_replace(true);
        });
        let stopping = stopped.clone();
        let stopped_at = tokio::spawn(async move {
            until_set(stopping).await;
            Instant::now()
        });
        let tunnels = Tunnels::new(Arc::clone(&core.metrics));
        let files = tokio::spawn(watch_files(Arc::clone(&core.reloader), settings.watch));
        let (following, metrics) = (tls.clone(), Arc::clone(&core.metrics));
        let certificate = tokio::spawn(async move {
            if let Some(tls) = following {
                tls.follow(metrics).await;
            }
        });
        let service = stack(
            &settings.proxy,
            upstream,
            Arc::clone(&core.planner),
            Arc::clone(&core.metrics),
            recorder.clone(),
            tunnels.clone(),
        );
        let operators = admin::router(
            Arc::clone(&core.planner),
            Arc::clone(&core.metrics),
            settings.admin_token,
            console,
            settings.live.store.clone(),
            stopped.clone(),
        );
        // Health and metrics stay reachable while running requests end.
        let admin_gauges = Gauges::default();
        let admin_task = tokio::spawn(serve(
            admin,
            operators,
            None,
            settings.connection,
            admin_gauges,
            std::future::pending(),
            Duration::ZERO,
        ));
        let drained = serve(
            listener,
            service,
            tls,
            settings.connection,
            core.metrics.gauges.clone(),
            until_set(stopped),
            settings.drain,
        )
        .await;
        // No connection can become a tunnel any more; those that there are get what is left of the time.
        let deadline = stopped_at.await.map_or_else(|_| Instant::now(), |at| at + settings.drain);
        let tunnels_cut = tunnels.drain(deadline.into()).await;
        // It waits for the disk, which a worker thread must not.
        let _written = tokio::task::spawn_blocking(move || recorder.finish()).await;
        if let Some(exporting) = exporting {
            let _sent = tokio::time::timeout(LAST_TRACES, exporting).await;
        }
        files.abort();
        certificate.abort();
        admin_task.abort();
        Drained { cut: drained.cut + tunnels_cut }
    }
}

async fn until_set(mut flag: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is as good as told to stop.
    let _stopped = flag.wait_for(|set| *set).await;
}
