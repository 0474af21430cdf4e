//! What an answer must not give away: the wrapper that a recipe writes around facts, ids, canaries. The facts themselves
//! are public.

use std::collections::HashSet;

use xxhash_rust::xxh3::xxh3_64;

use super::forms::words;

/// Words in a row by which a hidden text is known.
pub(super) const RUN: usize = 8;
/// Words of a run that belong to no public text: a fact that is told as it stands is none.
const PRIVATE: usize = 4;
/// The shortest mark that is looked for, in bytes: what is shorter stands in texts by chance.
const SHORTEST_MARK: usize = 6;

/// What was inserted into a request, as a watch looks for it.
#[derive(Debug, Clone, Default)]
pub struct Inserted {
    /// Hashes of runs of words, by their lengths: whole short texts have fewer words than `RUN`.
    pub(super) runs: HashSet<u64>,
    /// Lengths of runs, ascending.
    pub(super) lengths: Vec<usize>,
    /// The runs' words without anything between.
    pub(super) compact: Vec<String>,
    /// Ids and canaries in lower case.
    pub(super) marks: Vec<String>,
}

impl Inserted {
    /// Nothing yet.
    pub fn new() -> Inserted {
        Inserted::default()
    }

    /// A text that only the model was to see, and the public texts (titles, facts, questions) that it holds. What it has
    /// besides these is looked for in runs of eight words of which four are not public; a shorter text as a whole.
    #[must_use]
    pub fn hidden(mut self, text: &str, public: &[&str]) -> Inserted {
        let words = words(text);
        let private = private(&words, public);
        let length = words.len().min(RUN);
        if length < PRIVATE + 2 {
            return self;
        }
        for (run, private) in words.windows(length).zip(private.windows(length)) {
            if private.iter().filter(|private| **private).count() >= PRIVATE {
                self.add(run);
            }
        }
        self
    }

    /// An id or a canary: something that stands nowhere else.
    #[must_use]
    pub fn mark(mut self, mark: &str) -> Inserted {
        if mark.len() >= SHORTEST_MARK {
            self.marks.push(mark.to_lowercase());
        }
        self
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.marks.is_empty()
    }

    fn add(&mut self, run: &[String]) {
        if self.runs.insert(hash(run.iter().map(|word| word_hash(word)))) {
            self.compact.push(run.concat());
        }
        if let Err(place) = self.lengths.binary_search(&run.len()) {
            self.lengths.insert(place, run.len());
        }
    }
}

/// Which words of a text stand in none of the public texts that it holds.
fn private(text: &[String], public: &[&str]) -> Vec<bool> {
    let mut private = vec![true; text.len()];
    for public in public {
        let public = words(public);
        if public.is_empty() {
            continue;
        }
        for (at, window) in text.windows(public.len()).enumerate() {
            if window == public {
                private[at..at + public.len()].fill(false);
            }
        }
    }
    private
}

pub(super) fn word_hash(word: &str) -> u64 {
    xxh3_64(word.as_bytes())
}

/// The hash of a run of words, from the hashes of these.
pub(super) fn hash(words: impl Iterator<Item = u64>) -> u64 {
    let mut bytes = Vec::with_capacity(RUN * 8);
    words.for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
    xxh3_64(&bytes)
}
