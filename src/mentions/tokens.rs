//! The words of a folded text and what stands between them: where sentences and clauses end.

use std::ops::Range;

/// What stands in front of a word. Later ones part more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Break {
    /// Space, or nothing that parts.
    None,
    Comma,
    /// A bracket, a dash, a semicolon.
    Clause,
    /// After a colon the next word may be written with a capital.
    Colon,
    Sentence,
    Block,
}

/// A word of the folded text.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) range: Range<usize>,
    pub(super) before: Break,
}

/// The words of a text.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    pub(super) list: Vec<Token>,
}

/// Words after whose dot a sentence goes on.
const ABBREVIATIONS: &[&str] = &[
    "e.g", "eg", "i.e", "ie", "vs", "etc", "mr", "mrs", "ms", "dr", "prof", "st", "no", "approx", "resp",
    "z.b", "b", "bzw", "ca", "u.a", "d.h", "h", "nr", "s", "u.s", "u.k", "v", "jr", "sr", "cf", "inc",
    "corp", "ltd", "co",
];

impl Tokens {
    /// Cuts a folded text into words.
    pub(super) fn new(text: &str) -> Tokens {
        let mut list: Vec<Token> = Vec::with_capacity(text.len() / 5);
        let mut gap_from = 0;
        let mut at = 0;
        while at < text.len() {
            let len = word_length(&text[at..]);
            if len == 0 {
                at += text[at..].chars().next().map_or(1, char::len_utf8);
                continue;
            }
            let before = match list.last() {
                None => Break::Block,
                Some(last) => break_of(&text[gap_from..at], &text[last.range.clone()]),
            };
            list.push(Token { range: at..at + len, before });
            at += len;
            gap_from = at;
        }
        Tokens { list }
    }

    /// The first word that ends after an offset.
    pub(super) fn at(&self, offset: usize) -> usize {
        self.list.partition_point(|token| token.range.end <= offset)
    }
}

fn word_length(text: &str) -> usize {
    let mut len = 0;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let inside = character.is_alphanumeric()
            || !character.is_ascii() && unicode_normalization::char::is_combining_mark(character)
            || character == '\'' && len > 0 && characters.peek().is_some_and(|next| next.is_alphanumeric());
        if !inside {
            break;
        }
        len += character.len_utf8();
    }
    len
}

fn break_of(gap: &str, word_before: &str) -> Break {
    let mut found = Break::None;
    let mut characters = gap.chars().peekable();
    while let Some(character) = characters.next() {
        let spaced =
            characters.peek().is_none_or(|next| !next.is_alphanumeric()) && !gap.ends_with(character);
        found = found.max(match character {
            '\n' => Break::Block,
            '.' if !spaced || ABBREVIATIONS.contains(&word_before) => Break::None,
            '.' | '!' | '?' | '。' | '！' | '？' | '…' => Break::Sentence,
            ':' if spaced => Break::Colon,
            ';' | '(' | ')' | '[' | ']' | '—' | '–' => Break::Clause,
            '-' if spaced => Break::Clause,
            ',' | '、' | '，' | '/' => Break::Comma,
            _ => Break::None,
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Break, Tokens};

    #[test]
    fn breaks_are_told_apart() {
        let text = "node.js, e.g. this - don't (it). next: a\nb 日本。語";
        let tokens = Tokens::new(text);
        let found: Vec<(&str, Break)> =
            tokens.list.iter().map(|token| (&text[token.range.clone()], token.before)).collect();
        assert_eq!(
            found,
            vec![
                ("node", Break::Block),
                ("js", Break::None),
                ("e", Break::Comma),
                ("g", Break::None),
                ("this", Break::Sentence),
                ("don't", Break::Clause),
                ("it", Break::Clause),
                ("next", Break::Sentence),
                ("a", Break::Colon),
                ("b", Break::Block),
                ("日本", Break::None),
                ("語", Break::Sentence),
            ]
        );
    }
}
