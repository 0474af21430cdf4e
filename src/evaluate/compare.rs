//! Whether one ranking is better than another on the same queries: the paired bootstrap (Efron and Tibshirani,
//! "An Introduction to the Bootstrap", 1993; for retrieval Sakai, SIGIR 2006).

/// Resamples.
const RESAMPLES: usize = 10_000;
/// The same resamples each time.
const SEED: u64 = 0x5eed;

/// A mean difference over queries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Mean of b - a.
    pub mean: f64,
    /// 2.5th percentile of the resampled means.
    pub lower: f64,
    /// 97.5th percentile.
    pub upper: f64,
    /// Two-sided p-value against no difference: how often the mean of the shifted resamples is as far from 0.
    pub p_value: f64,
}

/// Compares the values of two rankings for the same queries in the same order; `None` where there are none.
pub fn compare(a: &[f64], b: &[f64]) -> Option<Difference> {
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| b - a).collect();
    let count = differences.len();
    if count == 0 {
        return None;
    }
    let mean = differences.iter().sum::<f64>() / count as f64;
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| (0..count).map(|_| differences[random.usize(..count)]).sum::<f64>() / count as f64)
        .collect();
    let as_far = means.iter().filter(|resampled| (*resampled - mean).abs() >= mean.abs() - 1e-12).count();
    means.sort_by(f64::total_cmp);
    Some(Difference {
        mean,
        lower: means[RESAMPLES / 40],
        upper: means[RESAMPLES - 1 - RESAMPLES / 40],
        p_value: (1 + as_far) as f64 / (1 + RESAMPLES) as f64,
    })
}
