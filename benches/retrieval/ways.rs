//! Other ways to find the ten nearest of many vectors, beside the one that serves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pulp::{Arch, Simd, WithSimd};

use super::made_up::{DIMENSION, GROUP, direction};
use super::{QUERIES, quantiles, quickest};

/// Other ways to find the ten nearest of the whole vectors.
pub fn compare(count: u64) {
    let vectors: Vec<f32> =
        (0..count).flat_map(|number| direction(number / GROUP, 2 * number, 0.9).to_vec()).collect();
    let queries: Vec<Arc<[f32]>> = (0..QUERIES as u64)
        .map(|number| direction((number * 7_919) % count / GROUP, number ^ 0x5555_0000, 1.0))
        .collect();
    let all: Vec<u32> = (0..count as u32).collect();
    let truth: Vec<Vec<u32>> = queries.iter().map(|query| rescored(&vectors, query, &all)).collect();
    println!("| way | build | p50 / p99 | recall@10 | MB beside the 32-bit vectors |\n|---|---|---|---|---|");
    let report = |name: &str, build: Duration, megabytes: f64, find: &dyn Fn(&[f32]) -> Vec<u32>| {
        let mut times: Vec<Duration> = queries.iter().map(|query| quickest(|| find(query))).collect();
        let hits = |(query, truth): (&Arc<[f32]>, &Vec<u32>)| {
            find(query).iter().filter(|item| truth.contains(item)).count()
        };
        let recall = queries.iter().zip(&truth).map(hits).sum::<usize>() as f64 / (10 * QUERIES) as f64;
        println!("| {name} | {build:.1?} | {} | {recall:.4} | {megabytes:.0} |", quantiles(&mut times));
    };
    report("exact, 32 bits a number", Duration::ZERO, 0.0, &|query| rescored(&vectors, query, &all));
    let started = Instant::now();
    let bytes: Vec<i8> = vectors.iter().map(|number| (number * 400.0).clamp(-127.0, 127.0) as i8).collect();
    report("8 bits a number, 64 rescored", started.elapsed(), bytes.len() as f64 / 1e6, &|query| {
        let query_bytes: Vec<i8> =
            query.iter().map(|number| (number * 400.0).clamp(-127.0, 127.0) as i8).collect();
        let score = |item: u32| Arch::new().dispatch(Bytes { a: &query_bytes, b: row(&bytes, item) });
        rescored(&vectors, query, &top(&all, 64, |item| -score(item)))
    });
    let started = Instant::now();
    let sketches: Vec<u64> = vectors.chunks(64).map(bits).collect();
    let built = started.elapsed();
    for keep in [256, 1_024] {
        report(&format!("1 bit a number, {keep} rescored"), built, sketches.len() as f64 * 8e-6, &|query| {
            let query_bits: Vec<u64> = query.chunks(64).map(bits).collect();
            let distances = Arch::new().dispatch(Bits { query: &query_bits, sketches: &sketches });
            rescored(&vectors, query, &top(&all, keep, |item| distances[item as usize]))
        });
    }
    let started = Instant::now();
    let lists = Lists::new(&vectors);
    let built = started.elapsed();
    for probes in [4, 16, 64] {
        report(
            &format!("inverted lists, {probes} of {} read", lists.members.len()),
            built,
            lists.megabytes(),
            &|query| {
                let near =
                    top(&lists.numbers, probes, |list| -ordered(dot(row(&lists.centres, list), query)));
                let members: Vec<u32> =
                    near.iter().flat_map(|&list| lists.members[list as usize].iter().copied()).collect();
                rescored(&vectors, query, &members)
            },
        );
    }
}

/// Vectors by the nearest of some centres.
struct Lists {
    numbers: Vec<u32>,
    centres: Vec<f32>,
    members: Vec<Vec<u32>>,
}

