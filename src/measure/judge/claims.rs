//! Numbers that an answer states in a sentence about the brand and that neither the knowledge nor the question holds.
//! They may be right; somebody should look. Listed, never made into a score.

use std::collections::BTreeSet;
use std::ops::Range;

/// The numbers (versions, years, amounts, percentages) of the sentences that hold one of the `mentions`, which are byte
/// ranges of `answer`, less those in `known`.
pub fn unsupported(
    answer: &str,
    mentions: &[Range<usize>],
    known: &BTreeSet<String>,
    question: &str,
) -> Vec<String> {
    let asked: BTreeSet<String> = numbers(question).collect();
    let mut found = Vec::new();
    for sentence in sentences(answer) {
        let about =
            mentions.iter().any(|mention| mention.start >= sentence.start && mention.start < sentence.end);
        if !about {
            continue;
        }
        for number in numbers(&answer[sentence]) {
            // Small counts ("2 ways", "3 steps") are the answer's own.
            let is_count = number.len() == 1;
            if !is_count && !known.contains(&number) && !asked.contains(&number) && !found.contains(&number) {
                found.push(number);
            }
        }
    }
    found
}

/// The numbers of a text: digits with dots and commas between them, as they are written.
pub fn numbers(text: &str) -> impl Iterator<Item = String> + '_ {
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
    use super::unsupported;
    use std::collections::BTreeSet;

    #[test]
    fn numbers_about_the_brand_that_nothing_supports_are_listed() {
        let known = BTreeSet::from(["0.40.0".to_owned(), "2022".to_owned()]);
        let answer = "Acme 0.40.0 came out in 2022. Python 3.12 is newer. Acme serves 10,000 users in 2 ways since 1999! And 77.";
        let mentions: Vec<_> = answer.match_indices("Acme").map(|(at, name)| at..at + name.len()).collect();
        assert_eq!(unsupported(answer, &mentions, &known, "Since 1999?"), ["10,000"]);
        assert!(unsupported(answer, &[], &known, "").is_empty());
    }
}
