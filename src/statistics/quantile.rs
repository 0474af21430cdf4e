//! Quantiles and tails of the distributions in use, with bad arguments as errors.

use statrs::distribution::{Beta, Binomial, ContinuousCDF, DiscreteCDF, Normal, StudentsT};

use super::estimate::StatisticsError;

/// The value below which a standard normal variable falls with `probability`: 1.96 at 0.975.
///
/// # Errors
/// [`StatisticsError::OutOfRange`] unless the probability is strictly between 0 and 1.
pub fn normal_quantile(probability: f64) -> Result<f64, StatisticsError> {
    Ok(Normal::standard().inverse_cdf(open_probability(probability)?))
}

/// The share of a standard normal variable below `value`.
pub(super) fn normal_below(value: f64) -> f64 {
    Normal::standard().cdf(value)
}

/// The value below which Student's t with `freedom` degrees of freedom falls with `probability`: 2.093 at
/// 0.975 and 19.
///
/// # Errors
/// [`StatisticsError::OutOfRange`] unless the probability is strictly between 0 and 1 and the freedom is
/// positive.
pub fn student_quantile(probability: f64, freedom: f64) -> Result<f64, StatisticsError> {
    let probability = open_probability(probability)?;
    let distribution = StudentsT::new(0.0, 1.0, freedom).map_err(|_| positive("a freedom", freedom))?;
    Ok(distribution.inverse_cdf(probability))
}

/// The value below which a Beta(`a`, `b`) variable falls with `probability`.
///
/// # Errors
/// [`StatisticsError::OutOfRange`] unless the probability is strictly between 0 and 1 and both shapes are
/// positive.
pub fn beta_quantile(probability: f64, a: f64, b: f64) -> Result<f64, StatisticsError> {
    let probability = open_probability(probability)?;
    let distribution = Beta::new(a, b).map_err(|_| positive("a shape", a.min(b)))?;
    Ok(distribution.inverse_cdf(probability))
}

/// The probability of at most `successes` in `trials` that each succeed with `chance`.
///
/// # Errors
/// [`StatisticsError::OutOfRange`] unless the chance is between 0 and 1.
pub fn binomial_at_most(successes: u64, trials: u64, chance: f64) -> Result<f64, StatisticsError> {
    let distribution = Binomial::new(chance, trials).map_err(|_| StatisticsError::OutOfRange {
        what: "a chance",
        allowed: "between 0 and 1",
        value: chance,
    })?;
    Ok(distribution.cdf(successes))
}

fn open_probability(probability: f64) -> Result<f64, StatisticsError> {
    if probability > 0.0 && probability < 1.0 {
        return Ok(probability);
    }
    Err(StatisticsError::OutOfRange { what: "a probability", allowed: "between 0 and 1", value: probability })
}

fn positive(what: &'static str, value: f64) -> StatisticsError {
    StatisticsError::OutOfRange { what, allowed: "positive and finite", value }
}
