//! Different numbers for what seems to be the same thing: two sentences of two items that count the same unit and share
//! most of their other words.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

use regex::Regex;
use xxhash_rust::xxh3::xxh3_64;

use super::text::{pattern, sentences, words};
use crate::knowledge::Item;

/// Words of four of the shorter sentence's that two sentences have in common if they are about the same thing.
const ALIKE_OF_FOUR: u32 = 3;
/// Common words below which nothing is compared.
const LEAST: u32 = 2;
/// Sentences that share a word and a unit and are compared.
const MOST: usize = 60;

/// A number as digits or as a word, and what follows it.
static COUNTED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b([0-9]+(?:[.,][0-9]+)*|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|fifty|hundred
        |ein(?:e[mnrs]?)?|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf|zwanzig|dreißig|hundert)
        [\ -]?(%|€|\$|£|[\p{L}°]+)",
    )
});

const NUMBERS: &[(&str, &str)] = &[
    ("one", "1"),
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("ten", "10"),
    ("eleven", "11"),
    ("twelve", "12"),
    ("twenty", "20"),
    ("thirty", "30"),
    ("fifty", "50"),
    ("hundred", "100"),
    ("zwei", "2"),
    ("drei", "3"),
    ("vier", "4"),
    ("fünf", "5"),
    ("sechs", "6"),
    ("sieben", "7"),
    ("acht", "8"),
    ("neun", "9"),
    ("zehn", "10"),
    ("elf", "11"),
    ("zwölf", "12"),
    ("zwanzig", "20"),
    ("dreißig", "30"),
    ("hundert", "100"),
];

static NUMBER_WORDS: LazyLock<HashSet<u32>> =
    LazyLock::new(|| NUMBERS.iter().map(|(name, _)| id(name)).collect());

/// Words that say nothing about what is counted.
const EMPTY: &[&str] = &[
    "a", "an", "the", "is", "are", "was", "were", "be", "been", "has", "have", "had", "it", "its", "of",
    "on", "in", "at", "to", "for", "and", "or", "with", "by", "from", "that", "this", "which", "can", "will",
    "every", "each", "all", "as", "up", "about", "der", "die", "das", "ein", "eine", "einen", "einem",
    "einer", "ist", "sind", "hat", "haben", "und", "oder", "mit", "von", "für", "auf", "im", "zu", "den",
    "dem", "des", "jede", "jeder", "jedes", "man", "wird", "werden",
];

/// What one sentence counts.
struct Counted<'a> {
    item: usize,
    sentence: &'a str,
    unit: u32,
    numbers: BTreeSet<String>,
    about: About,
}

/// The words of a sentence besides what it counts, as numbers.
struct About {
    /// Ascending.
    words: Box<[u32]>,
    outline: Outline,
}

/// What can be seen of the words of a sentence without looking at them.
#[derive(Clone, Copy)]
struct Outline {
    /// A bit for each word, which others may have too.
    bits: u64,
    words: u32,
}

impl Outline {
    /// Words that two sentences must have in common to be about the same thing; `None`: they cannot have so many.
    fn least(self, other: Outline) -> Option<usize> {
        let least = (ALIKE_OF_FOUR * self.words.min(other.words)).div_ceil(4).max(LEAST);
        // As many bits as words would be common, but for words that share a bit.
        let hidden = self.words - self.bits.count_ones();
        ((self.bits & other.bits).count_ones() + hidden >= least).then_some(least as usize)
    }
}

/// A word as a number: two of 100,000 may have the same, and then a pair more is looked at.
fn id(word: &str) -> u32 {
    (xxh3_64(word.as_bytes()) >> 32) as u32
}

impl About {
    fn new(mut words: Vec<u32>) -> About {
        words.sort_unstable();
        words.dedup();
        let bits = words.iter().fold(0, |bits, word| bits | 1 << (word % u64::BITS));
        let outline = Outline { bits, words: u32::try_from(words.len()).unwrap_or(u32::MAX) };
        About { words: words.into(), outline }
    }

    /// Words that are in both.
    fn common(&self, other: &About) -> usize {
        self.words.iter().filter(|word| other.words.binary_search(word).is_ok()).count()
    }
}

/// Two items that contradict each other.
pub(super) struct Contradiction<'a> {
    pub(super) items: (usize, usize),
    /// What the second one says.
    pub(super) sentence: &'a str,
}

