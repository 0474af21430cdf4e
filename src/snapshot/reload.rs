//! Keeping the snapshot current: files are watched, a new snapshot is built beside the old one and
//! published at once, or rejected as a whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use notify::{PollWatcher, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::build::{Builder, Snapshot};
use super::planner::{Planner, PlannerSettings};
use super::turns::Kitchen;
use crate::document::{Problem, Severity};
use crate::inject::Budget;
use crate::metrics::{Metrics, ReloadResult};
use crate::retrieval::{Embedder, Pool, SearchSettings};

/// Quiet time after which a burst of file events counts as over.
const QUIET: Duration = Duration::from_millis(60);
/// Longest time that a burst is waited out.
const LONGEST_BURST: Duration = Duration::from_millis(400);
/// How often the folders themselves are looked at: a folder that was replaced sends no events.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// How often files are looked at where the system sends no events.
const POLL: Duration = Duration::from_millis(400);

/// How changes of files are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchMode {
    /// Events of the operating system, polling where there are none.
    Auto,
    /// Polling alone, for network file systems.
    Poll,
    /// Not at all.
    Off,
}

/// Builds snapshots and publishes them.
pub struct Reloader {
    builder: Builder,
    snapshots: Arc<ArcSwap<Snapshot>>,
    metrics: Arc<Metrics>,
}

impl Reloader {
    /// Builds the first snapshot. `Err`: it cannot serve, for these reasons.
    pub fn start(
        builder: Builder,
        metrics: Arc<Metrics>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(Reloader, Vec<Problem>), Vec<Problem>> {
        let (snapshot, problems) = builder.build(Timestamp::now(), progress)?;
        let reloader = Reloader {
            builder,
            snapshots: Arc::new(ArcSwap::from_pointee(snapshot)),
            metrics,
        };
        reloader.gauge();
        Ok((reloader, problems))
    }

    /// A planner that always uses the newest snapshot.
    pub fn planner(
        &self,
        embedder: Option<Arc<Embedder>>,
        search: SearchSettings,
        budget: Budget,
        pool: Pool,
        settings: PlannerSettings,
    ) -> Planner {
        let kitchen = Kitchen { embedder, search, budget };
        Planner::new(Arc::clone(&self.snapshots), kitchen, pool, settings, Arc::clone(&self.metrics))
    }

    /// The snapshot that serves now.
    pub fn current(&self) -> Arc<Snapshot> {
        self.snapshots.load_full()
    }

    /// Builds anew and publishes, if all is well and something has changed.
    pub fn reload(&self) -> ReloadResult {
        let result = match self.builder.build(Timestamp::now(), &mut |_, _| {}) {
            Ok((snapshot, problems)) => {
                log(&problems);
                let unchanged = snapshot.id == self.current().id;
                let report = snapshot.report;
                // Published even so: the next boundary of validity may be another.
                self.snapshots.store(Arc::new(snapshot));
                if unchanged {
                    ReloadResult::Unchanged
                } else {
                    tracing::info!(
                        items = report.items,
                        embedded = report.embedded,
                        ms = report.took.as_millis() as u64,
                        "knowledge reloaded"
                    );
                    ReloadResult::Published
                }
            }
            Err(problems) => {
                log(&problems);
                tracing::error!("knowledge not reloaded: the last good state serves on");
                ReloadResult::Rejected
            }
        };
        self.metrics.reloaded(result);
        self.gauge();
        result
    }

    fn gauge(&self) {
        let snapshot = self.current();
        self.metrics.gauges.snapshot_items.set(i64::try_from(snapshot.report.items).unwrap_or(i64::MAX));
        self.metrics.gauges.snapshot_time.set(snapshot.built.as_second() as f64);
    }
}

/// One line a problem, at its level.
fn log(problems: &[Problem]) {
    for problem in problems {
        match problem.severity {
            Severity::Error => tracing::error!("{problem}"),
            Severity::Warning => tracing::warn!("{problem}"),
            Severity::Note => tracing::debug!("{problem}"),
        }
    }
}

/// Reloads whenever files change or an item's validity begins or ends. Runs until dropped.
pub async fn watch(reloader: Arc<Reloader>, mode: WatchMode) {
    let settings = reloader.builder.settings();
    let roots = [settings.knowledge.clone(), settings.prompts.clone()];
    let (events, mut changed) = mpsc::channel::<()>(1);
    let mut watching = Watching::new(mode, roots, events);
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    loop {
        tokio::select! {
            Some(()) = changed.recv() => settle(&mut changed).await,
            _ = heartbeat.tick() => {
                if !(watching.roots_changed() || boundary_passed(&reloader.current())) {
                    continue;
                }
            }
        }
        watching.renew();
        let reloader = Arc::clone(&reloader);
        if tokio::task::spawn_blocking(move || reloader.reload()).await.is_err() {
            tracing::error!("a reload panicked: the last good state serves on");
        }
    }
}

fn boundary_passed(snapshot: &Snapshot) -> bool {
    snapshot.next_boundary.is_some_and(|boundary| boundary <= Timestamp::now())
}

/// Waits until a burst of events is over.
async fn settle(changed: &mut mpsc::Receiver<()>) {
    let end = tokio::time::Instant::now() + LONGEST_BURST;
    while tokio::time::Instant::now() < end {
        if tokio::time::timeout(QUIET, changed.recv()).await.is_err() {
            return;
        }
    }
}

/// The watchers of the folders.
struct Watching {
    mode: WatchMode,
    roots: [PathBuf; 2],
    events: mpsc::Sender<()>,
    watchers: Vec<Box<dyn Watcher + Send>>,
    seen: BTreeMap<PathBuf, Option<SystemTime>>,
}

impl Watching {
    fn new(mode: WatchMode, roots: [PathBuf; 2], events: mpsc::Sender<()>) -> Watching {
        let mut watching = Watching { mode, roots, events, watchers: Vec::new(), seen: BTreeMap::new() };
        watching.renew();
        watching
    }

