//! Text becomes words that can be compared: split, in lower case, without those that carry no topic,
//! stemmed, as its language wants. Scripts that write no spaces give pairs of characters.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use tantivy::tokenizer::{
    AsciiFoldingFilter, Language, LowerCaser, SimpleTokenizer, Stemmer, StopWordFilter, TextAnalyzer,
    TokenStream,
};

use super::language::{ENGLISH, primary};

/// Languages with a stemmer, by their primary subtag. Text in another one is split and folded only.
const STEMMED: &[(&str, Language)] = &[
    (ENGLISH, Language::English),
    ("ar", Language::Arabic),
    ("da", Language::Danish),
    ("de", Language::German),
    ("el", Language::Greek),
    ("es", Language::Spanish),
    ("fi", Language::Finnish),
    ("fr", Language::French),
    ("hu", Language::Hungarian),
    ("it", Language::Italian),
    ("nl", Language::Dutch),
    ("no", Language::Norwegian),
    ("pt", Language::Portuguese),
    ("ro", Language::Romanian),
    ("ru", Language::Russian),
    ("sv", Language::Swedish),
    ("ta", Language::Tamil),
    ("tr", Language::Turkish),
];

/// Words that carry grammar and no topic. Few items of a small folder hold a given one of them, so that
/// its inverse document frequency would call it telling. Parts of contractions stand alone, since an
/// apostrophe ends a word.
const ENGLISH_STOP_WORDS: &str = "\
    a about again also am an and another any anyone anything are aren as at be because been before being \
    both but by can cannot could couldn d did didn do does doesn doing don each either else ever every for \
    from get gets getting give got had hadn has hasn have haven having he her here hers herself him himself \
    his how however i if in instead into is isn it its itself just know let like ll m many may maybe me \
    might mine more most much must my myself need needs no nor not now of on one ones only or other others \
    ought our ours ourselves out own please re really s same shall she should shouldn so some somebody \
    someone something still such t tell than thank thanks that the their theirs them themselves then there \
    these they thing things this those though through to too up us ve very want wants was wasn way we were \
    weren what whatever when where whether which while who whom whose why will with within without won \
    would wouldn yes yet you your yours yourself yourselves";

/// Whether a word, in lower case, carries no topic in English.
pub(super) fn is_english_stop_word(word: &str) -> bool {
    static ALL: LazyLock<HashSet<&str>> = LazyLock::new(|| ENGLISH_STOP_WORDS.split(' ').collect());
    ALL.contains(word)
}

/// Finds the words of one language that carry a topic.
pub struct TopicWords(Analyzer);

impl TopicWords {
    /// For a BCP 47 tag. What has none is taken for English.
    pub fn of(tag: Option<&str>) -> TopicWords {
        TopicWords(Analyzer::of(tag))
    }

    /// Each such word of a text in its order: stemmed, so that its forms are equal, and as it is written.
    pub fn in_text(&self, text: &str) -> Vec<(String, String)> {
        self.0.written(text)
    }
}

/// Turns the text of one language into words.
#[derive(Clone)]
pub(super) struct Analyzer {
    /// The language's primary subtag; empty for those without a stemmer.
    pub(super) language: &'static str,
    analyzer: TextAnalyzer,
}

impl Analyzer {
    /// The analyzer for a BCP 47 tag. What has no tag is taken for English.
    pub(super) fn of(tag: Option<&str>) -> Analyzer {
        let primary = tag.map_or(ENGLISH, primary);
        let known = STEMMED.iter().find(|(language, _)| language.eq_ignore_ascii_case(primary));
        let split = TextAnalyzer::builder(SimpleTokenizer::default()).filter(LowerCaser);
        let Some(&(language, stemmed)) = known else {
            return Analyzer { language: "", analyzer: split.filter(AsciiFoldingFilter).build() };
        };
        let stop_words = match stemmed {
            Language::English => {
                Some(StopWordFilter::remove(ENGLISH_STOP_WORDS.split(' ').map(str::to_owned)))
            }
            other => StopWordFilter::new(other),
        };
        let mut split = split.dynamic();
        if let Some(stop_words) = stop_words {
            split = split.filter_dynamic(stop_words);
        }
        // Accents are folded last: lists of stop words and stemmers know the words with them.
        let analyzer = split.filter_dynamic(Stemmer::new(stemmed)).filter_dynamic(AsciiFoldingFilter);
        Analyzer { language, analyzer: analyzer.build() }
    }

    /// The words of a text in its order, repeated ones repeated. A run of characters of a script without
    /// spaces gives each pair of neighbours; such a script alone gives its only character.
    pub(super) fn words(&self, text: &str) -> Vec<String> {
        let mut words = Vec::new();
        self.each_token(text, |token| match runs(token) {
            None => words.push(token.to_owned()),
            Some(runs) => {
                for run in runs {
                    windows(run, 2, &mut words);
                }
            }
        });
        words
    }

