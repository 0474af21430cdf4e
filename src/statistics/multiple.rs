//! Several comparisons at once (S9). Each function returns adjusted p-values in the order of the given ones:
//! compare them with the level that one comparison would have.

/// Holm's step-down adjustment (Holm 1979, Scandinavian Journal of Statistics 6), for arms that were declared
/// before the run: the chance of any false alarm is at most the level, however the tests depend on each
/// other. The i-th smallest of m becomes max over j ≤ i of (m - j + 1)·p₍ⱼ₎, at most 1.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut adjusted = vec![1.0; p_values.len()];
    let mut running: f64 = 0.0;
    for (rank, place) in ascending(p_values).into_iter().enumerate() {
        running = running.max((p_values.len() - rank) as f64 * p_values[place]).min(1.0);
        adjusted[place] = running;
    }
    adjusted
}

/// Benjamini and Hochberg's step-up adjustment (1995, Journal of the Royal Statistical Society B 57), for
/// tables by question or segment: the expected share of false alarms among the alarms is at most the level,
/// for tests that are independent or positively dependent. The i-th smallest of m becomes min over j ≥ i of
/// m·p₍ⱼ₎/j, at most 1.
#[must_use]
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let mut adjusted = vec![1.0; p_values.len()];
    let mut running: f64 = 1.0;
    for (rank, place) in ascending(p_values).into_iter().enumerate().rev() {
        running = running.min(p_values.len() as f64 * p_values[place] / (rank + 1) as f64);
        adjusted[place] = running;
    }
    adjusted
}

/// The places of the values, smallest value first.
fn ascending(values: &[f64]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..values.len()).collect();
    places.sort_by(|left, right| values[*left].total_cmp(&values[*right]));
    places
}
