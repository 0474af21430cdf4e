//! Two independent arms whose clusters are conversations, from sums that a database can keep: rates, their difference,
//! and bounds that hold however often one looks.

use super::estimate::{Confidence, Estimand, Estimate, Interval, StatisticsError, enough};
use super::quantile::student_quantile;
use super::rate::wilson;

/// The clusters from which the difference's variance is known when the confidence sequence is tightest.
const TIGHTEST_AT: f64 = 300.0;

/// Sums over the clusters of an arm: each has some answers, of which some mention the brand.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ClusterSums {
    /// Clusters.
    pub clusters: f64,
    /// Answers.
    pub answers: f64,
    /// Answers that mention.
    pub mentions: f64,
    /// Sum of the squares of the answers of each.
    pub answers_squared: f64,
    /// Sum of the squares of the mentions of each.
    pub mentions_squared: f64,
    /// Sum of the products of both.
    pub products: f64,
}

impl ClusterSums {
    /// One more cluster.
    pub fn add(&mut self, answers: u32, mentions: u32) {
        let (answers, mentions) = (f64::from(answers), f64::from(mentions));
        self.clusters += 1.0;
        self.answers += answers;
        self.mentions += mentions;
        self.answers_squared += answers * answers;
        self.mentions_squared += mentions * mentions;
        self.products += answers * mentions;
    }

    /// The clusters of both.
    #[must_use]
    pub fn with(&self, other: &ClusterSums) -> ClusterSums {
        ClusterSums {
            clusters: self.clusters + other.clusters,
            answers: self.answers + other.answers,
            mentions: self.mentions + other.mentions,
            answers_squared: self.answers_squared + other.answers_squared,
            mentions_squared: self.mentions_squared + other.mentions_squared,
            products: self.products + other.products,
        }
    }

    /// The share of answers that mention.
    #[must_use]
    pub fn point(&self) -> f64 {
        if self.answers > 0.0 { self.mentions / self.answers } else { 0.0 }
    }

    /// The variance of the share as a ratio of sums, by linearisation: n/(n-1) · Σ(mᵢ - r·aᵢ)² / (Σaᵢ)² (Cochran
    /// 1977, Sampling Techniques, section 6.3).
    fn variance(&self) -> f64 {
        let rate = self.point();
        let squares = self.mentions_squared - 2.0 * rate * self.products + rate * rate * self.answers_squared;
        self.clusters / (self.clusters - 1.0) * squares.max(0.0) / (self.answers * self.answers)
    }

    /// With two more clusters of average length, of which one always mentions and one never does: an arm that never, or
    /// always, mentions is not known exactly, and a few clusters that are alike say little of how much others differ
    /// (Agresti and Caffo 2000, The American Statistician 54, with clusters for trials).
    fn moderate(&self) -> ClusterSums {
        let length = self.answers / self.clusters;
        let square = length * length;
        ClusterSums {
            clusters: self.clusters + 2.0,
            answers: self.answers + 2.0 * length,
            mentions: self.mentions + length,
            answers_squared: self.answers_squared + 2.0 * square,
            mentions_squared: self.mentions_squared + square,
            products: self.products + square,
        }
    }

    fn count(&self) -> usize {
        self.clusters as usize
    }

    /// The share with its interval: Wilson's with Student's quantile, and with the answers that as many independent ones
    /// would be worth: r(1 - r)/variance, at least one and at most all. Where all mention, or none, or the clusters do
    /// not vary, these are the clusters.
    ///
    /// # Errors
    /// Too few clusters.
    pub fn rate(&self, confidence: Confidence) -> Result<Estimate, StatisticsError> {
        let warning = enough(self.count())?;
        let point = self.point();
        let (variance, spread) = (self.variance(), point * (1.0 - point));
        let effective = if variance > 0.0 && spread > 0.0 {
            (spread / variance).min(self.answers).max(1.0)
        } else {
            self.clusters
        };
        let critical = student_quantile(confidence.upper_probability(), self.clusters - 1.0)?;
        let interval = wilson(point, effective, critical).clamp(0.0, 1.0).around(point);
        Ok(Estimate {
            point,
            standard_error: Some(variance.sqrt()),
            interval,
            confidence,
            estimand: Estimand::QuestionsLikeThese,
            clusters: self.count(),
            warning,
        })
    }
}

/// The difference between two arms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArmLift {
    /// With an interval for one look, at a time that was chosen beforehand.
    pub once: Estimate,
    /// Bounds for looking at any time, and any number of times.
    pub always: Interval,
}

/// The share of `treated` less that of `baseline`, whose clusters are different ones.
///
/// `once` is Welch's interval, with variances that take neither arm to be known exactly. `always` is an asymptotic
/// confidence sequence: with the variance V of the difference, known from N clusters (its degrees of freedom and one), it
/// is ±√V·√(2(Nρ² + 1)/(Nρ²)·ln(√(Nρ² + 1)/α)), for ρ² = (-2 ln α + ln(1 - 2 ln α))/300, so that it is tightest near 300
/// (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024, Annals of Statistics 52, "Time-uniform central limit theory and
/// asymptotic confidence sequences"; the method of mixtures of Robbins 1970). Looks may be any; the first cluster must be
/// the same at each of them, or every beginning is a new chance to err. Both lie within -1 and 1.
///
/// # Errors
/// Too few clusters in an arm.
pub fn arm_lift(
    treated: &ClusterSums,
    baseline: &ClusterSums,
    confidence: Confidence,
) -> Result<ArmLift, StatisticsError> {
    let fewest = treated.count().min(baseline.count());
    let warning = enough(fewest)?;
    let point = treated.point() - baseline.point();
    let (one, other) = (treated.moderate().variance(), baseline.moderate().variance());
    let variance = one + other;
    // By Welch and Satterthwaite.
    let freedom = variance * variance
        / (one * one / (treated.clusters - 1.0) + other * other / (baseline.clusters - 1.0));
    let critical = student_quantile(confidence.upper_probability(), freedom)?;
    let bounds =
        |half: f64| Interval { lower: point - half, upper: point + half }.clamp(-1.0, 1.0).around(point);
    Ok(ArmLift {
        once: Estimate {
            point,
            standard_error: Some(variance.sqrt()),
            interval: bounds(critical * variance.sqrt()),
            confidence,
            estimand: Estimand::QuestionsLikeThese,
            clusters: treated.count() + baseline.count(),
            warning,
        },
        always: bounds(variance.sqrt() * boundary(freedom + 1.0, confidence.alpha())),
    })
}

/// The boundary of the confidence sequence in standard errors, for a variance that is known from so many clusters. Of two
/// arms it is known from fewer than both have: a small hold-out, whose variance is most of the difference's, counts alone.
fn boundary(clusters: f64, alpha: f64) -> f64 {
    let log = alpha.ln();
    let rho = (-2.0 * log + (1.0 - 2.0 * log).ln()) / TIGHTEST_AT;
    let scaled = clusters * rho + 1.0;
    (2.0 * scaled / (clusters * rho) * (scaled.sqrt() / alpha).ln()).sqrt()
}
