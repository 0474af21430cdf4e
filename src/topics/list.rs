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
                examples: table.strings("examples"),
            }
        })
        .collect()
});

/// The topics that are known without configuration, in the order in which they are shown.
pub fn built_in() -> &'static [Topic] {
    &BUILT_IN
}

#[cfg(test)]
mod tests {
    use super::built_in;

    #[test]
    fn every_topic_has_rules_and_examples() {
        assert_eq!(built_in().len(), 9);
        for topic in built_in() {
            assert!(topic.rules.len() > 10 && topic.examples.len() > 4, "{}", topic.name);
        }
    }
}
