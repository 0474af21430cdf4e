//! What an answer must not give away: the wrapper that a recipe writes around facts, ids, canaries. The facts themselves
//! are public.

use std::collections::HashSet;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
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
    /// Finds a mark in lower case.
    of_marks: OnceLock<Option<AhoCorasick>>,
    /// Finds runs and marks without anything between their letters.
    of_compact: OnceLock<Option<AhoCorasick>>,
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

    /// Finds a mark in a text in lower case; `None`: there is none to be found. Made when it is first asked for, as the
    /// next.
    pub(super) fn of_marks(&self) -> Option<&AhoCorasick> {
        self.of_marks.get_or_init(|| matcher(&self.marks)).as_ref()
    }

    /// Finds runs and marks in a [compact] text.
    pub(super) fn of_compact(&self) -> Option<&AhoCorasick> {
        let texts = || self.compact.iter().cloned().chain(self.marks.iter().map(|mark| compact(mark)));
        let made = || matcher(texts().filter(|text| !text.is_empty()).collect::<Vec<_>>().as_slice());
        self.of_compact.get_or_init(made).as_ref()
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

/// It looks at few answers, so that to be built soon counts for more than to search fast.
fn matcher(texts: &[String]) -> Option<AhoCorasick> {
    let mut builder = AhoCorasick::builder();
    builder.kind(Some(AhoCorasickKind::ContiguousNFA));
    (!texts.is_empty()).then(|| builder.build(texts).ok()).flatten()
}

/// Letters and digits in lower case, without anything between them.
pub(super) fn compact(text: &str) -> String {
    if text.is_ascii() {
        // Most answers are, and byte by byte it takes a fraction of the time.
        return text
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|letter| letter.to_ascii_lowercase())
            .collect();
    }
    text.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
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
