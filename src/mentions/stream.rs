//! Detection in an answer that arrives in pieces. The text is kept, up to a bound, and judged when it has ended: a
//! name that is split over two pieces is whole again, Markdown that opens in one and closes in another is read as
//! what it is, and a piece costs no more than copying it.

use super::detect::{Answer, find};
use super::findings::Findings;
use super::lexicon::Lexicon;

/// Bytes of an answer that are kept. What comes behind is not judged.
pub const LONGEST_STREAM: usize = 256 << 10;

/// An answer on its way.
#[derive(Debug, Default)]
pub struct Stream {
    text: String,
    is_cut: bool,
}

impl Stream {
    /// An answer of which nothing has come.
    pub fn new() -> Stream {
        Stream::default()
    }

    /// The next piece.
    pub fn push(&mut self, piece: &str) {
        let room = LONGEST_STREAM - self.text.len();
        if piece.len() <= room && !self.is_cut {
            return self.text.push_str(piece);
        }
        if !self.is_cut {
            self.is_cut = true;
            self.text.push_str(&piece[..piece.floor_char_boundary(room)]);
        }
    }

    /// What is kept of the answer.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the answer was longer than what is kept.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// What is found in it. `question` and `disclosure` as in [`Answer`].
    pub fn finish(&self, lexicon: &Lexicon, question: Option<&str>, disclosure: Option<&str>) -> Findings {
        find(lexicon, &Answer { text: &self.text, question, disclosure })
    }
}
