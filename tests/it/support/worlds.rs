//! Worlds whose true rates are known: questions are drawn, then answers to them, from a seed.

use foreword::statistics::{Confidence, Paired, QuestionPair, StatisticsError, Tally, beta_quantile, pairs};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Where the questions' baseline rates come from.
#[derive(Clone, Copy)]
pub enum Baseline {
    /// A Beta distribution with these shapes.
    Beta(f64, f64),
    /// The same for all.
    Fixed(f64),
}

/// What the treatment does to a question's rate.
#[derive(Clone, Copy)]
pub enum Effect {
    /// Nothing.
    None,
    /// It becomes this.
    Becomes(f64),
    /// It moves up or down by this much, each as likely: no lift on average.
    Scatters(f64),
    /// It moves towards one by a share that is uniform up to this.
    Raises(f64),
}

/// One kind of experiment.
#[derive(Clone, Copy)]
pub struct World {
    pub name: &'static str,
    pub questions: usize,
    pub repeats: u32,
    pub baseline: Baseline,
    pub effect: Effect,
}

impl World {
    /// The baseline's rate over all questions that could have been drawn.
    pub fn rate(&self) -> f64 {
        match self.baseline {
            Baseline::Beta(a, b) => a / (a + b),
            Baseline::Fixed(rate) => rate,
        }
    }

    /// The lift over all questions that could have been drawn.
    pub fn lift(&self) -> f64 {
        match self.effect {
            Effect::None | Effect::Scatters(_) => 0.0,
            Effect::Becomes(rate) => rate - self.rate(),
            Effect::Raises(most) => (1.0 - self.rate()) * most / 2.0,
        }
    }

    /// The answers of one experiment, and its lift on exactly the questions that were drawn.
    pub fn questions(&self, chance: &mut Chance) -> (Vec<QuestionPair>, f64) {
        let mut lifts = 0.0;
        let questions = (0..self.questions)
            .map(|number| {
                let (baseline, treated) = self.question(chance);
                lifts += treated - baseline;
                QuestionPair {
                    family: format!("{number:04}"),
                    baseline: chance.tally(baseline, self.repeats),
                    treated: chance.tally(treated, self.repeats),
                }
            })
            .collect();
        (questions, lifts / self.questions as f64)
    }

    fn question(&self, chance: &mut Chance) -> (f64, f64) {
        let baseline = match self.baseline {
            Baseline::Beta(a, b) => beta_quantile(chance.uniform(), a, b).unwrap(),
            Baseline::Fixed(rate) => rate,
        };
        let treated = match self.effect {
            Effect::None => baseline,
            Effect::Becomes(rate) => rate,
            Effect::Scatters(by) => baseline + if chance.uniform() < 0.5 { by } else { -by },
            Effect::Raises(most) => baseline + (1.0 - baseline) * most * chance.uniform(),
        };
        (baseline, treated.clamp(0.0, 1.0))
    }

    /// The share of `experiments` in which `holds` of the pairs and of their own lift.
    pub fn share(
        &self,
        experiments: u32,
        seed: u64,
        holds: impl Fn(&[Paired], f64) -> Result<bool, StatisticsError>,
    ) -> f64 {
        let mut chance = Chance::new(seed);
        let held: u32 = (0..experiments)
            .map(|_| {
                let (questions, lift) = self.questions(&mut chance);
                u32::from(holds(&pairs(&questions), lift).unwrap())
            })
            .sum();
        f64::from(held) / f64::from(experiments)
    }
}

/// The level of all intervals here.
pub const LEVEL: Confidence = Confidence::NINETY_FIVE;

/// Draws from a seed.
pub struct Chance(ChaCha8Rng);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        let mut key = [0x5a; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Chance(ChaCha8Rng::from_seed(key))
    }

    /// Strictly between 0 and 1.
    pub fn uniform(&mut self) -> f64 {
        ((self.0.next_u64() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// Answers to a question whose rate is known.
    pub fn tally(&mut self, rate: f64, repeats: u32) -> Tally {
        let mentions = (0..repeats).filter(|_| self.uniform() < rate).count() as u32;
        Tally { mentions, silent: repeats - mentions, missing: 0 }
    }
}
