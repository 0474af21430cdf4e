//! Search and fusion. Deterministic: the same indexes, query and vectors give the same hits in the same
//! order. What was tried and what it gave is in `docs/retrieval.md`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::admitted::Admitted;
use super::dense::{Dense, MANY, Near};
use super::gate::{Gate, decide};
use super::index::Index;
use super::language::detect;
use super::lexical::{QueryWords, Shares};
use super::query::Query;
use super::subjects::MAX_ITEMS;
use super::vector::Vector;
use crate::knowledge::{Filter, Item};
use crate::parallel;

/// Weights and thresholds.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchSettings {
    /// Candidates that each half gives.
    pub depth: usize,
    /// Weight of the words in the sum, where the model knows the question's language; likeness has the rest.
    pub lexical_weight: f32,
    /// The same where the model does not know it.
    pub foreign_lexical_weight: f32,
    /// Primary subtags of the languages that the model knows; empty: all.
    pub model_languages: Vec<String>,
    /// Share of the prompts of the cohort that may pass: what thresholds are set by.
    pub false_injection_rate: f32,
    /// No threshold is below this one, however far the cohort is from the knowledge.
    pub min_score: f32,
    /// The same without vectors.
    pub min_lexical_score: f32,
    /// What scores are held against in place of all calibration.
    pub threshold: Option<f32>,
    /// A brand is told where its best item reaches this share of the threshold.
    pub brand_share: f32,
    /// The same where the query names the brand.
    pub named_share: f32,
    /// Of a brand that is told, an item passes with a score of at least this share of the threshold.
    pub item_share: f32,
    /// And of at least this share of the best one's.
    pub best_share: f32,
}

impl Default for SearchSettings {
    /// Chosen by measurement, not by taste: see `docs/retrieval.md`.
    fn default() -> Self {
        SearchSettings {
            depth: 32,
            lexical_weight: 0.3,
            foreign_lexical_weight: 0.7,
            model_languages: vec!["en".to_owned()],
            false_injection_rate: 0.01,
            min_score: 0.35,
            min_lexical_score: 0.3,
            threshold: None,
            brand_share: 0.85,
            named_share: 0.7,
            item_share: 0.5,
            best_share: 0.4,
        }
    }
}

/// What the subject of the conversation adds to the order of its items, and to their scores.
const TOPIC_WEIGHT: f32 = 0.5;
const TOPIC_SCORE: f32 = 0.25;
/// How strongly the best share of words counts as such, rather than as the best: with 0 the best item by
/// words always had the full weight, with 1 none but a perfect one.
const SHARE_POWER: f32 = 0.7;
/// What is left of the value of an item in another language than the question's, where the brand has items
/// in the question's.
const OTHER_LANGUAGE: f32 = 0.9;
/// Likeness from which two items say the same.
const DUPLICATE: f32 = 0.97;

/// The vectors of a query.
#[derive(Debug, Clone)]
pub struct Vectors {
    /// Of its own text.
    pub(super) own: Vector,
    /// Of that text blended with what the user said before.
    pub(super) blended: Option<Vector>,
}

impl Vectors {
    /// Of a question that stands alone.
    pub fn alone(own: Vector) -> Vectors {
        Vectors { own, blended: None }
    }

    /// The vector of the turn's own text.
    pub fn own(&self) -> &Vector {
        &self.own
    }

    /// The one that the order is by.
    fn ranking(&self) -> &Vector {
        self.blended.as_ref().unwrap_or(&self.own)
    }
}

/// An item that was found.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The item.
    pub item: Arc<Item>,
    /// The brand it belongs to.
    pub brand: Arc<str>,
    /// What its words have in common with the conversation, from 0 to about 1.
    pub lexical: f32,
    /// Likeness to the turn alone, where there are vectors.
    pub cosine: Option<f32>,
    /// Likeness to the turn and what was said before; the order by meaning.
    pub likeness: Option<f32>,
    /// How far the conversation is about its subject.
    pub topic: f32,
    /// The value that it is ranked by.
    pub fused: f32,
    /// The value that the gate looks at.
    pub score: f32,
    /// What the score is held against, for the brand and the question's language.
    pub threshold: f32,
    /// Whether the query names its brand.
    pub name_match: bool,
    /// Whether it may be told, if the gate passes the turn.
    pub passes: bool,
    /// Whether it fits by itself. What passes besides keeps such a one company.
    pub leads: bool,
    /// The id of a better one that says the same.
    pub duplicate_of: Option<String>,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Hits {
    /// Best first; equal ones by id.
    pub candidates: Vec<Candidate>,
    /// Whether the turn gets anything.
    pub gate: Gate,
}

