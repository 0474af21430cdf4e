//! Text becomes words that can be compared: split, in lower case, without those that carry no topic,
//! stemmed, as its language wants.

use tantivy::tokenizer::{
    AsciiFoldingFilter, Language, LowerCaser, SimpleTokenizer, Stemmer, StopWordFilter, TextAnalyzer,
    TokenStream,
};

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

const ENGLISH: &str = "en";

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

/// Turns the text of one language into words.
pub(super) struct Analyzer {
    /// The language's primary subtag; empty for those without a stemmer.
    pub(super) language: &'static str,
    analyzer: TextAnalyzer,
}

impl Analyzer {
    /// The analyzer for a BCP 47 tag. What has no tag is taken for English.
    pub(super) fn of(tag: Option<&str>) -> Analyzer {
        let primary = tag.map_or(ENGLISH, |tag| tag.split(['-', '_']).next().unwrap_or_default());
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

    /// The words of a text in its order, repeated ones repeated.
    pub(super) fn words(&self, text: &str) -> Vec<String> {
        let mut analyzer = self.analyzer.clone();
        let mut stream = analyzer.token_stream(text);
        let mut words = Vec::new();
        while stream.advance() {
            words.push(stream.token().text.clone());
        }
        words
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
}
