//! What a conversation is about: a question such as "do they take cards?" is understood by what was named
//! before. Subjects are the headings and title prefixes ("Hotel Sunrise: ...") that several items stand
//! under. They are looked for in the turn and in all that was said before it, with spelling mistakes, and
//! count the more the later they were named. Pure: the same conversation gives the same subjects.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::query::Query;
use crate::knowledge::{Body, Item};

/// Share of a subject's weight that must be found together.
const MIN_FOUND: f32 = 0.5;
/// Weight from which a subject can be told from talk. A word of one among 600 subjects weighs 6.
const MIN_WEIGHT: f32 = 3.0;
/// Few subjects say little about how telling a word is: it is judged as among at least so many.
const MIN_SUBJECTS: usize = 100;
/// What a subject counts, beside one that was named in the next text.
const DECAY: f32 = 0.9;
/// How fast all subjects fade while none is named.
const FADING: f32 = 0.95;
/// Letters from which a word may be misspelt.
const FUZZY_LETTERS: usize = 5;
/// What a misspelt word counts.
const FUZZY: f32 = 0.8;
/// Words that may stand between those of a subject.
const SLACK: usize = 2;
/// Items of a subject that become candidates.
pub(super) const MAX_ITEMS: usize = 256;

/// The subjects of one brand's items.
#[derive(Debug, Default)]
pub(super) struct Subjects {
    each: Vec<Subject>,
    /// For each word the subjects that it belongs to.
    by_word: HashMap<Box<str>, Vec<u32>>,
    /// Words by what is left of them without one of their letters.
    by_deletion: HashMap<Box<str>, Vec<Box<str>>>,
    /// The subjects of each item.
    of_item: Vec<Vec<u32>>,
}

#[derive(Debug)]
struct Subject {
    words: Vec<Box<str>>,
    /// Weights of the words.
    weights: Vec<f32>,
    /// Words of its full name, also those that carry nothing.
    length: usize,
    items: Vec<u32>,
}

/// What a conversation is about.
#[derive(Debug, Default)]
pub(super) struct Topic {
    /// How far each subject is it, from 0 to 1, the one that was named last without a discount.
    subjects: BTreeMap<u32, f32>,
    /// How fresh the last naming is: 1 in the turn itself.
    pub(super) freshness: f32,
}

impl Subjects {
    /// Finds the subjects of some items.
    pub(super) fn new(items: &[impl AsRef<Item>]) -> Subjects {
        let mut named: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (number, item) in items.iter().enumerate() {
            let names: BTreeSet<String> = names(item.as_ref()).map(str::to_lowercase).collect();
            for name in names {
                named.entry(name).or_default().push(u32::try_from(number).unwrap_or(u32::MAX));
            }
        }
        // What one item alone stands under is its title, and what all stand under tells nothing apart.
        named.retain(|_, of| of.len() >= 2 && of.len() < items.len());
        let mut subjects = Subjects { of_item: vec![Vec::new(); items.len()], ..Subjects::default() };
        let words: Vec<Vec<Box<str>>> = named.keys().map(|name| telling_words(name)).collect();
        let spread = spread(items, &named, &words);
        let count = named.len().max(MIN_SUBJECTS) as f32;
        for ((name, of), words) in named.iter().zip(words) {
            let number = u32::try_from(subjects.each.len()).unwrap_or(u32::MAX);
            let weights = words
                .iter()
                .map(|word| {
                    let spread = spread.get(word).copied().unwrap_or(1) as f32;
                    (1.0 + (count - spread + 0.5).max(0.0) / (spread + 0.5)).ln()
                })
                .collect();
            for word in words.iter().collect::<BTreeSet<_>>() {
                subjects.by_word.entry(word.clone()).or_default().push(number);
            }
            for &item in of {
                subjects.of_item[item as usize].push(number);
            }
            let length = self::words(name).count();
            subjects.each.push(Subject { words, weights, length, items: of.clone() });
        }
        let mut by_deletion: HashMap<Box<str>, Vec<Box<str>>> = HashMap::new();
        for word in subjects.by_word.keys() {
            for shorter in deletions(word) {
                by_deletion.entry(shorter).or_default().push(word.clone());
            }
        }
        by_deletion.values_mut().for_each(|words| words.sort());
        subjects.by_deletion = by_deletion;
        subjects
    }

    /// What the conversation is about.
    pub(super) fn topic(&self, query: &Query) -> Topic {
        let mut topic = Topic::default();
        if self.each.is_empty() {
            return topic;
        }
        let texts = query.before.iter().map(|said| &*said.text).chain(std::iter::once(&*query.text));
        let (mut recency, mut freshness) = (1.0, 1.0);
        for text in texts.rev() {
            for (subject, found) in self.named_in(text) {
                let best = topic.subjects.entry(subject).or_default();
                *best = best.max(recency * found);
            }
            if topic.subjects.is_empty() {
                freshness *= FADING;
            } else {
                topic.freshness = freshness;
                recency *= DECAY;
            }
        }
        topic
    }

    /// The items of the subjects of a conversation, those of the strongest first.
    pub(super) fn items<'a>(&'a self, topic: &'a Topic) -> impl Iterator<Item = usize> + 'a {
        let mut strongest: Vec<(&u32, &f32)> = topic.subjects.iter().collect();
        strongest.sort_by(|a, b| b.1.total_cmp(a.1).then(a.0.cmp(b.0)));
        strongest
            .into_iter()
            .flat_map(|(&subject, _)| &self.each[subject as usize].items)
            .map(|&item| item as usize)
    }

