//! The thread that makes receipts, and keeps them.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use http::HeaderMap;
use jiff::Timestamp;
use parking_lot::{Condvar, Mutex};

use super::audit::AuditLog;
use super::finished::Finished;
use super::questions::{Asked, Question};
use super::receipt::{Judged, Receipt, Secrets};
use super::spans::spans;
use super::store::Store;
use crate::metrics::{LiveLoss, Metrics};
use crate::telemetry::{Exporter, TraceContext};

/// Ended requests that may wait for the thread.
const QUEUE: usize = 4_096;
/// Receipts that may wait for the disk.
const MOST_WAITING: usize = 8_192;
/// Receipts that need not wait for others.
const BATCH: usize = 512;
/// How long receipts wait for others to be written with.
const TICK: Duration = Duration::from_millis(200);
/// How long a file that failed is left alone.
const RETRY: Duration = Duration::from_secs(2);
/// What was inserted, for so many combinations of items, as the search of answers needs it.
const SECRETS: usize = 256;
/// Questions that may wait for the disk.
const MOST_QUESTIONS: usize = 1_000;
/// How often old receipts are forgotten.
const FORGET: Duration = Duration::from_secs(3_600);

/// Where receipts are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveSettings {
    /// The SQLite file.
    pub store: Option<PathBuf>,
    /// The file of JSON lines.
    pub audit_log: Option<PathBuf>,
    /// Days for which receipts are kept in the store.
    pub retention_days: u32,
    /// Whether the text of questions that found nothing is kept in the store, redacted.
    pub unanswered: bool,
    /// Days for which it is.
    pub unanswered_days: u32,
}

/// Takes ended requests. Cloned handles feed the same thread.
#[derive(Clone)]
pub struct Recorder {
    ended: Arc<Ended>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
    metrics: Arc<Metrics>,
    /// Share of traces that begin here which are recorded; `None` where no traces are kept.
    trace_share: Option<f64>,
}

impl Recorder {
    /// Starts the thread. Without a store and an audit log it counts into `metrics` alone.
    pub fn start(
        settings: LiveSettings,
        metrics: Arc<Metrics>,
        exporter: Option<Exporter>,
    ) -> std::io::Result<Recorder> {
        let trace_share = exporter.as_ref().map(Exporter::share);
        let ended = Arc::<Ended>::default();
        let keeper = Keeper {
            asked: settings.unanswered.then(Asked::new),
            audit: settings.audit_log.clone().map(File::new),
            store: settings.store.clone().map(File::new),
            settings,
            metrics: Arc::clone(&metrics),
            exporter,
            questions: Vec::new(),
            next_forget: Instant::now(),
            secrets: Secrets::new(SECRETS),
        };
        let taken = Arc::clone(&ended);
        let thread =
            std::thread::Builder::new().name("foreword-live".to_owned()).spawn(move || keeper.run(&taken))?;
        Ok(Recorder { ended, thread: Arc::new(Mutex::new(Some(thread))), metrics, trace_share })
    }

    /// The trace of a request, where traces are kept; the upstream is told of it.
    pub fn trace(&self, headers: &mut HeaderMap) -> Option<TraceContext> {
        let context = TraceContext::of(headers, self.trace_share?);
        context.hand_on(headers);
        Some(context)
    }

    /// Hands over a request that has ended. Never waits: where the thread is behind, the request is counted as lost.
    pub fn record(&self, finished: Finished) {
        if !self.ended.add(finished) {
            self.metrics.receipts_lost(LiveLoss::Queue, 1);
        }
    }

    /// Writes what is there, and ends the thread. Blocks; what is recorded afterwards is lost.
    pub fn finish(&self) {
        self.ended.close();
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of receipts has panicked");
        }
    }
}

/// Requests that have ended and wait for the thread. It looks each tick, and is woken when a batch is full, not for
/// each: to be woken costs a processor more than the rest of what ends a request.
#[derive(Default)]
struct Ended {
    state: Mutex<EndedState>,
    changed: Condvar,
}

#[derive(Default)]
struct EndedState {
    waiting: Vec<Finished>,
    is_over: bool,
}

