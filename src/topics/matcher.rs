//! Which topics a text touches, by words alone.

use aho_corasick::AhoCorasick;

use super::list::Topic;
use super::rule::{Phrases, Rule, normalised};

/// Topics, ready to be looked for.
#[derive(Debug, Clone)]
pub struct Topics {
    topics: Vec<Topic>,
    /// Each rule with the position of its topic.
    rules: Vec<(usize, Rule)>,
    phrases: Option<AhoCorasick>,
}

impl Topics {
    /// Prepares topics.
    pub fn new(topics: Vec<Topic>) -> Topics {
        let mut phrases = Phrases::default();
        let mut rules = Vec::new();
        for (number, topic) in topics.iter().enumerate() {
            rules.extend(
                topic
                    .rules
                    .iter()
                    .filter_map(|text| Rule::read(text, &mut phrases))
                    .map(|rule| (number, rule)),
            );
        }
        // Of several the one that matters for the turns to come too.
        rules.sort_by_key(|(topic, _)| !topics[*topic].stays);
        // Phrases are short and bounded in number: the automaton cannot be too large.
        let phrases = AhoCorasick::new(&phrases.texts).ok().filter(|_| !rules.is_empty());
        Topics { topics, rules, phrases }
    }

    /// The topics, by the positions that the other functions return.
    pub fn all(&self) -> &[Topic] {
        &self.topics
    }

    /// The first topic that a text touches, in their order, those that stay before the others; `of` says, by position,
    /// which are looked for.
    pub fn touched(&self, text: &str, of: impl Fn(usize) -> bool) -> Option<usize> {
        let phrases = self.phrases.as_ref()?;
        let text = normalised(text);
        let mut seen = vec![false; phrases.patterns_len()];
        for found in phrases.find_overlapping_iter(&text) {
            seen[found.pattern().as_usize()] = true;
        }
        let holds = |rule: &Rule| {
            rule.wanted.iter().all(|ways| ways.iter().any(|&phrase| seen[phrase]))
                && !rule.unwanted.iter().any(|&phrase| seen[phrase])
        };
        self.rules.iter().find(|(topic, rule)| of(*topic) && holds(rule)).map(|(topic, _)| *topic)
    }
}