impl Lists {
    /// As many lists as the square root of the vectors; three rounds of k-means.
    fn new(vectors: &[f32]) -> Lists {
        let count = vectors.len() / DIMENSION;
        let lists = (count as f64).sqrt() as usize;
        let step = count / lists;
        let mut centres: Vec<f32> =
            (0..lists).flat_map(|list| row(vectors, (list * step) as u32).to_vec()).collect();
        let mut members = vec![Vec::new(); lists];
        for _ in 0..3 {
            members = vec![Vec::new(); lists];
            for item in 0..count as u32 {
                let like = |list: &usize| ordered(dot(row(&centres, *list as u32), row(vectors, item)));
                members[(0..lists).max_by_key(like).unwrap()].push(item);
            }
            for (list, of_list) in members.iter().enumerate().filter(|(_, of_list)| !of_list.is_empty()) {
                let mut sum = vec![0.0_f32; DIMENSION];
                for &item in of_list {
                    sum.iter_mut().zip(row(vectors, item)).for_each(|(sum, number)| *sum += number);
                }
                let length = sum.iter().map(|number| number * number).sum::<f32>().sqrt();
                let centre = &mut centres[list * DIMENSION..(list + 1) * DIMENSION];
                centre.iter_mut().zip(&sum).for_each(|(centre, sum)| *centre = sum / length);
            }
        }
        Lists { numbers: (0..lists as u32).collect(), centres, members }
    }

    fn megabytes(&self) -> f64 {
        let members: usize = self.members.iter().map(Vec::len).sum();
        (4 * (self.centres.len() + members)) as f64 / 1e6
    }
}

fn row<T>(numbers: &[T], item: u32) -> &[T] {
    &numbers[item as usize * DIMENSION..(item as usize + 1) * DIMENSION]
}

/// A whole number in the order of the number.
fn ordered(number: f32) -> i64 {
    (f64::from(number) * 1e9) as i64
}

/// The `keep` of some that come first, by value and place.
fn top<T: Ord>(of: &[u32], keep: usize, value: impl Fn(u32) -> T) -> Vec<u32> {
    let mut valued: Vec<(T, u32)> = of.iter().map(|&item| (value(item), item)).collect();
    if valued.len() > keep {
        valued.select_nth_unstable(keep - 1);
        valued.truncate(keep);
    }
    valued.sort_unstable();
    valued.into_iter().map(|(_, item)| item).collect()
}

/// The ten nearest of some by the vectors themselves.
fn rescored(vectors: &[f32], query: &[f32], of: &[u32]) -> Vec<u32> {
    top(of, 10, |item| -ordered(dot(row(vectors, item), query)))
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    Arch::new().dispatch(Floats { a, b })
}

struct Floats<'a> {
    a: &'a [f32],
    b: &'a [f32],
}

impl WithSimd for Floats<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f32 {
        let mut sums = [0.0_f32; 32];
        let (a, b) = (self.a.as_chunks::<32>().0, self.b.as_chunks::<32>().0);
        for (a, b) in a.iter().zip(b) {
            for at in 0..32 {
                sums[at] += a[at] * b[at];
            }
        }
        sums.iter().sum()
    }
}

struct Bytes<'a> {
    a: &'a [i8],
    b: &'a [i8],
}

impl WithSimd for Bytes<'_> {
    type Output = i32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> i32 {
        self.a.iter().zip(self.b).map(|(a, b)| i32::from(i16::from(*a) * i16::from(*b))).sum()
    }
}

struct Bits<'a> {
    query: &'a [u64],
    sketches: &'a [u64],
}

impl WithSimd for Bits<'_> {
    type Output = Vec<u16>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<u16> {
        let Some(query) = self.query.first_chunk::<6>() else { return Vec::new() };
        let differ = |sketch: &[u64; 6]| {
            let bits: u32 = query.iter().zip(sketch).map(|(a, b)| (a ^ b).count_ones()).sum();
            bits as u16
        };
        self.sketches.as_chunks::<6>().0.iter().map(differ).collect()
    }
}

fn bits(numbers: &[f32]) -> u64 {
    numbers.iter().enumerate().fold(0, |bits, (at, number)| bits | u64::from(*number > 0.0) << at)
}
