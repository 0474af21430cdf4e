//! The topics that are known without configuration.

use std::sync::{Arc, LazyLock};

use crate::document::{Node, Table, Value, parse_toml};

/// A topic, and how it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// The name, in configuration and explanations.
    pub name: String,
    /// Whether the turns after one that touches it are left alone too.
    pub stays: bool,
    /// Phrases, as `topics.toml` explains them.
    pub rules: Vec<String>,
    /// Sentences about it, to compare with by meaning.
    pub examples: Vec<String>,
}

impl Topic {
    /// A topic of a brand's own, known by these phrases; they are examples too.
    pub fn of_phrases(name: &str, phrases: &[String]) -> Topic {
        let is_plain =
            |phrase: &&String| !phrase.contains(['*', '+', '~', '(', '{']) && !phrase.contains(" - ");
        Topic {
            name: name.to_owned(),
            stays: false,
            rules: phrases.to_vec(),
            examples: phrases.iter().filter(is_plain).cloned().collect(),
        }
    }
}

static BUILT_IN: LazyLock<Vec<Topic>> = LazyLock::new(|| {
    let text: Arc<str> = include_str!("topics.toml").into();
    let Ok(Node { value: Value::Table(entries), .. }) = parse_toml(&text) else { return Vec::new() };
    let mut problems = Vec::new();
    entries
        .iter()
        .map(|(key, node)| {
            let mut table = Table::new(node, std::path::Path::new("topics.toml"), &text, &mut problems);
            Topic {
                name: key.name.clone(),
                stays: table.flag("stays"),
                rules: table.strings("rules"),
                examples: examples(&key.name).map(str::to_owned).collect(),
            }
        })
        .collect()
});

/// The lines of `examples.txt` that stand under `[name]`.
fn examples(name: &str) -> impl Iterator<Item = &'static str> {
    let lines = include_str!("examples.txt").lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let of_name = lines.skip_while(move |line| heading(line) != Some(name)).skip(1);
    of_name.take_while(|line| heading(line).is_none()).filter(|line| !line.is_empty())
}

/// The name in a line like `[name]`.
fn heading(line: &str) -> Option<&str> {
    line.strip_prefix('[')?.strip_suffix(']')
}

static HARMLESS: LazyLock<Vec<&str>> = LazyLock::new(|| examples("harmless").collect());

/// Sentences that are near to a topic by their words and about none.
pub fn harmless() -> &'static [&'static str] {
    &HARMLESS
}

/// The topics that are known without configuration, in the order in which they are shown.
pub fn built_in() -> &'static [Topic] {
    &BUILT_IN
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{built_in, harmless, heading};

    #[test]
    fn every_topic_has_rules_and_examples() {
        assert_eq!(built_in().len(), 9);
        for topic in built_in() {
            assert!(topic.rules.len() > 10 && topic.examples.len() > 100, "{}", topic.name);
        }
        assert!(harmless().len() > 1_000);
    }

    #[test]
    fn every_example_stands_under_a_topic_and_only_once() {
        let mut seen = HashSet::new();
        for line in
            include_str!("examples.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            assert!(seen.insert(line.to_lowercase()), "twice: {line}");
            let known = |name| name == "harmless" || built_in().iter().any(|topic| topic.name == name);
            assert!(heading(line).is_none_or(known), "no topic: {line}");
        }
        let examples: usize = built_in().iter().map(|topic| topic.examples.len()).sum();
        assert_eq!(examples + harmless().len() + built_in().len() + 1, seen.len());
    }
}
