//! Numbers and names that an answer states in a sentence about the brand and that neither the knowledge nor the question
//! holds. They may be right; somebody should look. Listed, never made into a score.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::mentions::is_ordinary_word;

/// Letters of the shortest name that is listed.
const SHORTEST_NAME: usize = 3;

/// What is known: whatever is not in it is unsupported.
#[derive(Debug, Default)]
pub struct Known {
    numbers: BTreeSet<String>,
    /// In lower case.
    words: BTreeSet<String>,
}

impl Known {
    /// Takes up what a text holds.
    pub fn learn(&mut self, text: &str) {
        self.numbers.extend(numbers(text));
        self.words.extend(words(text).map(|(_, word)| word.to_lowercase()));
    }
}

/// The numbers (versions, years, amounts, percentages) and names of the sentences that hold one of the `mentions`, which
/// are byte ranges of `answer`, less what is `known`. `capitals`: whether a capital makes a name, which it does not in
/// German; a capital further inside a word always does.
pub fn unsupported(
    answer: &str,
    mentions: &[Range<usize>],
    known: &Known,
    question: &str,
    capitals: bool,
) -> Vec<String> {
    let mut asked = Known::default();
    asked.learn(question);
    let mut found: Vec<String> = Vec::new();
    let mut list = |claim: String| {
        if !found.contains(&claim) {
            found.push(claim);
        }
    };
    for sentence in sentences(answer) {
        if !mentions.iter().any(|mention| sentence.contains(&mention.start)) {
            continue;
        }
        let text = &answer[sentence.clone()];
        for number in numbers(text) {
            // Small counts ("2 ways", "3 steps") are the answer's own.
            if number.len() > 1 && !known.numbers.contains(&number) && !asked.numbers.contains(&number) {
                list(number);
            }
        }
        for (place, (at, word)) in words(text).enumerate() {
            let lower = word.to_lowercase();
            let inner = word.chars().skip(1).any(char::is_uppercase) && word.chars().any(char::is_lowercase);
            let initial =
                capitals && place > 0 && word.starts_with(char::is_uppercase) && !is_ordinary_word(&lower);
            let own = mentions.iter().any(|mention| mention.contains(&(sentence.start + at)));
            let long = word.chars().count() >= SHORTEST_NAME;
            if long
                && (inner || initial)
                && !own
                && !known.words.contains(&lower)
                && !asked.words.contains(&lower)
            {
                list(word.to_owned());
            }
        }
    }
    found
}

/// The words of a text with their places: letters and what holds them together in identifiers.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(|character: char| !character.is_alphanumeric() && character != '_')
        .filter(|word| word.chars().any(char::is_alphabetic))
        .map(move |word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

/// The numbers of a text: digits with dots and commas between them, as they are written.
fn numbers(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|character: char| !character.is_ascii_digit() && !matches!(character, '.' | ','))
        .map(|piece| piece.trim_matches(['.', ',']))
        .filter(|piece| piece.bytes().any(|byte| byte.is_ascii_digit()))
        .map(str::to_owned)
}

/// Byte ranges of sentences; a line is one at most. A dot within a number ends none.
fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        let ends = match character {
            '\n' | '!' | '?' | '。' | '！' | '？' => true,
            '.' => next.is_none_or(char::is_whitespace),
            _ => false,
        };
        if ends {
            let end = at + character.len_utf8();
            ranges.push(start..end);
            start = end;
        }
    }
    ranges.push(start..text.len());
    ranges
}

#[cfg(test)]
mod tests {
    use super::{Known, unsupported};

    #[test]
    fn claims_about_the_brand_that_nothing_supports_are_listed() {
        let mut known = Known::default();
        known.learn("Acme 0.40.0 of 2022 works with Python and NumPy.");
        let answer = "Acme 0.40.0 came out in 2022. Python 3.12 and Rust are newer. Acme serves 10,000 users of FooBase and \
            Qdrant in 2 ways since 1999, with NumPy! And 77.";
        let mentions: Vec<_> = answer.match_indices("Acme").map(|(at, name)| at..at + name.len()).collect();
        let found = |capitals| unsupported(answer, &mentions, &known, "Since 1999?", capitals);
        assert_eq!(found(true), ["10,000", "FooBase", "Qdrant"]);
        assert_eq!(found(false), ["10,000", "FooBase"]);
        assert!(unsupported(answer, &[], &known, "", true).is_empty());
    }
}