/// Searches several brands at once. Each brand's own best are among the candidates, with values that can be
/// compared between brands.
pub fn search(
    indexes: &[&Index],
    query: &Query,
    vectors: Option<&Vectors>,
    settings: &SearchSettings,
) -> Hits {
    search_among(indexes, query, vectors, settings, &Filter::default())
}

/// As [`search`], among the items that a filter admits: the others are as if they were not there, but for what
/// the rarity of words and the gate's thresholds are computed from.
pub fn search_among(
    indexes: &[&Index],
    query: &Query,
    vectors: Option<&Vectors>,
    settings: &SearchSettings,
    filter: &Filter,
) -> Hits {
    let mut candidates: Vec<Candidate> = indexes
        .iter()
        .flat_map(|index| {
            let mut look = Look::new(index, query, vectors, settings);
            look.among = index.admitted(filter);
            look.candidates()
        })
        .collect();
    candidates.sort_by(|a, b| b.fused.total_cmp(&a.fused).then_with(|| a.item.id.cmp(&b.item.id)));
    let best = candidates.iter().map(|candidate| candidate.score).fold(0.0, f32::max);
    for candidate in &mut candidates {
        candidate.passes &= candidate.score >= settings.best_share * best;
    }
    for index in indexes {
        mark_duplicates(&mut candidates, index);
    }
    let gate = decide(&candidates, settings);
    Hits { candidates, gate }
}

/// The best value that the gate would see, for a language that the model knows or not: what calibration looks at.
/// `near` are the items nearest to the vector; no filter is applied.
pub(super) fn best_score(
    index: &Index,
    query: &Query,
    (vectors, near): (Option<&Vectors>, Option<&Near>),
    settings: &SearchSettings,
    foreign: bool,
) -> f32 {
    let mut look = Look::new(index, query, vectors, settings);
    look.foreign = foreign;
    look.language = None;
    let near = near.map_or_else(Vec::new, |near| near.items.clone());
    let by_words = look.by_words();
    look.found(near.into_iter().chain(by_words)).into_iter().map(|found| found.score).fold(0.0, f32::max)
}

/// One brand looked through for one query.
struct Look<'a> {
    index: &'a Index,
    query: &'a Query,
    vectors: Option<(&'a Dense, &'a Vectors)>,
    words: QueryWords,
    settings: &'a SearchSettings,
    /// The question's language, where the brand has items in it.
    language: Option<&'static str>,
    /// Whether the model does not know it.
    foreign: bool,
    /// The items that are looked for; `None`: all.
    among: Option<Admitted>,
}

struct Found {
    item: usize,
    lexical: f32,
    cosine: Option<f32>,
    likeness: Option<f32>,
    topic: f32,
    fused: f32,
    score: f32,
}

