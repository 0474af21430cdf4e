//! Thresholds of the gate, by measurement on the knowledge itself: a cohort of prompts that are about no
//! brand is scored against it, and the threshold is the score that only a chosen share of them reaches.
//! What counts as near differs from one knowledge base to the next; that share does not.

use super::embedder::{EmbedError, Embedder};
use super::index::Index;
use super::language::detect;
use super::query::Query;
use super::search::{SearchSettings, Vectors, best_score};
use super::store::VectorStore;
use super::vector::Vector;

/// Prompts that are about no brand.
const COHORT: &str = include_str!("cohort.txt");
/// Products of prompts and vectors that one calibration may cost; larger indexes take fewer prompts.
const MAX_PRODUCTS: usize = 20_000_000;
/// Fewer prompts than this say nothing about one in a hundred.
const MIN_PROMPTS: usize = 300;

/// The prompts.
pub(super) fn cohort() -> impl Iterator<Item = &'static str> {
    COHORT.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The vectors of the prompts, computed where the store does not know them. `progress` is told how many of
/// how many were computed.
pub(super) fn cohort_vectors(
    store: &mut VectorStore,
    embedder: &Embedder,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Vector>, EmbedError> {
    let count = cohort().count();
    cohort()
        .enumerate()
        .map(|(done, prompt)| match store.vector(prompt) {
            Some(vector) => Ok(vector),
            None => {
                let vector = embedder.embed(prompt)?;
                store.put_vector(prompt, vector.clone());
                progress(done + 1, count);
                Ok(vector)
            }
        })
        .collect()
}

/// What the cohort scores against one brand's items.
#[derive(Debug, Clone, Default)]
pub struct Calibration {
    /// The prompts' best scores, best first, with the weights of a language that the model knows.
    known: Vec<f32>,
    /// Those of the prompts in other languages, with the weights of one that it does not know.
    foreign: Vec<f32>,
}

impl Calibration {
    /// Scores the cohort against an index.
    pub(super) fn measure(index: &Index, vectors: &[Vector], settings: &SearchSettings) -> Calibration {
        let count = cohort().count();
        let most = (MAX_PRODUCTS / index.vectors().max(1)).clamp(MIN_PROMPTS, count);
        let score = |foreign: bool| {
            let mut scores: Vec<f32> = cohort()
                .enumerate()
                .filter(|(number, _)| number * most / count != (number + 1) * most / count)
                .filter(|(_, prompt)| !foreign || is_foreign(prompt, settings))
                .map(|(number, prompt)| {
                    let vectors = vectors.get(number).cloned().map(Vectors::alone);
                    best_score(index, &Query::alone(prompt), vectors.as_ref(), settings, foreign)
                })
                .collect();
            scores.sort_by(|a, b| b.total_cmp(a));
            scores
        };
        let has_foreign = index.has_foreign_items(&settings.model_languages);
        Calibration { known: score(false), foreign: if has_foreign { score(true) } else { Vec::new() } }
    }

    /// Prompts that were scored.
    pub fn prompts(&self) -> usize {
        self.known.len()
    }

    /// The threshold for a question in a language that the model knows or not.
    pub(super) fn threshold(&self, foreign: bool, dense: bool, settings: &SearchSettings) -> f32 {
        let foreign = foreign && !self.foreign.is_empty();
        let scores = if foreign { &self.foreign } else { &self.known };
        // Where words decide most, the floor is mostly theirs.
        let words = settings.foreign_lexical_weight;
        let floor = match (dense, foreign) {
            (true, true) => words * settings.min_lexical_score + (1.0 - words) * settings.min_score,
            (true, false) => settings.min_score,
            (false, _) => settings.min_lexical_score,
        };
        quantile(scores, settings.false_injection_rate).max(floor)
    }
}

fn is_foreign(prompt: &str, settings: &SearchSettings) -> bool {
    detect(prompt).is_some_and(|language| !settings.model_languages.iter().any(|known| known == language))
}

/// The score that a share of the scores, which are sorted from the best, exceeds: the mean over the ranks
/// around it, so that one prompt more or less moves it little.
fn quantile(scores: &[f32], share: f32) -> f32 {
    let rank = share * scores.len() as f32;
    let (from, to) = ((rank * 0.5) as usize, (rank * 1.5).ceil() as usize);
    let around = &scores[from.min(scores.len())..to.min(scores.len())];
    match around {
        [] => scores.first().copied().unwrap_or(0.0),
        around => around.iter().sum::<f32>() / around.len() as f32,
    }
}

#[cfg(test)]
mod tests {
    use super::{cohort, quantile};

    #[test]
    fn the_cohort_is_large_and_its_quantile_smooth() {
        assert!(cohort().count() >= 500);
        let scores: Vec<f32> = (0..1_000_u16).map(|rank| 1.0 - f32::from(rank) / 1_000.0).collect();
        let threshold = quantile(&scores, 0.01);
        assert!((threshold - 0.9905).abs() < 1e-3, "{threshold}");
        assert_eq!((quantile(&[], 0.01), quantile(&[0.4], 0.0)), (0.0, 0.4));
    }
}
