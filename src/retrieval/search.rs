//! Search, fusion and gate. Deterministic: the same indexes, query and vector give the same hits in the
//! same order.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::dense::best;
use super::gate::{Gate, Verdict};
use super::index::Index;
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
    /// Weight of the normalised BM25 score in the sum; the cosine has the rest.
    pub lexical_weight: f32,
    /// Cosine that the best candidate must reach.
    pub min_cosine: f32,
    /// A candidate passes with a cosine of at least this share of `min_cosine`.
    pub item_share: f32,
    /// Cosine that is enough where the query names the brand, as a share of `min_cosine`.
    pub named_share: f32,
    /// Without vectors: share of the query's weight that an item must cover.
    pub min_coverage: f32,
}

impl Default for SearchSettings {
    fn default() -> Self {
        SearchSettings {
            depth: 32,
            lexical_weight: 0.3,
            min_cosine: 0.45,
            item_share: 0.85,
            named_share: 0.6,
            min_coverage: 0.5,
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
    /// The score that it is ranked by, from -1 to 1.
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

/// Searches several brands at once. Each brand's own best are among the candidates; scores are
/// normalised over all of them.
pub fn search(indexes: &[&Index], query: &Query, vector: Option<&[f32]>, settings: &SearchSettings) -> Hits {
    let mut candidates: Vec<Candidate> =
        indexes.iter().flat_map(|index| candidates(index, query, vector, settings)).collect();
    fuse(&mut candidates, settings);
    candidates.sort_by(|a, b| b.fused.total_cmp(&a.fused).then_with(|| a.item.id.cmp(&b.item.id)));
    let gate = gate(&candidates, vector.is_some(), settings);
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
    let mut found: BTreeMap<usize, (f32, Option<usize>)> =
        best(&cosines, settings.depth).into_iter().map(|item| (item, (0.0, None))).collect();
    for (rank, (item, score)) in index.lexical.search(&query.text, settings.depth).into_iter().enumerate() {
        found.insert(item, (score, Some(rank + 1)));
    }
    let name_match = index.names.is_in(&query.text);
    let floor = settings.min_cosine * if name_match { settings.named_share } else { settings.item_share };
    found
        .into_iter()
        .map(|(item, (bm25, bm25_rank))| {
            let cosine = cosines.get(item).copied();
            let coverage = match cosine {
                Some(_) => 0.0,
                None => {
                    let coverage = index.lexical.coverage(&query.text, item);
                    if coverage.terms >= 2 || name_match { coverage.share } else { 0.0 }
                }
            };
            let passes = match cosine {
                Some(cosine) => cosine >= floor,
                None => coverage >= settings.min_coverage,
            };
            Candidate {
                item: Arc::clone(&index.items[item]),
                brand: Arc::clone(&index.brand),
                bm25,
                bm25_rank,
                cosine,
                fused: 0.0,
                coverage,
                name_match,
                passes,
            }
        })
        .collect()
}

/// The weighted sum of the min-max normalised BM25 score and the cosine. Sums of scores were measured to
/// rank better than sums of reciprocal ranks wherever one half is weak.
fn fuse(candidates: &mut [Candidate], settings: &SearchSettings) {
    let scores = || candidates.iter().filter(|candidate| candidate.bm25_rank.is_some()).map(|hit| hit.bm25);
    let most = scores().fold(f32::NEG_INFINITY, f32::max);
    let least = scores().fold(f32::INFINITY, f32::min);
    let range = most - least;
    for candidate in candidates {
        let lexical = match candidate.bm25_rank {
            None => 0.0,
            // One score, or several equal ones: each is the best.
            Some(_) if range <= f32::EPSILON => 1.0,
            Some(_) => (candidate.bm25 - least) / range,
        };
        candidate.fused = match candidate.cosine {
            Some(cosine) => settings.lexical_weight * lexical + (1.0 - settings.lexical_weight) * cosine,
            None => lexical,
        };
    }
}

fn gate(candidates: &[Candidate], dense: bool, settings: &SearchSettings) -> Gate {
    let named: Vec<&str> = candidates
        .iter()
        .filter(|candidate| candidate.name_match)
        .map(|candidate| &*candidate.brand)
        .collect();
    let name_match = !named.is_empty();
    let passing = candidates.iter().filter(|candidate| candidate.passes);
    if !dense {
        let best = passing.map(|candidate| candidate.coverage).fold(0.0, f32::max);
        let passes = best >= settings.min_coverage;
        let reason = format!(
            "the best item covers {best:.2} of the question's words by weight; {:.2} is needed",
            settings.min_coverage
        );
        return Gate {
            verdict: if passes { Verdict::Pass } else { Verdict::BelowThreshold },
            best_cosine: None,
            threshold: settings.min_coverage,
            name_match,
            reason,
        };
    }
    let cosine = |candidates: &mut dyn Iterator<Item = &Candidate>| {
        candidates.filter_map(|candidate| candidate.cosine).fold(-1.0, f32::max)
    };
    let best = cosine(&mut candidates.iter());
    let best_named = cosine(&mut candidates.iter().filter(|candidate| candidate.name_match));
    let named_floor = settings.min_cosine * settings.named_share;
    let by_name = name_match && best_named >= named_floor;
    let (verdict, threshold, reason) = if by_name {
        let reason = format!(
            "the question names the brand, and the best cosine {best_named:.3} reaches {named_floor:.3}"
        );
        (Verdict::Pass, named_floor, reason)
    } else if best >= settings.min_cosine {
        let reason = format!("the best cosine {best:.3} reaches {:.3}", settings.min_cosine);
        (Verdict::Pass, settings.min_cosine, reason)
    } else {
        let reason = format!("the best cosine {best:.3} stays below {:.3}", settings.min_cosine);
        (Verdict::BelowThreshold, settings.min_cosine, reason)
    };
    Gate { verdict, best_cosine: (!candidates.is_empty()).then_some(best), threshold, name_match, reason }
}
