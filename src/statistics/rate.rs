//! How often a brand is mentioned in one arm (S1, S2).

use super::estimate::{Confidence, Estimand, Estimate, Interval, StatisticsError, Warning, enough};
use super::moments::{mean, standard_error};
use super::mover::Bounded;
use super::quantile::{beta_quantile, normal_quantile, student_quantile};
use super::sample::{Cluster, Share};

/// Wilson's score interval of a share seen in `effective` trials (Wilson 1927, JASA 22):
/// (p + z²/2n ± z√(p(1-p)/n + z²/4n²)) / (1 + z²/n). `effective` need not be whole; `critical` is z.
/// The point always lies within, and the bounds within 0 and 1.
#[must_use]
pub fn wilson(share: f64, effective: f64, critical: f64) -> Interval {
    let shrink = critical * critical / effective;
    let centre = (share + shrink / 2.0) / (1.0 + shrink);
    let half = (shrink * (share * (1.0 - share) + shrink / 4.0)).sqrt() / (1.0 + shrink);
    Interval { lower: centre - half, upper: centre + half }.clamp(0.0, 1.0).around(share)
}

/// A share of independent trials, such as a detector's recall on labelled answers: Wilson's interval with the
/// normal quantile. Not for answers to questions: those are clustered, see [`rate()`].
///
/// # Errors
/// [`StatisticsError::OutOfRange`] without a trial or with more successes than trials.
pub fn proportion(
    successes: u32,
    trials: u32,
    confidence: Confidence,
) -> Result<(f64, Interval), StatisticsError> {
    if trials == 0 || successes > trials {
        let value = f64::from(successes);
        return Err(StatisticsError::OutOfRange { what: "successes", allowed: "at most the trials", value });
    }
    let share = f64::from(successes) / f64::from(trials);
    let critical = normal_quantile(confidence.upper_probability())?;
    Ok((share, wilson(share, f64::from(trials), critical)))
}

/// The mention rate p = mean(xᵢ) over families, with SE = sd(xᵢ)/√n (Miller 2024, arXiv 2411.00640) and
/// Wilson's interval on the effective number of answers, n_eff = p(1-p)/SE² kept within 1 and the number of
/// answers, with Student's t on n - 1 degrees of freedom for z. Where the families do not vary, or all or none
/// mention, n_eff is the number of families.
///
/// Wilson at n_eff·(z/t)² with z is the same interval, since it depends on z²/n_eff alone.
///
/// # Errors
/// [`StatisticsError::TooFewClusters`] below five families.
pub fn rate(clusters: &[Cluster], confidence: Confidence) -> Result<Estimate, StatisticsError> {
    let warning = enough(clusters.len())?;
    let arm = Arm::new(clusters.iter().map(|cluster| &cluster.share));
    let bounded = arm.bounded(confidence)?;
    Ok(arm.estimate(bounded.interval, confidence, warning))
}

/// [`rate()`] with the interval of Korn and Graubard (1998, Survey Methodology 24): Clopper and Pearson's Beta
/// quantiles on n_eff·(z/t)². Conservative: it covers at least as often as promised.
///
/// # Errors
/// [`StatisticsError::TooFewClusters`] below five families.
pub fn rate_korn_graubard(clusters: &[Cluster], confidence: Confidence) -> Result<Estimate, StatisticsError> {
    let warning = enough(clusters.len())?;
    let arm = Arm::new(clusters.iter().map(|cluster| &cluster.share));
    let upper = confidence.upper_probability();
    let squeeze = normal_quantile(upper)? / arm.critical(confidence)?;
    let trials = arm.effective() * squeeze * squeeze;
    let successes = arm.point * trials;
    let interval = Interval {
        lower: if arm.point > 0.0 {
            beta_quantile(1.0 - upper, successes, trials - successes + 1.0)?
        } else {
            0.0
        },
        upper: if arm.point < 1.0 { beta_quantile(upper, successes + 1.0, trials - successes)? } else { 1.0 },
    };
    Ok(arm.estimate(interval.around(arm.point), confidence, warning))
}

/// What the formulas need to know of one arm.
pub(super) struct Arm {
    /// The families' shares.
    pub(super) shares: Vec<f64>,
    /// Their mean.
    pub(super) point: f64,
    standard_error: f64,
    answers: f64,
}

impl Arm {
    pub(super) fn new<'a>(shares: impl Iterator<Item = &'a Share> + Clone) -> Arm {
        let answers = shares.clone().map(|share| f64::from(share.answered)).sum();
        let shares: Vec<f64> = shares.map(|share| share.rate).collect();
        Arm { point: mean(&shares), standard_error: standard_error(&shares), shares, answers }
    }

    /// The number of independent answers that would be as informative.
    fn effective(&self) -> f64 {
        let spread = self.point * (1.0 - self.point);
        if self.standard_error > 0.0 && spread > 0.0 {
            (spread / (self.standard_error * self.standard_error)).min(self.answers).max(1.0)
        } else {
            self.shares.len() as f64
        }
    }

    fn critical(&self, confidence: Confidence) -> Result<f64, StatisticsError> {
        student_quantile(confidence.upper_probability(), self.shares.len() as f64 - 1.0)
    }

    /// The point with the bounds of S2.
    pub(super) fn bounded(&self, confidence: Confidence) -> Result<Bounded, StatisticsError> {
        let interval = wilson(self.point, self.effective(), self.critical(confidence)?);
        Ok(Bounded { point: self.point, interval })
    }

    fn estimate(&self, interval: Interval, confidence: Confidence, warning: Option<Warning>) -> Estimate {
        Estimate {
            point: self.point,
            standard_error: Some(self.standard_error),
            interval,
            confidence,
            estimand: Estimand::QuestionsLikeThese,
            clusters: self.shares.len(),
            warning,
        }
    }
}
