//! Draws that depend on nothing but their seed. Only integers and exact scalings are used, so that every
//! machine draws the same.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of draws.
pub(super) struct Draws(ChaCha8Rng);

impl Draws {
    /// The stream of `seed`. The key is the seed and zeros: the stretching that the library offers for short
    /// seeds may change with its version.
    pub(super) fn new(seed: u64) -> Draws {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Draws(ChaCha8Rng::from_seed(key))
    }

    /// 64 fair coins.
    pub(super) fn coins(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A whole number below `bound`, each equally likely (Lemire 2019, arXiv 1805.10941: multiply, and draw
    /// again where the low half falls into the uneven rest). `bound` is at least one.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let bound = bound as u64;
        let uneven = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.coins()) * u128::from(bound);
            if product as u64 >= uneven {
                return (product >> 64) as usize;
            }
        }
    }
}

/// The numbers below `count` in an order that depends on `seed` only (Fisher and Yates). Prompts that are
/// looked at one after the other must come in such an order, drawn before any answer is seen.
#[must_use]
pub fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    let mut draws = Draws::new(seed);
    for last in (1..count).rev() {
        order.swap(last, draws.below(last + 1));
    }
    order
}
