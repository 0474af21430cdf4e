//! A linear classifier of vectors: multinomial logistic regression, learned by stochastic gradient descent in an order
//! that is always the same. Pure.

use std::array;

use pulp::{Arch, Simd, WithSimd};

/// Classes that are told apart at most: as many as are computed side by side.
pub const MOST_CLASSES: usize = 16;

/// Times that every example is looked at.
const EPOCHS: usize = 16;
/// Length of the first step; the others are ever shorter.
const STEP: f32 = 3.0;
/// Weight of the squared weights beside the mean loss of an example.
const DECAY: f32 = 2e-5;
/// The share of all examples that lies between one and the next to be looked at (the golden section), so that classes,
/// which come one after the other, are mixed.
const STRIDE: f32 = 0.618_034;

/// One number for each class.
type Scores = [f32; MOST_CLASSES];

/// What was learned.
#[derive(Debug, Clone, PartialEq)]
pub struct Softmax {
    classes: usize,
    /// The weights of each number of a vector, and at last what is added.
    weights: Vec<Scores>,
}

impl Softmax {
    /// Learns from vectors of length 1 with their classes, numbered from zero. `None`: there are too many classes, or
    /// vectors of different dimensions.
    pub fn learn(examples: &[(usize, Vec<f32>)]) -> Option<Softmax> {
        let classes = examples.iter().map(|(class, _)| class + 1).max()?;
        let dimension = examples.first()?.1.len();
        if classes > MOST_CLASSES || examples.iter().any(|(_, numbers)| numbers.len() != dimension) {
            return None;
        }
        let unlearned = Softmax { classes, weights: vec![[0.0; MOST_CLASSES]; dimension + 1] };
        Some(Arch::new().dispatch(Learning { examples, unlearned }))
    }

    /// How likely each class is, as logarithms with a common summand. Zeros for a vector of another dimension.
    #[inline(always)]
    pub fn scores(&self, numbers: &[f32]) -> Scores {
        let mut scores = [0.0; MOST_CLASSES];
        if numbers.len() + 1 == self.weights.len() {
            for (number, weights) in numbers.iter().chain([&1.0]).zip(&self.weights) {
                for (score, weight) in scores.iter_mut().zip(weights) {
                    *score += number * weight;
                }
            }
        }
        scores
    }

    /// Changes the weights so that the class of an example becomes likelier.
    #[inline(always)]
    fn step(&mut self, class: usize, numbers: &[f32], step: f32) {
        let scores = self.scores(numbers);
        let scores = &scores[..self.classes];
        let highest = scores.iter().copied().fold(f32::MIN, f32::max);
        let sum: f32 = scores.iter().map(|score| (score - highest).exp()).sum();
        let change: Scores = array::from_fn(|at| match scores.get(at) {
            Some(score) => step * (f32::from(u8::from(at == class)) - (score - highest).exp() / sum),
            None => 0.0,
        });
        let kept = 1.0 - step * DECAY;
        for (number, weights) in numbers.iter().chain([&1.0]).zip(&mut self.weights) {
            for (weight, change) in weights.iter_mut().zip(change) {
                *weight = *weight * kept + number * change;
            }
        }
    }
}

/// All that there is to learn.
struct Learning<'a> {
    examples: &'a [(usize, Vec<f32>)],
    unlearned: Softmax,
}

impl WithSimd for Learning<'_> {
    type Output = Softmax;

    // Inlined into a copy for each kind of processor. Each class is summed up by itself, in the same order everywhere.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Softmax {
        let Learning { examples, unlearned: mut learned } = self;
        let stride = stride(examples.len());
        for epoch in 0..EPOCHS {
            let step = STEP * (EPOCHS - epoch) as f32 / EPOCHS as f32;
            for number in 0..examples.len() {
                let (class, numbers) = &examples[(number * stride + epoch) % examples.len()];
                learned.step(*class, numbers, step);
            }
        }
        learned
    }
}

/// A step through so many places that visits each once.
fn stride(count: usize) -> usize {
    let start = (count as f32 * STRIDE) as usize;
    (start.max(1)..).find(|&stride| greatest_common_divisor(stride, count) == 1).unwrap_or(1)
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::{MOST_CLASSES, Softmax, greatest_common_divisor, stride};

    /// A unit vector at an angle in degrees.
    fn at(degrees: f32) -> Vec<f32> {
        vec![degrees.to_radians().cos(), degrees.to_radians().sin()]
    }

    #[test]
    fn classes_are_told_apart_and_always_in_the_same_way() {
        let around = |class, middle: i16| (-9_i16..=9).map(move |at_| (class, at(f32::from(middle + at_))));
        let examples: Vec<_> = around(0, 0).chain(around(1, 120)).chain(around(2, 240)).collect();
        let learned = Softmax::learn(&examples).unwrap();
        for (class, middle) in [(0, 12.0), (1, 105.0), (2, 228.0)] {
            let scores = learned.scores(&at(middle));
            let best = (0..3).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
            assert_eq!(best, class, "{scores:?}");
        }
        assert_eq!(Softmax::learn(&examples), Some(learned.clone()));
        assert_eq!(learned.scores(&[1.0; 7]), [0.0; MOST_CLASSES]);
    }

    #[test]
    fn what_cannot_be_learned_from_is_refused() {
        assert_eq!(Softmax::learn(&[]), None);
        assert_eq!(Softmax::learn(&[(0, at(0.0)), (1, vec![1.0])]), None);
        assert_eq!(Softmax::learn(&[(MOST_CLASSES, at(0.0))]), None);
    }

    #[test]
    fn a_stride_visits_every_place_once() {
        for count in 1..200 {
            assert_eq!(greatest_common_divisor(stride(count), count), 1, "{count}");
        }
    }
}
