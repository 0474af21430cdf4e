//! Text as names are compared: NFKC and without case, grapheme cluster by grapheme cluster, so that every place
//! in it has a place in what was folded. Hyphens and spaces inside of a name become one space; marks such as ™
//! are left out. It does not strip diacritics: "Citroën" and "Citroen" are two spellings.

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

use super::offsets::Offsets;
use super::script::is_invisible;

/// Folded text and where it came from.
#[derive(Debug, Clone, Default)]
pub(super) struct Folded {
    /// One line a block; a run of spaces is one space.
    pub(super) text: String,
    /// Back to the text that was folded.
    pub(super) offsets: Offsets,
}

/// Folds a text whose lines are blocks.
pub(super) fn fold(source: &str) -> Folded {
    let mut folder = Folder { source, folded: Folded::default(), at: 0 };
    folder.folded.text.reserve(source.len());
    while folder.at < source.len() {
        folder.step();
    }
    folder.folded
}

/// A name as it is looked for: folded, without space at its ends.
pub(super) fn fold_name(name: &str) -> String {
    fold(&seen(name).replace('\n', " ")).text.trim().to_owned()
}

/// A name's letters as they are written, with the same spaces as its folded form: what tells "Apple" from "apple".
pub(super) fn shape(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for character in seen(name).nfkc() {
        match kind(character) {
            Kind::Space | Kind::Hyphen | Kind::Dot | Kind::Line if out.ends_with(' ') => {}
            Kind::Space | Kind::Hyphen | Kind::Dot | Kind::Line => out.push(' '),
            Kind::Apostrophe => out.push('\''),
            Kind::Dropped => {}
            Kind::Quote | Kind::Other => out.push(character),
        }
    }
    out.trim().to_owned()
}

fn seen(text: &str) -> String {
    text.chars().filter(|&character| !is_invisible(character)).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Line,
    Space,
    Hyphen,
    /// A dot in the middle of the line, which parts the words of a name in Katakana and Catalan.
    Dot,
    Apostrophe,
    Quote,
    /// Signs that belong to no name: trade marks, raised digits of footnotes.
    Dropped,
    Other,
}

fn kind(character: char) -> Kind {
    match character {
        '\n' => Kind::Line,
        '-' | '\u{2010}'..='\u{2013}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' | '\u{FF0D}' => Kind::Hyphen,
        '·' | '・' | '･' => Kind::Dot,
        '\'' | '’' | '‘' | '‛' | 'ʼ' | '＇' | '`' | '´' | '′' => Kind::Apostrophe,
        '"' | '“' | '”' | '„' | '‟' | '«' | '»' | '＂' => Kind::Quote,
        '™' | '℠' | '®' | '©' | '¹' | '²' | '³' | '⁰' | '⁴'..='⁹' => Kind::Dropped,
        other if other.is_whitespace() => Kind::Space,
        _ => Kind::Other,
    }
}

struct Folder<'a> {
    source: &'a str,
    folded: Folded,
    at: usize,
}