impl Ended {
    /// Whether there was room.
    fn add(&self, finished: Finished) -> bool {
        let mut state = self.state.lock();
        if state.is_over || state.waiting.len() >= QUEUE {
            return false;
        }
        state.waiting.push(finished);
        let is_full = state.waiting.len() == BATCH;
        drop(state);
        if is_full {
            self.changed.notify_one();
        }
        true
    }

    /// Nothing will come any more.
    fn close(&self) {
        self.state.lock().is_over = true;
        self.changed.notify_one();
    }

    /// What has ended within a tick, and whether nothing will come any more.
    fn next_batch(&self) -> (Vec<Finished>, bool) {
        let mut state = self.state.lock();
        let until = Instant::now() + TICK;
        let may_wait = |state: &EndedState| !state.is_over && state.waiting.len() < BATCH;
        while may_wait(&state) && !self.changed.wait_until(&mut state, until).timed_out() {}
        (std::mem::take(&mut state.waiting), state.is_over)
    }
}

/// A file that may be gone for a while.
struct File<T> {
    path: PathBuf,
    open: Option<T>,
    /// Which file it is that is open, as the system knows it.
    seen: Option<(u64, u64)>,
    waiting: Vec<Receipt>,
    retry: Instant,
    is_failing: bool,
}

impl<T> File<T> {
    fn new(path: PathBuf) -> File<T> {
        File { path, open: None, seen: None, waiting: Vec::new(), retry: Instant::now(), is_failing: false }
    }

    /// The file under the path now. Another than the one that is open means that it was moved away or deleted.
    fn under_the_path(&self) -> Option<(u64, u64)> {
        let data = std::fs::metadata(&self.path).ok()?;
        Some((data.dev(), data.ino()))
    }

    /// Tries once more and at once, and takes what cannot be written for lost. Returns how many receipts that is.
    fn end<E: std::error::Error + 'static>(
        &mut self,
        open: impl FnOnce(&std::path::Path) -> Result<T, E>,
        write: impl FnOnce(&mut T, &[Receipt]) -> Result<(), E>,
    ) -> usize {
        self.retry = Instant::now();
        let lost = self.write(open, write) + self.waiting.len();
        if lost > 0 {
            tracing::error!(file = %self.path.display(), lost, "receipts are lost: they could not be written to the end");
        }
        self.waiting.clear();
        lost
    }

    /// Writes what waits; on failure it waits on, up to a bound. Returns how many are lost.
    fn write<E: std::error::Error + 'static>(
        &mut self,
        open: impl FnOnce(&std::path::Path) -> Result<T, E>,
        write: impl FnOnce(&mut T, &[Receipt]) -> Result<(), E>,
    ) -> usize {
        if !self.waiting.is_empty() && Instant::now() >= self.retry {
            if self.open.is_some() && self.under_the_path() != self.seen {
                tracing::info!(file = %self.path.display(), "the file was moved away: another is begun");
                self.open = None;
            }
            let file = match self.open.take() {
                Some(file) => Ok(file),
                None => open(&self.path),
            };
            let written = file.and_then(|mut file| write(&mut file, &self.waiting).map(|()| file));
            match written {
                Ok(file) => {
                    self.open = Some(file);
                    self.seen = self.under_the_path();
                    self.waiting.clear();
                    if std::mem::take(&mut self.is_failing) {
                        tracing::info!(file = %self.path.display(), "receipts are written again");
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut self.is_failing, true) {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(file = %self.path.display(), error, "receipts cannot be written; requests go on");
                    }
                    self.retry = Instant::now() + RETRY;
                }
            }
        }
        let lost = self.waiting.len().saturating_sub(MOST_WAITING);
        self.waiting.drain(..lost);
        lost
    }
}

struct Keeper {
    settings: LiveSettings,
    metrics: Arc<Metrics>,
    audit: Option<File<AuditLog>>,
    store: Option<File<Store>>,
    exporter: Option<Exporter>,
    /// Makes questions of requests, where they are kept.
    asked: Option<Asked>,
    /// Questions that wait for the disk.
    questions: Vec<Question>,
    next_forget: Instant,
    secrets: Secrets,
}

