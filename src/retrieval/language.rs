//! Which language a text is in, as a primary subtag of BCP 47.

use whichlang::{Lang, detect_language};

/// English: the language of what cannot be told.
pub(super) const ENGLISH: &str = "en";

/// Letters below which nothing is guessed: a name or two words look like any language.
const MIN_LETTERS: usize = 12;

/// The primary subtag of a tag.
pub(super) fn primary(tag: &str) -> &str {
    tag.split(['-', '_']).next().unwrap_or_default()
}

/// The language that a text seems to be in; `None` where it is too short to say. The detector knows 16
/// languages and takes a text in another one for the nearest of them.
pub fn detect(text: &str) -> Option<&'static str> {
    let letters = text.chars().filter(|letter| letter.is_alphabetic()).count();
    let ideographs = text.chars().filter(|&letter| ('\u{3040}'..='\u{9fff}').contains(&letter)).count();
    if letters < MIN_LETTERS && ideographs < 2 {
        return None;
    }
    Some(match detect_language(text) {
        Lang::Ara => "ar",
        Lang::Cmn => "zh",
        Lang::Deu => "de",
        Lang::Eng => ENGLISH,
        Lang::Fra => "fr",
        Lang::Hin => "hi",
        Lang::Ita => "it",
        Lang::Jpn => "ja",
        Lang::Kor => "ko",
        Lang::Nld => "nl",
        Lang::Por => "pt",
        Lang::Rus => "ru",
        Lang::Spa => "es",
        Lang::Swe => "sv",
        Lang::Tur => "tr",
        Lang::Vie => "vi",
    })
}

#[cfg(test)]
mod tests {
    use super::{detect, primary};

    #[test]
    fn languages_are_told_apart_and_short_texts_are_not() {
        for (text, expected) in [
            ("How do I store my documents in a database?", Some("en")),
            ("Wie speichere ich meine Dokumente in einer Datenbank?", Some("de")),
            ("¿Cómo guardo mis documentos en una base de datos?", Some("es")),
            ("Как сохранить документы в базе данных?", Some("ru")),
            ("如何把文档保存到数据库？", Some("zh")),
            ("reset", None),
            ("", None),
            ("1234567890123456", None),
        ] {
            assert_eq!(detect(text), expected, "{text}");
        }
        assert_eq!((primary("de-AT"), primary("pt_BR"), primary("")), ("de", "pt", ""));
    }
}