impl Folder<'_> {
    fn step(&mut self) {
        let rest = &self.source[self.at..];
        let mut characters = rest.chars();
        let Some(first) = characters.next() else { return };
        let next = characters.next();
        if is_plain(first) && next.is_none_or(is_plain) {
            return self.single(first, next);
        }
        let cluster = rest.graphemes(true).next().unwrap_or(rest);
        let next = rest[cluster.len()..].chars().next();
        if cluster.chars().nth(1).is_none() && kind(first) != Kind::Other {
            return self.single(first, next);
        }
        self.cluster(cluster);
    }

    /// A code point that is a cluster of its own.
    fn single(&mut self, character: char, next: Option<char>) {
        let range = self.at..self.at + character.len_utf8();
        self.at = range.end;
        let out = match kind(character) {
            Kind::Other if is_unchanged(character) => {
                let to = self.folded.text.len();
                self.folded.text.push(character);
                return self.folded.offsets.copy(to, range);
            }
            Kind::Other => character.to_ascii_lowercase(),
            Kind::Line => '\n',
            Kind::Space => ' ',
            Kind::Hyphen if self.is_inside_a_name(next) => ' ',
            Kind::Dot if self.is_inside_a_name(next) => ' ',
            Kind::Hyphen => '-',
            Kind::Dot => '·',
            Kind::Apostrophe => '\'',
            Kind::Quote => '"',
            Kind::Dropped => return,
        };
        let last = self.folded.text.chars().next_back();
        let repeated = match out {
            ' ' => matches!(last, None | Some(' ' | '\n')),
            '\n' => matches!(last, None | Some('\n')),
            _ => false,
        };
        if repeated {
            return;
        }
        let to = self.folded.text.len();
        self.folded.text.push(out);
        if out.len_utf8() == range.len() {
            self.folded.offsets.copy(to, range);
        } else {
            self.folded.offsets.atom(to..to + out.len_utf8(), range);
        }
    }

    fn is_inside_a_name(&self, next: Option<char>) -> bool {
        let before = self.folded.text.chars().next_back().is_some_and(char::is_alphanumeric);
        before && next.is_some_and(char::is_alphanumeric)
    }

    fn cluster(&mut self, cluster: &str) {
        let range = self.at..self.at + cluster.len();
        self.at = range.end;
        let to = self.folded.text.len();
        for character in cluster.nfkc() {
            push_without_case(character, &mut self.folded.text);
        }
        let end = self.folded.text.len();
        if self.folded.text[to..] == *cluster && cluster.chars().nth(1).is_none() {
            self.folded.offsets.copy(to, range);
        } else if to < end {
            self.folded.offsets.atom(to..end, range);
        }
    }
}

/// ASCII, and letters that neither change nor combine: the two ways in which most text is written.
fn is_plain(character: char) -> bool {
    character.is_ascii() || is_unchanged(character)
}

fn is_unchanged(character: char) -> bool {
    matches!(character,
        '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FA}' | 'ー' | '\u{4E00}'..='\u{9FFF}' | '、' | '。')
}

/// Full case folding, without the tables of it: what differs from lower case is listed here.
fn push_without_case(character: char, out: &mut String) {
    match character {
        'ß' | 'ẞ' => out.push_str("ss"),
        'ς' => out.push('σ'),
        // Turkish writes İ and ı; names are compared without that difference.
        'İ' | 'ı' => out.push('i'),
        other if other.is_whitespace() => out.push(' '),
        other => out.extend(other.to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::{fold, fold_name, shape};

    #[test]
    fn spellings_of_one_name_are_one() {
        for (written, expected) in [
            ("Coca-Cola", "coca cola"),
            ("Coca\u{2011}Cola", "coca cola"),
            ("Coca \u{a0} Cola", "coca cola"),
            ("Coca - Cola", "coca - cola"),
            ("コカ・コーラ", "コカ コーラ"),
            ("ｺｶ･ｺｰﾗ", "コカ コーラ"),
            ("Cafe\u{301}", "caf\u{e9}"),
            ("STRASSE", "strasse"),
            ("Straße", "strasse"),
            ("Acme™", "acme"),
            ("L’Oréal", "l'or\u{e9}al"),
            ("Ｓｏｎｙ", "sony"),
            ("İstanbul", "istanbul"),
            ("Doc\u{ad}Array", "docarray"),
            (" a\nb ", "a b"),
        ] {
            assert_eq!(fold_name(written), expected, "{written}");
        }
    }

    #[test]
    fn offsets_lead_back() {
        let source = "Ein Cafe\u{301} ｺｶ bei Straße 3M";
        let folded = fold(source);
        for (part, expected) in [
            ("café", Some("Cafe\u{301}")),
            ("コカ", Some("ｺｶ")),
            ("strasse", Some("Straße")),
            ("tras", Some("tra")),
        ] {
            let start = folded.text.find(part).unwrap();
            let range = folded.offsets.range(start..start + part.len());
            let expected = if part == "tras" { None } else { expected };
            assert_eq!(range.map(|range| &source[range]), expected, "{part}");
        }
    }

    #[test]
    fn a_shape_keeps_case() {
        assert_eq!(shape("Coca-Cola"), "Coca Cola");
        assert_eq!(shape("L’Oréal"), "L'Oréal");
    }
}
