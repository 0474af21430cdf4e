//! What a code point is to a name: the script it is written in, and whether a name may end beside it.

use unicode_normalization::char::is_combining_mark;
use unicode_script::{Script, UnicodeScript};

/// Scripts as far as the edge of a name is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Not part of a word: space, punctuation, symbols.
    None,
    /// Digits of any script.
    Digit,
    /// Katakana, with the long-vowel mark.
    Katakana,
    /// Scripts that put no space between words: a name may end anywhere.
    Unspaced,
    /// Letters and marks of a script that parts its words.
    Letter(Script),
}

/// The class of a code point.
pub(super) fn class_of(character: char) -> Class {
    if character.is_ascii() {
        return match character {
            'a'..='z' | 'A'..='Z' => Class::Letter(Script::Latin),
            '0'..='9' => Class::Digit,
            _ => Class::None,
        };
    }
    match character {
        'ー' | '\u{30A1}'..='\u{30FA}' | '\u{30FD}'..='\u{30FF}' => return Class::Katakana,
        '\u{3041}'..='\u{309F}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '々' => {
            return Class::Unspaced;
        }
        _ => {}
    }
    if character.is_numeric() {
        return Class::Digit;
    }
    if !character.is_alphabetic() && !is_combining_mark(character) {
        return Class::None;
    }
    match character.script() {
        Script::Katakana => Class::Katakana,
        Script::Han
        | Script::Hiragana
        | Script::Bopomofo
        | Script::Thai
        | Script::Lao
        | Script::Khmer
        | Script::Myanmar
        | Script::Tai_Tham
        | Script::New_Tai_Lue
        | Script::Javanese
        | Script::Balinese
        | Script::Tibetan => Class::Unspaced,
        script => Class::Letter(script),
    }
}

/// Whether a code point belongs to a word of any script.
pub(super) fn is_word(character: char) -> bool {
    class_of(character) != Class::None
}

/// Whether two neighbours belong to one word, so that no name ends between them. Letters and digits of
/// alphabets hold together ("HP2"), which those of unspaced scripts and Katakana do not ("株式会社3M").
pub(super) fn joined(left: char, right: char) -> bool {
    // Identifiers: `my_acme` is one word.
    if left == '_' || right == '_' {
        return is_word(left) || is_word(right);
    }
    match (class_of(left), class_of(right)) {
        (Class::Digit, Class::Digit) | (Class::Katakana, Class::Katakana) => true,
        (Class::Letter(one), Class::Letter(other)) => {
            one == other || one == Script::Inherited || other == Script::Inherited
        }
        (Class::Letter(_), Class::Digit) | (Class::Digit, Class::Letter(_)) => true,
        _ => false,
    }
}

/// Whether all letters are of scripts in which words are parted and cased, so that a rule about case can apply.
pub(super) fn has_case(text: &str) -> bool {
    text.chars().any(|character| character.is_lowercase() || character.is_uppercase())
}

/// Code points that are not seen: zero-width spaces and joiners, soft hyphens, marks of direction, variation
/// selectors, tags.
pub(super) fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
            | '\u{E0000}'..='\u{E0FFF}'
    )
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn only_letters_of_one_script_hold_together() {
        for (left, right, expected) in [
            ('a', 'b', true),
            ('é', 'b', true),
            ('a', '1', true),
            ('1', '3', true),
            ('a', '-', false),
            ('y', 'は', false),
            ('ア', 'ー', true),
            ('ア', 'は', false),
            ('社', '社', false),
            ('ย', 'ก', false),
            ('я', 'a', false),
            ('社', '3', false),
            ('삼', '은', true),
        ] {
            assert_eq!(joined(left, right), expected, "{left}{right}");
        }
    }
}
