//! The configuration read again while serving: on SIGHUP, and when its file or that of the keys changes. Keys and the log's
//! level change at once; of everything else that changed it is said that it needs a restart.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use tokio::signal::unix::Signal;
use tracing_subscriber::{EnvFilter, reload};

use crate::config::{Overrides, load};
use crate::keys::KeyRing;
use crate::snapshot::Reloader;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Changes which lines are logged.
pub(super) type LevelHandle = Box<dyn Fn(EnvFilter) + Send + Sync>;

/// What is needed to read the configuration again.
pub(super) struct Watched {
    pub(super) file: PathBuf,
    pub(super) optional: bool,
    pub(super) overrides: Overrides,
    /// What is in force, as it was written, by key.
    pub(super) written: BTreeMap<&'static str, String>,
    pub(super) level: LevelHandle,
    /// The keys of clients, where there are any.
    pub(super) keys: Option<Arc<ArcSwap<KeyRing>>>,
}

/// The handle of a filter that can be changed.
pub(super) fn level_handle<S: 'static>(handle: reload::Handle<EnvFilter, S>) -> LevelHandle {
    Box::new(move |filter| {
        // An error means that logging has ended.
        let _gone = handle.reload(filter);
    })
}

impl Watched {
    /// Reads again whenever it should, until dropped. SIGHUP also reads the knowledge again.
    pub(super) async fn follow(mut self, mut hangup: Signal, reloader: Arc<Reloader>) {
        let mut seen = self.seen();
        loop {
            let is_hangup = tokio::select! {
                told = hangup.recv() => {
                    if told.is_none() {
                        return;
                    }
                    true
                }
                () = tokio::time::sleep(LOOK) => false,
            };
            let now = self.seen();
            if !is_hangup && now == seen {
                continue;
            }
            seen = now;
            self.read_again();
            if is_hangup {
                let reloader = Arc::clone(&reloader);
                if let Ok(result) = tokio::task::spawn_blocking(move || reloader.reload()).await {
                    tracing::info!(result = result.as_str(), "the knowledge was read again");
                }
            }
        }
    }

    /// When the files were written, and how long they are.
    fn seen(&self) -> [Option<(SystemTime, u64)>; 2] {
        let of = |file: &Path| {
            let data = std::fs::metadata(file).ok()?;
            Some((data.modified().ok()?, data.len()))
        };
        let folder = self.file.parent().unwrap_or(Path::new(""));
        let keys = self.written.get("server.keys").map(|keys| folder.join(keys));
        [of(&self.file), keys.and_then(|keys| of(&keys))]
    }

    fn read_again(&mut self) {
        let (settings, problems) = load(&self.file, self.optional, &self.overrides);
        for problem in problems.iter().filter(|problem| problem.is_error()) {
            tracing::error!("{problem}");
        }
        let Some(settings) = settings else {
            tracing::error!(file = %self.file.display(), "the configuration has errors: what runs goes on as it is");
            return;
        };
        if let (Some(keys), Some(read)) = (&self.keys, &settings.proxy.keys) {
            // A key's rate begins anew with it.
            keys.store(read.load_full());
            tracing::info!("the keys of clients were read again");
        }
        let written = settings.written;
        let keys = written.keys().chain(self.written.keys());
        let changed: std::collections::BTreeSet<&'static str> =
            keys.copied().filter(|key| written.get(key) != self.written.get(key)).collect();
        let (live, restart): (Vec<&str>, Vec<&str>) =
            changed.into_iter().partition(|key| *key == "log.level");
        if !live.is_empty() {
            match EnvFilter::builder().parse(&settings.log_level) {
                Ok(filter) => {
                    (self.level)(filter);
                    match written.get("log.level") {
                        Some(level) => self.written.insert("log.level", level.clone()),
                        None => self.written.remove("log.level"),
                    };
                    tracing::warn!(level = settings.log_level, "the log's level has changed");
                }
                Err(error) => tracing::error!(%error, "log.level is no filter: it stays as it was"),
            }
        }
        if restart.is_empty() {
            tracing::info!(file = %self.file.display(), "the configuration was read again");
        } else {
            tracing::warn!(
                keys = restart.join(", "),
                "changed in the configuration, and in force after a restart"
            );
        }
    }
}
