//! What the console reads of the live store: opened for each page, by a thread that may wait, so that a file that is
//! locked, damaged or gone is a sentence on a page and nothing else.

use jiff::Timestamp;

use super::service::Console;
use crate::document::chain;
use crate::live::{Store, StoreError};

/// Milliseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1_000;

/// What came of reading the store.
pub(super) enum Counts<T> {
    /// The configuration names none.
    Off,
    /// Nothing was written yet.
    Empty,
    /// It cannot be read, and why.
    Failed(String),
    /// What was read.
    Read(T),
}

impl<T> Counts<T> {
    /// What was read, where something was.
    pub(super) fn read(self) -> Option<T> {
        match self {
            Counts::Read(read) => Some(read),
            _ => None,
        }
    }

    /// The word by which templates tell the cases apart, and the reason of a failure.
    pub(super) fn state(&self) -> (&'static str, Option<String>) {
        match self {
            Counts::Off => ("off", None),
            Counts::Empty => ("empty", None),
            Counts::Failed(reason) => ("failed", Some(reason.clone())),
            Counts::Read(_) => ("read", None),
        }
    }
}

impl Console {
    /// Reads the store.
    pub(super) async fn counts<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Counts<T> {
        let Some(path) = self.store.clone() else { return Counts::Off };
        let reading = tokio::task::spawn_blocking(move || Store::read(&path).and_then(|store| read(&store)));
        match reading.await {
            Ok(Ok(read)) => Counts::Read(read),
            Ok(Err(StoreError::Absent(_))) => Counts::Empty,
            Ok(Err(error)) => Counts::Failed(chain(&error)),
            Err(_) => Counts::Failed("Reading broke off; the log says more".to_owned()),
        }
    }
}

/// The first of so many days up to today, as the store numbers them.
pub(super) fn first_of(days: u32) -> i64 {
    today() - i64::from(days.max(1)) + 1
}

/// Milliseconds since 1970.
pub(super) fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// A day as `2026-01-31`.
pub(super) fn day(number: i64) -> String {
    let instant = Timestamp::from_millisecond(number.saturating_mul(DAY));
    instant.map(|instant| instant.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}

fn today() -> i64 {
    now().div_euclid(DAY)
}
