//! How many requests are on their way at once: additive increase, multiplicative decrease (Chiu and Jain 1989), as TCP
//! does it, with the pauses that the endpoint asks for.

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use tokio::time::Instant;

/// Requests at once in the beginning.
const FIRST: f64 = 2.0;

/// Longest pause that a run waits for; an endpoint that asks for more ends it.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// The pace of a run.
#[derive(Debug)]
pub(super) struct Pace {
    limit: f64,
    most: f64,
    paused_until: Option<Instant>,
}

impl Pace {
    /// A pace of at most `most` requests at once.
    pub(super) fn new(most: usize) -> Pace {
        let most = most.max(1) as f64;
        Pace { limit: FIRST.min(most), most, paused_until: None }
    }

    /// Requests that may be on their way now.
    pub(super) fn limit(&self) -> usize {
        self.limit as usize
    }

    /// When the next request may leave.
    pub(super) fn paused_until(&self) -> Option<Instant> {
        self.paused_until
    }

    /// An answer came: after as many as are allowed at once, one more is.
    pub(super) fn answered(&mut self) {
        self.limit = (self.limit + 1.0 / self.limit).min(self.most);
    }

    /// The endpoint is overloaded: half as many at once, and none before `pause` is over.
    pub(super) fn overloaded(&mut self, pause: Duration) {
        self.limit = (self.limit / 2.0).max(1.0);
        let until = Instant::now() + pause.min(LONGEST_PAUSE);
        self.paused_until = Some(self.paused_until.map_or(until, |before| before.max(until)));
    }
}

/// The pause before attempt number `attempt` (the first retry is 1), in which `spread`, from 0 to 1, sets requests apart
/// that failed together: half to the whole of 0.5 s doubled each time.
pub(super) fn backoff(attempt: u32, spread: f64) -> Duration {
    let whole = Duration::from_millis(500) * 2_u32.saturating_pow(attempt.saturating_sub(1)).min(64);
    whole.mul_f64(0.5 + 0.5 * spread.clamp(0.0, 1.0))
}

/// What `Retry-After` asks for (RFC 9110, section 10.2.3): seconds, or a date.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let then = rfc2822::parse(value).ok()?.timestamp();
    Duration::try_from(then.duration_since(now)).ok().or(Some(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for (value, expected) in [
            ("3", Some(Duration::from_secs(3))),
            (" 0.5 ", Some(Duration::from_millis(500))),
            ("Thu, 01 Jan 2026 00:00:10 GMT", Some(Duration::from_secs(10))),
            ("Wed, 31 Dec 2025 00:00:00 GMT", Some(Duration::ZERO)),
            ("soon", None),
            ("-1", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]);
            assert_eq!(retry_after(&headers, now), expected, "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[tokio::test]
    async fn the_pace_rises_by_one_a_round_and_falls_by_half() {
        let mut pace = Pace::new(8);
        assert_eq!(pace.limit(), 2);
        for _ in 0..100 {
            pace.answered();
        }
        assert_eq!(pace.limit(), 8);
        pace.overloaded(Duration::from_secs(1));
        assert_eq!(pace.limit(), 4);
        assert!(pace.paused_until().is_some());
        for _ in 0..10 {
            pace.overloaded(Duration::ZERO);
        }
        assert_eq!(pace.limit(), 1);
    }

    #[test]
    fn waits_double_and_differ() {
        assert_eq!(backoff(1, 1.0), Duration::from_millis(500));
        assert_eq!(backoff(3, 1.0), Duration::from_secs(2));
        assert_eq!(backoff(1, 0.0), Duration::from_millis(250));
        assert!(backoff(60, 1.0) <= Duration::from_secs(32));
    }
}
