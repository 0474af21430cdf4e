//! What in an answer is not the model's own saying: our disclosure footer, and quotations of the user's question.
//! Both are blanked in the folded text, so that nothing in them is found.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use super::findings::Rejection;
use super::fold::{Folded, fold};
use super::visible::{Visible, visible};

/// A quotation of fewer words than this may as well be the model's own: "the library 'DocArray'".
const QUOTED_WORDS: usize = 3;

/// The same for scripts that put no space between words.
const QUOTED_LETTERS: usize = 8;

/// Bytes: longer stretches between two quotation marks are not looked at.
const LONGEST_QUOTATION: usize = 2_000;

/// Sentences of a question that are looked for: questions may hold whole documents.
const MOST_SENTENCES: usize = 200;

/// Stretches of the answer that are looked for in the question.
const MOST_QUOTATIONS: usize = 200;

/// Bytes of a question that are looked at: what is quoted is asked at its end or its start.
const LONGEST_QUESTION: usize = 64 << 10;

/// A stretch of the folded text that is blanked.
#[derive(Debug)]
pub(super) struct Foreign {
    pub(super) range: Range<usize>,
    /// What stood there.
    pub(super) text: String,
    pub(super) reason: Rejection,
}

/// What is to be blanked.
pub(super) fn not_its_own(
    page: &Visible,
    folded: &Folded,
    question: Option<&str>,
    disclosure: Option<&str>,
) -> Vec<Foreign> {
    let mut disclosed = Vec::new();
    if let Some(disclosure) = disclosure {
        footers(&folded.text, disclosure, &mut disclosed);
    }
    let mut quoted = Vec::new();
    if let Some(question) = question {
        let question = fold(&visible(&ends(question)).text).text;
        quotations(&folded.text, &question, &mut quoted);
        quoted_blocks(page, folded, &question, &mut quoted);
        echoes(&folded.text, &question, &mut quoted);
    }
    let foreign = |reason| {
        move |range: Range<usize>| Foreign { text: folded.text[range.clone()].to_owned(), range, reason }
    };
    let disclosed = disclosed.into_iter().map(foreign(Rejection::Disclosure));
    disclosed.chain(quoted.into_iter().map(foreign(Rejection::Quotation))).collect()
}

/// A question, without the middle of a very long one.
fn ends(question: &str) -> Cow<'_, str> {
    if question.len() <= LONGEST_QUESTION {
        return Cow::Borrowed(question);
    }
    let half = LONGEST_QUESTION / 2;
    let start = &question[..question.floor_char_boundary(half)];
    let end = &question[question.ceil_char_boundary(question.len() - half)..];
    Cow::Owned(format!("{start}\n\n{end}"))
}

/// Blanks ranges without moving what follows them.
pub(super) fn blank(text: &mut String, foreign: &[Foreign]) {
    for Foreign { range, .. } in foreign {
        text.replace_range(range.clone(), &"\n".repeat(range.len()));
    }
}

/// The footer as it is read, and as it is written, for where it came to stand inside of an open code block.
fn footers(text: &str, disclosure: &str, out: &mut Vec<Range<usize>>) {
    for needle in [fold(&visible(disclosure).text).text, fold(disclosure).text] {
        let needle = needle.trim();
        if needle.chars().any(char::is_alphanumeric) {
            out.extend(text.match_indices(needle).map(|(at, found)| at..at + found.len()));
        }
    }
}

/// Text in quotation marks that the question holds word by word.
fn quotations(text: &str, question: &str, out: &mut Vec<Range<usize>>) {
    for (open, close) in [('"', '"'), ('「', '」'), ('『', '』'), ('‹', '›')] {
        let mut from = 0;
        for _ in 0..MOST_QUOTATIONS {
            let Some(start) = text[from..].find(open).map(|at| from + at + open.len_utf8()) else { break };
            let window = text.floor_char_boundary(start + LONGEST_QUOTATION);
            let line_end = text[start..window].find('\n').map_or(window, |at| start + at);
            let Some(end) = text[start..line_end].find(close).map(|at| start + at) else {
                from = if open == close { line_end } else { start };
                continue;
            };
            let is_quoted = is_of(question, &text[start..end]);
            if is_quoted {
                out.push(start..end);
            }
            // What closes one quotation may open the next one, where one mark does both.
            from = if is_quoted || open != close { end + close.len_utf8() } else { end };
        }
    }
}

