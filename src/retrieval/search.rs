//! Search, fusion and gate. Deterministic: the same indexes, query and vector give the same hits in the
//! same order.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::dense::best;
use super::gate::{Gate, Verdict};
use super::index::Index;
use super::lexical::QueryWords;
use crate::knowledge::Item;

/// What is looked up.
#[derive(Debug, Clone)]
pub struct Query {
    /// The text.
    pub text: String,
}

/// Weights and thresholds.
#[derive(Debug, Clone)]
pub struct SearchSettings {
    /// Candidates that each half gives.
    pub depth: usize,
    /// Weight of the BM25 score, as a share of what the query could reach, in the sum; the cosine has the
    /// rest.
    pub lexical_weight: f32,
    /// Cosine that the best candidate must reach.
    pub min_cosine: f32,
    /// A candidate passes with a cosine of at least this share of `min_cosine`.
    pub item_share: f32,
    /// What is enough where the query names the brand, as a share of `min_cosine` or `min_coverage`.
    pub named_share: f32,
    /// Without vectors: share of the query's weight that an item must cover.
    pub min_coverage: f32,
}

impl Default for SearchSettings {
    /// Chosen by measurement, not by taste: at these thresholds about one question in a hundred that has
    /// nothing to do with the knowledge passes.
    fn default() -> Self {
        SearchSettings {
            depth: 32,
            lexical_weight: 0.3,
            min_cosine: 0.45,
            item_share: 0.85,
            named_share: 0.7,
            min_coverage: 0.35,
        }
    }
}

/// An item that was found.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The item.
    pub item: Arc<Item>,
    /// The brand it belongs to.
    pub brand: Arc<str>,
    /// BM25 score; zero where no word is in common.
    pub bm25: f32,
    /// Rank by BM25 within its brand, from 1.
    pub bm25_rank: Option<usize>,
    /// Cosine of item and query, where there are vectors.
    pub cosine: Option<f32>,
    /// The score that it is ranked by, mostly from 0 to 1.
    pub fused: f32,
    /// Share of the query's weight that it covers; looked at only without vectors.
    pub coverage: f32,
    /// Whether the query names its brand.
    pub name_match: bool,
    /// Whether it may be told, if the gate passes the turn.
    pub passes: bool,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Hits {
    /// Best first; equal ones by id.
    pub candidates: Vec<Candidate>,
    /// Whether the turn gets anything.
    pub gate: Gate,
}

/// Searches several brands at once. Each brand's own best are among the candidates, with scores that can be
/// compared between brands.
pub fn search(indexes: &[&Index], query: &Query, vector: Option<&[f32]>, settings: &SearchSettings) -> Hits {
    let mut candidates: Vec<Candidate> =
        indexes.iter().flat_map(|index| candidates(index, query, vector, settings)).collect();
    candidates.sort_by(|a, b| b.fused.total_cmp(&a.fused).then_with(|| a.item.id.cmp(&b.item.id)));
    let gate = gate(&candidates, settings);
    Hits { candidates, gate }
}

fn candidates(
    index: &Index,
    query: &Query,
    vector: Option<&[f32]>,
    settings: &SearchSettings,
) -> Vec<Candidate> {
    let cosines = match (&index.dense, vector) {
        (Some(dense), Some(vector)) => dense.cosines(vector),
        _ => Vec::new(),
    };
    let words = index.lexical.words(&query.text);
    let mut found: BTreeMap<usize, (f32, Option<usize>)> =
        best(&cosines, settings.depth).into_iter().map(|item| (item, (0.0, None))).collect();
    for (rank, (item, score)) in index.lexical.search(&words, settings.depth).into_iter().enumerate() {
        found.insert(item, (score, Some(rank + 1)));
    }
    let name_match = index.names.is_in(&query.text);
    let (min_cosine, min_coverage) = floors(name_match, settings);
    // Sums of scores were measured to rank better than sums of reciprocal ranks wherever one half is weak,
    // and shares of what is attainable better than scores stretched between the worst and the best.
    let weight = settings.lexical_weight;
    found
        .into_iter()
        .map(|(item, (bm25, bm25_rank))| {
            let cosine = cosines.get(item).copied();
            let coverage = match cosine {
                Some(_) => 0.0,
                None => coverage(index, &words, item, name_match),
            };
            let passes = match cosine {
                Some(cosine) => cosine >= min_cosine,
                None => coverage >= min_coverage,
            };
            Candidate {
                item: Arc::clone(&index.items[item]),
                brand: Arc::clone(&index.brand),
                bm25,
                bm25_rank,
                cosine,
                fused: match cosine {
                    Some(cosine) => weight * words.share(bm25) + (1.0 - weight) * cosine,
                    None => words.share(bm25),
                },
                coverage,
                name_match,
                passes,
            }
        })
        .collect()
}

/// The cosine, and the coverage where there is none, that an item must reach.
fn floors(name_match: bool, settings: &SearchSettings) -> (f32, f32) {
    if name_match {
        (settings.min_cosine * settings.named_share, settings.min_coverage * settings.named_share)
    } else {
        (settings.min_cosine * settings.item_share, settings.min_coverage)
    }
}

/// One word in common is chance, unless the query is about the brand anyway.
fn coverage(index: &Index, query: &QueryWords, item: usize, name_match: bool) -> f32 {
    let coverage = index.lexical.coverage(query, item);
    if coverage.words >= 2 || name_match { coverage.share } else { 0.0 }
}

/// The best value of those candidates that name their brand and of all.
fn best_of(candidates: &[Candidate], value: impl Fn(&Candidate) -> Option<f32>) -> (f32, f32) {
    let mut best = (f32::NEG_INFINITY, f32::NEG_INFINITY);
    for candidate in candidates {
        let value = value(candidate).unwrap_or(f32::NEG_INFINITY);
        best.1 = best.1.max(value);
        if candidate.name_match {
            best.0 = best.0.max(value);
        }
    }
    best
}

fn gate(candidates: &[Candidate], settings: &SearchSettings) -> Gate {
    let dense = candidates.iter().any(|candidate| candidate.cosine.is_some());
    let name_match = candidates.iter().any(|candidate| candidate.name_match);
    let (what, minimum, (best_named, best)) = if dense {
        ("cosine", settings.min_cosine, best_of(candidates, |candidate| candidate.cosine))
    } else {
        let coverage = best_of(candidates, |candidate| Some(candidate.coverage));
        ("share of the question's words", settings.min_coverage, coverage)
    };
    let named_minimum = minimum * settings.named_share;
    let by_name = best_named >= named_minimum;
    let (verdict, threshold, reason) = if candidates.is_empty() {
        (Verdict::BelowThreshold, minimum, "no item has anything in common with the question".to_owned())
    } else if by_name {
        let reason = format!(
            "the question names the brand, and the best {what} {best_named:.3} reaches {named_minimum:.3}"
        );
        (Verdict::Pass, named_minimum, reason)
    } else if best >= minimum {
        (Verdict::Pass, minimum, format!("the best {what} {best:.3} reaches {minimum:.3}"))
    } else {
        (Verdict::BelowThreshold, minimum, format!("the best {what} {best:.3} stays below {minimum:.3}"))
    };
    let best_cosine = (dense && best.is_finite()).then_some(best);
    Gate { verdict, best_cosine, threshold, name_match, reason }
}
