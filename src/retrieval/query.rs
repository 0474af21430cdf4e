//! What is looked up: the turn's own text, and what was said before it.

use std::borrow::Cow;

/// A query longer than this is cut to its beginning and its end: a question stands at one of the two.
pub const MAX_QUERY_BYTES: usize = 2_000;

/// Earlier texts that are looked at. Empty ones do not count.
pub const MAX_SAID: usize = 16;

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The user.
    User,
    /// The assistant.
    Assistant,
}

/// What was said before the turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// By whom.
    pub by: Speaker,
    /// The text, cut where it is long.
    pub text: String,
}

/// What is looked up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// The turn's text, cut where it is long.
    pub text: String,
    /// What was said before, oldest first.
    pub before: Vec<Said>,
}

impl Query {
    /// A question that stands alone.
    pub fn alone(text: &str) -> Query {
        Query { text: shorten(text.trim()).into_owned(), before: Vec::new() }
    }

    /// The query of a turn after what was said, oldest first. Only the last texts are kept.
    pub fn after<'a>(said: impl DoubleEndedIterator<Item = (Speaker, &'a str)>, text: &str) -> Query {
        let mut before: Vec<Said> = said
            .rev()
            .filter(|(_, text)| !text.trim().is_empty())
            .take(MAX_SAID)
            .map(|(by, text)| Said { by, text: shorten(text.trim()).into_owned() })
            .collect();
        before.reverse();
        Query { before, ..Query::alone(text) }
    }

    /// The last text that `speaker` said before.
    pub(super) fn last(&self, speaker: Speaker) -> Option<&str> {
        self.before.iter().rev().find(|said| said.by == speaker).map(|said| &*said.text)
    }
}

fn shorten(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_QUERY_BYTES {
        return Cow::Borrowed(text);
    }
    let head = text.floor_char_boundary(MAX_QUERY_BYTES / 2);
    let tail = text.ceil_char_boundary(text.len() - MAX_QUERY_BYTES / 2);
    Cow::Owned(format!("{}\n{}", &text[..head], &text[tail..]))
}

#[cfg(test)]
mod tests {
    use super::{MAX_QUERY_BYTES, Query, Speaker};

    #[test]
    fn long_texts_keep_both_ends_and_long_conversations_their_end() {
        let long = format!("start {} end", "ü".repeat(5_000));
        let said: Vec<(Speaker, String)> =
            (0..40).map(|number| (Speaker::User, format!("text {number}"))).collect();
        let query = Query::after(said.iter().map(|(by, text)| (*by, &**text)), &long);
        assert!(query.text.len() <= MAX_QUERY_BYTES + 1);
        assert!(query.text.starts_with("start") && query.text.ends_with("end"));
        assert_eq!((query.before.len(), query.last(Speaker::User)), (16, Some("text 39")));
        assert_eq!(query.last(Speaker::Assistant), None);
    }
}
