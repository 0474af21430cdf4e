//! Where log lines go: to standard error, lines of information a few at a time, by a thread of its own.
//!
//! A write for each request costs as much as everything else that foreword does for it. Warnings and
//! errors are written at once, with all that waits before them; a terminal gets every line at once. Where nobody
//! reads what is written, requests do not wait for that: lines are lost, and their number is logged later.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Bytes from which lines are written before their time.
const MANY: usize = 16 * 1024;
/// Bytes that wait at most.
const MOST_WAITING: usize = 1024 * 1024;
/// Longest time that a line waits.
const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// Longest time that the end waits for what is not written yet.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Lines that wait to be written. Clones share them.
#[derive(Clone)]
pub(super) struct LogWriter {
    shared: Arc<Shared>,
    at_once: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Told when there is something to write, and when it is written.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Something that waits is to be written now.
    hurries: bool,
    /// Lines for which there was no room.
    lost: u64,
    is_writing: bool,
}

impl LogWriter {
    /// Starts the thread that writes.
    pub(super) fn start() -> io::Result<LogWriter> {
        let shared = Arc::<Shared>::default();
        let writing = Arc::clone(&shared);
        std::thread::Builder::new().name("foreword-log".to_owned()).spawn(move || writing.write_in_time())?;
        Ok(LogWriter { shared, at_once: io::stderr().is_terminal() })
    }

    /// Has what waits written, and waits for that, though not for ever.
    pub(super) fn flush(&self) {
        let until = Instant::now() + LAST_WAIT;
        let mut state = self.shared.state.lock();
        state.hurries = true;
        self.shared.changed.notify_all();
        while !state.waiting.is_empty() || state.is_writing {
            if self.shared.changed.wait_until(&mut state, until).timed_out() {
                return;
            }
        }
    }
}

impl Shared {
    /// Writes what waits, again and again.
    fn write_in_time(&self) {
        loop {
            let mut state = self.state.lock();
            while state.waiting.is_empty() {
                self.changed.wait(&mut state);
            }
            let until = Instant::now() + LONGEST_WAIT;
            while !state.hurries && !self.changed.wait_until(&mut state, until).timed_out() {}
            let lines = std::mem::take(&mut state.waiting);
            let lost = std::mem::take(&mut state.lost);
            state.hurries = false;
            state.is_writing = true;
            drop(state);
            // A log that cannot be written is no reason to fail.
            let _closed = io::stderr().lock().write_all(&lines);
            if lost > 0 {
                tracing::warn!(lost, "lines of the log were lost: they were not read fast enough");
            }
            self.state.lock().is_writing = false;
            self.changed.notify_all();
        }
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { log: self, at_once: true }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line<'a> {
        Line { log: self, at_once: self.at_once || *metadata.level() <= Level::WARN }
    }
}

/// One line on its way.
pub(super) struct Line<'a> {
    log: &'a LogWriter,
    at_once: bool,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.log.shared.state.lock();
        if state.waiting.len() + bytes.len() > MOST_WAITING {
            state.lost += 1;
            return Ok(bytes.len());
        }
        let first = state.waiting.is_empty();
        state.waiting.extend_from_slice(bytes);
        if self.at_once || state.waiting.len() > MANY {
            state.hurries = true;
        }
        if first || state.hurries {
            self.log.shared.changed.notify_all();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
