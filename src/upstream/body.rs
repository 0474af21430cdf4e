//! The body of a request to the upstream: the client's own stream, or bytes that were read from it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::timed::{BodyError, TimedBody};

/// What is sent to the upstream.
#[derive(Debug)]
pub struct RequestBody {
    /// Read before, sent first.
    read: VecDeque<Bytes>,
    /// What is still to come from the client.
    rest: Rest,
}

#[derive(Debug)]
enum Rest {
    Nothing,
    Trailers(HeaderMap),
    Client(TimedBody),
}

impl RequestBody {
    /// The client's body as it arrives.
    pub fn client(body: TimedBody) -> Self {
        RequestBody { read: VecDeque::new(), rest: Rest::Client(body) }
    }

    /// A body that was read whole, with the client's trailers if it sent any.
    pub fn whole(bytes: Bytes, trailers: Option<HeaderMap>) -> Self {
        let rest = trailers.map_or(Rest::Nothing, Rest::Trailers);
        RequestBody { read: VecDeque::from([bytes]), rest }
    }

    /// A body of which the beginning was read: that first, then the rest as it arrives.
    pub fn resumed(read: VecDeque<Bytes>, rest: TimedBody) -> Self {
        RequestBody { read, rest: Rest::Client(rest) }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        while let Some(bytes) = self.read.pop_front() {
            if !bytes.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
        }
        match &mut self.rest {
            Rest::Client(body) => Pin::new(body).poll_frame(context),
            rest => match std::mem::replace(rest, Rest::Nothing) {
                Rest::Trailers(trailers) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                _ => Poll::Ready(None),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.iter().all(Bytes::is_empty)
            && match &self.rest {
                Rest::Nothing => true,
                Rest::Trailers(_) => false,
                Rest::Client(body) => body.is_end_stream(),
            }
    }

    fn size_hint(&self) -> SizeHint {
        let read: u64 = self.read.iter().map(|bytes| bytes.len() as u64).sum();
        match &self.rest {
            Rest::Nothing => SizeHint::with_exact(read),
            // No exact length: over HTTP/1.1 trailers need the chunked coding.
            Rest::Trailers(_) => {
                let mut hint = SizeHint::new();
                hint.set_lower(read);
                hint
            }
            Rest::Client(body) => {
                let rest = body.size_hint();
                let mut hint = SizeHint::new();
                hint.set_lower(rest.lower() + read);
                if let Some(upper) = rest.upper() {
                    hint.set_upper(upper + read);
                }
                hint
            }
        }
    }
}
