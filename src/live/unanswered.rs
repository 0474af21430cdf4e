//! Questions that are alike, put together: what people ask for and nothing is written about. By words: each question
//! joins the group that it is most alike, if it is alike enough. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::questions::Question;
use crate::retrieval::TopicWords;

/// Cosine from which a question belongs to a group.
const ALIKE: f32 = 0.35;
/// What a word that no other question has weighs: it says nothing of what they have in common.
const ALONE: f32 = 0.5;
/// Words of a group's title.
const TITLE: usize = 4;
/// Questions of a group that are shown.
const EXAMPLES: usize = 3;

/// Questions that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// The words that they share, the most telling first.
    pub words: Vec<String>,
    /// Conversations in which one of them was asked.
    pub askers: usize,
    /// Of these, those in which it names a brand or a competitor.
    pub naming: usize,
    /// Their languages.
    pub languages: Vec<String>,
    /// When one was last asked: a day of UTC since 1970.
    pub last: i64,
    /// Some of them.
    pub examples: Vec<String>,
}

/// Groups of questions that at least `askers` conversations have asked, the most urgent first: those that many ask, and
/// that name a brand. With them, how many conversations asked what too few others did.
pub fn unanswered(questions: &[Question], askers: usize) -> (Vec<Unanswered>, usize) {
    let words = words(questions);
    let weights = weights(&words);
    let mut groups: Vec<Group> = Vec::new();
    // For each word, the groups that hold it.
    let mut holding: HashMap<&str, BTreeSet<usize>> = HashMap::new();
    // Short questions first: they say the matter and little else, and the longer ones find it in them.
    let mut order: Vec<usize> = (0..questions.len()).collect();
    order.sort_by_key(|&number| weights[number].len());
    for number in order {
        let vector = &weights[number];
        let near: BTreeSet<usize> =
            vector.keys().filter_map(|word| holding.get(word)).flatten().copied().collect();
        let alike = near.into_iter().map(|group| (groups[group].likeness(vector), group));
        let best =
            alike.filter(|(likeness, _)| *likeness >= ALIKE).max_by(|one, other| one.0.total_cmp(&other.0));
        let group = best.map_or_else(
            || {
                groups.push(Group::default());
                groups.len() - 1
            },
            |(_, group)| group,
        );
        groups[group].add(number, vector);
        for word in vector.keys() {
            holding.entry(word).or_default().insert(group);
        }
    }
    let all: Vec<Unanswered> = groups.iter().map(|group| group.told(questions, &words, &weights)).collect();
    let seldom = all.iter().filter(|group| group.askers < askers).map(|group| group.askers).sum();
    let mut shown: Vec<Unanswered> = all.into_iter().filter(|group| group.askers >= askers).collect();
    shown.sort_by(|one, other| {
        let urgency = |group: &Unanswered| group.askers + group.naming;
        urgency(other).cmp(&urgency(one)).then_with(|| one.words.cmp(&other.words))
    });
    (shown, seldom)
}

/// For each question its words: stemmed, and as they are written. What stands for something redacted is none.
fn words(questions: &[Question]) -> Vec<BTreeMap<String, String>> {
    let mut of_language: HashMap<&str, TopicWords> = HashMap::new();
    let mut found = Vec::with_capacity(questions.len());
    for question in questions {
        let tag = Some(question.language.as_str()).filter(|tag| !tag.is_empty());
        let analyzer = of_language.entry(&question.language).or_insert_with(|| TopicWords::of(tag));
        let plain = without_marks(&question.text);
        // A letter alone is what is left of markup or of a word's ending.
        let told = analyzer.in_text(&plain).into_iter().filter(|(stem, _)| stem.len() > 1);
        found.push(told.collect());
    }
    found
}

