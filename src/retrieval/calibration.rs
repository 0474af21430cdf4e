//! Thresholds of the gate, by measurement on the knowledge itself: a cohort of prompts that are about no
//! brand is scored against it, and the threshold is the score that only a chosen share of them reaches.
//! What counts as near differs from one knowledge base to the next; that share does not.

use std::collections::BTreeMap;

use super::dense::{Changes, Near};
use super::embedder::{EmbedError, Embedder};
use super::index::Index;
use super::kept::Kept;
use super::language::detect;
use super::query::Query;
use super::search::{SearchSettings, Vectors, best_score};
use super::store::VectorStore;
use super::vector::Vector;
use crate::parallel;

/// Prompts that are about no brand.
const COHORT: &str = include_str!("cohort.txt");
/// Products of prompts and vectors, or items, that one calibration may cost; larger indexes take fewer prompts.
const MAX_PRODUCTS: usize = 20_000_000;
/// The share of the items that may have changed for each change to be looked at by itself, as a divisor.
const FEW_CHANGES: usize = 64;
/// Fewer prompts than this say nothing about one in a hundred.
const MIN_PROMPTS: usize = 300;

/// Prompts that people send to assistants and that are about no brand.
pub fn cohort() -> impl Iterator<Item = &'static str> {
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
                let vector = embedder.compute(prompt)?;
                store.put_vector(prompt, vector.clone());
                progress(done + 1, count);
                Ok(vector)
            }
        })
        .collect()
}

/// What the cohort scores against one brand's items.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calibration {
    /// The prompts' best scores, best first, with the weights of a language that the model knows.
    known: Vec<f32>,
    /// Those of the prompts in other languages, with the weights of one that it does not know.
    foreign: Vec<f32>,
    /// The items nearest to each prompt that was scored, by the prompt's number; of many items only.
    near: BTreeMap<usize, Near>,
}

impl Calibration {
    /// Scores the cohort against an index. Looking for the nearest items costs most: where no change since an
    /// earlier index can have touched them, they are taken over from it. The scores are the same either way.
    pub(super) fn measure(
        index: &Index,
        vectors: &[Vector],
        settings: &SearchSettings,
        kept: Option<&Kept<'_>>,
    ) -> Calibration {
        let count = cohort().count();
        let most = (MAX_PRODUCTS / index.vectors().max(index.len()).max(1)).clamp(MIN_PROMPTS, count);
        let prompts: Vec<(usize, &str)> = cohort()
            .enumerate()
            .filter(|(number, _)| number * most / count != (number + 1) * most / count)
            .collect();
        let has_foreign = index.has_foreign_items(&settings.model_languages);
        let changes = kept.and_then(|kept| changes(index, kept));
        let scored = parallel::each(&prompts, |&(number, prompt)| {
            let query = Query::alone(prompt);
            let vectors = vectors.get(number).cloned().map(Vectors::alone);
            let near = index.dense.as_ref().zip(vectors.as_ref()).map(|(dense, vectors)| {
                let known = kept.and_then(|kept| kept.earlier.calibration.near.get(&number));
                let still = known
                    .zip(changes.as_ref())
                    .and_then(|(known, changes)| dense.still_near(known, vectors.own(), changes));
                still.unwrap_or_else(|| dense.near(vectors.own(), settings.depth, None))
            });
            let score = |foreign: bool| {
                best_score(index, &query, (vectors.as_ref(), near.as_ref()), settings, foreign)
            };
            let foreign = (has_foreign && is_foreign(prompt, settings)).then(|| score(true));
            (score(false), foreign, near.filter(Near::may_be_kept).map(|near| (number, near)))
        });
        let sorted = |mut scores: Vec<f32>| {
            scores.sort_by(|a, b| b.total_cmp(a));
            scores
        };
        Calibration {
            known: sorted(scored.iter().map(|(known, ..)| *known).collect()),
            foreign: sorted(scored.iter().filter_map(|(_, foreign, _)| *foreign).collect()),
            near: scored.into_iter().filter_map(|(.., near)| near).collect(),
        }
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

/// What has changed since an earlier index, if it is little.
fn changes<'a>(index: &Index, kept: &Kept<'a>) -> Option<Changes<'a>> {
    let (new, now) = (kept.new_items(), kept.now());
    let gone: Vec<usize> = (0..now.len()).filter(|place| now[*place].is_none()).collect();
    let few = (new.len() + gone.len()) * FEW_CHANGES <= index.len();
    let earlier = kept.earlier.dense.as_ref().filter(|_| few)?;
    Some(Changes { earlier, gone, new, now })
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
