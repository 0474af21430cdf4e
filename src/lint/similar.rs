//! Items that say the same in almost the same words. Runs of three words are compared (Broder 1997, "On the
//! resemblance and containment of documents"); candidates share one of their smallest hashes, so that not every item
//! is compared with every other.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use super::text::words;
use crate::knowledge::Item;

/// Share of common runs from which two items say the same.
const ALIKE: f64 = 0.7;
/// Smallest hashes of an item that others are found by.
const SKETCH: usize = 6;
/// Items that share a hash and are compared: more than that is boiler-plate, of which the first are told.
const MOST: usize = 40;

/// Pairs of positions in `items` that say the same; each later item once, with the first that it repeats.
pub(super) fn duplicates(items: &[&Item]) -> Vec<(usize, usize)> {
    let runs: Vec<Box<[u64]>> = items.iter().map(|item| runs(item)).collect();
    let mut by_hash: HashMap<u64, Vec<usize>> = HashMap::new();
    let mut pairs = Vec::new();
    // The item that another was compared with last.
    let mut compared: Vec<usize> = (0..items.len()).collect();
    for (number, own) in runs.iter().enumerate() {
        let mut twin = None;
        for hash in own.iter().take(SKETCH) {
            let others = by_hash.entry(*hash).or_default();
            for &other in others.iter() {
                // One that shares several hashes is compared once.
                if std::mem::replace(&mut compared[other], number) == number {
                    continue;
                }
                let same_language = items[other].language == items[number].language;
                if same_language && resemblance(own, &runs[other]) >= ALIKE {
                    twin = twin.min(Some(other)).or(Some(other));
                }
            }
            if others.len() < MOST {
                others.push(number);
            }
        }
        pairs.extend(twin.map(|twin| (twin, number)));
    }
    pairs
}

/// The hashes of a text's runs, ascending.
fn runs(item: &Item) -> Box<[u64]> {
    let words: Vec<String> = words(item.text()).collect();
    let mut runs: Vec<u64> =
        words.windows(3.min(words.len().max(1))).map(|run| xxh3_64(run.join(" ").as_bytes())).collect();
    runs.sort_unstable();
    runs.dedup();
    runs.into()
}

/// The share of common runs among all of both.
fn resemblance(one: &[u64], other: &[u64]) -> f64 {
    let (mut common, mut rest) = (0, other);
    for hash in one {
        let less = rest.iter().take_while(|other| *other < hash).count();
        rest = &rest[less..];
        common += usize::from(rest.first() == Some(hash));
    }
    common as f64 / (one.len() + other.len() - common).max(1) as f64
}