    /// How far the conversation is about an item's subjects.
    pub(super) fn of(&self, topic: &Topic, item: usize) -> f32 {
        let subjects = self.of_item[item].iter();
        subjects.filter_map(|subject| topic.subjects.get(subject)).copied().fold(0.0, f32::max)
    }

    /// The subjects that a text names, and how surely.
    fn named_in(&self, text: &str) -> Vec<(u32, f32)> {
        let mut found: BTreeMap<u32, Vec<(usize, &str, f32)>> = BTreeMap::new();
        let words: Vec<String> = words(text).collect();
        for (place, word) in words.iter().enumerate() {
            let mut add = |known: &'_ str, certainty: f32| {
                let Some((known, subjects)) = self.by_word.get_key_value(known) else { return };
                for &subject in subjects {
                    found.entry(subject).or_default().push((place, known, certainty));
                }
            };
            add(word, 1.0);
            if let Some(next) = words.get(place + 1) {
                add(&format!("{word}{next}"), 1.0);
            }
            for near in self.near(word) {
                add(near, FUZZY);
            }
        }
        found
            .into_iter()
            .filter_map(|(subject, places)| Some((subject, self.each[subject as usize].certainty(&places)?)))
            .collect()
    }

    /// Known words that differ from a word by one letter.
    fn near(&self, word: &str) -> BTreeSet<&str> {
        if word.chars().count() < FUZZY_LETTERS {
            return BTreeSet::new();
        }
        let shorter = deletions(word);
        let mut near: BTreeSet<&str> = BTreeSet::new();
        for shorter in &shorter {
            // One letter too many, and one letter another.
            near.extend(self.by_word.get_key_value(shorter).map(|(known, _)| &**known));
            near.extend(self.by_deletion.get(shorter).into_iter().flatten().map(|known| &**known));
        }
        // One letter missing.
        near.extend(self.by_deletion.get(word).into_iter().flatten().map(|known| &**known));
        near.remove(word);
        near.retain(|known| known.chars().count() >= FUZZY_LETTERS && strsim::osa_distance(known, word) == 1);
        near
    }
}

impl Subject {
    /// How surely words at these places, in order, name it: `None` where too little of it stands together.
    fn certainty(&self, places: &[(usize, &str, f32)]) -> Option<f32> {
        let total: f32 = self.weights.iter().sum();
        let mut best = 0.0_f32;
        for (first, &(start, ..)) in places.iter().enumerate() {
            let mut left: Vec<bool> = vec![true; self.words.len()];
            let mut weight = 0.0;
            for &(place, word, certainty) in &places[first..] {
                if place >= start + self.length + SLACK {
                    break;
                }
                let open = (0..left.len()).find(|&at| left[at] && &*self.words[at] == word);
                if let Some(at) = open {
                    left[at] = false;
                    weight += certainty * self.weights[at];
                }
            }
            best = best.max(weight);
        }
        let share = best / total.max(f32::MIN_POSITIVE);
        (share >= MIN_FOUND && best >= MIN_WEIGHT).then(|| share * share * best / (best + MIN_WEIGHT))
    }
}

/// The names that an item stands under.
fn names(item: &Item) -> impl Iterator<Item = &str> {
    let context: &[String] = match &item.body {
        Body::Fact { context, .. } => context,
        Body::Example { .. } => &[],
    };
    let prefix = item.title().split_once(": ").map(|(prefix, _)| prefix);
    context.iter().map(String::as_str).chain(prefix).filter(|name| !name.trim().is_empty())
}

/// How many subjects have a word in their name or speak of it.
fn spread(
    items: &[impl AsRef<Item>],
    named: &BTreeMap<String, Vec<u32>>,
    names: &[Vec<Box<str>>],
) -> HashMap<Box<str>, u32> {
    let wanted: HashSet<&str> = names.iter().flatten().map(|word| &**word).collect();
    let mut spread: HashMap<Box<str>, u32> = HashMap::new();
    for (of, name) in named.values().zip(names) {
        let mut held: HashSet<String> = name.iter().map(ToString::to_string).collect();
        for &item in of {
            let item = items[item as usize].as_ref();
            let title = item.title().split_once(": ").map_or(item.title(), |(_, rest)| rest);
            held.extend(words(title).chain(words(item.text())).filter(|word| wanted.contains(word.as_str())));
        }
        for word in held {
            *spread.entry(word.into()).or_default() += 1;
        }
    }
    spread
}

/// The words of a name that could tell it from another; all where none could.
fn telling_words(name: &str) -> Vec<Box<str>> {
    let telling: Vec<Box<str>> = words(name)
        .filter(|word| word.chars().count() > 1 && !super::words::is_english_stop_word(word))
        .map(String::into_boxed_str)
        .collect();
    if telling.is_empty() { words(name).map(String::into_boxed_str).collect() } else { telling }
}

/// Words in lower case; an apostrophe is no letter and no gap.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|character: char| !character.is_alphanumeric() && !matches!(character, '\'' | '’'))
        .map(|word| {
            word.chars()
                .filter(|character| character.is_alphanumeric())
                .flat_map(char::to_lowercase)
                .collect::<String>()
        })
        .filter(|word| !word.is_empty())
}

/// What is left of a word without each of its letters in turn; nothing for a short or endless one.
fn deletions(word: &str) -> Vec<Box<str>> {
    let letters: Vec<char> = word.chars().collect();
    if !(FUZZY_LETTERS..=32).contains(&letters.len()) {
        return Vec::new();
    }
    let mut shorter: Vec<Box<str>> = (0..letters.len())
        .map(|gone| {
            let rest = letters.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, letter)| *letter);
            rest.collect::<String>().into_boxed_str()
        })
        .collect();
    shorter.dedup();
    shorter
}
