//! Intervals for metrics that are not means of shares: share of voice, ranks, ratios (S10).

use super::estimate::{Confidence, Estimand, Estimate, Interval, StatisticsError, enough};
use super::moments::{mean, variance};
use super::quantile::{normal_below, normal_quantile, student_quantile};
use super::random::Draws;

/// Relative differences below this are sums in another order.
const ROUNDING: f64 = 1e-12;

/// How resamples are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resampling {
    /// How many resamples.
    pub resamples: usize,
    /// Where the draws begin.
    pub seed: u64,
}

impl Default for Resampling {
    fn default() -> Resampling {
        Resampling { resamples: 2_000, seed: 0 }
    }
}

/// The cluster bootstrap with bias-corrected and accelerated bounds (Efron 1987, JASA 82). Whole clusters are
/// drawn with replacement and `statistic` is computed anew; the quantiles taken are
/// Φ(z₀ + (z₀ + z)/(1 - a(z₀ + z))), where z₀ is the normal quantile of the share of resamples below the
/// point (ties half) and a = Σδᵢ³/6(Σδᵢ²)^1.5 the skew of the leave-one-out values. Resamples of n clusters
/// vary by (n-1)/n too little, and their spread is itself estimated, so z is t₍ₙ₋₁₎·√(n/(n-1)) (Hesterberg
/// 2015, The American Statistician 69, "expanded" percentiles). Plain percentiles cover too little under some
/// 30 clusters.
///
/// `statistic` returns none where it is undefined (a mean rank without a mention); up to one in twenty
/// resamples may be, and is left out.
///
/// # Errors
/// [`StatisticsError::TooFewClusters`] below five clusters, [`StatisticsError::Undefined`] where the statistic
/// has no value, [`StatisticsError::NoVariation`] where it is the same in all resamples.
pub fn bca_bootstrap<T>(
    clusters: &[T],
    statistic: impl Fn(&[&T]) -> Option<f64>,
    confidence: Confidence,
    resampling: Resampling,
) -> Result<Estimate, StatisticsError> {
    let warning = enough(clusters.len())?;
    let all: Vec<&T> = clusters.iter().collect();
    let point = statistic(&all).ok_or(StatisticsError::Undefined { undefined: 1, of: 1 })?;
    let values = resampled(&all, &statistic, resampling)?;
    let shift = median_shift(&values, point)?;
    let acceleration = acceleration(&all, &statistic);
    let count = clusters.len() as f64;
    let critical =
        student_quantile(confidence.upper_probability(), count - 1.0)? * (count / (count - 1.0)).sqrt();
    let bound = |z: f64| {
        let moved = shift + z;
        let stretch = 1.0 - acceleration * moved;
        // Past its pole the correction would jump to the other end of the resamples.
        let share =
            if stretch > 0.0 { normal_below(shift + moved / stretch) } else { f64::from(moved > 0.0) };
        quantile(&values, share)
    };
    Ok(Estimate {
        point,
        standard_error: Some(variance(&values).sqrt()),
        interval: Interval { lower: bound(-critical), upper: bound(critical) }.around(point),
        confidence,
        estimand: Estimand::QuestionsLikeThese,
        clusters: clusters.len(),
        warning,
    })
}

/// The statistic of each resample, ascending.
fn resampled<T>(
    all: &[&T],
    statistic: &impl Fn(&[&T]) -> Option<f64>,
    resampling: Resampling,
) -> Result<Vec<f64>, StatisticsError> {
    let mut draws = Draws::new(resampling.seed);
    let mut values = Vec::with_capacity(resampling.resamples);
    let mut sample = Vec::with_capacity(all.len());
    for _ in 0..resampling.resamples {
        sample.clear();
        sample.extend((0..all.len()).map(|_| all[draws.below(all.len())]));
        values.extend(statistic(&sample).filter(|value| value.is_finite()));
    }
    let undefined = resampling.resamples - values.len();
    if values.is_empty() || undefined * 20 > resampling.resamples {
        return Err(StatisticsError::Undefined { undefined, of: resampling.resamples });
    }
    values.sort_by(f64::total_cmp);
    let (least, greatest) = (values[0], values[values.len() - 1]);
    if greatest - least <= ROUNDING * greatest.abs() {
        return Err(StatisticsError::NoVariation);
    }
    Ok(values)
}

/// z₀: how far the point lies from the median of the resamples, in normal quantiles.
fn median_shift(values: &[f64], point: f64) -> Result<f64, StatisticsError> {
    let below = values.partition_point(|value| *value < point);
    let ties = values.partition_point(|value| *value <= point) - below;
    let count = values.len() as f64;
    let share = (below as f64 + ties as f64 / 2.0) / count;
    normal_quantile(share.clamp(0.5 / count, 1.0 - 0.5 / count))
}

/// a: how the spread of the statistic changes with its value, from the leave-one-out values.
fn acceleration<T>(all: &[&T], statistic: &impl Fn(&[&T]) -> Option<f64>) -> f64 {
    let values: Vec<f64> = (0..all.len())
        .filter_map(|left_out| {
            let rest: Vec<&T> = [&all[..left_out], &all[left_out + 1..]].concat();
            statistic(&rest).filter(|value| value.is_finite())
        })
        .collect();
    let centre = mean(&values);
    let (mut squares, mut cubes) = (0.0, 0.0);
    for value in &values {
        let distance = centre - value;
        squares += distance * distance;
        cubes += distance * distance * distance;
    }
    if squares > 0.0 { cubes / (6.0 * squares * squares.sqrt()) } else { 0.0 }
}

/// The quantile of ascending values, between neighbours in proportion.
fn quantile(values: &[f64], share: f64) -> f64 {
    let place = share.clamp(0.0, 1.0) * (values.len() - 1) as f64;
    let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
    below + (above - below) * place.fract()
}
