//! What is found in an answer.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// How a mention speaks of the brand, by the words of its clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Polarity {
    /// It is recommended, or heads an item of a list of recommendations.
    Recommended,
    /// It is named.
    Neutral,
    /// Something is denied of it: "X is not", "not X".
    Negated,
    /// It is advised against: "avoid X".
    WarnedAgainst,
    /// Something else is to be taken: "instead of X".
    InsteadOf,
}

impl Polarity {
    /// Whether the brand is not turned down.
    pub fn is_positive(self) -> bool {
        matches!(self, Polarity::Recommended | Polarity::Neutral)
    }
}

/// By which rule a name was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// As it is listed, but for case.
    Exact,
    /// With other hyphens and spaces, or in another width.
    Loose,
    /// With an ending of its language.
    Inflected,
    /// With one letter wrong.
    Fuzzy,
    /// Also a word, and no word here: the rest of the answer speaks of the brand.
    Vouched,
}

/// One mention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// The brand's id.
    pub brand: Arc<str>,
    /// The name that was found, as it is listed.
    pub alias: Arc<str>,
    /// Bytes of the answer as it came.
    pub range: Range<usize>,
    /// The rule.
    pub rule: Rule,
    /// How it speaks of the brand.
    pub polarity: Polarity,
    /// The number of the list item, numbered line or numbered heading that the name heads.
    pub item: Option<u32>,
}

/// An address that belongs to a brand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Citation {
    /// The brand's id.
    pub brand: Arc<str>,
    /// The address.
    pub url: String,
}

/// All that is found in one answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// In the order of the answer.
    pub mentions: Vec<Mention>,
    /// In the order of the answer.
    pub citations: Vec<Citation>,
}

impl Findings {
    /// The mentions of a brand.
    pub fn mentions_of<'f>(&'f self, brand: &'f str) -> impl Iterator<Item = &'f Mention> {
        self.mentions.iter().filter(move |mention| &*mention.brand == brand)
    }

    /// Whether a brand is named at all.
    pub fn is_mentioned(&self, brand: &str) -> bool {
        self.mentions_of(brand).next().is_some()
    }

    /// Whether a brand is named at least once without being turned down.
    pub fn is_positive(&self, brand: &str) -> bool {
        self.mentions_of(brand).any(|mention| mention.polarity.is_positive())
    }

    /// The place of a brand by first mention, from 1, among the brands that are named.
    pub fn rank_of(&self, brand: &str) -> Option<usize> {
        let mut seen: Vec<&str> = Vec::new();
        for mention in &self.mentions {
            if !seen.contains(&&*mention.brand) {
                seen.push(&mention.brand);
            }
            if &*mention.brand == brand {
                return Some(seen.len());
            }
        }
        None
    }
}

/// Why a candidate is no mention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// It stands inside of a longer word.
    InsideWord,
    /// It begins or ends inside of a character of the answer.
    InsideCharacter,
    /// It is written with other separators than the name.
    Separators,
    /// It is written in another case than the name, which is also a word.
    Case,
    /// It begins a sentence, where every word has a capital.
    SentenceStart,
    /// It is a word that has a capital everywhere, such as a day.
    AlwaysCapital,
    /// No word that the name needs stands near it.
    Context,
    /// It is part of a longer name.
    LongerName,
    /// It is part of an excluded phrase.
    Excluded,
    /// It is part of an address.
    Address,
    /// It is part of a quotation of the question.
    Quotation,
    /// It is part of the disclosure.
    Disclosure,
}

impl fmt::Display for Rejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Rejection::InsideWord => "inside of a longer word",
            Rejection::InsideCharacter => "inside of a character",
            Rejection::Separators => "written with other separators",
            Rejection::Case => "also a word, and not written as the name",
            Rejection::SentenceStart => "also a word, at the start of a sentence",
            Rejection::AlwaysCapital => "also a word that always has a capital",
            Rejection::Context => "none of the words it needs is near",
            Rejection::LongerName => "part of a longer name",
            Rejection::Excluded => "part of an excluded phrase",
            Rejection::Address => "part of an address: a citation",
            Rejection::Quotation => "part of a quotation of the question",
            Rejection::Disclosure => "part of the disclosure",
        })
    }
}

/// What became of a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A mention.
    Mention(Mention),
    /// None, and why.
    Rejected(Rejection),
}

/// A place where a name could be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Considered {
    /// Bytes of the answer as it came.
    pub range: Range<usize>,
    /// The name, as it is listed.
    pub alias: Arc<str>,
    /// What became of it.
    pub outcome: Outcome,
}
