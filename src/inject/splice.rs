//! Insertion into the client's bytes: what leaves is what came, plus inserted ranges.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::plan::Placed;
use super::recipe::Placement;
use crate::chat::{Content, Turn};

/// A body with insertions, and where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spliced {
    /// The bytes that leave.
    pub body: Bytes,
    /// Ranges of `body` that were inserted, in order. Cutting them out gives the client's bytes back.
    pub inserted: Vec<Range<usize>>,
}

/// Puts what was placed into `body`, whose turns are `turns`.
pub fn splice(body: &[u8], turns: &[Turn], placement: Placement, placed: &[Placed]) -> Spliced {
    let added: usize = placed.iter().map(|placed| placed.bytes.len() + 32).sum();
    let mut out = BytesMut::with_capacity(body.len() + added);
    let mut inserted = Vec::with_capacity(placed.len());
    let mut copied = 0;
    for placed in placed {
        let Some((offset, before, after)) =
            turns.get(placed.turn).and_then(|turn| slot(body, turn, placement))
        else {
            continue;
        };
        out.extend_from_slice(&body[copied..offset]);
        copied = offset;
        let start = out.len();
        out.extend_from_slice(before);
        out.extend_from_slice(&placed.bytes);
        out.extend_from_slice(after);
        inserted.push(start..out.len());
    }
    out.extend_from_slice(&body[copied..]);
    Spliced { body: out.freeze(), inserted }
}

/// Where a turn's insertion goes, and what stands around it there.
fn slot(body: &[u8], turn: &Turn, placement: Placement) -> Option<(usize, &'static [u8], &'static [u8])> {
    match (placement, &turn.content) {
        (Placement::Pairs | Placement::Lead | Placement::Message, _) => Some((turn.offset, b"", b"")),
        (Placement::Inline, Content::Text(span)) => Some((span.start, b"", b"")),
        (Placement::Inline, Content::Parts(span)) => {
            let rest = body.get(span.start + 1..span.end - 1)?;
            let empty = rest.iter().all(u8::is_ascii_whitespace);
            let after: &[u8] = if empty { b"\"}" } else { b"\"}," };
            Some((span.start + 1, b"{\"type\":\"text\",\"text\":\"", after))
        }
        (Placement::Inline, Content::Absent | Content::Other) => None,
    }
}
