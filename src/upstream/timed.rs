//! A body as it arrives, from either side, given up when it stays silent for too long, or a client's when it is too
//! slow as a whole.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

/// The least bytes a second of a client's body, after `server.body_timeout` of waiting for it. Who sends a byte now and
/// then is never silent, and would keep a place for days.
const LEAST_PACE: u64 = 240;

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection broke.
    #[error("the connection broke in the middle of a body")]
    Broken(#[source] hyper::Error),
    /// Silence.
    #[error("nothing arrived for {0:?} in the middle of a body")]
    Silent(Duration),
    /// Too little in all the time that was spent waiting for it.
    #[error("fewer than {0} bytes a second arrived of a body")]
    Slow(u64),
}

/// A body with a bound on its silences.
#[derive(Debug)]
pub struct TimedBody {
    inner: Incoming,
    idle_timeout: Duration,
    /// Set where the body as a whole may be too slow.
    pace: Option<Pace>,
    /// Since when its reader waits. While nobody asks for more, nothing can be late.
    waiting_since: Option<Instant>,
    /// Set up at the first wait, and moved on lazily: deadlines only ever move away.
    alarm: Option<Pin<Box<Sleep>>>,
    /// What went wrong, told one poll late: a server drops what it has not yet written as soon as it sees
    /// an error, so the frames before the break get a turn to leave.
    broken: Option<BodyError>,
}

/// How much came, and how long it was waited for.
#[derive(Debug, Default)]
struct Pace {
    received: u64,
    waited: Duration,
}

impl Pace {
    /// For how long its reader may still wait: `grace`, and as long as what came may have taken.
    fn patience(&self, grace: Duration) -> Duration {
        (grace + Duration::from_secs(self.received / LEAST_PACE)).saturating_sub(self.waited)
    }
}

impl TimedBody {
    /// Watches `inner` for silence.
    pub fn new(inner: Incoming, idle_timeout: Duration) -> Self {
        TimedBody { inner, idle_timeout, pace: None, waiting_since: None, alarm: None, broken: None }
    }

    /// The same, and it may not come more slowly than a few hundred bytes a second, once it was waited for
    /// for `idle_timeout` in all.
    pub fn paced(inner: Incoming, idle_timeout: Duration) -> Self {
        TimedBody { pace: Some(Pace::default()), ..TimedBody::new(inner, idle_timeout) }
    }

    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<BodyError> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let patience = self.pace.as_ref().map_or(self.idle_timeout, |pace| pace.patience(self.idle_timeout));
        let deadline = since + patience.min(self.idle_timeout);
        loop {
            // The clock is asked first: in a task that reads as much as it may at every turn, a timer never ends.
            if Instant::now() >= deadline {
                return Poll::Ready(if patience < self.idle_timeout {
                    BodyError::Slow(LEAST_PACE)
                } else {
                    BodyError::Silent(self.idle_timeout)
                });
            }
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if alarm.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            alarm.as_mut().reset(deadline);
        }
    }

    /// Counts what came, and the wait for it.
    fn arrived(&mut self, bytes: usize) {
        let waited = self.waiting_since.take().map_or(Duration::ZERO, |since| since.elapsed());
        if let Some(pace) = &mut self.pace {
            pace.waited += waited;
            pace.received += bytes as u64;
        }
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match Pin::new(&mut self.inner).poll_frame(context) {
            Poll::Pending => self.poll_patience(context).map(|error| Some(Err(error))),
            Poll::Ready(Some(Err(error))) => {
                self.broken = Some(BodyError::Broken(error));
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(frame) => {
                let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
                self.arrived(data.map_or(0, Bytes::len));
                Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Broken)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.broken.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
