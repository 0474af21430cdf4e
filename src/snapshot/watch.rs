//! Watching the files: events of the operating system, polling where there are none, and the clock.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::build::Builder;
use super::reload::Reloader;

/// Quiet time after which a burst of file events counts as over.
const QUIET: Duration = Duration::from_millis(60);
/// Longest time that a burst is waited out.
const LONGEST_BURST: Duration = Duration::from_millis(400);
/// How often the folders are looked at where events do not tell: a folder that was replaced sends none.
const HEARTBEAT: Duration = Duration::from_millis(400);
/// Folders within folders that are looked at.
const DEEPEST_FOLDER: usize = 16;

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

/// Reloads whenever files change or an item's validity begins or ends. Runs until dropped.
pub async fn watch(reloader: Arc<Reloader>, mode: WatchMode) {
    let (events, mut changed) = mpsc::channel::<()>(1);
    let mut watching = Watching::new(mode, &reloader.builder, events.clone());
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    let mut embedding = embed(&reloader, &events);
    let mut comparing = compare(&reloader);
    loop {
        if comparing.is_finished() && reloader.is_to_be_compared() {
            comparing = compare(&reloader);
        }
        tokio::select! {
            Some(()) = changed.recv() => settle(&mut changed).await,
            _ = heartbeat.tick() => {
                let boundary = reloader.current().next_boundary;
                let is_due = clock_tells(boundary, reloader.last().at, Timestamp::now());
                if !(watching.has_changed(&reloader) || is_due) {
                    continue;
                }
            }
        }
        let again = Arc::clone(&reloader);
        if tokio::task::spawn_blocking(move || again.reload()).await.is_err() {
            tracing::error!("a reload panicked: the last good state serves on");
        }
        watching.renew();
        if embedding.is_finished() {
            embedding = embed(&reloader, &events);
        }
    }
}

/// Computes the vectors that the snapshot waits for, and then has it built anew.
fn embed(reloader: &Arc<Reloader>, done: &mpsc::Sender<()>) -> JoinHandle<()> {
    let (reloader, done) = (Arc::clone(reloader), done.clone());
    tokio::task::spawn_blocking(move || {
        if reloader.embed_waiting() {
            // A full channel holds a change already.
            let _already_pending = done.try_send(());
        }
    })
}

/// Compares items with each other, while they are served already.
fn compare(reloader: &Arc<Reloader>) -> JoinHandle<()> {
    let reloader = Arc::clone(reloader);
    tokio::task::spawn_blocking(move || reloader.compare())
}

/// Whether the clock tells of another state than that of the last reload: a validity has begun or ended since, or the clock
/// was put back, and what had ended is valid again. What was tried after the boundary is not tried again.
fn clock_tells(next_boundary: Option<Timestamp>, last: Timestamp, now: Timestamp) -> bool {
    now < last || next_boundary.is_some_and(|boundary| last < boundary && boundary <= now)
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

/// Notices changes of the folders.
struct Watching {
    mode: WatchMode,
    roots: [PathBuf; 2],
    events: mpsc::Sender<()>,
    watchers: Vec<RecommendedWatcher>,
    /// The folders that are watched, as the system knows them.
    watched: [Option<SystemTime>; 2],
    /// Files changed between the last build and the watchers' start would go unseen: looked at once.
    unseen: bool,
}

impl Watching {
    fn new(mode: WatchMode, builder: &Builder, events: mpsc::Sender<()>) -> Watching {
        let mut watching = Watching {
            mode,
            roots: builder.roots(),
            events,
            watchers: Vec::new(),
            watched: [None; 2],
            unseen: true,
        };
        watching.renew();
        watching
    }

    /// Sets the watchers up again where a folder is another one than before, or has no watcher.
    fn renew(&mut self) {
        let now = self.roots.each_ref().map(|root| born(root));
        self.unseen = true;
        if self.mode != WatchMode::Auto || (now == self.watched && self.watchers.len() == self.roots.len()) {
            return;
        }
        self.watchers.clear();
        for root in self.roots.clone().iter().filter(|root| root.is_dir()) {
            match self.watcher(root) {
                Ok(watcher) => self.watchers.push(watcher),
                Err(error) => {
                    tracing::warn!(%error, folder = %root.display(), "no file events: polling instead");
                }
            }
        }
        self.watched = now;
    }

    /// Whether something has changed that sent no event: a folder was replaced, there are no events
    /// here, or it happened before they were listened to.
    fn has_changed(&mut self, reloader: &Reloader) -> bool {
        match self.mode {
            WatchMode::Off => false,
            WatchMode::Auto
                if self.watchers.len() == self.roots.len() && !std::mem::take(&mut self.unseen) =>
            {
                self.roots.each_ref().map(|root| born(root)) != self.watched
            }
            WatchMode::Auto | WatchMode::Poll => reloader.files_changed(),
        }
    }

    fn watcher(&self, root: &Path) -> notify::Result<RecommendedWatcher> {
        let events = self.events.clone();
        let on_event = move |event: notify::Result<notify::Event>| {
            // Reading a file is no change of it. A full channel holds a change already.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                let _already_pending = events.try_send(());
            }
        };
        let mut watcher = RecommendedWatcher::new(on_event, notify::Config::default())?;
        watcher.watch(root, RecursiveMode::Recursive)?;
        Ok(watcher)
    }
}

/// When a folder was made; `None` where there is none.
fn born(root: &Path) -> Option<SystemTime> {
    let data = std::fs::metadata(root).ok()?;
    data.created().or_else(|_| data.modified()).ok()
}

/// A hash of the paths, sizes and times of every file under the folders, links followed.
pub(super) fn fingerprint(roots: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut folders: Vec<(PathBuf, usize)> = roots.iter().map(|root| (root.clone(), 0)).collect();
    while let Some((folder, depth)) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let mut paths: Vec<PathBuf> =
            entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        paths.sort();
        for path in paths {
            let Ok(data) = std::fs::metadata(&path) else { continue };
            (&path, data.len(), data.modified().ok()).hash(&mut hasher);
            // A link that leads back up is not followed forever.
            if data.is_dir() && depth < DEEPEST_FOLDER {
                folders.push((path, depth + 1));
            }
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::{Timestamp, clock_tells};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_boundary_counts_once_and_a_clock_that_went_back_counts() {
        assert!(!clock_tells(None, at(10), at(20)));
        assert!(!clock_tells(Some(at(30)), at(10), at(20)));
        assert!(clock_tells(Some(at(30)), at(10), at(30)));
        assert!(!clock_tells(Some(at(30)), at(31), at(32)), "it was tried, and the files are not good");
        assert!(clock_tells(None, at(10), at(9)));
    }
}