/// Block quotes of the question.
fn quoted_blocks(page: &Visible, folded: &Folded, question: &str, out: &mut Vec<Range<usize>>) {
    if !page.blocks.iter().any(|block| block.quoted) {
        return;
    }
    let mut start = 0;
    let lines = folded.text.split_inclusive('\n').map(|line| {
        start += line.len();
        start - line.len()..start - line.len() + line.trim_end().len()
    });
    let is_quoted = |range: &Range<usize>| {
        let seen = folded.offsets.cover(range.clone());
        let block = seen.and_then(|seen| page.block_at(seen.start));
        block.is_some_and(|index| page.blocks[index].quoted)
    };
    let quoted = lines.filter(is_quoted).take(MOST_QUOTATIONS);
    out.extend(quoted.filter(|range| is_of(question, &folded.text[range.clone()])));
}

/// Whether the question holds a stretch of words that is long enough to be a quotation.
fn is_of(question: &str, stretch: &str) -> bool {
    let stretch = stretch.trim_matches(|character: char| !character.is_alphanumeric());
    is_long(stretch)
        && question.match_indices(stretch).any(|(at, found)| is_whole(question, at..at + found.len()))
}

fn is_long(stretch: &str) -> bool {
    let words = stretch.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count();
    let unspaced = !stretch.is_ascii() && words < QUOTED_WORDS;
    words >= QUOTED_WORDS
        || unspaced && stretch.chars().filter(|letter| letter.is_alphanumeric()).count() >= QUOTED_LETTERS
}

fn is_whole(text: &str, range: Range<usize>) -> bool {
    let left = text[..range.start].chars().next_back();
    let right = text[range.end..].chars().next();
    let first = text[range.clone()].chars().next();
    let last = text[range].chars().next_back();
    let joined = |one: Option<char>, other: Option<char>| match (one, other) {
        (Some(one), Some(other)) => super::script::joined(one, other),
        _ => false,
    };
    !joined(left, first) && !joined(last, right)
}

/// Sentences of the question that the answer repeats as sentences of its own.
fn echoes(text: &str, question: &str, out: &mut Vec<Range<usize>>) {
    let sentences = question
        .split(['.', '?', '!', '。', '？', '！', '\n'])
        .map(|sentence| sentence.trim_matches(|character: char| !character.is_alphanumeric()))
        .filter(|sentence| is_long(sentence));
    // A sentence that a question repeats is looked for once.
    let sentences: BTreeSet<&str> = sentences.take(MOST_SENTENCES).collect();
    for sentence in sentences {
        for (at, found) in text.match_indices(sentence) {
            let before = text[..at].trim_end_matches([' ', '"', '\'', '(', '*']).chars().next_back();
            let after = text[at + found.len()..].trim_start_matches(['"', '\'', ')', '*']).chars().next();
            let starts = before.is_none_or(|character| {
                matches!(character, '\n' | '.' | '?' | '!' | ':' | '。' | '？' | '！')
            });
            let ends = after.is_none_or(|character| {
                matches!(character, '\n' | '.' | '?' | '!' | ':' | '。' | '？' | '！')
            });
            if starts && ends {
                out.push(at..at + found.len());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{blank, not_its_own};
    use crate::mentions::fold::fold;
    use crate::mentions::visible::visible;

    fn rest(text: &str, question: &str, disclosure: &str) -> String {
        let page = visible(text);
        let mut folded = fold(&page.text);
        let ranges = not_its_own(&page, &folded, Some(question), Some(disclosure));
        blank(&mut folded.text, &ranges);
        folded.text.split('\n').filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn only_the_models_own_words_are_left() {
        for (text, expected) in [
            ("It is. \n\n---\n*Acme paid for this.*", "it is."),
            ("```\nx\n*Acme paid for this.*", "x"),
            ("You asked: “What is Acme One?” It is.", "you asked: \"|\" it is."),
            ("> What is Acme One?\n\nA thing.", "a thing."),
            ("What is Acme One? A thing.", "? a thing."),
            ("“Acme One” is a thing.", "\"acme one\" is a thing."),
            ("What is Acme One good for, then?", "what is acme one good for, then?"),
        ] {
            assert_eq!(rest(text, "Hello. What is Acme One?", "*Acme paid for this.*"), expected, "{text}");
        }
    }
}
