//! A body as it arrives, from either side, given up when it stays silent for too long.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection broke.
    #[error("the connection broke in the middle of a body")]
    Broken(#[source] hyper::Error),
    /// Silence.
    #[error("nothing arrived for {0:?} in the middle of a body")]
    Silent(Duration),
}

/// A body with a bound on its silences.
#[derive(Debug)]
pub struct TimedBody {
    inner: Incoming,
    idle_timeout: Duration,
    last_frame: Instant,
    /// Set up at the first wait, and moved on lazily: it fires at the earliest `idle_timeout` after the
    /// frame that was last when it was set.
    alarm: Option<Pin<Box<Sleep>>>,
    /// What went wrong, told one poll late: a server drops what it has not yet written as soon as it sees
    /// an error, so the frames before the break get a turn to leave.
    broken: Option<BodyError>,
}

impl TimedBody {
    /// Watches `inner` for silence.
    pub fn new(inner: Incoming, idle_timeout: Duration) -> Self {
        TimedBody { inner, idle_timeout, last_frame: Instant::now(), alarm: None, broken: None }
    }

    fn poll_silence(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let deadline = self.last_frame + self.idle_timeout;
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if alarm.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(deadline);
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
            Poll::Pending => match self.poll_silence(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(()) => Poll::Ready(Some(Err(BodyError::Silent(self.idle_timeout)))),
            },
            Poll::Ready(Some(Err(error))) => {
                self.broken = Some(BodyError::Broken(error));
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(frame) => {
                self.last_frame = Instant::now();
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
