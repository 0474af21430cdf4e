//! A proxy in this process, put together as `foreword serve` does, with a configuration file and a
//! knowledge folder of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use foreword::app;
use foreword::config::{self, Overrides, Settings};
use foreword::metrics::Metrics;
use foreword::retrieval::ModelSource;
use foreword::server::Drained;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::retrieval::warm;

/// A brand that retrieval by words finds for questions about anvils.
pub const KNOWLEDGE: &[(&str, &str)] = &[
    (
        "knowledge/acme/brand.toml",
        "name = \"Acme Anvils\"\naliases = [\"Acme\"]\nnever = [\"coyote injury\"]\n",
    ),
    (
        "knowledge/acme/products.md",
        "# Lightest anvil to carry\n\nThe FeatherAnvil by Acme weighs twelve kilograms.\n\n\
         # Anvil warranty length\n\nAcme gives ten years of warranty on every anvil.\n\n\
         # Forging temperature of steel\n\nAcme recommends forging steel at 1100 degrees.\n\n\
         Q: Which anvil should a beginner buy?\nA: The FeatherAnvil by Acme suits beginners.\n",
    ),
];

const RECIPES: &[(&str, &str)] = &[
    ("prompts/pairs.md", include_str!("../../../prompts/pairs.md")),
    ("prompts/message.md", include_str!("../../../prompts/message.md")),
    ("prompts/inline.md", include_str!("../../../prompts/inline.md")),
    ("prompts/lead.md", include_str!("../../../prompts/lead.md")),
];

/// A folder with configuration, knowledge and recipes.
pub struct Site {
    pub folder: TempDir,
}

impl Site {
    /// The standard site: the anvil brand, retrieval by words alone, tokens estimated.
    pub fn new() -> Site {
        let site = Site { folder: tempfile::tempdir().unwrap() };
        for (name, text) in KNOWLEDGE.iter().chain(RECIPES) {
            site.write(name, text);
        }
        site
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Reads the settings of this site; `config` is what `foreword.toml` holds besides.
    pub fn settings(&self, upstream: &str, config: &[(&'static str, &str)]) -> Settings {
        let file = self.path("foreword.toml");
        self.write("foreword.toml", "");
        let mut values = vec![
            ("upstream.url", upstream.to_owned()),
            ("server.listen", "127.0.0.1:0".to_owned()),
            ("admin.listen", "127.0.0.1:0".to_owned()),
            ("retrieval.model", "off".to_owned()),
            ("injection.tokenizer", "estimate".to_owned()),
            // A busy machine must not turn an injection into a missed deadline.
            ("retrieval.deadline", "60s".to_owned()),
            ("retrieval.deadline_cap", "60s".to_owned()),
        ];
        values.extend(config.iter().map(|(key, value)| (*key, (*value).to_owned())));
        let (settings, problems) = config::load(&file, false, &Overrides { values });
        let settings = settings.unwrap_or_else(|| panic!("{problems:?}"));
        if !matches!(settings.embedder.model, ModelSource::Off)
            && let Some(cache) = &settings.snapshot.cache
        {
            warm(cache);
        }
        settings
    }
}

/// A running proxy. It ends with the runtime, or when told to.
pub struct Proxy {
    pub address: SocketAddr,
    pub admin: SocketAddr,
    pub site: Site,
    pub metrics: Arc<Metrics>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<Drained>,
}

impl Proxy {
    /// Serves the standard site in front of `upstream`.
    pub async fn start(upstream: &str) -> Proxy {
        Proxy::of(Site::new(), upstream, &[]).await
    }

    /// Serves `site` with further configuration.
    pub async fn of(site: Site, upstream: &str, config: &[(&'static str, &str)]) -> Proxy {
        Proxy::with(site, upstream, config, |_| {}).await
    }

    /// Serves `site` with settings that no configuration file can hold.
    pub async fn with(
        site: Site,
        upstream: &str,
        config: &[(&'static str, &str)],
        change: impl FnOnce(&mut Settings),
    ) -> Proxy {
        let mut settings = site.settings(upstream, config);
        change(&mut settings);
        let core = app::core(&settings, &mut |_, _| {}).unwrap_or_else(|error| panic!("{error:?}"));
        let metrics = Arc::clone(&core.metrics);
        let bound = app::bind(settings, core).await.unwrap();
        let addresses = bound.addresses();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(bound.run(async {
            let _dropped = stopped.await;
        }));
        Proxy { address: addresses.proxy, admin: addresses.admin, site, metrics, stop: Some(stop), serving }
    }

    /// Tells the proxy to stop; what it says when it has.
    pub fn stop(mut self) -> JoinHandle<Drained> {
        let _already_gone = self.stop.take().map(|stop| stop.send(()));
        // The site must outlive the proxy, which the task does not: it is kept until the process ends.
        std::mem::forget(self.site);
        self.serving
    }

    /// Stops the proxy, and gives its site to another.
    pub async fn stopped(mut self) -> Site {
        let _already_gone = self.stop.take().map(|stop| stop.send(()));
        self.serving.await.unwrap();
        self.site
    }

    /// The value of a metric line that begins with `name`.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.metrics.render().unwrap();
        text.lines()
            .find(|line| {
                line.starts_with(name) && line[name.len()..].starts_with([' ', '{'])
                    || line.starts_with(&format!("{name} "))
            })
            .and_then(|line| line.rsplit(' ').next()?.parse().ok())
            .unwrap_or(0.0)
    }
}