    /// The pieces of words: each four neighbouring characters, with marks for where a word begins and ends.
    /// Inflected and compounded words have them in common where they are not equal. Of a script without
    /// spaces: the single characters. None for English, where they were measured to give nothing.
    pub(super) fn grams(&self, text: &str) -> Vec<String> {
        let mut grams = Vec::new();
        if !self.has_grams() {
            return grams;
        }
        let mut folding = TextAnalyzer::builder(SimpleTokenizer::default())
            .filter(LowerCaser)
            .filter(AsciiFoldingFilter)
            .build();
        let mut stream = folding.token_stream(text);
        while stream.advance() {
            let token = &stream.token().text;
            match runs(token) {
                None => windows(&format!("_{token}_"), GRAM, &mut grams),
                Some(runs) => runs.iter().for_each(|run| windows(run, 1, &mut grams)),
            }
        }
        grams
    }

    /// Whether the pieces of words are looked at.
    pub(super) fn has_grams(&self) -> bool {
        self.language != ENGLISH
    }

    /// Each word that carries a topic: stemmed, and as it is written.
    pub(super) fn written(&self, text: &str) -> Vec<(String, String)> {
        let mut words = Vec::new();
        let mut analyzer = self.analyzer.clone();
        let mut stream = analyzer.token_stream(text);
        while stream.advance() {
            let token = stream.token();
            match runs(&token.text) {
                None => {
                    let written = text.get(token.offset_from..token.offset_to).unwrap_or(&token.text);
                    words.push((token.text.clone(), written.to_owned()));
                }
                Some(runs) => {
                    let mut pairs = Vec::new();
                    runs.iter().for_each(|run| windows(run, 2, &mut pairs));
                    words.extend(pairs.into_iter().map(|pair| (pair.clone(), pair)));
                }
            }
        }
        words
    }

    fn each_token(&self, text: &str, mut each: impl FnMut(&str)) {
        let mut analyzer = self.analyzer.clone();
        let mut stream = analyzer.token_stream(text);
        while stream.advance() {
            each(&stream.token().text);
        }
    }
}

/// Characters of a piece of a word.
const GRAM: usize = 4;

/// Scripts that are written without spaces between words: Thai, Lao, Myanmar, Khmer; Chinese characters,
/// the Japanese syllabaries and Hangul, whose particles stick to their words.
const UNSPACED: &[Range<u32>] = &[
    0x0e00..0x0f00,
    0x1000..0x10a0,
    0x1780..0x1800,
    0x3040..0x3100,
    0x3400..0xa000,
    0xac00..0xd7b0,
    0xf900..0xfb00,
    0x2_0000..0x3_2000,
];

/// Whether a character is of such a script.
pub(super) fn is_unspaced(character: char) -> bool {
    character >= '\u{0e00}' && UNSPACED.iter().any(|range| range.contains(&u32::from(character)))
}

/// The runs of a token by whether their script is written without spaces; `None` where none is.
fn runs(token: &str) -> Option<Vec<&str>> {
    token.chars().any(is_unspaced).then(|| {
        let mut runs = Vec::new();
        let mut start = 0;
        let mut last = None;
        for (at, character) in token.char_indices() {
            let unspaced = is_unspaced(character);
            if last.is_some_and(|last| last != unspaced) {
                runs.push(&token[start..at]);
                start = at;
            }
            last = Some(unspaced);
        }
        runs.push(&token[start..]);
        runs
    })
}

/// Each `size` neighbouring characters of a run of an unspaced script or of a word with its marks; a shorter
/// run, and a run of another script among unspaced ones, as it is.
fn windows(run: &str, size: usize, into: &mut Vec<String>) {
    let characters: Vec<char> = run.chars().collect();
    let whole = size < GRAM && !characters.first().is_some_and(|&first| is_unspaced(first));
    if whole || characters.len() <= size {
        into.push(run.to_owned());
    } else {
        into.extend(characters.windows(size).map(|window| window.iter().collect::<String>()));
    }
}

#[cfg(test)]
mod tests {
    use super::Analyzer;

    #[test]
    fn a_language_has_its_own_words() {
        for (tag, text, expected) in [
            (None, "How do I sort the Documents?", vec!["sort", "document"]),
            (Some("en-GB"), "What's your name?", vec!["name"]),
            (Some("EN"), "Who are you?", vec![]),
            (Some("de"), "Wie suche ich für die Häuser?", vec!["such", "haus"]),
            (Some("fr"), "les données de la montre", vec!["don", "montr"]),
            (Some("pl"), "Zażółć gęślą", vec!["zazolc", "gesla"]),
            (Some(""), "the-Document", vec!["the", "document"]),
        ] {
            assert_eq!(Analyzer::of(tag).words(text), expected, "{tag:?} {text}");
        }
    }

    #[test]
    fn scripts_without_spaces_give_pairs_and_characters() {
        for (tag, text, words, grams) in [
            ("zh", "数据库 API文档", "数据 据库 api 文档", "数 据 库 api 文 档"),
            ("ja", "東京タワー", "東京 京タ タワ ワー", "東 京 タ ワ ー"),
            ("th", "กาแฟ", "กา าแ แฟ", "ก า แ ฟ"),
            ("de", "Haus", "haus", "_hau haus aus_"),
            ("de", "ab", "ab", "_ab_"),
            ("en", "数据库", "数据 据库", ""),
        ] {
            let analyzer = Analyzer::of(Some(tag));
            assert_eq!(analyzer.words(text).join(" "), words, "{tag} {text}");
            assert_eq!(analyzer.grams(text).join(" "), grams, "{tag} {text}");
        }
    }
}
