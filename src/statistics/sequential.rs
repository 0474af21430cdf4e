//! Stopping early without fooling oneself (S14).

use super::estimate::{Confidence, ENOUGH_CLUSTERS, Estimate};

/// The largest share of the wealth that is bet on one family: a loss leaves at least half.
const LARGEST_BET: f64 = 0.5;

/// The bets begin as if one lift of zero had been seen, with this variance: a quarter of the greatest that
/// lifts between -1 and 1 can have.
const PRIOR_VARIANCE: f64 = 0.25;

/// What an [`EProcess`] has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Nothing yet.
    Undecided,
    /// The treated arm mentions more often.
    Higher,
    /// The treated arm mentions less often.
    Lower,
}

/// A bet against "no lift" that may be looked at after every family, and stopped whenever one likes.
///
/// For each side wealth starts at 1 and is multiplied by 1 + λᵢdᵢ, dᵢ being a family's lift and λᵢ in [0, ½] a
/// bet that depends on earlier families only. If the mean lift is not above (below) zero, wealth is a
/// supermartingale, and by Ville's inequality it ever reaches 2/α with probability at most α/2 (Waudby-Smith
/// and Ramdas 2024, Journal of the Royal Statistical Society B 86; bets λ = mean/(variance + mean²)).
/// Families must come in an order drawn beforehand, see [`super::shuffled`]. Large lifts are found early;
/// for small ones a fixed number of families has far more power.
#[derive(Debug, Clone, PartialEq)]
pub struct EProcess {
    confidence: Confidence,
    families: u32,
    sum: f64,
    squares: f64,
    ln_higher: f64,
    ln_lower: f64,
    ln_greatest: f64,
    decision: Decision,
}

impl EProcess {
    /// A bet that alarms falsely with probability at most α, both sides together.
    #[must_use]
    pub fn new(confidence: Confidence) -> EProcess {
        EProcess {
            confidence,
            families: 0,
            sum: 0.0,
            squares: 0.0,
            ln_higher: 0.0,
            ln_lower: 0.0,
            ln_greatest: 0.0,
            decision: Decision::Undecided,
        }
    }

    /// Takes the next family's lift, brought between -1 and 1, and says where the bet stands. A decision is
    /// final.
    pub fn observe(&mut self, difference: f64) -> Decision {
        let difference = difference.clamp(-1.0, 1.0);
        let bet = self.bet();
        self.ln_higher += (bet.max(0.0) * difference).ln_1p();
        self.ln_lower += (-bet.min(0.0) * -difference).ln_1p();
        self.families += 1;
        self.sum += difference;
        self.squares += difference * difference;
        self.ln_greatest = self.ln_greatest.max(self.ln_higher).max(self.ln_lower);
        let enough = (2.0 / self.confidence.alpha()).ln();
        if self.decision == Decision::Undecided {
            self.decision = match () {
                () if self.ln_higher >= enough => Decision::Higher,
                () if self.ln_lower >= enough => Decision::Lower,
                () => Decision::Undecided,
            };
        }
        self.decision
    }

    /// What has been decided so far.
    #[must_use]
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// Families seen.
    #[must_use]
    pub fn families(&self) -> u32 {
        self.families
    }

    /// The wealth of the bets on a higher and on a lower rate: evidence against "no lift" on each side.
    #[must_use]
    pub fn wealth(&self) -> (f64, f64) {
        (self.ln_higher.exp(), self.ln_lower.exp())
    }

    /// A two-sided p-value that holds at every look: 2 / the greatest wealth so far, at most 1.
    #[must_use]
    pub fn p_value(&self) -> f64 {
        (2.0 * (-self.ln_greatest).exp()).min(1.0)
    }

    /// The next bet: positive on higher, negative on lower.
    fn bet(&self) -> f64 {
        let seen = f64::from(self.families) + 1.0;
        let mean = self.sum / seen;
        let scatter = (self.squares - 2.0 * mean * self.sum + (seen - 1.0) * mean * mean).max(0.0);
        let variance = (PRIOR_VARIANCE + scatter) / seen;
        (mean / (variance + mean * mean)).clamp(-LARGEST_BET, LARGEST_BET)
    }
}

/// Whether an interval is narrow enough to stop: half its width is at most `half_width` (Chow and Robbins
/// 1965, Annals of Mathematical Statistics 36). Stopping by width, unlike by p-value, does not favour an
/// outcome, but intervals of few families are narrow by luck: below twenty it always goes on.
#[must_use]
pub fn precision_reached(estimate: &Estimate, half_width: f64) -> bool {
    estimate.clusters >= ENOUGH_CLUSTERS && estimate.interval.width() / 2.0 <= half_width
}
