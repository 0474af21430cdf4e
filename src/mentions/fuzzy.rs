//! Names with one letter wrong, missing, or too many. Whole words only, for the aliases that ask for it.

use std::collections::HashMap;

/// Aliases by what is left of them when one letter is taken out, which two words at a distance of one share.
#[derive(Debug, Default)]
pub(super) struct FuzzyIndex {
    /// By number of words: how many words of a text are compared at once.
    words: Vec<usize>,
    by_variant: HashMap<String, Vec<usize>>,
    names: HashMap<usize, String>,
}

impl FuzzyIndex {
    /// Indexes aliases by their number and folded text.
    pub(super) fn new<'a>(names: impl Iterator<Item = (usize, &'a str)>) -> FuzzyIndex {
        let mut index = FuzzyIndex::default();
        for (number, name) in names {
            let words = name.split(' ').count();
            if !index.words.contains(&words) {
                index.words.push(words);
            }
            for variant in variants(name) {
                index.by_variant.entry(variant).or_default().push(number);
            }
            index.names.insert(number, name.to_owned());
        }
        index
    }

    /// How many words a misspelled name may have; nothing where no alias allows misspelling.
    pub(super) fn word_counts(&self) -> &[usize] {
        &self.words
    }

    /// The alias that differs from `text` in one letter. The first letter has to be right: people and models
    /// rarely get it wrong, and it keeps "Fiction" from being "Diction".
    pub(super) fn find(&self, text: &str) -> Option<usize> {
        let first = text.chars().next()?;
        let found = variants(text).into_iter().filter_map(|variant| self.by_variant.get(&variant)).flatten();
        let mut best: Option<usize> = None;
        for number in found {
            let name = self.names.get(number)?;
            let fits = name != text && name.starts_with(first) && strsim::osa_distance(name, text) == 1;
            if fits && best.is_none_or(|best| *number < best) {
                best = Some(*number);
            }
        }
        best
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
        ] {
            assert_eq!(index.find(text), expected, "{text}");
        }
    }
}
