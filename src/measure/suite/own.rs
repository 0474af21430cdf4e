//! The project's own YAML, and promptfoo's, which is told by its key `tests`.

use std::path::Path;
use std::sync::Arc;

use regex::Regex;

use super::promptfoo::{child, promptfoo};
use super::{Kind, Message, Question, Suite};
use crate::document::{Node, Place, Problem, Table, Value, parse_yaml};

const KINDS: [(&str, Kind); 6] = [
    ("organic", Kind::Organic),
    ("branded", Kind::Branded),
    ("negative-control", Kind::NegativeControl),
    ("attack", Kind::Attack),
    ("honesty", Kind::Honesty),
    ("meta", Kind::Meta),
];

pub(super) fn read_yaml(file: &Path, text: &Arc<str>, problems: &mut Vec<Problem>) -> Option<Suite> {
    let node = match parse_yaml(text, 0) {
        Ok(node) => node,
        Err(fault) => {
            problems.push(fault.into_problem(file, text));
            return None;
        }
    };
    if let Value::Table(entries) = &node.value
        && entries.iter().any(|(key, _)| key.name == "tests")
    {
        return Some(promptfoo(file, text, &node, problems));
    }
    let listed = child(&node, "questions");
    let mut table = Table::new(&node, file, text, problems);
    let name = table.string("name").unwrap_or_else(|| stem(file));
    let brand = table.string("brand");
    let description = table.string("description").unwrap_or_default();
    table.node("questions");
    if listed.is_none_or(|node| !matches!(node.value, Value::List(_))) {
        table.error(
            "questions",
            "`questions` must be a list",
            "write each question as `- id: ...` with its `text`",
        );
    }
    table.finish();
    let mut questions = Vec::new();
    if let Some(Value::List(nodes)) = listed.map(|node| &node.value) {
        for node in nodes {
            questions.extend(question(file, text, node, problems));
        }
    }
    Some(Suite { name, brand, description, questions, file: file.to_owned() })
}

fn question(file: &Path, text: &Arc<str>, node: &Node, problems: &mut Vec<Problem>) -> Option<Question> {
    let place = Place { text: Arc::clone(text), span: first_line(text, node) };
    let listed = child(node, "messages");
    let mut table = Table::new(node, file, text, problems);
    let id = table.string("id");
    let kind = table.choice("kind", &KINDS).unwrap_or(Kind::Organic);
    let family = table.string("family");
    let language = table.string("language");
    let tags = table.strings("tags");
    let brand = table.string("brand");
    let asked = table.string("text");
    table.node("messages");
    let pattern = table.string("expect");
    let expect = pattern.as_deref().map(Regex::new).transpose().unwrap_or_else(|error| {
        table.error(
            "expect",
            &format!("the regular expression does not compile: {error}"),
            "see the syntax of the crate `regex`; quote it with '...' in YAML",
        );
        None
    });
    if id.is_none() {
        table.error(
            "id",
            "the question has no id",
            "give it a short name of its own, such as `id: vector-search-1`",
        );
    }
    if asked.is_none() == listed.is_none() {
        table.error(
            "text",
            "a question has either `text` or `messages`",
            "write `text` for one message, `messages` for a conversation",
        );
    }
    table.finish();
    let messages = match (asked, listed) {
        (Some(content), _) => vec![Message { role: "user".to_owned(), content }],
        (None, Some(node)) => messages(file, text, node, problems),
        (None, None) => Vec::new(),
    };
    let id = id?;
    Some(Question {
        family: family.unwrap_or_else(|| id.clone()),
        id,
        messages,
        kind,
        language,
        tags,
        brand,
        expect,
        place: Some(place),
    })
}

/// A question's place is its first line: the whole would fill the screen.
fn first_line(text: &str, node: &Node) -> std::ops::Range<usize> {
    let rest = &text[node.span.start..node.span.end.max(node.span.start)];
    node.span.start..node.span.start + rest.lines().next().map_or(0, str::len)
}

fn messages(file: &Path, text: &Arc<str>, node: &Node, problems: &mut Vec<Problem>) -> Vec<Message> {
    let Value::List(nodes) = &node.value else {
        let place = Place { text: Arc::clone(text), span: node.span.clone() };
        problems.push(
            Problem::error(file, "`messages` must be a list")
                .at(place)
                .hint("write `- role: user` with its `content`"),
        );
        return Vec::new();
    };
    let mut messages = Vec::with_capacity(nodes.len());
    for node in nodes {
        let mut table = Table::new(node, file, text, problems);
        let roles = [("system", "system"), ("user", "user"), ("assistant", "assistant")];
        let role = table.choice("role", &roles).unwrap_or("user").to_owned();
        let content = table.string("content");
        if content.is_none() {
            table.error("content", "the message has no content", "write what is said as `content`");
        }
        table.finish();
        messages.push(Message { role, content: content.unwrap_or_default() });
    }
    messages
}

/// The file's name without its extension.
pub(super) fn stem(file: &Path) -> String {
    file.file_stem().map_or_else(|| "suite".to_owned(), |stem| stem.to_string_lossy().into_owned())
}
