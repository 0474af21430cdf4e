//! Items that say the same in almost the same words. Runs of three words are compared (Broder 1997, "On the
//! resemblance and containment of documents"); candidates share one of their smallest hashes, so that not every item
//! is compared with every other.

use std::collections::{HashMap, HashSet};

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
    let runs: Vec<HashSet<u64>> = items.iter().map(|item| runs(item)).collect();
    let mut by_hash: HashMap<u64, Vec<usize>> = HashMap::new();
    let mut pairs = Vec::new();
    for (number, own) in runs.iter().enumerate() {
        let mut smallest: Vec<u64> = own.iter().copied().collect();
        smallest.sort_unstable();
        smallest.truncate(SKETCH);
        let mut compared = HashSet::new();
        let mut twin = None;
        for hash in &smallest {
            let others = by_hash.entry(*hash).or_default();
            for &other in others.iter().filter(|other| compared.insert(**other)) {
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

fn runs(item: &Item) -> HashSet<u64> {
    let words: Vec<String> = words(item.text()).collect();
    if words.len() < 3 {
        return HashSet::from([xxh3_64(words.join(" ").as_bytes())]);
    }
    words.windows(3).map(|run| xxh3_64(run.join(" ").as_bytes())).collect()
}

/// The share of common runs among all of both.
fn resemblance(one: &HashSet<u64>, other: &HashSet<u64>) -> f64 {
    let common = one.intersection(other).count();
    common as f64 / (one.len() + other.len() - common).max(1) as f64
}
