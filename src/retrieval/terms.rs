//! The terms of a collection of texts and BM25 over them (Robertson and Zaragoza, "The Probabilistic
//! Relevance Framework", 2009). tantivy finds the candidates; here each of them gets a score that can be
//! compared with any other, whichever half has found it.

use std::collections::{BTreeMap, HashMap};

/// How fast repetition of a term saturates.
const K1: f32 = 0.9;
/// How much a text's length counts. Both are Anserini's values for passages; tantivy's 1.2 and 0.75
/// were measured to rank worse.
const B: f32 = 0.4;
/// Few texts say little about how rare a term is: it is judged as among at least so many.
const MIN_TEXTS: usize = 30;

/// What is known of the terms of some texts.
#[derive(Debug, Default)]
pub(super) struct Terms {
    ids: HashMap<Box<str>, u32>,
    /// How many texts hold a term.
    holding: Vec<u32>,
    texts: usize,
    length: u64,
}

/// One text: its terms in the order of their ids, and how often it holds them.
#[derive(Debug, Default)]
pub(super) struct Bag {
    counts: Box<[(u32, u16)]>,
    length: u32,
}

/// The terms of a query.
#[derive(Debug, Default)]
pub(super) struct Weighed {
    /// Ids and weights of those that some text holds, in the order of their ids.
    known: Vec<(u32, f32)>,
    /// The score of a text that holds every term, also those that none holds, without end.
    attainable: f32,
}

impl Terms {
    /// Learns a text.
    pub(super) fn learn(&mut self, terms: &[String]) -> Bag {
        let mut counts: BTreeMap<u32, u16> = BTreeMap::new();
        for term in terms {
            let next = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
            let id = match self.ids.get(term.as_str()) {
                Some(&id) => id,
                None => {
                    self.ids.insert(term.as_str().into(), next);
                    self.holding.push(0);
                    next
                }
            };
            let count = counts.entry(id).or_default();
            *count = count.saturating_add(1);
        }
        for &id in counts.keys() {
            self.holding[id as usize] += 1;
        }
        self.texts += 1;
        self.length += terms.len() as u64;
        Bag { counts: counts.into_iter().collect(), length: u32::try_from(terms.len()).unwrap_or(u32::MAX) }
    }

    /// How rare a term is (the inverse document frequency).
    fn rarity(&self, holding: u32) -> f32 {
        let (texts, holding) = (self.texts.max(MIN_TEXTS) as f32, holding as f32);
        (1.0 + (texts - holding + 0.5) / (holding + 0.5)).ln()
    }

    /// Weighs the different terms of a query, each by its rarity and the factor that it comes with.
    pub(super) fn weigh<'a>(&self, terms: impl Iterator<Item = (&'a str, f32)>) -> Weighed {
        let mut weighed = Weighed::default();
        for (term, factor) in terms {
            let id = self.ids.get(term).copied();
            let holding = id.map_or(0, |id| self.holding[id as usize]);
            let weight = factor * self.rarity(holding);
            weighed.attainable += (K1 + 1.0) * weight;
            weighed.known.extend(id.map(|id| (id, weight)));
        }
        weighed.known.sort_unstable_by_key(|(id, _)| *id);
        weighed
    }

    /// The BM25 score of a text as a share of what is attainable, from 0 to about 1. Unlike the score itself
    /// it can be compared between queries and collections, and it stays low where the best text has little
    /// in common with the query.
    pub(super) fn share(&self, query: &Weighed, bag: &Bag) -> f32 {
        let mean = (self.length as f32 / self.texts.max(1) as f32).max(1.0);
        let norm = K1 * (1.0 - B + B * bag.length as f32 / mean);
        let score = query
            .known
            .iter()
            .filter_map(|&(id, weight)| {
                let at = bag.counts.binary_search_by_key(&id, |(id, _)| *id).ok()?;
                let count = f32::from(bag.counts[at].1);
                Some(weight * count * (K1 + 1.0) / (count + norm))
            })
            .fold(0.0, |sum, value| sum + value);
        score / query.attainable.max(f32::MIN_POSITIVE)
    }

    /// Different terms that query and text have in common.
    pub(super) fn common(query: &Weighed, bag: &Bag) -> usize {
        let holds = |id: &u32| bag.counts.binary_search_by_key(id, |(id, _)| *id).is_ok();
        query.known.iter().filter(|(id, _)| holds(id)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::Terms;

    fn terms(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_score_is_the_formula() {
        let mut all = Terms::default();
        let bag = all.learn(&terms("anvil anvil steel"));
        all.learn(&terms("soup leek"));
        all.learn(&terms("steel"));
        let query = all.weigh([("anvil", 1.0), ("moon", 1.0)].into_iter());
        // As if one of thirty texts held it, and none of them "moon".
        let rarity = (1.0_f32 + 29.5 / 1.5).ln();
        let norm = 0.9 * (0.6 + 0.4 * 3.0 / 2.0);
        let score = rarity * 2.0 * 1.9 / (2.0 + norm);
        let attainable = 1.9 * (rarity + (1.0_f32 + 30.5 / 0.5).ln());
        assert!((all.share(&query, &bag) - score / attainable).abs() < 1e-6);
        assert_eq!(Terms::common(&query, &bag), 1);
    }
}
