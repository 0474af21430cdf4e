//! Directions in fixed point, and their sketches. Sums of integers are the same in every order, so that
//! each machine gets the same numbers, however wide its instructions are.

use std::hint::black_box;
use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};

/// What 1 is in fixed point. The products of two directions sum up to the square of it at most, which 32
/// bits hold.
const ONE: f32 = 32_767.0;

/// The square of the length of a vector that counts as one of length 1.
const LONGEST: f32 = 1.01;

/// A vector of length 1 with 16 bits a number. The cosine of two differs from that of 32-bit floating point
/// numbers by about 1e-5, far less than the quantised model's own error. Copies share their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vector(Arc<[i16]>);

impl Vector {
    /// Rounds a vector of length 1. What is no direction, or longer, becomes zeros, which are like nothing.
    pub fn of(numbers: &[f32]) -> Vector {
        let square: f32 = numbers.iter().map(|number| number * number).sum();
        let scale = if square <= LONGEST { ONE } else { 0.0 };
        Vector(numbers.iter().map(|number| (number * scale).round() as i16).collect())
    }

    /// The cosine of the angle to another one; 0 with one of another dimension.
    pub fn cosine(&self, other: &Vector) -> f32 {
        if self.dimension() != other.dimension() {
            return 0.0;
        }
        cosines(self, std::iter::once(other)).next().unwrap_or(0.0)
    }

    /// The sum of this one and a part of another one.
    pub(super) fn plus(&self, part: f32, other: &Vector) -> Vec<f32> {
        self.0.iter().zip(&*other.0).map(|(a, b)| (f32::from(*a) + part * f32::from(*b)) / ONE).collect()
    }

    /// Its numbers.
    pub fn numbers(&self) -> impl Iterator<Item = f32> + '_ {
        self.0.iter().map(|number| f32::from(*number) / ONE)
    }

    /// Its bytes, two a number, in the order of the numbers.
    pub(super) fn bytes(&self) -> impl Iterator<Item = [u8; 2]> + '_ {
        self.0.iter().map(|number| number.to_le_bytes())
    }

    /// The vector of [such bytes](Vector::bytes).
    pub(super) fn of_bytes(bytes: &[u8]) -> Vector {
        Vector(bytes.as_chunks::<2>().0.iter().map(|number| i16::from_le_bytes(*number)).collect())
    }

    /// Numbers in it.
    pub fn dimension(&self) -> usize {
        self.0.len()
    }

    /// The signs as bits: how many differ says how far two vectors are apart (Charikar, "Similarity estimation
    /// techniques from rounding algorithms", 2002).
    pub(super) fn sketch(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.chunks(64).map(|chunk| bits(chunk.iter().map(|number| *number > 0)))
    }
}

/// Words of the sketch of a vector.
pub(super) fn sketch_words(dimension: usize) -> usize {
    dimension.div_ceil(64)
}

/// Brings vectors near the processor before they are read: a number of each line of its cache is looked at, and
/// no look waits for another, as reading them one vector after the other would.
pub(super) fn fetch<'a>(vectors: impl Iterator<Item = &'a Vector>) {
    const LINE: usize = 64 / size_of::<i16>();
    black_box(vectors.flat_map(|vector| vector.0.iter().step_by(LINE)).fold(0, |all, number| all ^ number));
}

/// The cosine of a query with each of some vectors.
pub(super) fn cosines<'a>(
    query: &Vector,
    vectors: impl Iterator<Item = &'a Vector>,
) -> impl Iterator<Item = f32> {
    let arch = Arch::new();
    vectors.map(move |vector| arch.dispatch(Dot { a: &query.0, b: &vector.0 }) as f32 / (ONE * ONE))
}

struct Dot<'a> {
    a: &'a [i16],
    b: &'a [i16],
}

impl WithSimd for Dot<'_> {
    type Output = i32;

    // Inlined into a copy for each kind of processor, where the compiler turns the loop into its instructions.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> i32 {
        self.a.iter().zip(self.b).fold(0_i32, |sum, (a, b)| sum.wrapping_add(i32::from(*a) * i32::from(*b)))
    }
}

/// A query that sketches are compared with. How large its own numbers are is known: where a large one's sign is
/// another it counts twice, where a small one's is it counts nothing. Two bits of the query's numbers find most of
/// what all of them would (Gao and Long, "RaBitQ", 2024, give the query four).
pub(super) struct Probe(Vec<Signs>);

/// 64 signs of a query, and which of them count, and which once more.
#[derive(Clone, Copy)]
struct Signs {
    positive: u64,
    counts: u64,
    again: u64,
}

/// Numbers of at least so much of their mean size count, and of so much twice.
const COUNTS: f32 = 0.6;
const COUNTS_TWICE: f32 = 1.7;

