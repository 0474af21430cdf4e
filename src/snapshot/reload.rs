//! Keeping the snapshot current: a new one is built beside the old one and published at once, or rejected as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use parking_lot::Mutex;

use super::assignment::Experiment;
use super::build::Builder;
use super::planner::{Planner, PlannerSettings};
use super::state::Snapshot;
use super::turns::Kitchen;
use super::watch::fingerprint;
use crate::document::{Problem, Severity};
use crate::inject::Budget;
use crate::metrics::{Metrics, ReloadResult};
use crate::retrieval::{Embedder, Pool, SearchSettings};

/// How often the log tells how far the embedding of a large folder is.
const BETWEEN_PROGRESS: Duration = Duration::from_secs(10);

/// How the files were last read.
#[derive(Debug, Clone)]
pub struct LastReload {
    /// When.
    pub at: Timestamp,
    /// What came of it.
    pub result: ReloadResult,
    /// What is wrong with the files, or worth knowing.
    pub problems: Vec<Problem>,
}

/// Which items of a snapshot do not go with each other.
#[derive(Default)]
struct Compared {
    /// Its id.
    snapshot: Arc<str>,
    problems: Vec<Problem>,
}

/// Builds snapshots and publishes them.
pub struct Reloader {
    pub(super) builder: Builder,
    snapshots: Arc<ArcSwap<Snapshot>>,
    metrics: Arc<Metrics>,
    /// Of the files, just before they were last read.
    fingerprint: AtomicU64,
    last: ArcSwap<LastReload>,
    /// Of which snapshot the items were compared with each other, and what was found.
    compared: Mutex<Compared>,
    /// Files, signals and the console ask for reloads; two at once would publish in any order, and each would forget the
    /// vectors of the other.
    one_at_a_time: Mutex<()>,
}

impl Reloader {
    /// Builds the first snapshot. `Err`: it cannot serve, for these reasons.
    pub fn start(
        builder: Builder,
        metrics: Arc<Metrics>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(Reloader, Vec<Problem>), Vec<Problem>> {
        let fingerprint = AtomicU64::new(fingerprint(&builder.roots()));
        let (snapshot, mut problems) = builder.build(Timestamp::now(), progress)?;
        problems.extend(builder.keep());
        let first =
            LastReload { at: snapshot.built, result: ReloadResult::Published, problems: problems.clone() };
        let snapshots = Arc::new(ArcSwap::from_pointee(snapshot));
        let last = ArcSwap::from_pointee(first);
        let (compared, one_at_a_time) = Default::default();
        let reloader = Reloader { builder, snapshots, metrics, fingerprint, last, compared, one_at_a_time };
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
        experiment: Experiment,
    ) -> Planner {
        let metrics = Arc::clone(&self.metrics);
        let kitchen = Kitchen { embedder, search, budget, metrics: Arc::clone(&metrics) };
        Planner::new(Arc::clone(&self.snapshots), kitchen, pool, settings, experiment, metrics)
    }

    /// The snapshot that serves now.
    pub fn current(&self) -> Arc<Snapshot> {
        self.snapshots.load_full()
    }

    /// How the files were last read, and what is wrong with them.
    pub fn last(&self) -> Arc<LastReload> {
        self.last.load_full()
    }

    /// Builds anew and publishes, if all is well and something has changed.
    pub fn reload(&self) -> ReloadResult {
        let _alone = self.one_at_a_time.lock();
        self.fingerprint.store(fingerprint(&self.builder.roots()), Ordering::Relaxed);
        let at = Timestamp::now();
        let (result, problems) = match self.builder.build(at, &mut |_, _| {}) {
            Ok((snapshot, mut problems)) => {
                let result = self.publish(snapshot);
                problems.extend(self.builder.keep());
                log(&problems);
                let compared = self.compared.lock();
                if compared.snapshot == self.current().id {
                    problems.extend(compared.problems.iter().cloned());
                }
                (result, problems)
            }
            Err(problems) => {
                log(&problems);
                tracing::error!("knowledge not reloaded: the last good state serves on");
                (ReloadResult::Rejected, problems)
            }
        };
        self.last.store(Arc::new(LastReload { at, result, problems }));
        self.metrics.reloaded(result);
        self.gauge();
        result
    }

    /// Whether items were not yet compared with each other since they are served.
    pub(super) fn is_to_be_compared(&self) -> bool {
        self.compared.lock().snapshot != self.current().id
    }

    /// Compares the items of the current snapshot with each other, beside what serves, and says what does not go
    /// together.
    pub(super) fn compare(&self) {
        // The items alone: an index that another one has replaced is not kept for this.
        let (id, knowledge, built) = {
            let snapshot = self.current();
            (Arc::clone(&snapshot.id), Arc::clone(&snapshot.knowledge), snapshot.built)
        };
        // Said before: what panics is not tried again and again.
        *self.compared.lock() = Compared { snapshot: Arc::clone(&id), problems: Vec::new() };
        let problems = self.builder.compare(&knowledge, built);
        let _alone = self.one_at_a_time.lock();
        if self.current().id != id {
            return;
        }
        log(&problems);
        let last = self.last();
        if last.result != ReloadResult::Rejected && !problems.is_empty() {
            let all = last.problems.iter().chain(&problems).cloned().collect();
            self.last.store(Arc::new(LastReload { problems: all, ..LastReload::clone(&last) }));
        }
        self.compared.lock().problems = problems;
    }

    fn publish(&self, snapshot: Snapshot) -> ReloadResult {
        let unchanged = snapshot.id == self.current().id;
        let report = snapshot.report;
        // Published even so: the next boundary of validity may be another.
        self.snapshots.store(Arc::new(snapshot));
        if unchanged {
            return ReloadResult::Unchanged;
        }
        tracing::info!(
            items = report.items,
            embedded = report.embedded,
            ms = report.took.as_millis() as u64,
            "knowledge reloaded"
        );
        ReloadResult::Published
    }

    /// Computes the vectors that the current snapshot waits for; whether there is reason to build anew.
    pub(super) fn embed_waiting(&self) -> bool {
        let snapshot = self.current();
        if snapshot.report.waiting == 0 {
            return false;
        }
        let mut told = Instant::now();
        let done = self.builder.embed_waiting(&snapshot, &mut |done, all| {
            // The last one waits until a snapshot with all of them serves.
            let waiting = (all - done).max(1);
            self.metrics.gauges.texts_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
            if told.elapsed() >= BETWEEN_PROGRESS || done == all {
                told = Instant::now();
                tracing::info!(done, all, "embedding; until it is done, words alone are compared");
            }
        });
        if let Err(error) = &done {
            tracing::error!(%error, "words alone are compared until the knowledge changes");
        }
        done.is_ok()
    }

    pub(super) fn files_changed(&self) -> bool {
        fingerprint(&self.builder.roots()) != self.fingerprint.load(Ordering::Relaxed)
    }

    fn gauge(&self) {
        let snapshot = self.current();
        self.metrics.gauges.snapshot_items.set(i64::try_from(snapshot.report.items).unwrap_or(i64::MAX));
        self.metrics.gauges.snapshot_time.set(snapshot.built.as_second() as f64);
        self.metrics.gauges.texts_waiting.set(i64::try_from(snapshot.report.waiting).unwrap_or(i64::MAX));
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
