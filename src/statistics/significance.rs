//! Whether a lift could be chance (S6).

use super::estimate::{Confidence, StatisticsError};
use super::lift::differences;
use super::random::Draws;
use super::sample::Paired;

/// Up to so many families that differ, all signs are tried: about a million.
const MOST_EXACT: usize = 20;

/// Random assignments of signs beyond that.
const FLIPS: u32 = 10_000;

/// Sums that differ by less are the same sum in another order.
const ROUNDING: f64 = 1e-9;

/// The outcome of a sign-flip test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignFlip {
    /// The two-sided p-value.
    pub p_value: f64,
    /// Whether all assignments of signs were tried; if not, 10,000 drawn ones were.
    pub exact: bool,
    /// Families whose arms differ: the others say nothing.
    pub differing: usize,
}

/// The sign-flip permutation test of no lift (Fisher 1935; Good 2005, Permutation, Parametric and Bootstrap
/// Tests): were the arms alike, every family's difference would be as likely with the other sign. p is the
/// share of assignments of signs whose |Σ±dᵢ| is at least the one seen: exact up to 20 differing families,
/// and (1 + #)/(1 + 10,000) of seeded draws beyond (Phipson and Smyth 2010). It counts families, so repeats
/// and paraphrases do not make it alarm more often.
///
/// # Errors
/// [`StatisticsError::TooFewClusters`] without a family.
pub fn sign_flip(pairs: &[Paired], seed: u64) -> Result<SignFlip, StatisticsError> {
    if pairs.is_empty() {
        return Err(StatisticsError::TooFewClusters { found: 0 });
    }
    let differences: Vec<f64> =
        differences(pairs).into_iter().filter(|difference| difference.abs() > ROUNDING).collect();
    let differing = differences.len();
    let seen = differences.iter().sum::<f64>().abs() - ROUNDING;
    let exact = differing <= MOST_EXACT;
    let p_value = if exact { exact_share(&differences, seen) } else { drawn_share(&differences, seen, seed) };
    Ok(SignFlip { p_value, exact, differing })
}

/// Families of which the most extreme outcome of [`sign_flip`], p = 2/2ⁿ, is still significant: 6 at five per cent.
#[must_use]
pub fn fewest_for_sign_flips(confidence: Confidence) -> usize {
    let level = 2.0 * (1.0 - confidence.upper_probability());
    (2.0 / level).log2().ceil() as usize
}

/// The share among all assignments. The first sign stays: the other half of them mirrors this one. In Gray
/// code each assignment differs from the one before in one sign.
fn exact_share(differences: &[f64], seen: f64) -> f64 {
    let Some((first, rest)) = differences.split_first() else { return 1.0 };
    let mut signed = rest.to_vec();
    let mut sum = first + rest.iter().sum::<f64>();
    let assignments = 1_u32 << rest.len();
    let mut extreme = u32::from(sum.abs() >= seen);
    for step in 1..assignments {
        let place = step.trailing_zeros() as usize;
        sum -= 2.0 * signed[place];
        signed[place] = -signed[place];
        extreme += u32::from(sum.abs() >= seen);
    }
    f64::from(extreme) / f64::from(assignments)
}

fn drawn_share(differences: &[f64], seen: f64, seed: u64) -> f64 {
    let mut draws = Draws::new(seed);
    let mut extreme = 0;
    for _ in 0..FLIPS {
        let mut sum = 0.0;
        for block in differences.chunks(64) {
            let coins = draws.coins();
            for (place, difference) in block.iter().enumerate() {
                sum += if coins >> place & 1 == 1 { *difference } else { -difference };
            }
        }
        extreme += u32::from(sum.abs() >= seen);
    }
    f64::from(1 + extreme) / f64::from(1 + FLIPS)
}
