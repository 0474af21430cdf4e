//! Reading the entries of a table by key: what is there and of the right kind is returned, everything
//! else becomes a problem with its place.

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::node::{Node, Value};
use super::problem::{Place, Problem};

/// A table being read. Keys that nobody asked for are reported by [`Table::finish`].
pub struct Table<'a> {
    node: &'a Node,
    file: &'a Path,
    text: &'a Arc<str>,
    problems: &'a mut Vec<Problem>,
    asked: Vec<&'static str>,
}

impl<'a> Table<'a> {
    /// Reads `node`, which stands in `file`, whose whole text is `text`. What is not a table is reported
    /// and read as an empty one.
    pub fn new(
        node: &'a Node,
        file: &'a Path,
        text: &'a Arc<str>,
        problems: &'a mut Vec<Problem>,
    ) -> Table<'a> {
        let mut table = Table { node, file, text, problems, asked: Vec::new() };
        if !matches!(node.value, Value::Table(_) | Value::Null) {
            table.wrong(node, &format!("this is {}, and must be keys with values", node.value.kind()));
        }
        table
    }

    /// The node of a key, which counts as asked for.
    pub fn node(&mut self, key: &'static str) -> Option<&'a Node> {
        self.asked.push(key);
        match &self.node.value {
            Value::Table(entries) => entries.iter().find(|(name, _)| name.name == key).map(|(_, node)| node),
            _ => None,
        }
    }

    /// A text. Numbers and truth values are taken as they are written.
    pub fn string(&mut self, key: &'static str) -> Option<String> {
        let node = self.node(key)?;
        let text = text_of(node);
        if text.is_none() && node.value != Value::Null {
            self.wrong(node, &format!("`{key}` is {}, and must be a text", node.value.kind()));
        }
        text
    }

    /// A text, or a table of them by name; a text alone has the empty name.
    pub fn named_strings(&mut self, key: &'static str) -> Vec<(String, String)> {
        let Some(node) = self.node(key) else { return Vec::new() };
        let entries: Vec<(&str, &Node)> = match &node.value {
            Value::Table(entries) => entries.iter().map(|(name, node)| (&*name.name, node)).collect(),
            _ => vec![("", node)],
        };
        let mut texts = Vec::with_capacity(entries.len());
        for (name, node) in entries {
            match text_of(node) {
                Some(text) => texts.push((name.to_owned(), text)),
                None => self.wrong(node, &format!("`{key}` must be a text, or a table of texts")),
            }
        }
        texts
    }

    /// A table of lists of texts, by name.
    pub fn named_lists(&mut self, key: &'static str) -> Vec<(String, Vec<String>)> {
        let Some(node) = self.node(key) else { return Vec::new() };
        let Value::Table(entries) = &node.value else {
            self.wrong(node, &format!("`{key}` must be a table of lists of texts"));
            return Vec::new();
        };
        let mut lists = Vec::with_capacity(entries.len());
        for (name, node) in entries {
            lists.push((name.name.clone(), self.texts_of(key, node)));
        }
        lists
    }

    /// A list of texts; a single one counts as a list of one.
    pub fn strings(&mut self, key: &'static str) -> Vec<String> {
        let Some(node) = self.node(key) else { return Vec::new() };
        self.texts_of(key, node)
    }

    fn texts_of(&mut self, key: &str, node: &Node) -> Vec<String> {
        let nodes = match &node.value {
            Value::List(nodes) => nodes.as_slice(),
            Value::Null => &[],
            _ => std::slice::from_ref(node),
        };
        let mut texts = Vec::with_capacity(nodes.len());
        for node in nodes {
            match text_of(node) {
                Some(text) => texts.push(text),
                None => self.wrong(node, &format!("`{key}` must be a list of texts")),
            }
        }
        texts
    }

    /// `true` or `false`; absent means `false`.
    pub fn flag(&mut self, key: &'static str) -> bool {
        let Some(node) = self.node(key) else { return false };
        match node.value {
            Value::Bool(truth) => truth,
            _ => {
                self.wrong(node, &format!("`{key}` must be true or false"));
                false
            }
        }
    }

    /// A whole number within bounds.
    pub fn integer_within(&mut self, key: &'static str, bounds: RangeInclusive<i64>) -> Option<i64> {
        let node = self.node(key)?;
        match node.value {
            Value::Integer(number) if bounds.contains(&number) => Some(number),
            _ => {
                let (least, most) = (bounds.start(), bounds.end());
                self.wrong(node, &format!("`{key}` must be a whole number from {least} to {most}"));
                None
            }
        }
    }

    /// A number from zero to one.
    pub fn share(&mut self, key: &'static str) -> Option<f64> {
        let node = self.node(key)?;
        let number = match node.value {
            Value::Integer(number) => Some(number as f64),
            Value::Float(number) => Some(number),
            _ => None,
        };
        let share = number.filter(|number| (0.0..=1.0).contains(number));
        if share.is_none() {
            self.wrong(node, &format!("`{key}` must be a number from 0 to 1"));
        }
        share
    }

    /// One of several words.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let node = self.node(key)?;
        let text = text_of(node).unwrap_or_default();
        let found = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            self.wrong(node, &format!("`{key}` must be one of {}", words.join(", ")));
        }
        found
    }

    /// An instant: a date, which means its beginning in UTC, or a date and time with an offset (RFC 3339).
    pub fn instant(&mut self, key: &'static str) -> Option<Timestamp> {
        let node = self.node(key)?;
        let text = text_of(node).unwrap_or_default();
        let midnight = || text.parse::<Date>().ok()?.to_zoned_datetime(TimeZone::UTC).ok();
        let instant = text.parse().ok().or_else(|| midnight().map(|zoned| zoned.timestamp()));
        if instant.is_none() {
            self.wrong(node, &format!("`{key}` must be a date such as 2026-01-31 or 2026-01-31T12:00:00Z"));
        }
        instant
    }

    /// Reports an error at the value of `key`, or at the table where it has none.
    pub fn error(&mut self, key: &'static str, message: &str, hint: &str) {
        let span = self.node(key).unwrap_or(self.node).span.clone();
        self.problems.push(
            Problem::error(self.file, message).at(Place { text: Arc::clone(self.text), span }).hint(hint),
        );
    }

    /// Reports every key that nobody asked for, with the nearest that was.
    pub fn finish(self) {
        let Value::Table(entries) = &self.node.value else { return };
        for (key, _) in entries.iter().filter(|(key, _)| !self.asked.contains(&key.name.as_str())) {
            let hint = match nearest(&key.name, self.asked.iter().copied()) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("the keys are: {}", self.asked.join(", ")),
            };
            self.problems.push(
                Problem::warning(self.file, format!("there is no key `{}`", key.name))
                    .at(Place { text: Arc::clone(self.text), span: key.span.clone() })
                    .hint(hint),
            );
        }
    }

    fn wrong(&mut self, node: &Node, message: &str) {
        let place = Place { text: Arc::clone(self.text), span: node.span.clone() };
        self.problems
            .push(Problem::error(self.file, message).at(place).hint("mend the value, or take the key out"));
    }
}

fn text_of(node: &Node) -> Option<String> {
    match &node.value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::List(_) | Value::Table(_) => None,
    }
}

/// The known word that a mistyped one was probably meant to be.
pub fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    known
        .map(|known| (strsim::jaro_winkler(word, known), known))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(a.1)))
        .map(|(_, known)| known)
}
