//! Where log lines go: to standard error, lines of information a few at a time.
//!
//! A write for each request costs as much as everything else that foreword does for it. Warnings and
//! errors are written at once, with all that waits before them; a terminal gets every line at once.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Bytes that wait at most.
const MOST_WAITING: usize = 16 * 1024;
/// Longest time that a line waits.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// Lines that wait to be written. Clones share them.
#[derive(Clone)]
pub(super) struct LogWriter {
    waiting: Arc<Mutex<Vec<u8>>>,
    /// Told when the first line begins to wait.
    begun: Arc<Notify>,
    at_once: bool,
}

impl LogWriter {
    pub(super) fn new() -> LogWriter {
        LogWriter { waiting: Arc::default(), begun: Arc::default(), at_once: io::stderr().is_terminal() }
    }

    /// Writes what waits, again and again. Runs until dropped.
    pub(super) async fn write_in_time(self) {
        loop {
            self.begun.notified().await;
            tokio::time::sleep(LONGEST_WAIT).await;
            self.flush();
        }
    }

    /// Writes what waits.
    pub(super) fn flush(&self) {
        write_out(&mut self.waiting.lock());
    }
}

fn write_out(waiting: &mut Vec<u8>) {
    // A log that cannot be written is no reason to fail.
    let _closed = io::stderr().lock().write_all(waiting);
    waiting.clear();
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
        let mut waiting = self.log.waiting.lock();
        let first = waiting.is_empty();
        waiting.extend_from_slice(bytes);
        if self.at_once || waiting.len() > MOST_WAITING {
            write_out(&mut waiting);
        } else if first {
            self.log.begun.notify_one();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
