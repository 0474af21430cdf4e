//! How a mention speaks of the brand: by the words of its clause, in English and German. A rule of thumb: what the
//! headline counts is whether a brand is named; this says how much of that is not meant well.

use super::findings::Polarity;
use super::phrases::{
    AGAINST, BAD_LIST, BETWEEN, ENOUGH, FOR, HARMLESS, IF, INSTEAD, IS_GOOD, IS_NOT, NOT, PREFERRING, SPARES,
    UNBEATEN,
};
use super::tokens::{Break, Tokens};

/// Words in front of a name that are looked at.
const BEFORE: usize = 8;

/// Words behind it.
const BEHIND: usize = 8;

/// Words between two commas behind a name that the clause goes on after: "X, on the other hand, is not".
const INSERTION: usize = 5;

/// A name and what stands around it.
pub(super) struct Surroundings<'a> {
    /// The folded text and its words.
    pub(super) text: &'a str,
    pub(super) tokens: &'a Tokens,
    /// Index of the name's first word, and one behind its last.
    pub(super) first: usize,
    pub(super) behind: usize,
    /// Where the name heads an item: the end of the line in front of the list, folded.
    pub(super) list: Option<String>,
}

/// The polarity of a name.
pub(super) fn polarity(around: &Surroundings<'_>) -> Polarity {
    // "no, X" does not deny X: the words of a denial stand in front of it without a comma.
    let before = Before::new(words_before(around));
    let behind = words_behind(around).join(" ");
    if before.ends_with(UNBEATEN, 0) {
        return Polarity::Recommended;
    }
    if before.ends_with(INSTEAD, 2) || before.is_preferred_over() {
        return Polarity::InsteadOf;
    }
    if before.ends_with(AGAINST, 3) && !starts_with(&behind, ENOUGH) {
        return Polarity::WarnedAgainst;
    }
    if before.is_denied() || is_denied_behind(&behind) {
        return Polarity::Negated;
    }
    if around.list.as_deref().is_some_and(is_bad_list) {
        return Polarity::WarnedAgainst;
    }
    let is_open = before.ends_with(IF, 1);
    if !is_open && before.ends_with(FOR, 2) || begins(&behind, IS_GOOD, 2) || around.list.is_some() {
        return Polarity::Recommended;
    }
    Polarity::Neutral
}

/// Whether what stands between two names joins them: "A and B", "A, B".
pub(super) fn is_coordinated(between: &str) -> bool {
    let words = between.trim();
    !between.contains('\n')
        && matches!(
            words,
            "," | "and" | "or" | "nor" | "&" | "/" | "und" | "oder" | "noch" | ", and" | ", or" | ", nor"
        )
}

/// The words in front of a name, up to a comma.
struct Before<'a> {
    words: Vec<&'a str>,
    /// The same with a space between them.
    text: String,
}

impl<'a> Before<'a> {
    fn new(words: Vec<&'a str>) -> Before<'a> {
        Before { text: words.join(" "), words }
    }

    /// Whether they end with one of the phrases, and at most `gap` words behind it: "instead of the older X".
    fn ends_with(&self, phrases: &[&str], gap: usize) -> bool {
        (0..=gap.min(self.words.len())).any(|skip| self.without_last(skip, phrases))
    }

    fn without_last(&self, skip: usize, phrases: &[&str]) -> bool {
        let skipped: usize = self.words.iter().rev().take(skip).map(|word| word.len() + 1).sum();
        let left = &self.text[..self.text.len().saturating_sub(skipped)];
        let last = left.as_bytes().last();
        phrases.iter().any(|phrase| {
            // The last byte tells most phrases apart, at a fraction of the cost.
            phrase.as_bytes().last() == last
                && left.strip_suffix(phrase).is_some_and(|rest| rest.is_empty() || rest.ends_with(' '))
        })
    }

    fn is_preferred_over(&self) -> bool {
        self.ends_with(&["over"], 1) && self.words.iter().any(|word| PREFERRING.contains(word))
    }

    fn is_denied(&self) -> bool {
        let is_article = self.words.last().is_some_and(|word| BETWEEN.contains(word));
        self.without_last(0, NOT) || is_article && self.without_last(1, NOT)
    }
}

fn is_denied_behind(behind: &str) -> bool {
    let denials = IS_NOT.iter().filter_map(|phrase| after(behind, phrase));
    let of_next = behind.split_once(' ').map_or("", |(_, rest)| rest);
    let mut denials = denials.chain(IS_NOT.iter().filter_map(|phrase| after(of_next, phrase)));
    let is_harmless = |rest: &str| {
        starts_with(rest, SPARES) || rest.split(' ').take(3).any(|word| HARMLESS.contains(&word))
    };
    denials.any(|rest| !is_harmless(rest))
}

/// What follows a phrase that a text begins with.
fn after<'t>(text: &'t str, phrase: &str) -> Option<&'t str> {
    if text.as_bytes().first() != phrase.as_bytes().first() {
        return None;
    }
    let rest = text.strip_prefix(phrase)?;
    rest.strip_prefix(' ').or_else(|| rest.is_empty().then_some(""))
}

fn starts_with(text: &str, phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| after(text, phrase).is_some())
}

/// Whether a text begins with one of the phrases, after at most `gap` words.
fn begins(text: &str, phrases: &[&str], gap: usize) -> bool {
    let mut rest = Some(text);
    for _ in 0..=gap {
        let Some(text) = rest else { return false };
        if starts_with(text, phrases) {
            return true;
        }
        rest = text.split_once(' ').map(|(_, rest)| rest);
    }
    false
}

fn is_bad_list(lead: &str) -> bool {
    BAD_LIST.iter().any(|phrase| {
        lead.match_indices(phrase).any(|(at, found)| {
            let is_part = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
            !is_part(lead[..at].chars().next_back()) && !is_part(lead[at + found.len()..].chars().next())
        })
    })
}

fn words_before<'a>(around: &Surroundings<'a>) -> Vec<&'a str> {
    let list = &around.tokens.list;
    let mut words = Vec::new();
    let mut index = around.first;
    while index > 0
        && words.len() < BEFORE
        && list.get(index).is_some_and(|token| token.before < Break::Comma)
    {
        index -= 1;
        words.push(&around.text[list[index].range.clone()]);
    }
    words.reverse();
    words
}

/// The words of the clause behind the name, less what is put in between two commas.
fn words_behind<'a>(around: &Surroundings<'a>) -> Vec<&'a str> {
    let rest = around.tokens.list.get(around.behind..).unwrap_or_default();
    let inserted = match rest.first() {
        Some(token) if token.before == Break::Comma => {
            let next = rest.iter().skip(1).take(INSERTION).position(|token| token.before >= Break::Comma);
            next.map(|at| at + 1).filter(|&at| rest[at].before == Break::Comma)
        }
        _ => None,
    };
    let rest = &rest[inserted.unwrap_or(0)..];
    let first = rest.first().filter(|token| inserted.is_some() || token.before < Break::Comma);
    let others = rest.iter().skip(1).take_while(|token| token.before < Break::Comma);
    let words = first.into_iter().chain(others.take_while(|_| first.is_some()));
    words.take(BEHIND).map(|token| &around.text[token.range.clone()]).collect()
}