impl Probe {
    /// For a vector.
    pub(super) fn of(vector: &Vector) -> Probe {
        let sum: u32 = vector.0.iter().map(|number| u32::from(number.unsigned_abs())).sum();
        let mean = sum as f32 / vector.dimension().max(1) as f32;
        let at_least = |share: f32, chunk: &[i16]| {
            bits(chunk.iter().map(|number| f32::from(number.unsigned_abs()) >= share * mean))
        };
        let signs = vector.0.chunks(64).map(|chunk| Signs {
            positive: bits(chunk.iter().map(|number| *number > 0)),
            counts: at_least(COUNTS, chunk),
            again: at_least(COUNTS_TWICE, chunk),
        });
        Probe(signs.collect())
    }
}

/// For each of some sketches, one after the other, how far it is from a query.
pub(super) fn distances(query: &Probe, sketches: &[u64]) -> Vec<u16> {
    let mut distances = vec![0; sketches.len() / query.0.len().max(1)];
    Arch::new().dispatch(Distances { query: &query.0, sketches, into: &mut distances });
    distances
}

fn bits(flags: impl Iterator<Item = bool>) -> u64 {
    flags.enumerate().fold(0, |bits, (at, flag)| bits | u64::from(flag) << at)
}

struct Distances<'a> {
    query: &'a [Signs],
    sketches: &'a [u64],
    into: &'a mut [u16],
}

impl WithSimd for Distances<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        // Loops of a known length become straight code: those of the usual models with 384, 768 and 1,024
        // numbers.
        match self.query.len() {
            6 => self.scan::<6>(),
            12 => self.scan::<12>(),
            16 => self.scan::<16>(),
            words => {
                for (into, sketch) in self.into.iter_mut().zip(self.sketches.chunks_exact(words.max(1))) {
                    *into = distance(self.query, sketch);
                }
            }
        }
    }
}

impl Distances<'_> {
    #[inline(always)]
    fn scan<const WORDS: usize>(self) {
        let (Some(query), (sketches, _)) =
            (self.query.first_chunk::<WORDS>(), self.sketches.as_chunks::<WORDS>())
        else {
            return;
        };
        // A plain loop: what a collection is extended with would be compiled for any processor.
        for (into, sketch) in self.into.iter_mut().zip(sketches) {
            *into = distance(query, sketch);
        }
    }
}

#[inline(always)]
fn distance(query: &[Signs], sketch: &[u64]) -> u16 {
    let each = query.iter().zip(sketch).map(|(query, sketch)| {
        let other = query.positive ^ sketch;
        (other & query.counts).count_ones() + (other & query.again).count_ones()
    });
    each.sum::<u32>() as u16
}

#[cfg(test)]
mod tests {
    use super::{Probe, Signs, Vector, cosines, distances};

    #[test]
    fn fixed_point_keeps_cosines() {
        let vectors: Vec<Vec<f32>> = (0..20_u8)
            .map(|seed| {
                let numbers: Vec<f32> = (0..100_u8)
                    .map(|at| (f32::from(seed) * 0.7 + f32::from(at) * f32::from(seed)).sin())
                    .collect();
                let length = numbers.iter().map(|number| number * number).sum::<f32>().sqrt().max(1e-9);
                numbers.iter().map(|number| number / length).collect()
            })
            .collect();
        for a in &vectors {
            for b in &vectors {
                let exact: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                let found = cosines(&Vector::of(a), [&Vector::of(b)].into_iter()).next().unwrap();
                assert!((found - exact).abs() < 3e-4, "{found} {exact}");
            }
        }
        let none = Vector::of(&[0.0; 4]);
        for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -9.0] {
            assert_eq!(Vector::of(&[number, 0.5, 0.5, 0.5]), none, "{number}");
        }
    }

    #[test]
    fn distances_count_signs_in_every_dimension() {
        for words in [1, 2, 6, 7, 12, 16] {
            let signs = |at| Signs {
                positive: 0x0123_4567_89ab_cdef_u64.rotate_left(at),
                counts: !0xff,
                again: 0xff00,
            };
            let query = Probe((0..words).map(signs).collect());
            let positive = || query.0.iter().map(|signs| signs.positive);
            let sketches: Vec<u64> = positive()
                .chain(positive().map(|word| !word))
                // One that does not count, one that does, and two that count twice.
                .chain(positive().map(|word| word ^ 1 ^ 1 << 20 ^ 0b11 << 8))
                .collect();
            let words = u16::try_from(words).unwrap();
            assert_eq!(distances(&query, &sketches), [0, (56 + 8) * words, 5 * words]);
        }
    }

    #[test]
    fn large_numbers_of_a_query_count_twice_and_small_ones_not_at_all() {
        let Probe(signs) = Probe::of(&Vector::of(&[0.1, 0.9, -0.3, -0.01]));
        let [Signs { positive, counts, again }] = signs[..] else { panic!("one word") };
        assert_eq!((positive, counts, again), (0b11, 0b110, 0b10));
    }

    #[test]
    fn a_sketch_holds_the_signs() {
        let vector = Vector::of(&[0.5, -0.5, 0.0, 0.7]);
        assert_eq!(vector.sketch().collect::<Vec<_>>(), [0b1001]);
    }
}