impl<'a> Look<'a> {
    fn new(
        index: &'a Index,
        query: &'a Query,
        vectors: Option<&'a Vectors>,
        settings: &'a SearchSettings,
    ) -> Look<'a> {
        let vectors = index.dense.as_ref().zip(vectors);
        let vectors = vectors.filter(|(dense, vectors)| dense.fits(&vectors.own));
        let language = index.language(detect(&query.text));
        let knows = |language: &str| settings.model_languages.iter().any(|known| known == language);
        Look {
            index,
            query,
            vectors,
            words: index.lexical.analyse(query),
            settings,
            language,
            among: None,
            foreign: !settings.model_languages.is_empty()
                && language.is_some_and(|language| !knows(language)),
        }
    }

    fn candidates(&self) -> Vec<Candidate> {
        let name_match = self.index.names.is_in(&self.query.text);
        let calibrated =
            self.index.calibration.threshold(self.foreign, self.vectors.is_some(), self.settings);
        let threshold = self.settings.threshold.unwrap_or(calibrated);
        let share = if name_match { self.settings.named_share } else { self.settings.brand_share };
        let (near, by_words) = match self.index.items.len() {
            MANY.. => parallel::both(|| self.near(), || self.by_words()),
            _ => (self.near(), self.by_words()),
        };
        let found = self.found(near.into_iter().chain(by_words));
        let best = found.iter().map(|found| found.score).fold(0.0, f32::max);
        let told = best >= threshold * share;
        found
            .into_iter()
            .map(|found| Candidate {
                passes: told && found.score >= threshold * self.settings.item_share,
                leads: found.score >= threshold * share,
                score: found.score,
                item: Arc::clone(&self.index.items[found.item]),
                brand: Arc::clone(&self.index.brand),
                lexical: found.lexical,
                cosine: found.cosine,
                likeness: found.likeness,
                topic: found.topic,
                fused: found.fused,
                threshold,
                name_match,
                duplicate_of: None,
            })
            .collect()
    }

    /// The items nearest to the query's vector.
    fn near(&self) -> Vec<usize> {
        self.vectors.map_or_else(Vec::new, |(dense, vectors)| {
            dense.near(vectors.ranking(), self.settings.depth, self.among.as_ref()).items
        })
    }

    /// The items that hold most of the query's words.
    fn by_words(&self) -> Vec<usize> {
        self.index.lexical.search(&self.words, self.settings.depth, self.among.as_ref())
    }

    /// What the halves have found, and the items on the conversation's subject, with their values.
    fn found(&self, of_halves: impl Iterator<Item = usize>) -> Vec<Found> {
        let topic = self.index.subjects.topic(self.query);
        let mut items: BTreeSet<usize> = of_halves.collect();
        let holds = |item: &usize| self.among.as_ref().is_none_or(|among| among.holds(*item));
        items.extend(self.index.subjects.items(&topic).filter(holds).take(MAX_ITEMS));
        let lexical = &self.index.lexical;
        let own = evened(items.iter().map(|&item| lexical.own(&self.words, item)).collect());
        let all = evened(items.iter().map(|&item| lexical.all(&self.words, item)).collect());
        let weight =
            if self.foreign { self.settings.foreign_lexical_weight } else { self.settings.lexical_weight };
        let fuse = |words: f32, meaning: Option<f32>| match meaning {
            Some(meaning) => weight * words + (1.0 - weight) * meaning,
            None => words,
        };
        items
            .into_iter()
            .zip(own.into_iter().zip(all))
            .map(|(item, (own, all))| {
                let like = |to: fn(&Vectors) -> &Vector| {
                    self.vectors.map(|(dense, vectors)| dense.cosine(item, to(vectors)))
                };
                let (cosine, likeness) = (like(Vectors::own), like(Vectors::ranking));
                let freshness = topic.freshness;
                let topic = self.index.subjects.of(&topic, item);
                let language = self.language_factor(item);
                // A turn may pass by itself, or as it continues what was said before it.
                let own = fuse(self.own_words(own, item), cosine.zip(likeness).map(|(a, b)| a.max(b)));
                Found {
                    item,
                    lexical: all,
                    cosine,
                    likeness,
                    topic,
                    fused: language * fuse(all, likeness) + TOPIC_WEIGHT * topic,
                    score: language * own + TOPIC_SCORE * freshness * topic,
                }
            })
            .collect()
    }

    /// One word in common is chance where words are all there is.
    fn own_words(&self, own: f32, item: usize) -> f32 {
        let chance = self.vectors.is_none()
            && !self.index.lexical.more_than_chance(&self.words, item)
            && !self.index.names.is_in(&self.query.text);
        if chance { 0.0 } else { own }
    }

    fn language_factor(&self, item: usize) -> f32 {
        match self.language {
            Some(language) if self.index.languages[item] != language => OTHER_LANGUAGE,
            _ => 1.0,
        }
    }
}

/// Shares become values that are comparable with likeness: each is divided by a part of the best, so that
/// the best counts even where no item holds all of the question, but counts less the less it holds. Whole
/// words and pieces of words have half the weight each where there are both.
fn evened(shares: Vec<Shares>) -> Vec<f32> {
    let best_words = shares.iter().map(|shares| shares.words).fold(0.0, f32::max);
    let best_grams = shares.iter().filter_map(|shares| shares.grams).fold(0.0, f32::max);
    let even = |share: f32, best: f32| if best > 0.0 { share / best.powf(1.0 - SHARE_POWER) } else { 0.0 };
    shares
        .into_iter()
        .map(|shares| match shares.grams {
            Some(grams) => (even(shares.words, best_words) + even(grams, best_grams)) / 2.0,
            None => even(shares.words, best_words),
        })
        .collect()
}

/// Marks those of a brand's candidates that repeat a better one.
fn mark_duplicates(candidates: &mut [Candidate], index: &Index) {
    let mut kept: Vec<(usize, String)> = Vec::new();
    for candidate in candidates.iter_mut().filter(|candidate| candidate.brand == index.brand) {
        if !candidate.passes {
            continue;
        }
        let Some(place) = index.place(&candidate.item.id) else { continue };
        let same = kept.iter().find(|(other, _)| index.say_the_same(place, *other, DUPLICATE));
        match same {
            Some((_, id)) => candidate.duplicate_of = Some(id.clone()),
            None => kept.push((place, candidate.item.id.clone())),
        }
    }
}
