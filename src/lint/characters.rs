//! Characters that are not what they seem: ones that are not seen, and letters that look like others.

use unicode_script::{Script, UnicodeScript};

/// Whether a character is not seen: zero-width spaces and joiners, soft hyphens, marks of direction, tags.
pub(super) fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{115F}'
            | '\u{1160}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{E0000}'..='\u{E0FFF}'
    )
}

/// What an invisible character is called.
fn name(character: char) -> &'static str {
    match character {
        '\u{AD}' => "soft hyphen",
        '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {
            "mark of direction"
        }
        '\u{E0000}'..='\u{E007F}' => "tag character",
        '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' => "variation selector",
        _ => "zero-width character",
    }
}

/// The first character of a text that is not seen and that nothing around it needs, with the word that it stands in.
pub(super) fn invisible(text: &str) -> Option<(String, String)> {
    let mut before = None;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let after = characters.peek().map(|(_, next)| *next);
        if is_invisible(character) && !is_needed(character, before, after) {
            let what = format!("a {} (U+{:04X})", name(character), u32::from(character));
            return Some((what, word_at(text, at)));
        }
        before = Some(character);
    }
    None
}

/// Joiners hold emoji together and shape letters of some scripts; a selector makes a sign an emoji.
fn is_needed(character: char, before: Option<char>, after: Option<char>) -> bool {
    let shapes = |other: Option<char>| {
        other.is_some_and(|other| {
            matches!(
                other.script(),
                Script::Arabic
                    | Script::Syriac
                    | Script::Devanagari
                    | Script::Bengali
                    | Script::Gurmukhi
                    | Script::Gujarati
                    | Script::Oriya
                    | Script::Tamil
                    | Script::Telugu
                    | Script::Kannada
                    | Script::Malayalam
                    | Script::Sinhala
                    | Script::Khmer
                    | Script::Myanmar
                    | Script::Mongolian
            )
        })
    };
    let is_sign = |other: Option<char>| {
        other.is_some_and(|other| {
            !other.is_alphanumeric() && !other.is_ascii() && !other.is_whitespace()
                || matches!(other, '0'..='9' | '#' | '*')
        })
    };
    match character {
        '\u{200C}' => shapes(before) && shapes(after),
        '\u{200D}' => shapes(before) || is_sign(before) && is_sign(after),
        '\u{FE00}'..='\u{FE0F}' => is_sign(before),
        // A direction may have to be said in text of these scripts.
        '\u{200E}' | '\u{200F}' | '\u{61C}' => {
            let written = |other: Option<char>| {
                other.is_some_and(|other| matches!(other.script(), Script::Arabic | Script::Hebrew))
            };
            written(before) || written(after)
        }
        _ => false,
    }
}

fn word_at(text: &str, at: usize) -> String {
    let start = text[..at].rfind(char::is_whitespace).map_or(0, |space| space + 1);
    let start = text.ceil_char_boundary(start);
    text[start..].split(char::is_whitespace).next().unwrap_or_default().to_owned()
}

/// The Latin letter that a Cyrillic, Greek, Armenian or Cherokee one looks like (Unicode TS 39, the common ones); every
/// other character as it is.
pub(super) fn skeleton(character: char) -> char {
    const LIKE: &[(&str, &str)] = &[
        ("АВЕЅІЈКМНОРСТУХԚԜҮ", "ABESIJKMHOPCTYXQWY"),
        ("аеіјорсухѕԁԛԝһӏү", "aeijopcyxsdqwhly"),
        ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX"),
        ("ονιαυ", "oviau"),
        ("օսոհ", "ounh"),
        ("ᎪᏴᏟᎬᎻᎫᏦᏞᎷᏢᏚᎢᏙᎳ", "ABCEHJKLMPSTVW"),
    ];
    if character.is_ascii() {
        return character;
    }
    let latin = |(others, latin): &(&str, &str)| {
        let place = others.chars().position(|other| other == character)?;
        latin.chars().nth(place)
    };
    LIKE.iter().find_map(latin).unwrap_or(character)
}

/// The first word that mixes Latin letters with ones that look like them, or is written in letters made for formulas
/// or for the width of ideographs.
pub(super) fn look_alike(text: &str) -> Option<&str> {
    text.split(|character: char| !character.is_alphanumeric() && !is_invisible(character)).find(|word| {
        let latin = word.chars().any(|character| character.script() == Script::Latin);
        let foreign = word.chars().any(|character| skeleton(character) != character);
        let styled = word
            .chars()
            .filter(|character| {
                matches!(character, '\u{1D400}'..='\u{1D7FF}' | '\u{FF21}'..='\u{FF3A}' | '\u{FF41}'..='\u{FF5A}')
            })
            .count();
        latin && foreign || styled > 1
    })
}

#[cfg(test)]
mod tests {
    use super::{invisible, look_alike};

    #[test]
    fn invisible_characters_are_found_where_nothing_needs_them() {
        for (text, expected) in [
            ("ac\u{200B}me", Some("zero-width")),
            ("a\u{202E}b", Some("direction")),
            ("x\u{E0041}", Some("tag")),
            ("hy\u{AD}phen", Some("soft hyphen")),
            ("👩\u{200D}🚀 and ❤\u{FE0F} and 1\u{FE0F}\u{20E3}", None),
            ("می\u{200C}خواهم", None),
            ("plain", None),
        ] {
            let found = invisible(text).map(|(what, _)| what);
            assert_eq!(found.is_some(), expected.is_some(), "{text:?}: {found:?}");
            assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()), "{text:?}");
        }
    }

    #[test]
    fn words_of_two_scripts_are_found() {
        for (text, expected) in [
            ("DосArray is", Some("DосArray")),
            ("𝐛𝐨𝐥𝐝 claim", Some("𝐛𝐨𝐥𝐝")),
            ("ＡＣＭＥ", Some("ＡＣＭＥ")),
            ("Москва and London", None),
            ("α-helix, Δx and µm", None),
            ("東京 Tower", None),
        ] {
            assert_eq!(look_alike(text), expected, "{text}");
        }
    }
}
