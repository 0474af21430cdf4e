//! The nouns of a knowledge folder: brand, fact, example, item.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

/// Everything that a knowledge folder holds.
#[derive(Debug, Clone, Default)]
pub struct Knowledge {
    /// The brands, sorted by id.
    pub brands: Vec<Brand>,
}

/// What is to be named, with the items that may be told about it.
#[derive(Debug, Clone, Default)]
pub struct Brand {
    /// The folder's name: what routes, headers and logs call the brand.
    pub id: String,
    /// The canonical spelling.
    pub name: String,
    /// Other spellings, and names of its products, that count as the brand.
    pub aliases: Vec<String>,
    /// Names of others that a mention is compared with.
    pub competitors: Vec<String>,
    /// Phrases that hold a name and do not mean the brand.
    pub excludes: Vec<String>,
    /// Words of which one stands near a name that is also an ordinary word, where the brand is meant.
    pub context: Vec<String>,
    /// Names that count only as they are written.
    pub exact: Vec<String>,
    /// Hosts whose addresses cite the brand.
    pub domains: Vec<String>,
    /// BCP 47 language tags that the brand speaks; empty means any.
    pub languages: Vec<String>,
    /// Words and phrases: a turn that holds one of them gets nothing.
    pub never: Vec<String>,
    /// Topics of its own that it is not told into, with the phrases by which they are known.
    pub topics: Vec<(String, Vec<String>)>,
    /// Built-in topics that are its business.
    pub topics_allowed: Vec<String>,
    /// What answers to which something was added end with.
    pub disclosure: Disclosure,
    /// Share of conversations that get nothing, so that the effect can be told; `None`: as the configuration says.
    pub holdout: Option<f64>,
    /// Its facts and examples, sorted by id. Items outside their validity are still here.
    pub items: Vec<Arc<Item>>,
}

/// A text that says in an answer that something was added to its question, by language.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Disclosure {
    /// Texts by the primary subtag of their language; the empty one is for all others.
    texts: Vec<(String, Arc<str>)>,
}

impl Disclosure {
    /// Texts by language tag; an empty tag means any language.
    pub fn new(texts: Vec<(String, String)>) -> Disclosure {
        let primary = |tag: &str| tag.split(['-', '_']).next().unwrap_or_default().to_lowercase();
        Disclosure {
            texts: texts.into_iter().map(|(tag, text)| (primary(&tag), text.trim().into())).collect(),
        }
    }

    /// The text for a language, or else the one for any, or else the first.
    pub fn in_language(&self, language: Option<&str>) -> Option<&Arc<str>> {
        let of = |tag: &str| self.texts.iter().find(|(language, _)| language == tag);
        let found = language.and_then(of).or_else(|| of("")).or_else(|| self.texts.first());
        found.map(|(_, text)| text)
    }

    /// The text that an answer holds.
    pub fn in_answer(&self, answer: &str) -> Option<&str> {
        self.texts().find(|text| answer.contains(text))
    }

    /// All texts.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|(_, text)| &**text)
    }
}

/// A fact or an example: the unit that is searched and injected, never cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Stable and unique over all brands: `brand/file#heading-slug` or `brand/explicit-id`.
    pub id: String,
    /// What is said.
    pub body: Body,
    /// Free labels.
    pub tags: Vec<String>,
    /// Where the statement comes from, usually a URL.
    pub source: Option<String>,
    /// BCP 47 language tag, where stated.
    pub language: Option<String>,
    /// When it may be told.
    pub validity: Validity,
    /// Told at the start of every conversation under the placement `lead`.
    pub pinned: bool,
    /// Who may be told; empty means everybody.
    pub audience: Vec<String>,
    /// Where it was written.
    pub origin: Origin,
}

/// What an item says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A short statement.
    Fact {
        /// Its own heading.
        title: String,
        /// The headings above it, outermost first.
        context: Vec<String>,
        /// The statement.
        text: String,
    },
    /// The input-output pair of in-context learning.
    Example {
        /// What a user would ask.
        question: String,
        /// What the assistant should answer.
        answer: String,
    },
}

/// A half-open span of time, `[from, until)`; an absent bound is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Validity {
    /// First instant at which the item may be told.
    pub from: Option<Timestamp>,
    /// First instant at which it may no longer be told.
    pub until: Option<Timestamp>,
}

impl Validity {
    /// Whether the item may be told at `now`.
    pub fn contains(&self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }
}

/// The place in the knowledge folder that an item was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Path relative to the knowledge folder.
    pub file: PathBuf,
    /// Line of its heading, question, row or entry, from 1.
    pub line: usize,
}

impl Item {
    /// A fact's title, or an example's question.
    pub fn title(&self) -> &str {
        match &self.body {
            Body::Fact { title, .. } => title,
            Body::Example { question, .. } => question,
        }
    }

    /// A fact's text, or an example's answer.
    pub fn text(&self) -> &str {
        match &self.body {
            Body::Fact { text, .. } => text,
            Body::Example { answer, .. } => answer,
        }
    }
}
