//! Where a run's requests go: a proxy of its own, or the one that is named, and the endpoint behind it.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::app;
use crate::cli::Exit;
use crate::cli::arguments::Measure;
use crate::cli::print::{err, failure, not_started};
use crate::cli::serve::progress;
use crate::config::Settings;
use crate::measure::experiment::{Endpoint, Endpoints};
use crate::retrieval::ModelSource;
use crate::server::Drained;
use crate::snapshot::{Snapshot, WatchMode};
use crate::upstream::{Address, Upstream, UpstreamSettings};

/// Endpoints, and the proxy that was started for them.
pub(super) struct Connected {
    pub(super) endpoints: Endpoints,
    /// The recipes of the proxy that was started.
    pub(super) recipes: Vec<String>,
    /// What it decides with.
    pub(super) snapshot: Option<Arc<Snapshot>>,
    own: Option<(oneshot::Sender<()>, JoinHandle<Drained>)>,
}

impl Connected {
    /// Ends the proxy that was started.
    pub(super) async fn end(self) {
        if let Some((stop, serving)) = self.own {
            let _already_gone = stop.send(());
            let _ended = serving.await;
        }
    }
}

/// Connects as the arguments say.
pub(super) async fn connect(
    arguments: &Measure,
    settings: Settings,
    timeout: Duration,
) -> Result<Connected, Exit> {
    let authorization = api_key(arguments)?;
    let direct = match settings.upstream.clone() {
        None => None,
        // The configured key, where there is one, is set by the client of the upstream itself.
        Some(upstream) => Some(endpoint(upstream, timeout, None, authorization.clone())?),
    };
    if let Some(url) = &arguments.proxy {
        let token = std::env::var(&arguments.token_env).ok().filter(|token| !token.is_empty());
        let Some(token) = token.and_then(|token| HeaderValue::try_from(token).ok()) else {
            err(&format!(
                "foreword: the running proxy takes arms by a token only: set measure.token_env in its configuration, and {} \
                 here to the same value\n",
                arguments.token_env
            ));
            return Err(Exit::BadInput);
        };
        let address = Address::parse(url).map_err(|error| {
            err(&format!(
                "foreword: --proxy {url} is no base URL such as http://127.0.0.1:8080/v1: {error}\n"
            ));
            Exit::BadInput
        })?;
        let proxy = endpoint(plain(address, timeout), timeout, Some(token), authorization)?;
        return Ok(Connected {
            endpoints: Endpoints { proxy: Some(proxy), direct },
            recipes: Vec::new(),
            snapshot: None,
            own: None,
        });
    }
    start(settings, direct, timeout, authorization).await
}

/// Starts a proxy as the settings say, and connects to it and to what is behind it.
pub(super) async fn connect_own(settings: Settings, timeout: Duration) -> Result<Connected, Exit> {
    let direct =
        settings.upstream.clone().map(|upstream| endpoint(upstream, timeout, None, None)).transpose()?;
    start(settings, direct, timeout, None).await
}

/// Starts a proxy on a free port of this machine, with a token that nobody else knows.
async fn start(
    mut settings: Settings,
    direct: Option<Endpoint>,
    timeout: Duration,
    authorization: Option<HeaderValue>,
) -> Result<Connected, Exit> {
    let mut random = [0; 24];
    getrandom::fill(&mut random).map_err(|error| {
        failure(&error);
        Exit::Runtime
    })?;
    let token = blake3::hash(&random).to_hex().to_string();
    settings.listen = ([127, 0, 0, 1], 0).into();
    settings.admin_listen = ([127, 0, 0, 1], 0).into();
    settings.tls = None;
    settings.watch = WatchMode::Off;
    settings.snapshot.lexical_first = usize::MAX;
    settings.proxy.keys = None;
    settings.proxy.route.experiment_token = Some(blake3::hash(token.as_bytes()));
    let core = app::core(&settings, &mut progress()).map_err(|error| not_started(&error))?;
    let has_no_model = !matches!(settings.embedder.model, ModelSource::Off);
    if let (Err(reason), true) = (&core.model, has_no_model) {
        err(&format!("note: only words are compared, for there is no embedding model: {reason}\n"));
    }
    let snapshot = core.planner.snapshot();
    let recipes = snapshot.recipes.keys().cloned().collect();
    let bound = app::bind(settings, core).await.map_err(|error| not_started(&error))?;
    let address = Address::parse(&format!("http://{}/v1", bound.addresses().proxy)).map_err(|error| {
        failure(&error);
        Exit::Runtime
    })?;
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(bound.run(async {
        let _told = stopped.await;
    }));
    let token = HeaderValue::try_from(token).ok();
    let mut proxy = endpoint(plain(address, timeout), timeout, token, authorization)?;
    if let Some(direct) = &direct {
        // The proxy's own address is nobody's but ours.
        proxy.url = format!("{} (through foreword)", direct.url);
    }
    let endpoints = Endpoints { proxy: Some(proxy), direct };
    Ok(Connected { endpoints, recipes, snapshot: Some(snapshot), own: Some((stop, serving)) })
}

fn api_key(arguments: &Measure) -> Result<Option<HeaderValue>, Exit> {
    let Some(variable) = &arguments.key_env else { return Ok(None) };
    let key = std::env::var(variable).ok().filter(|key| !key.trim().is_empty());
    let value = key.and_then(|key| HeaderValue::try_from(format!("Bearer {}", key.trim())).ok());
    let Some(mut value) = value else {
        err(&format!("foreword: --key-env names {variable}, which is not set to a key\n"));
        return Err(Exit::BadInput);
    };
    value.set_sensitive(true);
    Ok(Some(value))
}

fn plain(address: Address, timeout: Duration) -> UpstreamSettings {
    UpstreamSettings {
        address,
        authorization: None,
        ca_file: None,
        http2_prior_knowledge: false,
        connect_timeout: Duration::from_secs(10),
        first_byte_timeout: timeout,
        idle_timeout: timeout,
        pool_idle_timeout: Duration::from_secs(4),
    }
}

fn endpoint(
    settings: UpstreamSettings,
    timeout: Duration,
    token: Option<HeaderValue>,
    authorization: Option<HeaderValue>,
) -> Result<Endpoint, Exit> {
    let settings = UpstreamSettings { first_byte_timeout: timeout, idle_timeout: timeout, ..settings };
    let upstream = Upstream::new(settings).map_err(|error| {
        failure(&error);
        Exit::BadInput
    })?;
    Ok(Endpoint::new(upstream, token, authorization))
}
