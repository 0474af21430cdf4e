//! Whether a name that may be something else is meant: by how it is written, by where it stands, and by the words
//! around it.

use super::findings::Rejection;
use super::lexicon::{Doubt, Entry};
use super::names::CasePolicy;
use super::tokens::{Break, Tokens};

/// Words before and behind a name among which the words that it needs are looked for.
const NEAR: usize = 12;

/// Where a candidate stands.
pub(super) struct Place<'a> {
    /// The folded text and its words.
    pub(super) text: &'a str,
    pub(super) tokens: &'a Tokens,
    /// Index of the candidate's first word, and one behind its last.
    pub(super) first: usize,
    pub(super) behind: usize,
    /// As it is written, see [`super::fold::shape`].
    pub(super) shape: &'a str,
    /// Whether it stands in a heading, where words have capitals.
    pub(super) in_heading: bool,
}

/// Why the candidate is not the name, if it is not.
pub(super) fn doubted(entry: &Entry, place: &Place<'_>) -> Option<Rejection> {
    let as_written = entry.shapes.iter().any(|shape| shape == place.shape);
    let needs_context = !entry.context.is_empty();
    match entry.case {
        CasePolicy::Ignore => (needs_context && !has_context(entry, place)).then_some(Rejection::Context),
        CasePolicy::Exact if !as_written => Some(Rejection::Case),
        CasePolicy::Exact => (needs_context && !has_context(entry, place)).then_some(Rejection::Context),
        CasePolicy::Auto => match entry.doubt {
            Doubt::None => None,
            _ if needs_context && has_context(entry, place) => None,
            Doubt::Short | Doubt::GivenName => (!as_written).then_some(Rejection::Case),
            Doubt::Word | Doubt::Capital if !as_written => Some(Rejection::Case),
            // A name that is written small says nothing by its case anywhere.
            Doubt::Word | Doubt::Capital if !has_capital(place.shape) => None,
            // A capital further inside is no accident of the sentence.
            Doubt::Word | Doubt::Capital if has_inner_capital(place.shape) => None,
            Doubt::Capital => Some(Rejection::AlwaysCapital),
            Doubt::Word => starts_sentence(place).then_some(Rejection::SentenceStart),
        },
    }
}

fn has_capital(shape: &str) -> bool {
    shape.chars().any(char::is_uppercase)
}

/// "OpenAI", "IBM", "Visual Studio": a capital behind the first letter.
fn has_inner_capital(shape: &str) -> bool {
    shape.chars().skip(1).any(char::is_uppercase)
}

/// Whether every word would have a capital here. Behind a colon it may.
fn starts_sentence(place: &Place<'_>) -> bool {
    place.in_heading || place.tokens.list.get(place.first).is_none_or(|token| token.before >= Break::Colon)
}

fn has_context(entry: &Entry, place: &Place<'_>) -> bool {
    let list = &place.tokens.list;
    let from = place.first.saturating_sub(NEAR);
    let to = (place.behind + NEAR).min(list.len());
    let (Some(from), Some(to)) = (list.get(from), to.checked_sub(1).and_then(|last| list.get(last))) else {
        return false;
    };
    let near = &place.text[from.range.start..to.range.end];
    entry.context.iter().any(|word| {
        near.match_indices(word.as_str()).any(|(at, found)| {
            let before = near[..at].chars().next_back();
            let behind = near[at + found.len()..].chars().next();
            !before.is_some_and(char::is_alphanumeric) && !behind.is_some_and(char::is_alphanumeric)
        })
    })
}
