//! Rates and lifts on exactly the questions that were asked (S8): for a gate on a fixed suite, where only the
//! model's answers vary and the choice of questions is given.

use super::estimate::{Confidence, Estimand, Estimate, StatisticsError, enough};
use super::lift;
use super::moments::mean;
use super::mover::{self, Bounded};
use super::quantile::normal_quantile;
use super::rate::wilson;
use super::sample::{Cluster, Paired, Share};

/// The mention rate on these very questions: SE² = Σ xᵢ(1-xᵢ)/((K-1)·n²), the variance of repeats alone
/// (Miller 2024, arXiv 2411.00640, section on resampling), and Wilson's interval on p(1-p)/SE² answers. Never
/// on fewer than were asked: repeats of different questions vary at most as much as those of one.
///
/// # Errors
/// [`StatisticsError::TooFewClusters`] below five families, [`StatisticsError::NeedsRepeats`] where a question
/// has one answer.
pub fn rate_of_these_questions(
    clusters: &[Cluster],
    confidence: Confidence,
) -> Result<Estimate, StatisticsError> {
    let warning = enough(clusters.len())?;
    let arm = Repeats::new(clusters.iter().map(|cluster| (cluster.id.as_str(), &cluster.share)))?;
    Ok(Estimate {
        point: arm.point,
        standard_error: Some(arm.variance.sqrt()),
        interval: arm.bounded(confidence)?.interval,
        confidence,
        estimand: Estimand::TheseQuestions,
        clusters: clusters.len(),
        warning,
    })
}

/// The lift on these very questions: SE² is the sum of both arms', and the interval is MOVER's from the two
/// arms' bounds with no correlation, since the repeats of one arm know nothing of the other's.
///
/// # Errors
/// [`StatisticsError::TooFewClusters`] below five families, [`StatisticsError::NeedsRepeats`] where a question
/// has one answer in an arm.
pub fn lift_of_these_questions(
    pairs: &[Paired],
    confidence: Confidence,
) -> Result<Estimate, StatisticsError> {
    let warning = enough(pairs.len())?;
    let baseline = Repeats::new(pairs.iter().map(|pair| (pair.id.as_str(), &pair.baseline)))?;
    let treated = Repeats::new(pairs.iter().map(|pair| (pair.id.as_str(), &pair.treated)))?;
    let interval = mover::difference(treated.bounded(confidence)?, baseline.bounded(confidence)?, 0.0);
    Ok(Estimate {
        standard_error: Some((baseline.variance + treated.variance).sqrt()),
        estimand: Estimand::TheseQuestions,
        ..lift::estimate(pairs, interval, confidence, warning)
    })
}

/// One arm, seen as repeats of given questions.
struct Repeats {
    point: f64,
    /// The variance of `point` from one round of repeats to the next.
    variance: f64,
    /// n²/Σ(1/Kᵢ): all answers, where every family has the same number.
    answers: f64,
}

impl Repeats {
    fn new<'a>(families: impl Iterator<Item = (&'a str, &'a Share)>) -> Result<Repeats, StatisticsError> {
        let (mut shares, mut variance, mut inverse) = (Vec::new(), 0.0, 0.0);
        for (id, share) in families {
            variance += share
                .sampling_variance
                .ok_or_else(|| StatisticsError::NeedsRepeats { cluster: id.to_owned() })?;
            inverse += 1.0 / f64::from(share.answered);
            shares.push(share.rate);
        }
        let squared = (shares.len() * shares.len()) as f64;
        Ok(Repeats { point: mean(&shares), variance: variance / squared, answers: squared / inverse })
    }

    fn bounded(&self, confidence: Confidence) -> Result<Bounded, StatisticsError> {
        let critical = normal_quantile(confidence.upper_probability())?;
        let spread = self.point * (1.0 - self.point);
        let effective =
            if self.variance > 0.0 { (spread / self.variance).max(self.answers) } else { self.answers };
        Ok(Bounded { point: self.point, interval: wilson(self.point, effective, critical) })
    }
}
