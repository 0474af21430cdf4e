//! How much more often the brand is mentioned in one arm than in another (S3, S4, S5).

use super::estimate::{Confidence, Estimand, Estimate, Interval, StatisticsError, Warning, enough};
use super::moments::{correlation, mean, standard_error};
use super::mover::{self, Bounded};
use super::quantile::student_quantile;
use super::rate::Arm;
use super::sample::Paired;

/// The lift Δ = mean(dᵢ), dᵢ the families' treated minus baseline shares, with the paired MOVER-Wilson
/// interval (Newcombe 1998, Statistics in Medicine 17; Zou and Donner 2008, Statistics in Medicine 27):
///
/// L = Δ - √((p₁-l₁)² - 2r(p₁-l₁)(u₀-p₀) + (u₀-p₀)²), U = Δ + √((u₁-p₁)² - 2r(u₁-p₁)(p₀-l₀) + (p₀-l₀)²),
///
/// where (l, u) are an arm's bounds as in [`super::rate()`], 1 the treated arm, 0 the baseline, and r the
/// correlation of the families' shares. The bounds lie within -1 and 1. `standard_error` is sd(dᵢ)/√n.
///
/// # Errors
/// [`StatisticsError::TooFewClusters`] below five families.
pub fn lift(pairs: &[Paired], confidence: Confidence) -> Result<Estimate, StatisticsError> {
    let warning = enough(pairs.len())?;
    let arms = Arms::new(pairs, confidence)?;
    let interval = mover::difference(arms.treated, arms.baseline, arms.correlation);
    Ok(estimate(pairs, interval, confidence, warning))
}

/// The lift with the cross-check interval Δ ± t·sd(dᵢ)/√n, Student's t on n - 1 degrees of freedom, cut at
/// -1 and 1: the cluster-robust standard error with the factor n/(n-1) (Miller 2024, arXiv 2411.00640).
/// Near rates of 0 or 1 it covers less than it promises; [`lift()`] does not.
///
/// # Errors
/// [`StatisticsError::TooFewClusters`] below five families.
pub fn lift_student(pairs: &[Paired], confidence: Confidence) -> Result<Estimate, StatisticsError> {
    let warning = enough(pairs.len())?;
    let differences = differences(pairs);
    let critical = student_quantile(confidence.upper_probability(), pairs.len() as f64 - 1.0)?;
    let (point, half) = (mean(&differences), critical * standard_error(&differences));
    let interval = Interval { lower: point - half, upper: point + half }.clamp(-1.0, 1.0);
    Ok(estimate(pairs, interval, confidence, warning))
}

/// The relative lift p₁/p₀, a factor: 2 means twice as often. None where the baseline never mentions, since
/// its lower bound is then 0 and any factor is possible. Bounds by MOVER for a ratio (Donner and Zou 2012,
/// Statistical Methods in Medical Research 21) from the same bounds and correlation as [`lift()`].
///
/// # Errors
/// [`StatisticsError::TooFewClusters`] below five families.
pub fn relative_lift(pairs: &[Paired], confidence: Confidence) -> Result<Option<Estimate>, StatisticsError> {
    let warning = enough(pairs.len())?;
    let arms = Arms::new(pairs, confidence)?;
    if arms.baseline.interval.lower <= 0.0 || arms.baseline.point <= 0.0 {
        return Ok(None);
    }
    let point = arms.treated.point / arms.baseline.point;
    let interval = mover::ratio(arms.treated, arms.baseline, arms.correlation).around(point);
    Ok(Some(Estimate {
        point,
        standard_error: None,
        interval,
        ..estimate(pairs, interval, confidence, warning)
    }))
}

/// Both arms with their bounds, and how they move together.
pub(super) struct Arms {
    pub(super) baseline: Bounded,
    pub(super) treated: Bounded,
    pub(super) correlation: f64,
}

impl Arms {
    pub(super) fn new(pairs: &[Paired], confidence: Confidence) -> Result<Arms, StatisticsError> {
        let baseline = Arm::new(pairs.iter().map(|pair| &pair.baseline));
        let treated = Arm::new(pairs.iter().map(|pair| &pair.treated));
        Ok(Arms {
            baseline: baseline.bounded(confidence)?,
            treated: treated.bounded(confidence)?,
            correlation: correlation(&baseline.shares, &treated.shares),
        })
    }
}

/// The families' lifts.
pub(super) fn differences(pairs: &[Paired]) -> Vec<f64> {
    pairs.iter().map(Paired::difference).collect()
}

/// The mean lift of `pairs` with the bounds that a method found.
pub(super) fn estimate(
    pairs: &[Paired],
    interval: Interval,
    confidence: Confidence,
    warning: Option<Warning>,
) -> Estimate {
    let differences = differences(pairs);
    let point = mean(&differences);
    Estimate {
        point,
        standard_error: Some(standard_error(&differences)),
        interval: interval.clamp(-1.0, 1.0).around(point),
        confidence,
        estimand: Estimand::QuestionsLikeThese,
        clusters: pairs.len(),
        warning,
    }
}
