//! How many families a lift needs to be seen (S13).

use super::estimate::{Confidence, StatisticsError};
use super::lift::differences;
use super::moments::{mean, variance};
use super::quantile::{normal_below, normal_quantile};
use super::sample::{Paired, Share};

/// What makes a lift uncertain, each as a variance of shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variances {
    /// ω²: of the families' true lifts around their mean.
    pub lift: f64,
    /// σ²₀: of one answer of the baseline around its question's rate, mean over families.
    pub baseline: f64,
    /// σ²₁: likewise of the treated arm.
    pub treated: f64,
}

impl Variances {
    /// From a pilot. ω² is the variance of the families' lifts with that of their repeats subtracted, at least
    /// zero; σ² is the mean of x(1-x)K/(K-1). A pilot of few families tells ω² badly: plan with more.
    ///
    /// # Errors
    /// [`StatisticsError::TooFewClusters`] below five families, [`StatisticsError::NeedsRepeats`] where a
    /// question has one answer in an arm.
    pub fn from_pilot(pairs: &[Paired]) -> Result<Variances, StatisticsError> {
        super::estimate::enough(pairs.len())?;
        let (mut noise, mut baseline, mut treated) = (Vec::new(), Vec::new(), Vec::new());
        for pair in pairs {
            let needs = || StatisticsError::NeedsRepeats { cluster: pair.id.clone() };
            let of = |share: &Share| share.sampling_variance.ok_or_else(needs);
            let (baseline_noise, treated_noise) = (of(&pair.baseline)?, of(&pair.treated)?);
            noise.push(baseline_noise + treated_noise);
            baseline.push(baseline_noise * f64::from(pair.baseline.answered));
            treated.push(treated_noise * f64::from(pair.treated.answered));
        }
        let lift = (variance(&differences(pairs)) - mean(&noise)).max(0.0);
        Ok(Variances { lift, baseline: mean(&baseline), treated: mean(&treated) })
    }

    /// From rates that one expects: `between` is the share of p(1-p) that is due to differences between
    /// questions, so that σ² = (1-between)·p(1-p) in each arm.
    #[must_use]
    pub fn assumed(baseline_rate: f64, treated_rate: f64, between: f64, lift: f64) -> Variances {
        let within = |rate: f64| (1.0 - between) * rate * (1.0 - rate);
        Variances { lift, baseline: within(baseline_rate), treated: within(treated_rate) }
    }

    /// The variance of one family's lift, seen with `answers` answers in each arm.
    fn of_one_family(&self, answers: u32) -> f64 {
        self.lift + (self.baseline + self.treated) / f64::from(answers.max(1))
    }
}

/// Families needed to see a lift of `lift` with probability `power` at a two-sided level (Miller 2024,
/// arXiv 2411.00640): n = (z₁₋α/₂ + z_power)²·(ω² + (σ²₀ + σ²₁)/K)/δ², rounded up, where K is the number of
/// answers per family and arm.
///
/// # Errors
/// [`StatisticsError::OutOfRange`] for a power outside 0 and 1 or no lift.
pub fn clusters_needed(
    variances: &Variances,
    answers: u32,
    lift: f64,
    confidence: Confidence,
    power: f64,
) -> Result<usize, StatisticsError> {
    if lift == 0.0 || !lift.is_finite() {
        let allowed = "other than zero: nothing shows a lift of zero";
        return Err(StatisticsError::OutOfRange { what: "the lift", allowed, value: lift });
    }
    let reach = normal_quantile(confidence.upper_probability())? + normal_quantile(power)?;
    Ok((reach * reach * variances.of_one_family(answers) / (lift * lift)).ceil() as usize)
}

/// The smallest lift that so many families show with probability `power`: the same formula solved for δ. The
/// variances are held, although those of a greater lift may differ.
///
/// # Errors
/// [`StatisticsError::OutOfRange`] for a power outside 0 and 1, [`StatisticsError::TooFewClusters`] for none.
pub fn detectable_lift(
    variances: &Variances,
    answers: u32,
    clusters: usize,
    confidence: Confidence,
    power: f64,
) -> Result<f64, StatisticsError> {
    if clusters == 0 {
        return Err(StatisticsError::TooFewClusters { found: 0 });
    }
    let reach = normal_quantile(confidence.upper_probability())? + normal_quantile(power)?;
    Ok(reach * (variances.of_one_family(answers) / clusters as f64).sqrt())
}

/// The probability that so many families show a lift of `lift`: Φ(|δ|/SE - z₁₋α/₂), the far side being left
/// out.
///
/// # Errors
/// [`StatisticsError::TooFewClusters`] for none.
pub fn power(
    variances: &Variances,
    answers: u32,
    clusters: usize,
    lift: f64,
    confidence: Confidence,
) -> Result<f64, StatisticsError> {
    if clusters == 0 {
        return Err(StatisticsError::TooFewClusters { found: 0 });
    }
    let standard_error = (variances.of_one_family(answers) / clusters as f64).sqrt();
    let critical = normal_quantile(confidence.upper_probability())?;
    if standard_error == 0.0 {
        return Ok(f64::from(lift != 0.0));
    }
    Ok(normal_below(lift.abs() / standard_error - critical))
}
