//! A circuit breaker on retrieval: after repeated failures nothing is looked up for a while, so that requests do not wait
//! for what will not come; then one request at a time tries whether it is well again.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// When the breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Failures in a row that open it.
    pub failures: u32,
    /// How long it stays open before one request may try.
    pub pause: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        BreakerSettings { failures: 8, pause: Duration::from_secs(2) }
    }
}

/// Whether retrieval may be asked.
#[derive(Debug)]
pub(super) struct Breaker {
    settings: BreakerSettings,
    started: Instant,
    failures: AtomicU32,
    /// Milliseconds after `started` until which it is open; zero: it is closed.
    open_until: AtomicU64,
    is_probing: AtomicBool,
}

/// What a report changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Opened,
    Closed,
}

impl Breaker {
    pub(super) fn new(settings: BreakerSettings) -> Breaker {
        Breaker {
            settings,
            started: Instant::now(),
            failures: AtomicU32::new(0),
            open_until: AtomicU64::new(0),
            is_probing: AtomicBool::new(false),
        }
    }

    /// Whether a request may ask. After the pause the first one that comes is the probe, and the others still may not.
    pub(super) fn admits(&self) -> bool {
        self.admits_at(self.started.elapsed())
    }

    /// How an admitted request went.
    pub(super) fn report(&self, is_well: bool) -> Change {
        self.report_at(is_well, self.started.elapsed())
    }

    fn admits_at(&self, now: Duration) -> bool {
        let open_until = self.open_until.load(Ordering::Acquire);
        open_until == 0 || millis(now) >= open_until && !self.is_probing.swap(true, Ordering::AcqRel)
    }

    fn report_at(&self, is_well: bool, now: Duration) -> Change {
        if is_well {
            self.failures.store(0, Ordering::Relaxed);
            let was_open = self.open_until.swap(0, Ordering::AcqRel) != 0;
            self.is_probing.store(false, Ordering::Release);
            return if was_open { Change::Closed } else { Change::None };
        }
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures < self.settings.failures {
            return Change::None;
        }
        let until = millis(now + self.settings.pause).max(1);
        let was_open = self.open_until.swap(until, Ordering::AcqRel) != 0;
        self.is_probing.store(false, Ordering::Release);
        if was_open { Change::None } else { Change::Opened }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_when_a_probe_is_well() {
        let breaker = Breaker::new(BreakerSettings { failures: 3, pause: Duration::from_secs(2) });
        let at = Duration::from_millis;
        for (is_well, change) in [
            (false, Change::None),
            (false, Change::None),
            (true, Change::None),
            (false, Change::None),
            (false, Change::None),
            (false, Change::Opened),
        ] {
            assert!(breaker.admits_at(at(10)));
            assert_eq!(breaker.report_at(is_well, at(10)), change);
        }
        assert!(!breaker.admits_at(at(11)) && !breaker.admits_at(at(2_009)));
        // One probe, which fails: open for another pause.
        assert!(breaker.admits_at(at(2_010)) && !breaker.admits_at(at(2_011)));
        assert_eq!(breaker.report_at(false, at(2_500)), Change::None);
        assert!(!breaker.admits_at(at(4_499)));
        // The next is well.
        assert!(breaker.admits_at(at(4_500)) && !breaker.admits_at(at(4_501)));
        assert_eq!(breaker.report_at(true, at(4_600)), Change::Closed);
        assert!(breaker.admits_at(at(4_601)) && breaker.admits_at(at(4_602)));
    }
}
