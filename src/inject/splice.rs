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
    let added: usize = placed.iter().map(|placed| placed.bytes.len() + 48).sum();
    let mut splice = Splice {
        client: body,
        copied: 0,
        out: BytesMut::with_capacity(body.len() + added),
        inserted: Vec::with_capacity(placed.len()),
    };
    for placed in placed {
        if let Some(turn) = turns.get(placed.turn) {
            splice.turn(turn, placement, &placed.bytes);
        }
    }
    splice.copy_up_to(body.len());
    Spliced { body: splice.out.freeze(), inserted: splice.inserted }
}

struct Splice<'a> {
    client: &'a [u8],
    /// Bytes of the client that are in `out`.
    copied: usize,
    out: BytesMut,
    inserted: Vec<Range<usize>>,
}

impl Splice<'_> {
    fn turn(&mut self, turn: &Turn, placement: Placement, bytes: &[u8]) {
        match (placement, &turn.content) {
            // A prompt is nothing but text, whatever the recipe makes of messages.
            (_, Content::Prompt(span)) => self.insert(span.start, &[bytes]),
            (Placement::Inline, Content::Text(span) | Content::Bare(span)) => {
                self.insert(span.start, &[bytes]);
            }
            (Placement::Inline, Content::Parts(span)) => {
                let rest = &self.client[span.start + 1..span.end - 1];
                let end: &[u8] = if rest.iter().all(u8::is_ascii_whitespace) { b"\"}" } else { b"\"}," };
                self.insert(
                    span.start + 1,
                    &[b"{\"type\":\"", turn.text_part.as_bytes(), b"\",\"text\":\"", bytes, end],
                );
            }
            (Placement::Inline, Content::Absent | Content::Other) => {}
            // A text that stands for the whole list becomes a list, by what is put on both sides of it.
            (_, Content::Bare(_)) => {
                self.insert(turn.span.start, &[b"[", bytes, b"{\"role\":\"user\",\"content\":"]);
                self.insert(turn.span.end, &[b"}]"]);
            }
            (_, _) => self.insert(turn.span.start, &[bytes]),
        }
    }

    fn insert(&mut self, at: usize, parts: &[&[u8]]) {
        self.copy_up_to(at);
        let start = self.out.len();
        parts.iter().for_each(|part| self.out.extend_from_slice(part));
        self.inserted.push(start..self.out.len());
    }

    fn copy_up_to(&mut self, end: usize) {
        self.out.extend_from_slice(&self.client[self.copied..end]);
        self.copied = end;
    }
}
