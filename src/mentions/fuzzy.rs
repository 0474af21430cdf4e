//! Names with one letter wrong, missing, or too many. Whole words only, for the aliases that ask for it. An
//! everyday word is never a misspelled name.

use std::collections::HashMap;
use std::ops::Range;

use super::choose::touches;
use super::tokens::Tokens;
use super::words::ordinary;

/// Aliases by what is left of them when one letter is taken out, which two words at a distance of one share.
#[derive(Debug, Default)]
pub(super) struct FuzzyIndex {
    /// Numbers of words that names have, largest first.
    words: Vec<usize>,
    /// Letters of the longest name.
    longest: usize,
    by_variant: HashMap<String, Vec<usize>>,
    names: HashMap<usize, String>,
}

impl FuzzyIndex {
    /// Indexes aliases by their number and folded text.
    pub(super) fn new<'a>(names: impl Iterator<Item = (usize, &'a str)>) -> FuzzyIndex {
        let mut index = FuzzyIndex::default();
        for (number, name) in names {
            index.words.push(name.split(' ').count());
            index.longest = index.longest.max(name.chars().count());
            for variant in variants(name) {
                index.by_variant.entry(variant).or_default().push(number);
            }
            index.names.insert(number, name.to_owned());
        }
        index.words.sort_unstable_by(|a, b| b.cmp(a));
        index.words.dedup();
        index
    }

    /// Whether no name may be misspelt.
    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Misspelled names in a text, with their aliases, beside what is `taken`: ranges in order.
    pub(super) fn search(
        &self,
        text: &str,
        tokens: &Tokens,
        taken: &[Range<usize>],
    ) -> Vec<(Range<usize>, usize)> {
        let mut occupied = taken.to_vec();
        let mut found: Vec<(Range<usize>, usize)> = Vec::new();
        for &count in &self.words {
            let from = found.len();
            let mut free_from = 0;
            for words in tokens.list.windows(count) {
                let range = words[0].range.start..words[count - 1].range.end;
                let is_phrase =
                    words.windows(2).all(|pair| &text[pair[0].range.end..pair[1].range.start] == " ");
                if range.start < free_from || !is_phrase || touches(&occupied, &range) {
                    continue;
                }
                if let Some(alias) = self.find(&text[range.clone()]) {
                    free_from = range.end;
                    found.push((range, alias));
                }
            }
            occupied.extend(found[from..].iter().map(|(range, _)| range.clone()));
            occupied.sort_unstable_by_key(|range| range.start);
        }
        found
    }

    /// The alias that differs from `text` in one letter. The first letter has to be right: people and models
    /// rarely get it wrong, and it keeps "Fiction" from being "Diction".
    fn find(&self, text: &str) -> Option<usize> {
        let first = text.chars().next()?;
        // Behind this bound a word has as many variants as letters, each as long as itself.
        if text.chars().nth(self.longest + 1).is_some() || ordinary(text).is_some() {
            return None;
        }
        let found = variants(text).into_iter().filter_map(|variant| self.by_variant.get(&variant)).flatten();
        let fits = |number: &&usize| {
            self.names.get(*number).is_some_and(|name| {
                name != text && name.starts_with(first) && strsim::osa_distance(name, text) == 1
            })
        };
        found.filter(fits).min().copied()
    }
}

/// A word, and the word without each of its letters.
fn variants(word: &str) -> Vec<String> {
    let mut out = vec![word.to_owned()];
    for (at, letter) in word.char_indices() {
        let mut shorter = String::with_capacity(word.len());
        shorter.push_str(&word[..at]);
        shorter.push_str(&word[at + letter.len_utf8()..]);
        out.push(shorter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::FuzzyIndex;

    #[test]
    fn one_letter_may_be_wrong() {
        let index = FuzzyIndex::new([(3, "docarray"), (5, "jina ai")].into_iter());
        for (text, expected) in [
            ("docaray", Some(3)),
            ("docarrray", Some(3)),
            ("docarraz", Some(3)),
            ("docraray", Some(3)),
            ("jina ay", Some(5)),
            ("docarray", None),
            ("focarray", None),
            ("docary", None),
            ("docarrayyyyyyyyyyy", None),
        ] {
            assert_eq!(index.find(text), expected, "{text}");
        }
    }
}
