//! Different numbers for what seems to be the same thing: two sentences of two items that count the same unit and share
//! most of their other words.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

use regex::Regex;

use super::text::{pattern, sentences, words};
use crate::knowledge::Item;

/// Share of common words, of the shorter sentence's, from which two sentences are about the same thing.
const ALIKE: f64 = 0.75;
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
    unit: String,
    numbers: BTreeSet<String>,
    about: HashSet<String>,
}

/// Two items that contradict each other.
pub(super) struct Contradiction<'a> {
    pub(super) items: (usize, usize),
    /// What the second one says.
    pub(super) sentence: &'a str,
}

/// The contradictions among the items of a brand, whose names say nothing about what is counted.
pub(super) fn contradictions<'a>(items: &[&'a Item], names: &[&str]) -> Vec<Contradiction<'a>> {
    let empty: HashSet<String> =
        names.iter().flat_map(|name| words(name)).chain(EMPTY.iter().map(|&word| word.to_owned())).collect();
    let mut counted: Vec<Counted<'a>> = Vec::new();
    let mut by_word: HashMap<(String, String), Vec<usize>> = HashMap::new();
    let mut found: Vec<Contradiction<'a>> = Vec::new();
    for (number, &item) in items.iter().enumerate() {
        for new in read(number, item, &empty) {
            let mut compared = HashSet::new();
            let position = counted.len();
            for word in &new.about {
                let others = by_word.entry((new.unit.clone(), word.clone())).or_default();
                for &other in others.iter().filter(|other| compared.insert(**other)) {
                    let other = &counted[other];
                    let known = found.iter().any(|known| known.items == (other.item, new.item));
                    if !known && contradict(items[other.item], other, item, &new) {
                        found.push(Contradiction { items: (other.item, new.item), sentence: new.sentence });
                    }
                }
                if others.len() < MOST {
                    others.push(position);
                }
            }
            counted.push(new);
        }
    }
    found
}

fn contradict(one_item: &Item, one: &Counted<'_>, other_item: &Item, other: &Counted<'_>) -> bool {
    if one.item == other.item
        || one_item.language != other_item.language
        || !one.numbers.is_disjoint(&other.numbers)
    {
        return false;
    }
    // What is valid at different times may count differently.
    if one_item.validity != other_item.validity {
        return false;
    }
    let common = one.about.intersection(&other.about).count();
    let shorter = one.about.len().min(other.about.len());
    common >= LEAST && common as f64 >= ALIKE * shorter as f64
}

/// What the sentences of an item count, by unit.
fn read<'a>(number: usize, item: &'a Item, empty: &HashSet<String>) -> Vec<Counted<'a>> {
    let text = item.text();
    let mut all = Vec::new();
    for range in sentences(text) {
        let sentence = &text[range];
        let mut by_unit: HashMap<String, BTreeSet<String>> = HashMap::new();
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
                .collect();
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
