//! Patterns, sentences and words, as the lints need them.

use std::ops::Range;

use regex::Regex;
use unicode_normalization::UnicodeNormalization;

use super::characters::{is_invisible, skeleton};

/// A pattern that is a constant, over letters of any case.
#[expect(clippy::expect_used, reason = "constants, each compiled by the tests of its lint")]
pub(super) fn pattern(text: &str) -> Regex {
    Regex::new(&format!("(?ix){text}")).expect("a constant pattern is sound")
}

/// The byte ranges of sentences: up to a full stop, question or exclamation mark before white space, or a line's end.
pub(super) fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut sentences = Vec::new();
    let mut start = 0;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let next_is_space = characters.peek().is_none_or(|(_, next)| next.is_whitespace());
        let ends = match character {
            '.' | '!' | '?' => next_is_space,
            '\n' | '。' | '！' | '？' => true,
            _ => false,
        };
        if ends {
            sentences.push(start..at + character.len_utf8());
            start = at + character.len_utf8();
        }
    }
    sentences.push(start..text.len());
    sentences.retain(|range| !text[range.clone()].trim().is_empty());
    sentences
}

/// Words of letters and digits, in lower case.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// The text as a reader sees it: compatibility forms composed, nothing invisible, look-alike letters as Latin ones, and
/// one space where white space is.
pub(super) fn as_seen(text: &str) -> String {
    let seen: String =
        text.nfkc().filter(|character| !is_invisible(*character)).map(skeleton).collect::<String>();
    seen.split_whitespace().collect::<Vec<_>>().join(" ")
}
