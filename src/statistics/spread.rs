//! How much the order or wording of what is injected matters (S12).

use std::collections::BTreeSet;

use statrs::distribution::{ContinuousCDF, FisherSnedecor};

use super::estimate::StatisticsError;
use super::moments::{mean, variance};
use super::sample::{Cluster, QuestionPair, Share, Tally};

/// The spread of a rate over variants (orders, recipes, placements) that were measured on the same families.
/// All standard deviations are in shares.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    /// Each variant's mention rate, in the order given.
    pub rates: Vec<f64>,
    /// The mean of `rates`.
    pub mean: f64,
    /// The least of `rates`.
    pub lowest: f64,
    /// The greatest of `rates`. The range is inflated by chance, and more so with more variants: quote
    /// `between`.
    pub highest: f64,
    /// The standard deviation between variants, with what chance alone would give subtracted.
    pub between: f64,
    /// How differently families respond to the variants: the standard deviation of the interaction, with the
    /// variance of repeats subtracted. None where a question has one answer.
    pub interaction: Option<f64>,
    /// The standard deviation of a family's share from one round of repeats to the next; none likewise.
    pub repeats: Option<f64>,
    /// The p-value of the F-test of no difference between variants; none where nothing varies.
    pub p_value: Option<f64>,
    /// Families that all variants answered: only these count.
    pub clusters: usize,
}

/// Variance components of the layout variants × families without replication (Searle, Casella and McCulloch
/// 1992, Variance Components): with MSv and MSr the mean squares of variants and of the residual over n
/// families, between² = (MSv - MSr)/n and interaction² = MSr - mean sampling variance, negative ones being
/// zero. Families' own levels cancel, since every variant is measured on all of them.
///
/// # Errors
/// [`StatisticsError::TooFewVariants`] below two variants, [`StatisticsError::TooFewClusters`] below five
/// families in common.
pub fn spread(variants: &[Vec<Cluster>]) -> Result<Spread, StatisticsError> {
    if variants.len() < 2 {
        return Err(StatisticsError::TooFewVariants { found: variants.len() });
    }
    let table = in_common(variants);
    let clusters = table[0].len();
    super::estimate::enough(clusters)?;
    let rates: Vec<f64> = table.iter().map(|row| mean(&rates_of(row))).collect();
    let (centre, count) = (mean(&rates), clusters as f64);
    let variant_square = count * variance(&rates);
    let residual_square = residual(&table, &rates, centre);
    let repeats = table
        .iter()
        .flatten()
        .map(|share| share.sampling_variance)
        .collect::<Option<Vec<f64>>>()
        .map(|each| mean(&each));
    Ok(Spread {
        mean: centre,
        lowest: rates.iter().copied().fold(f64::INFINITY, f64::min),
        highest: rates.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        between: ((variant_square - residual_square) / count).max(0.0).sqrt(),
        interaction: repeats.map(|noise| (residual_square - noise).max(0.0).sqrt()),
        repeats: repeats.map(f64::sqrt),
        p_value: f_test(variant_square, residual_square, rates.len(), clusters),
        rates,
        clusters,
    })
}

/// The shares of the families that every variant has, a row per variant, columns in the same order.
fn in_common(variants: &[Vec<Cluster>]) -> Vec<Vec<Share>> {
    let ids = |variant: &Vec<Cluster>| variant.iter().map(|c| c.id.clone()).collect::<BTreeSet<String>>();
    let common = variants.iter().map(ids).reduce(|left, right| &left & &right).unwrap_or_default();
    let row = |variant: &Vec<Cluster>| {
        let mut kept: Vec<&Cluster> = variant.iter().filter(|c| common.contains(&c.id)).collect();
        kept.sort_by(|left, right| left.id.cmp(&right.id));
        kept.iter().map(|cluster| cluster.share).collect()
    };
    variants.iter().map(row).collect()
}

fn rates_of(row: &[Share]) -> Vec<f64> {
    row.iter().map(|share| share.rate).collect()
}

/// MSr: what neither the variant nor the family explains, over (v-1)(n-1).
fn residual(table: &[Vec<Share>], rates: &[f64], centre: f64) -> f64 {
    let clusters = table[0].len();
    let mut squares = 0.0;
    for column in 0..clusters {
        let shares: Vec<f64> = table.iter().map(|row| row[column].rate).collect();
        let level = mean(&shares);
        for (share, rate) in shares.iter().zip(rates) {
            squares += (share - level - rate + centre).powi(2);
        }
    }
    squares / ((table.len() - 1) * (clusters - 1)) as f64
}

fn f_test(variant_square: f64, residual_square: f64, variants: usize, clusters: usize) -> Option<f64> {
    let freedom = (variants - 1) as f64;
    let distribution = FisherSnedecor::new(freedom, freedom * (clusters - 1) as f64).ok()?;
    (residual_square > 0.0).then(|| distribution.sf(variant_square / residual_square))
}

/// How often an answer changes between two variants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnswerChange {
    /// The chance that an answer under one variant mentions and one to the same question under the other does
    /// not, mean over questions: x(1-y) + y(1-x).
    pub between: f64,
    /// The same for two answers under the same variant, 2x(1-x)K/(K-1), mean over both variants: what asking
    /// twice changes already. None where a question has one answer.
    pub within: Option<f64>,
    /// Questions with an answer under both variants.
    pub questions: usize,
}

/// The answer-change rate (as Cobbina and Zhou 2025, arXiv 2507.22887, count it for predictions), with the
/// rate that repeats alone have beside it. None without a question that both variants answered.
#[must_use]
pub fn answer_change(questions: &[QuestionPair]) -> Option<AnswerChange> {
    let (mut between, mut within) = (Vec::new(), Some(Vec::new()));
    for question in questions {
        let (Some(x), Some(y)) = (question.baseline.share(), question.treated.share()) else { continue };
        between.push(x * (1.0 - y) + y * (1.0 - x));
        within = within.and_then(|mut seen: Vec<f64>| {
            seen.push(f64::midpoint(repeat_change(question.baseline)?, repeat_change(question.treated)?));
            Some(seen)
        });
    }
    (!between.is_empty()).then(|| AnswerChange {
        between: mean(&between),
        within: within.map(|seen| mean(&seen)),
        questions: between.len(),
    })
}

/// 2x(1-x)K/(K-1): twice the unbiased variance of a single answer.
fn repeat_change(tally: Tally) -> Option<f64> {
    tally.sampling_variance().map(|variance| 2.0 * variance * f64::from(tally.answered()))
}
