//! The query of a turn, from the conversation up to it.

use std::borrow::Cow;

/// A query longer than this is cut to its beginning and its end: a question stands at one of the two.
pub const MAX_QUERY_BYTES: usize = 2_000;

/// First words with which a turn leans on the one before.
const LEANING_STARTS: &[&str] =
    &["and", "also", "but", "or", "so", "then", "und", "auch", "aber", "oder", "what about", "how about"];

/// Words that point at something said before.
const POINTING_WORDS: &[&str] = &[
    "it", "its", "that", "this", "those", "these", "they", "them", "their", "one", "es", "das", "dies",
    "diese", "dieses", "davon", "damit", "dafür", "sie",
];

/// The query for a turn with this text, after a user turn with the `previous` text. A turn that leans on
/// the one before takes that one in.
pub fn turn_query(previous: Option<&str>, text: &str) -> String {
    let text = text.trim();
    let query = match previous.map(str::trim) {
        Some(previous) if !text.is_empty() && !previous.is_empty() && is_fragment(text) => {
            format!("{}\n{text}", shorten(previous, MAX_QUERY_BYTES / 2))
        }
        _ => text.to_owned(),
    };
    shorten(&query, MAX_QUERY_BYTES).into_owned()
}

/// Whether a turn cannot be understood alone: it is very short, or short and points at something.
fn is_fragment(text: &str) -> bool {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|character: char| !character.is_alphanumeric() && character != '\'')
        .filter(|word| !word.is_empty())
        .collect();
    if words.len() <= 3 {
        return true;
    }
    if words.len() > 12 {
        return false;
    }
    let start = format!("{} {}", words[0], words[1]);
    LEANING_STARTS.iter().any(|leaning| words[0] == *leaning || start == *leaning)
        || words.iter().any(|word| POINTING_WORDS.contains(word))
}

fn shorten(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    let head = text.floor_char_boundary(limit / 2);
    let tail = text.ceil_char_boundary(text.len() - limit / 2);
    Cow::Owned(format!("{}\n{}", &text[..head], &text[tail..]))
}