impl Keeper {
    fn run(mut self, ended: &Ended) {
        self.begin();
        loop {
            let (batch, is_over) = ended.next_batch();
            if let Some(asked) = &self.asked {
                self.questions.extend(batch.iter().filter_map(|finished| asked.question(finished)));
                self.questions.truncate(MOST_QUESTIONS);
            }
            let receipts: Vec<Receipt> =
                batch.into_iter().filter_map(|finished| self.judge(finished)).collect();
            self.keep(&receipts);
            if is_over {
                self.end();
                return;
            }
        }
    }

    /// A store that is there is brought up to date before anything waits for it; and who has taken consent back does not
    /// wait for the next request.
    fn begin(&mut self) {
        let Some(store) = self.store.as_mut().filter(|store| store.path.exists()) else { return };
        let keeps = self.settings.unanswered;
        let opened = Store::open(&store.path).and_then(|mut open| {
            if !keeps {
                open.forget_questions(0, 0)?;
            }
            Ok(open)
        });
        match opened {
            Ok(open) => {
                store.open = Some(open);
                store.seen = store.under_the_path();
            }
            // The first receipt meets the same, and says so.
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "the store cannot be opened yet");
            }
        }
    }

    /// Counts what an answer says. The receipt, where any are kept.
    fn judge(&self, mut finished: Finished) -> Option<Receipt> {
        if let (Some(exporter), Some(trace)) = (&self.exporter, &finished.trace)
            && trace.is_sampled
        {
            exporter.export(spans(&finished, trace));
        }
        let judged = Judged::of(&mut finished, &self.secrets);
        if let Some(leak) = judged.leak {
            self.metrics.leaked();
            tracing::warn!(
                receipt = %finished.id,
                form = leak.as_str(),
                "an answer gives away what only the model was to see"
            );
        }
        if let Some(observed) = finished.spoken.as_ref().and_then(|spoken| spoken.observed.as_ref()) {
            let mentioned = judged.mentioned.as_ref().map(|mentioned| mentioned.brand);
            self.metrics.answer_scored(&observed.assignment.arm, observed.is_eligible, mentioned);
        }
        let keeps = self.audit.is_some() || self.store.is_some();
        keeps.then(|| Receipt::of(finished, judged))
    }

    fn keep(&mut self, receipts: &[Receipt]) {
        let mut lost = 0;
        if let Some(audit) = &mut self.audit {
            audit.waiting.extend_from_slice(receipts);
            lost += audit.write(AuditLog::open, AuditLog::append);
        }
        if let Some(store) = &mut self.store {
            store.waiting.extend_from_slice(receipts);
            lost += store.write(Store::open, Store::write);
            if let Some(open) = store.open.as_mut().filter(|_| !self.questions.is_empty()) {
                match open.keep_questions(&self.questions) {
                    Ok(()) => self.questions.clear(),
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "questions that found nothing cannot be kept");
                    }
                }
            }
            if let Some(open) = store.open.as_mut().filter(|_| Instant::now() >= self.next_forget) {
                self.next_forget = Instant::now() + FORGET;
                let now = Timestamp::now().as_millisecond();
                let days = if self.settings.unanswered { self.settings.unanswered_days } else { 0 };
                let forgotten = open
                    .forget(now, self.settings.retention_days)
                    .and_then(|()| open.forget_questions(now, days));
                if let Err(error) = forgotten {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "old receipts cannot be forgotten"
                    );
                }
            }
        }
        if lost > 0 {
            self.metrics.receipts_lost(LiveLoss::Disk, lost as u64);
        }
    }
}

impl Keeper {
    /// What waits for a disk is written now or not at all.
    fn end(&mut self) {
        let audit = self.audit.as_mut().map_or(0, |audit| audit.end(AuditLog::open, AuditLog::append));
        let store = self.store.as_mut().map_or(0, |store| store.end(Store::open, Store::write));
        if audit + store > 0 {
            self.metrics.receipts_lost(LiveLoss::Disk, (audit + store) as u64);
        }
    }
}