/// The contradictions among the items of a brand, whose names say nothing about what is counted; each later item
/// once, with the first that it was found to contradict.
pub(super) fn contradictions<'a>(items: &[&'a Item], names: &[&str]) -> Vec<Contradiction<'a>> {
    let of_names = names.iter().flat_map(|name| words(name)).map(|word| id(&word));
    let empty: HashSet<u32> = of_names.chain(EMPTY.iter().map(|word| id(word))).collect();
    let mut counted: Vec<Counted<'a>> = Vec::new();
    let mut by_word: HashMap<(u32, u32), Vec<usize>> = HashMap::new();
    // The sentence that another was compared with last.
    let mut compared: Vec<usize> = Vec::new();
    let mut outlines: Vec<Outline> = Vec::new();
    let mut found: Vec<Contradiction<'a>> = Vec::new();
    for (number, &item) in items.iter().enumerate() {
        for new in read(number, item, &empty) {
            let mut known = found.last().is_some_and(|known| known.items.1 == new.item);
            let position = counted.len();
            for &word in &new.about.words {
                let others = by_word.entry((new.unit, word)).or_default();
                for &place in others.iter() {
                    // Most pairs are told apart by this alone.
                    let Some(least) = new.about.outline.least(outlines[place]).filter(|_| !known) else {
                        continue;
                    };
                    let is_new = std::mem::replace(&mut compared[place], position) != position;
                    let other = &counted[place];
                    if is_new && contradict((items[other.item], other), (item, &new), least) {
                        found.push(Contradiction { items: (other.item, new.item), sentence: new.sentence });
                        known = true;
                    }
                }
                if others.len() < MOST {
                    others.push(position);
                }
            }
            compared.push(position);
            outlines.push(new.about.outline);
            counted.push(new);
        }
    }
    found
}

fn contradict(
    (one_item, one): (&Item, &Counted<'_>),
    (other_item, other): (&Item, &Counted<'_>),
    least: usize,
) -> bool {
    one.item != other.item
        && one.about.common(&other.about) >= least
        && one_item.language == other_item.language
        && one.numbers.is_disjoint(&other.numbers)
        // What is valid at different times may count differently.
        && one_item.validity == other_item.validity
}

/// What the sentences of an item count, by unit.
fn read<'a>(number: usize, item: &'a Item, empty: &HashSet<u32>) -> Vec<Counted<'a>> {
    let text = item.text();
    let mut all = Vec::new();
    for range in sentences(text) {
        let sentence = &text[range];
        let mut by_unit: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for found in COUNTED.captures_iter(sentence) {
            let unit = stem(&found[2].to_lowercase());
            if !empty.contains(&id(&unit)) {
                by_unit.entry(unit).or_default().insert(digits(&found[1]));
            }
        }
        for (unit, numbers) in by_unit {
            let about = words(sentence)
                .filter(|word| !empty.contains(&id(word)) && !word.chars().all(char::is_numeric))
                .map(|word| id(&stem(&word)))
                .filter(|word| *word != id(&unit) && !NUMBER_WORDS.contains(word))
                .collect();
            let (unit, about) = (id(&unit), About::new(about));
            all.push(Counted { item: number, sentence: sentence.trim(), unit, numbers, about });
        }
    }
    all
}

fn digits(number: &str) -> String {
    let lower = number.to_lowercase();
    match NUMBERS.iter().find(|(name, _)| *name == lower) {
        Some((_, digits)) => (*digits).to_owned(),
        None if lower.starts_with("ein") => "1".to_owned(),
        None => lower.trim_end_matches(['.', ',']).to_owned(),
    }
}

/// Plurals and cases of units: `years` and `year`, `Jahren` and `Jahre`. `KG` and kilogram are one unit too.
fn stem(word: &str) -> String {
    match word {
        "kg" | "kilo" | "kilos" | "kilogram" | "kilogramm" => return "kilogram".to_owned(),
        "gram" | "gramm" => return "g".to_owned(),
        _ => {}
    }
    let long = word.chars().count() > 3;
    let ends = ["en", "es", "n", "e", "s"];
    let end = ends.iter().find(|end| long && word.ends_with(**end) && word.len() > end.len() + 2);
    let stemmed = end.map_or(word, |end| &word[..word.len() - end.len()]);
    if stemmed == "kilogram" || stemmed == "kilogramm" { "kilogram".to_owned() } else { stemmed.to_owned() }
}
