//! The terms of a collection of texts and BM25 over them (Robertson and Zaragoza, "The Probabilistic
//! Relevance Framework", 2009). tantivy finds the candidates; here each of them gets a score that can be
//! compared with any other, whichever half has found it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64;

/// How fast repetition of a term saturates.
const K1: f32 = 0.9;
/// How much a text's length counts. Both are Anserini's values for passages; tantivy's 1.2 and 0.75
/// were measured to rank worse.
const B: f32 = 0.4;
/// Few texts say little about how rare a term is: it is judged as among at least so many.
const MIN_TEXTS: usize = 30;

/// A term, told from others by a hash: so a text's terms do not depend on what other texts hold, and no
/// order of learning shows in a sum. Two of 100,000 terms being taken for one is to be expected; nothing
/// depends on a single one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TermId(u32);

impl TermId {
    pub(super) fn of(term: &str) -> TermId {
        TermId((xxh3_64(term.as_bytes()) >> 32) as u32)
    }

    /// Bytes of a code.
    pub(super) const CODE: usize = 5;

    /// The id as text: seven bits a character.
    pub(super) fn code(self) -> String {
        (0..Self::CODE).map(|at| char::from((self.0 >> (7 * at) & 0x7f) as u8)).collect()
    }

    /// The id of a code.
    pub(super) fn of_code(code: &str) -> TermId {
        TermId(code.bytes().rev().fold(0, |id, byte| id << 7 | u32::from(byte)))
    }
}

/// Ids are hashes already.
#[derive(Debug, Default)]
struct Itself(u64);

impl Hasher for Itself {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }

    fn write_u32(&mut self, id: u32) {
        // The table looks at the upper bits as well.
        self.0 = u64::from(id) << 32 | u64::from(id);
    }
}

/// What is known of the terms of some texts.
#[derive(Debug, Default, Clone)]
pub(super) struct Terms {
    /// How many texts hold a term.
    holding: HashMap<TermId, u32, BuildHasherDefault<Itself>>,
    texts: usize,
    length: u64,
}

/// One text: its terms in the order of their ids, and how often it holds them.
#[derive(Debug, Default)]
pub(super) struct Bag {
    counts: Box<[(TermId, u16)]>,
    length: u32,
}

/// The terms of a query.
#[derive(Debug, Default)]
pub(super) struct Weighed {
    /// Ids and weights of those that some text holds, in the order of their ids.
    known: Vec<(TermId, f32)>,
    /// The score of a text that holds every term, also those that none holds, without end.
    attainable: f32,
}

impl Bag {
    /// Of a text's terms.
    pub(super) fn of(terms: &[String]) -> Bag {
        let mut ids: Vec<TermId> = terms.iter().map(|term| TermId::of(term)).collect();
        ids.sort_unstable();
        let counts = ids
            .chunk_by(|a, b| a == b)
            .map(|same| (same[0], u16::try_from(same.len()).unwrap_or(u16::MAX)))
            .collect();
        Bag { counts, length: u32::try_from(terms.len()).unwrap_or(u32::MAX) }
    }

    /// Its different terms, and how often it holds each.
    pub(super) fn counts(&self) -> &[(TermId, u16)] {
        &self.counts
    }
}

impl Terms {
    /// Learns a text.
    pub(super) fn learn(&mut self, bag: &Bag) {
        for (id, _) in &bag.counts {
            *self.holding.entry(*id).or_default() += 1;
        }
        self.texts += 1;
        self.length += u64::from(bag.length);
    }

    /// Takes back what was learnt from a text.
    pub(super) fn forget(&mut self, bag: &Bag) {
        for (id, _) in &bag.counts {
            if let Entry::Occupied(mut holding) = self.holding.entry(*id) {
                *holding.get_mut() -= 1;
                if *holding.get() == 0 {
                    holding.remove();
                }
            }
        }
        self.texts -= 1;
        self.length -= u64::from(bag.length);
    }

    /// Whether it knows no text.
    pub(super) fn is_empty(&self) -> bool {
        self.texts == 0
    }

    /// How many texts hold a term.
    pub(super) fn holding(&self, id: TermId) -> u32 {
        self.holding.get(&id).copied().unwrap_or(0)
    }

    /// Terms of all texts, each as often as it stands there.
    pub(super) fn length(&self) -> u64 {
        self.length
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
            let id = TermId::of(term);
            let holding = self.holding(id);
            let weight = factor * self.rarity(holding);
            weighed.attainable += (K1 + 1.0) * weight;
            if holding > 0 {
                weighed.known.push((id, weight));
            }
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
        let holds = |id: &TermId| bag.counts.binary_search_by_key(id, |(id, _)| *id).is_ok();
        query.known.iter().filter(|(id, _)| holds(id)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::{Bag, TermId, Terms};

    fn bag(text: &str) -> Bag {
        Bag::of(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_code_stands_for_its_id() {
        for term in ["", "anvil", "数据", "a", "steel"] {
            let id = TermId::of(term);
            let code = id.code();
            assert_eq!((code.len(), TermId::of_code(&code)), (TermId::CODE, id));
        }
    }

    #[test]
    fn the_score_is_the_formula() {
        let mut all = Terms::default();
        let [bag, soup, steel] = ["anvil anvil steel", "soup leek", "steel"].map(bag);
        for text in [&bag, &soup, &steel] {
            all.learn(text);
        }
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
