//! Reading a chat body whole, up to a limit.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt;

use crate::upstream::{BodyError, TimedBody};

/// What was read.
pub(super) enum Read {
    /// All of it, and the trailers after it.
    Whole(Bytes, Option<HeaderMap>),
    /// More than the limit: what was read so far, and the rest.
    Longer(VecDeque<Bytes>, TimedBody),
}

/// Reads `body` until it ends or is longer than `limit` bytes.
pub(super) async fn read_body(mut body: TimedBody, limit: usize) -> Result<Read, BodyError> {
    let mut chunks: VecDeque<Bytes> = VecDeque::new();
    let mut length = 0;
    let mut trailers = None;
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(chunk) => {
                length += chunk.len();
                chunks.push_back(chunk);
                if length > limit {
                    return Ok(Read::Longer(chunks, body));
                }
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok(Read::Whole(join(chunks, length), trailers))
}

fn join(mut chunks: VecDeque<Bytes>, length: usize) -> Bytes {
    if chunks.len() == 1 {
        return chunks.pop_front().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(length);
    for chunk in chunks {
        whole.extend_from_slice(&chunk);
    }
    whole.freeze()
}
