//! Reads an answer along as it comes and says when it gives something away, wherever its parts are cut. What an answer
//! hides in an encoding is seen when it has ended.

use std::collections::VecDeque;
use std::sync::Arc;

use super::forms::{Leak, forms};
use super::inserted::{Inserted, RUN, compact, hash, word_hash};

/// Bytes of an answer that are kept for what only its whole shows.
const LONGEST: usize = 64 << 10;
/// Bytes of one word that are kept: longer ones are no words of ours.
const LONGEST_WORD: usize = 256;

/// An answer that is read along. One for each answer.
#[derive(Debug, Clone)]
pub struct Watch {
    inserted: Arc<Inserted>,
    /// The last words, as hashes, the newest at the end.
    last: VecDeque<u64>,
    /// A word that has not ended yet.
    word: String,
    /// The end of what was read, as long as a mark may begin in it, in lower case.
    tail: String,
    longest_mark: usize,
    /// The beginning of the answer, for `finish`.
    text: String,
    found: Option<Leak>,
}

impl Watch {
    /// Watches for what was inserted.
    pub fn new(inserted: impl Into<Arc<Inserted>>) -> Watch {
        let inserted = inserted.into();
        let longest_mark = inserted.marks.iter().map(String::len).max().unwrap_or_default();
        Watch {
            inserted,
            last: VecDeque::with_capacity(RUN),
            word: String::new(),
            tail: String::new(),
            longest_mark,
            text: String::new(),
            found: None,
        }
    }

    /// Reads the next part of the answer's text. Says so once, when the answer has given something away.
    pub fn push(&mut self, part: &str) -> Option<Leak> {
        if self.found.is_some() || self.inserted.is_empty() {
            return None;
        }
        let room = LONGEST.saturating_sub(self.text.len());
        self.text.push_str(&part[..part.floor_char_boundary(room)]);
        let leaks = self.reads_mark(part) | self.reads_run(part);
        leaks.then(|| *self.found.insert(Leak::Plain))
    }

    /// The answer has ended. Says what `push` could not see: encodings, and a last word that nothing followed.
    pub fn finish(mut self) -> Option<Leak> {
        if self.found.is_some() || self.inserted.is_empty() {
            return None;
        }
        if self.ends_word() {
            return Some(Leak::Plain);
        }
        let matcher = self.inserted.of_compact()?;
        forms(&self.text).into_iter().find(|(_, text)| matcher.is_match(&compact(text))).map(|(form, _)| {
            match form {
                // As it is, the words were not in a row: something stands between their letters.
                Leak::Plain => Leak::Spaced,
                other => other,
            }
        })
    }

    /// Whether a mark ends in this part.
    fn reads_mark(&mut self, part: &str) -> bool {
        let Some(marks) = self.inserted.of_marks() else { return false };
        self.tail.extend(part.chars().flat_map(char::to_lowercase));
        let found = marks.is_match(&self.tail);
        let keep = self.tail.len().saturating_sub(self.longest_mark);
        self.tail.drain(..self.tail.floor_char_boundary(keep));
        found
    }

    /// Whether a run of words ends in this part.
    fn reads_run(&mut self, part: &str) -> bool {
        let mut found = false;
        for character in part.chars() {
            if character.is_alphanumeric() {
                if self.word.len() < LONGEST_WORD {
                    self.word.extend(character.to_lowercase());
                }
            } else if !self.word.is_empty() {
                found |= self.ends_word();
            }
        }
        found
    }

    fn ends_word(&mut self) -> bool {
        if self.word.is_empty() {
            return false;
        }
        if self.last.len() == RUN {
            self.last.pop_front();
        }
        self.last.push_back(word_hash(&self.word));
        self.word.clear();
        let known = self.last.len();
        self.inserted
            .lengths
            .iter()
            .filter(|length| **length <= known)
            .any(|length| self.inserted.runs.contains(&hash(self.last.iter().skip(known - length).copied())))
    }
}
