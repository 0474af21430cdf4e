//! Means, variances and correlations of a handful of numbers.

/// Variances below this are rounding: shares of at most a million answers that differ at all give more.
const ROUNDING: f64 = 1e-18;

/// The arithmetic mean; zero for no values.
pub(super) fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// The unbiased variance, over n - 1; zero below two values, and exactly zero where all are equal.
pub(super) fn variance(values: &[f64]) -> f64 {
    covariance(values, values)
}

/// The unbiased covariance, over n - 1; zero below two values.
pub(super) fn covariance(left: &[f64], right: &[f64]) -> f64 {
    if left.len() < 2 {
        return 0.0;
    }
    let (left_mean, right_mean) = (mean(left), mean(right));
    let sum: f64 = left.iter().zip(right).map(|(l, r)| (l - left_mean) * (r - right_mean)).sum();
    let covariance = sum / (left.len() - 1) as f64;
    if covariance.abs() < ROUNDING { 0.0 } else { covariance }
}

/// Pearson's correlation, between -1 and 1; zero where one side does not vary.
pub(super) fn correlation(left: &[f64], right: &[f64]) -> f64 {
    let scale = (variance(left) * variance(right)).sqrt();
    if scale > 0.0 { (covariance(left, right) / scale).clamp(-1.0, 1.0) } else { 0.0 }
}

/// The standard error of the mean: sd/√n.
pub(super) fn standard_error(values: &[f64]) -> f64 {
    (variance(values) / values.len().max(1) as f64).sqrt()
}
