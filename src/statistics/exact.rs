//! Exact tests on counts (S7, and the test of S15).

use statrs::function::factorial::ln_binomial;

use super::estimate::StatisticsError;
use super::quantile::binomial_at_most;
use super::sample::Paired;

/// Tables as likely as the one seen, but for rounding, count as no less extreme.
const ROUNDING: f64 = 1e-7;

/// McNemar's exact two-sided test (McNemar 1947, Psychometrika 12) for one answer per prompt and arm: of the
/// prompts whose arms disagree, a fair coin would give either arm half. p = min(1, 2·P(Bin(b+c, ½) ≤ min(b,
/// c))). With more than one repeat it ignores how answers cluster and alarms too often; see
/// [`super::sign_flip`].
///
/// # Errors
/// [`StatisticsError::NeedsSingleAnswers`] where an arm has more than one answer.
pub fn mcnemar(pairs: &[Paired]) -> Result<f64, StatisticsError> {
    let (mut gained, mut lost) = (0, 0);
    for pair in pairs {
        if pair.baseline.answered != 1 || pair.treated.answered != 1 {
            return Err(StatisticsError::NeedsSingleAnswers { cluster: pair.id.clone() });
        }
        gained += u64::from(pair.difference() > 0.5);
        lost += u64::from(pair.difference() < -0.5);
    }
    if gained + lost == 0 {
        return Ok(1.0);
    }
    Ok((2.0 * binomial_at_most(gained.min(lost), gained + lost, 0.5)?).min(1.0))
}

/// Fisher's exact two-sided test (Fisher 1935) that two arms have the same share: each gives the counts of
/// one kind and of the other. p is the probability, with the margins fixed, of all tables that are no
/// likelier than the one seen.
#[must_use]
pub fn fisher(one: (u64, u64), other: (u64, u64)) -> f64 {
    let (row_one, row_other, column) = (one.0 + one.1, other.0 + other.1, one.0 + other.0);
    let all = ln_binomial(row_one + row_other, column);
    let ln_chance = |cell: u64| ln_binomial(row_one, cell) + ln_binomial(row_other, column - cell) - all;
    let seen = ln_chance(one.0) + ROUNDING;
    let possible = column.saturating_sub(row_other)..=column.min(row_one);
    possible.map(ln_chance).filter(|chance| *chance <= seen).map(f64::exp).sum::<f64>().min(1.0)
}
