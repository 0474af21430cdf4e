//! Decides whether a turn gets anything: relevant or nothing.

use super::search::{Candidate, SearchSettings};

/// What the gate decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Items that pass may be told.
    Pass,
    /// Nothing fits well enough.
    BelowThreshold,
}

/// A verdict and what led to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// The verdict.
    pub verdict: Verdict,
    /// The best score; 0 where nothing was found.
    pub score: f32,
    /// What it was held against.
    pub threshold: f32,
    /// Whether the query names a brand.
    pub name_match: bool,
    /// The reason in words.
    pub reason: String,
}

/// The verdict over the candidates of all brands: each is held against its own brand's threshold.
pub fn decide(candidates: &[Candidate], settings: &SearchSettings) -> Gate {
    let name_match = candidates.iter().any(|candidate| candidate.name_match);
    let needed = |candidate: &Candidate| {
        let share = if candidate.name_match { settings.named_share } else { 1.0 };
        candidate.threshold * share
    };
    // The one that comes nearest to its threshold or is farthest above it; of equal ones the first.
    let mut nearest: Option<&Candidate> = None;
    for candidate in candidates.iter().filter(|candidate| candidate.score.is_finite()) {
        let margin = |candidate: &Candidate| candidate.score - needed(candidate);
        if nearest.is_none_or(|nearest| margin(candidate) > margin(nearest)) {
            nearest = Some(candidate);
        }
    }
    let Some(nearest) = nearest else {
        let reason = "no item has anything in common with the question".to_owned();
        let threshold = settings.min_lexical_score;
        return Gate { verdict: Verdict::BelowThreshold, score: 0.0, threshold, name_match, reason };
    };
    let (score, threshold) = (nearest.score, needed(nearest));
    let named = if nearest.name_match { "the question names the brand, and " } else { "" };
    let (verdict, reason) = if score >= threshold {
        (Verdict::Pass, format!("{named}the best score {score:.3} reaches {threshold:.3}"))
    } else {
        (Verdict::BelowThreshold, format!("{named}the best score {score:.3} stays below {threshold:.3}"))
    };
    Gate { verdict, score, threshold, name_match, reason }
}