fn without_marks(text: &str) -> String {
    text.split('[')
        .enumerate()
        .map(|(place, part)| match part.split_once(']') {
            Some((_, after)) if place > 0 => after,
            _ => part,
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Rare words weigh more (inverse document frequency), but for those that stand alone; each question has the length one.
fn weights(words: &[BTreeMap<String, String>]) -> Vec<BTreeMap<&str, f32>> {
    let mut holding: HashMap<&str, u32> = HashMap::new();
    for word in words.iter().flat_map(BTreeMap::keys) {
        *holding.entry(word).or_default() += 1;
    }
    let weight = |word: &str| {
        let holding = holding[word];
        (1.0 + words.len() as f32 / holding as f32).ln() * if holding == 1 { ALONE } else { 1.0 }
    };
    let mut weighed = Vec::with_capacity(words.len());
    for question in words {
        let mut vector: BTreeMap<&str, f32> =
            question.keys().map(|word| (word.as_str(), weight(word))).collect();
        let length = vector.values().map(|weight| weight * weight).sum::<f32>().sqrt();
        vector.values_mut().for_each(|weight| *weight /= length);
        weighed.push(vector);
    }
    weighed
}

/// Questions by their numbers, and the sum of their weights.
#[derive(Default)]
struct Group<'w> {
    members: Vec<usize>,
    // In the order of words, so that sums are the same each time.
    sum: BTreeMap<&'w str, f32>,
}

impl<'w> Group<'w> {
    fn add(&mut self, number: usize, vector: &BTreeMap<&'w str, f32>) {
        self.members.push(number);
        for (word, weight) in vector {
            *self.sum.entry(word).or_default() += weight;
        }
    }

    /// The cosine of a question and the middle of the group.
    fn likeness(&self, vector: &BTreeMap<&str, f32>) -> f32 {
        let length = self.sum.values().map(|weight| weight * weight).sum::<f32>().sqrt();
        let common: f32 = vector.iter().filter_map(|(word, weight)| Some(weight * self.sum.get(word)?)).sum();
        common / length
    }

    fn told(
        &self,
        questions: &[Question],
        words: &[BTreeMap<String, String>],
        weights: &[BTreeMap<&str, f32>],
    ) -> Unanswered {
        let members = || self.members.iter().map(|&number| &questions[number]);
        let askers = |of: &dyn Fn(&Question) -> bool| {
            members()
                .filter(|question| of(question))
                .map(|question| question.asker)
                .collect::<HashSet<_>>()
                .len()
        };
        let mut central: Vec<usize> = self.members.clone();
        central.sort_by(|&one, &other| {
            let likeness = |number: usize| self.likeness(&weights[number]);
            likeness(other).total_cmp(&likeness(one)).then(one.cmp(&other))
        });
        let mut examples: Vec<String> = Vec::new();
        for &number in &central {
            let text = &questions[number].text;
            if examples.len() < EXAMPLES
                && !examples.iter().any(|known| known.to_lowercase() == text.to_lowercase())
            {
                examples.push(text.clone());
            }
        }
        Unanswered {
            words: self.title(words, &central),
            askers: askers(&|_| true),
            naming: askers(&|question| question.names),
            languages: members()
                .map(|question| question.language.clone())
                .filter(|language| !language.is_empty())
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
            last: members().map(|question| question.day).max().unwrap_or_default(),
            examples,
        }
    }

    /// The words that count most in the group, as the question nearest to its middle writes them.
    fn title(&self, words: &[BTreeMap<String, String>], central: &[usize]) -> Vec<String> {
        let mut sorted: Vec<(&str, f32)> = self.sum.iter().map(|(word, weight)| (*word, *weight)).collect();
        sorted.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(other.0)));
        let written = |word: &str| central.iter().find_map(|&number| words[number].get(word)).cloned();
        sorted.into_iter().take(TITLE).filter_map(|(word, _)| written(word)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Question, unanswered};

    fn asked(asker: i64, language: &str, names: bool, text: &str) -> Question {
        Question { day: 20_000 + asker, asker, language: language.to_owned(), names, text: text.to_owned() }
    }

    #[test]
    fn questions_that_are_alike_are_one_group_and_what_few_ask_is_not_shown() {
        let questions = [
            asked(1, "en", false, "Do you sell gift vouchers for [name]?"),
            asked(2, "en", true, "Can I buy a gift voucher at Acme?"),
            asked(2, "en", true, "So are there gift vouchers?"),
            asked(3, "en", false, "gift vouchers"),
            asked(4, "en", false, "Write me a poem about the sea"),
            asked(5, "de", false, "Habt ihr am Sonntag geöffnet?"),
            asked(6, "de", false, "Wann ist am Sonntag geöffnet?"),
            asked(7, "", false, "贈り物の券はありますか"),
            asked(8, "en", false, "My number is [number] and my name is [name]"),
        ];
        let (groups, seldom) = unanswered(&questions, 2);
        let found: Vec<(usize, usize)> = groups.iter().map(|group| (group.askers, group.naming)).collect();
        assert_eq!(found, [(3, 1), (2, 0)], "{groups:#?}");
        assert_eq!(groups[0].examples[..2], ["So are there gift vouchers?", "gift vouchers"]);
        assert!(groups[1].examples.contains(&"Wann ist am Sonntag geöffnet?".to_owned()));
        assert_eq!((groups[0].last, &*groups[0].languages), (20_003, &["en".to_owned()][..]));
        assert_eq!(groups[0].words[..2], ["gift", "vouchers"]);
        assert_eq!(seldom, 3);
        assert!(groups.iter().flat_map(|group| &group.words).all(|word| word != "name" && word != "number"));
        assert_eq!(unanswered(&[], 2), (Vec::new(), 0));
    }

    #[test]
    fn thousands_are_put_together_in_a_moment() {
        let mut random = fastrand::Rng::with_seed(5);
        let questions: Vec<Question> = (0..2_000)
            .map(|number| {
                let words: Vec<String> = (0..8).map(|_| format!("word{}", random.u32(..4_000))).collect();
                asked(number, "en", false, &words.join(" "))
            })
            .collect();
        let began = std::time::Instant::now();
        let (groups, seldom) = unanswered(&questions, 1);
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
        assert_eq!(groups.iter().map(|group| group.askers).sum::<usize>() + seldom, 2_000);
    }
}
