//! Different numbers for what seems to be the same thing: two sentences of two items that count the same unit and share
//! most of their other words.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

use regex::Regex;

use super::text::{pattern, sentences, words};
use crate::knowledge::Item;

/// Words of four of the shorter sentence's that two sentences have in common if they are about the same thing.
const ALIKE_OF_FOUR: usize = 3;
/// Common words below which nothing is compared.
const LEAST: usize = 2;
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
    /// A bit for each word, which others may have too: what two sentences can have in common at most is seen in it.
    bits: u64,
}

/// Words as numbers, in the order in which they came.
#[derive(Default)]
struct Numbered(HashMap<String, u32>);

impl Numbered {
    fn of(&mut self, word: String) -> u32 {
        let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        *self.0.entry(word).or_insert(next)
    }
}

impl About {
    fn new(mut words: Vec<u32>) -> About {
        words.sort_unstable();
        words.dedup();
        let bits = words.iter().fold(0, |bits, word| bits | 1 << (word % u64::BITS));
        About { words: words.into(), bits }
    }

    /// Whether at least so many words are in both.
    fn share(&self, other: &About, least: usize) -> bool {
        // As many bits as words would be common, but for words that share a bit.
        let hidden = self.words.len() - self.bits.count_ones() as usize;
        if ((self.bits & other.bits).count_ones() as usize) + hidden < least {
            return false;
        }
        self.words.iter().filter(|word| other.words.binary_search(word).is_ok()).count() >= least
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
    let empty: HashSet<String> =
        names.iter().flat_map(|name| words(name)).chain(EMPTY.iter().map(|&word| word.to_owned())).collect();
    let mut counted: Vec<Counted<'a>> = Vec::new();
    let mut by_word: HashMap<(u32, u32), Vec<usize>> = HashMap::new();
    let mut numbered = Numbered::default();
    // The sentence that another was compared with last.
    let mut compared: Vec<usize> = Vec::new();
    let mut found: Vec<Contradiction<'a>> = Vec::new();
    for (number, &item) in items.iter().enumerate() {
        for new in read(number, item, &empty, &mut numbered) {
            let mut known = found.last().is_some_and(|known| known.items.1 == new.item);
            let position = counted.len();
            for &word in &new.about.words {
                let others = by_word.entry((new.unit, word)).or_default();
                for &place in others.iter() {
                    let is_new = std::mem::replace(&mut compared[place], position) != position;
                    let other = &counted[place];
                    if is_new && !known && contradict(items[other.item], other, item, &new) {
                        found.push(Contradiction { items: (other.item, new.item), sentence: new.sentence });
                        known = true;
                    }
                }
                if others.len() < MOST {
                    others.push(position);
                }
            }
            compared.push(position);
            counted.push(new);
        }
    }
    found
}

fn contradict(one_item: &Item, one: &Counted<'_>, other_item: &Item, other: &Counted<'_>) -> bool {
    let shorter = one.about.words.len().min(other.about.words.len());
    let least = (ALIKE_OF_FOUR * shorter).div_ceil(4).max(LEAST);
    one.item != other.item
        && one.about.share(&other.about, least)
        && one_item.language == other_item.language
        && one.numbers.is_disjoint(&other.numbers)
        // What is valid at different times may count differently.
        && one_item.validity == other_item.validity
}

/// What the sentences of an item count, by unit.
fn read<'a>(
    number: usize,
    item: &'a Item,
    empty: &HashSet<String>,
    numbered: &mut Numbered,
) -> Vec<Counted<'a>> {
    let text = item.text();
    let mut all = Vec::new();
    for range in sentences(text) {
        let sentence = &text[range];
        let mut by_unit: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for found in COUNTED.captures_iter(sentence) {
            let unit = stem(&found[2].to_lowercase());
            if !empty.contains(&unit) {
                by_unit.entry(unit).or_default().insert(digits(&found[1]));
            }
        }
        for (unit, numbers) in by_unit {
            let about = words(sentence)
                .filter(|word| !empty.contains(word) && !word.chars().all(char::is_numeric))
                .map(|word| stem(&word))
                .filter(|word| *word != unit && !NUMBERS.iter().any(|(name, _)| name == word))
                .map(|word| numbered.of(word))
                .collect();
            let (unit, about) = (numbered.of(unit), About::new(about));
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