    /// Sets the watchers up again: a folder that was replaced is another one to the system.
    fn renew(&mut self) {
        self.seen = self.roots.iter().map(|root| (root.clone(), born(root))).collect();
        self.watchers.clear();
        if self.mode == WatchMode::Off {
            return;
        }
        for root in self.roots.clone() {
            if root.is_dir()
                && let Some(watcher) = self.watcher(&root)
            {
                self.watchers.push(watcher);
            }
        }
    }

    fn roots_changed(&self) -> bool {
        self.mode != WatchMode::Off && self.seen.iter().any(|(root, seen)| born(root) != *seen)
    }

    fn watcher(&self, root: &Path) -> Option<Box<dyn Watcher + Send>> {
        if self.mode == WatchMode::Auto {
            match self.native_watcher(root) {
                Ok(watcher) => return Some(Box::new(watcher)),
                Err(error) => {
                    tracing::warn!(%error, folder = %root.display(), "no file events: polling instead");
                }
            }
        }
        let config = notify::Config::default().with_poll_interval(POLL);
        let mut watcher = PollWatcher::new(self.on_event(), config).ok()?;
        watcher.watch(root, RecursiveMode::Recursive).ok()?;
        Some(Box::new(watcher))
    }

    fn native_watcher(&self, root: &Path) -> notify::Result<RecommendedWatcher> {
        let mut watcher = RecommendedWatcher::new(self.on_event(), notify::Config::default())?;
        watcher.watch(root, RecursiveMode::Recursive)?;
        Ok(watcher)
    }

    fn on_event(&self) -> impl Fn(notify::Result<notify::Event>) + Send + use<> {
        let events = self.events.clone();
        move |event| {
            // Reading a file is no change of it. A full channel holds a change already.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                let _already_pending = events.try_send(());
            }
        }
    }
}

/// When a folder was made; `None` where there is none.
fn born(root: &Path) -> Option<SystemTime> {
    let data = std::fs::metadata(root).ok()?;
    data.created().or_else(|_| data.modified()).ok()
}
