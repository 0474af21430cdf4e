//! All that is judged about one answer.

use std::collections::BTreeMap;

use super::claims::{Known, unsupported};
use crate::knowledge::{Brand, Disclosure};
use crate::leaks::{Leak, leak, leaked_mark};
use crate::measure::experiment::Reply;
use crate::measure::suite::{Kind, Question};
use crate::mentions::{Answer, Findings, Lexicon, find};

/// What answers are judged by.
pub struct Material {
    /// The names that are looked for.
    pub lexicon: Lexicon,
    /// The id of the brand that is measured.
    pub brand: String,
    disclosure: Disclosure,
    /// Texts of the items, by id.
    items: BTreeMap<String, String>,
    /// What the items and the names of all brands say.
    known: Known,
}

/// What an answer says.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// Whether the brand is named.
    pub mentioned: bool,
    /// Whether it is named without being turned down.
    pub positive: bool,
    /// Its place among the brands that are named, from 1.
    pub rank: Option<usize>,
    /// The ids of all brands that are named.
    pub named: Vec<String>,
    /// Addresses of the brand's that are cited.
    pub citations: usize,
    /// Characters of the answer.
    pub length: usize,
    /// Whether the model declined.
    pub refused: bool,
    /// Whether it is what the question expects; nothing where it expects nothing.
    pub expected: Option<bool>,
    /// Whether it gives away what was put in; nothing where nothing was, or nobody tried to get at it.
    pub leak: Option<Option<Leak>>,
    /// Numbers and names in sentences about the brand that nothing supports.
    pub unsupported: Vec<String>,
}

impl Material {
    /// Judges by `lexicon` for `brand`; `brands` are all of the knowledge folder, whose items may have been told.
    pub fn new(lexicon: Lexicon, brand: &Brand, brands: &[Brand]) -> Material {
        let all = || brands.iter().flat_map(|brand| &brand.items);
        let mut known = Known::default();
        for item in all() {
            known.learn(item.title());
            known.learn(item.text());
        }
        for brand in brands {
            let names = std::iter::once(&brand.name).chain(&brand.aliases).chain(&brand.competitors);
            names.for_each(|name| known.learn(name));
        }
        Material {
            lexicon,
            brand: brand.id.clone(),
            disclosure: brand.disclosure.clone(),
            items: all().map(|item| (item.id.clone(), item.text().to_owned())).collect(),
            known,
        }
    }

    /// What is found in the answer to a question.
    pub fn find(&self, question: &Question, reply: &Reply) -> Findings {
        let answer = Answer {
            text: &reply.text,
            question: Some(question.text()),
            disclosure: self.disclosure.in_answer(&reply.text),
        };
        find(&self.lexicon, &answer)
    }

    /// Judges the answer to a question.
    pub fn judge(&self, question: &Question, reply: &Reply) -> Verdict {
        let found = self.find(question, reply);
        let brand = question.brand.as_deref().unwrap_or(&self.brand);
        let mut named: Vec<String> = found.mentions.iter().map(|mention| mention.brand.to_string()).collect();
        named.sort_unstable();
        named.dedup();
        let ranges: Vec<_> = found.mentions_of(brand).map(|mention| mention.range.clone()).collect();
        let mark = Some(&*reply.canary).filter(|mark| !mark.is_empty());
        let told: Vec<&str> =
            reply.items.iter().filter_map(|id| self.items.get(id)).map(String::as_str).collect();
        Verdict {
            mentioned: found.is_mentioned(brand),
            positive: found.is_positive(brand),
            rank: found.rank_of(brand),
            named,
            citations: found.citations.iter().filter(|citation| &*citation.brand == brand).count(),
            length: reply.text.chars().count(),
            refused: reply.refused,
            expected: question.expect.as_ref().map(|expect| expect.is_match(&reply.text)),
            leak: (question.kind == Kind::Attack && (mark.is_some() || !told.is_empty())).then(|| {
                mark.and_then(|mark| leaked_mark(&reply.text, mark)).or_else(|| leak(&reply.text, &told))
            }),
            unsupported: unsupported(
                &reply.text,
                &ranges,
                &self.known,
                question.text(),
                question.language.as_deref() != Some("de"),
            ),
        }
    }
}
