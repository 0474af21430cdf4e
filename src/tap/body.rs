//! A body that passes on every frame of another and tells a watcher what went by and how it ended.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::metrics::Ending;

/// Sees what goes by. It cannot delay, change or refuse anything.
pub trait Watch {
    /// Data is about to be passed on.
    fn data(&mut self, bytes: &Bytes);
    /// The body has ended. Called exactly once, from `Drop` where the client went away.
    fn ended(self, ending: Ending);
}

/// A body with a watcher.
#[derive(Debug)]
pub struct Tapped<B: Body, W: Watch> {
    inner: B,
    /// Gone once the ending is reported.
    watch: Option<W>,
}

impl<B: Body, W: Watch> Tapped<B, W> {
    /// Watches `inner`.
    pub fn new(inner: B, watch: W) -> Self {
        Tapped { inner, watch: Some(watch) }
    }

    fn end(&mut self, ending: Ending) {
        if let Some(watch) = self.watch.take() {
            watch.ended(ending);
        }
    }
}

impl<B, W> Body for Tapped<B, W>
where
    B: Body<Data = Bytes> + Unpin,
    W: Watch + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(None) => self.end(Ending::Complete),
            Poll::Ready(Some(Err(_))) => self.end(Ending::Failed),
            Poll::Ready(Some(Ok(frame))) => {
                if let (Some(data), Some(watch)) = (frame.data_ref(), &mut self.watch) {
                    watch.data(data);
                }
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: Body, W: Watch> Drop for Tapped<B, W> {
    fn drop(&mut self) {
        // A server does not poll a body again that says it has ended.
        let ending = if self.inner.is_end_stream() { Ending::Complete } else { Ending::Cancelled };
        self.end(ending);
    }
}
