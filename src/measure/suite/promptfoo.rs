//! promptfoo's YAML: `prompts` with `{{variables}}`, `tests` with `vars`
//! (<https://www.promptfoo.dev/docs/configuration/reference/>).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde_json::Value as Json;

use super::expectation::{Assertion, Expectations};
use super::foreign::{empty, expect, labelled, own_expression, plain, question_of};
use super::{Ids, Message, Question, Suite};
use crate::document::{Key, Node, Place, Problem, Value};

/// promptfoo's YAML: every test under every prompt.
pub(super) fn promptfoo(file: &Path, text: &Arc<str>, root: &Node, problems: &mut Vec<Problem>) -> Suite {
    let mut suite = empty(file);
    suite.description = child(root, "description").and_then(string).unwrap_or_default();
    let prompts = prompts(file, root, problems);
    let (mut ids, mut expectations) = (Ids::default(), Expectations::default());
    // What holds for every test that does not say otherwise.
    let default = child(root, "defaultTest");
    if default.and_then(string).is_some() {
        problems.push(
            Problem::error(file, "`defaultTest` stands in another file")
                .hint("write its `vars`, `assert` and `metadata` into this file"),
        );
    }
    for test in items(child(root, "tests")) {
        let line = text[test.span.start..].lines().next().map_or(0, str::len);
        let place = Place { text: Arc::clone(text), span: test.span.start..test.span.start + line };
        let vars = vars(file, &place, [default, Some(test)], problems);
        let theirs = [Some(test), default].into_iter().flatten().flat_map(assertions);
        let label = |key: &str| {
            let of = |node: &Node| {
                let node = child(child(node, "metadata")?, key)?;
                Some(items(Some(node)).filter_map(string).collect::<Vec<_>>().join(","))
            };
            of(test).or_else(|| of(default?))
        };
        let assertions: Vec<Assertion> =
            label("expect").map(own_expression).into_iter().chain(theirs).collect();
        let mut asked: Vec<String> = Vec::new();
        if prompts.is_empty() {
            asked.extend(question_of(&vars));
        }
        for prompt in &prompts {
            match render(prompt, &vars) {
                Ok(text) => asked.push(text),
                Err(reason) => problems.push(
                    Problem::error(file, format!("the prompt \"{prompt}\" does not fit the test: {reason}"))
                        .at(place.clone())
                        .hint("give the test every variable of the prompt"),
                ),
            }
        }
        asked.retain(|text| !text.trim().is_empty());
        if string(test).is_some_and(|text| text.starts_with("file://")) {
            problems.push(
                Problem::error(file, "the tests stand in another file")
                    .at(place)
                    .hint("convert that file, or write the tests into this one"),
            );
            continue;
        }
        if asked.is_empty() {
            problems.push(
                Problem::error(file, "the test holds no question")
                    .at(place)
                    .hint("give it `vars` with a `question`, and `prompts` such as \"{{question}}\""),
            );
            continue;
        }
        for (number, prompt) in asked.into_iter().enumerate() {
            let messages = serde_json::from_str::<Vec<Message>>(&prompt).ok();
            let last =
                messages.as_ref().and_then(|messages| messages.last()).map_or(&prompt, |last| &last.content);
            let mut question = plain(ids.of(last), last.clone(), Some(place.clone()));
            if number > 0 {
                // Another prompt around the same variables is another wording of the same question.
                question.family =
                    suite.questions.last().map_or(question.family, |before: &Question| before.family.clone());
            }
            question.messages = messages.unwrap_or(question.messages);
            let mut question = labelled(question, label, file, problems);
            expect(&mut question, &assertions, &mut expectations, file, problems);
            suite.questions.push(question);
        }
    }
    problems.extend(expectations.note(file));
    suite
}

/// The prompts, each a template.
fn prompts(file: &Path, root: &Node, problems: &mut Vec<Problem>) -> Vec<String> {
    items(child(root, "prompts"))
        .filter_map(|node| string(node).or_else(|| child(node, "raw").and_then(string)))
        .filter(|prompt| {
            let is_elsewhere = is_file(prompt);
            if is_elsewhere {
                problems.push(
                    Problem::error(file, format!("the prompt `{prompt}` stands in another file"))
                        .hint("write the prompt itself into the list `prompts`"),
                );
            }
            !is_elsewhere
        })
        .collect()
}

/// Whether promptfoo takes a prompt for the name of a file.
fn is_file(prompt: &str) -> bool {
    const ENDINGS: [&str; 9] = [".txt", ".md", ".json", ".jsonl", ".yaml", ".yml", ".csv", ".js", ".py"];
    let is_name = !prompt.trim().contains(char::is_whitespace) && !prompt.contains("{{");
    prompt.starts_with("file://") || (is_name && ENDINGS.iter().any(|ending| prompt.trim().ends_with(ending)))
}

/// The variables of a test, over those of all tests.
fn vars(
    file: &Path,
    place: &Place,
    nodes: [Option<&Node>; 2],
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Json> {
    let mut vars = BTreeMap::new();
    for (key, node) in nodes.into_iter().flatten().flat_map(|node| entries(child(node, "vars"))) {
        match string(node) {
            Some(text) => {
                vars.insert(key.name.clone(), Json::String(text));
            }
            None => problems.push(
                Problem::error(file, format!("the variable `{}` is not one text", key.name))
                    .at(place.clone())
                    .hint("write a test for each of its values"),
            ),
        }
    }
    vars
}

fn assertions(test: &Node) -> impl Iterator<Item = Assertion> {
    items(child(test, "assert")).map(|node| {
        let kind = child(node, "type").and_then(string).unwrap_or_default();
        Assertion::new(kind, items(child(node, "value")).filter_map(string).collect())
    })
}

fn render(prompt: &str, vars: &BTreeMap<String, Json>) -> Result<String, minijinja::Error> {
    let mut templates = Environment::new();
    templates.set_fuel(Some(100_000));
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.render_str(prompt, Serde(vars))
}

pub(super) fn child<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    match &node.value {
        Value::Table(entries) => entries.iter().find(|(name, _)| name.name == key).map(|(_, node)| node),
        _ => None,
    }
}

fn entries(node: Option<&Node>) -> &[(Key, Node)] {
    match node.map(|node| &node.value) {
        Some(Value::Table(entries)) => entries,
        _ => &[],
    }
}

/// The elements of a list; a single value counts as a list of one.
fn items(node: Option<&Node>) -> impl Iterator<Item = &Node> {
    let nodes = match node.map(|node| (&node.value, node)) {
        Some((Value::List(nodes), _)) => nodes.as_slice(),
        Some((Value::Null, _)) | None => &[],
        Some((_, node)) => std::slice::from_ref(node),
    };
    nodes.iter()
}

fn string(node: &Node) -> Option<String> {
    match &node.value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        _ => None,
    }
}
