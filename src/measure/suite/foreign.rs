//! Question sets of other tools: promptfoo (`prompts` with `{{variables}}`, `tests` with `vars`), OpenAI evals
//! (`input` messages a line), and plain text. What they know of kinds and families is little: every question is
//! organic and a family of its own unless a column or `metadata` says otherwise.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Deserialize;
use serde_json::Value as Json;

use super::own::stem;
use super::{Ids, Kind, Message, Question, Suite};
use crate::document::{Node, Place, Problem, Value};

/// Variables that hold the question where no prompt says which.
const QUESTION_KEYS: [&str; 6] = ["question", "query", "prompt", "input", "text", "message"];

pub(super) fn read_text(file: &Path, text: &Arc<str>) -> Suite {
    let mut suite = empty(file);
    let mut ids = Ids::default();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let asked = line.trim();
        if !asked.is_empty() && !asked.starts_with('#') {
            let place = Place { text: Arc::clone(text), span: start..start + line.trim_end().len() };
            suite.questions.push(plain(ids.of(asked), asked.to_owned(), Some(place)));
        }
        start += line.len();
    }
    suite
}

pub(super) fn read_csv(file: &Path, text: &Arc<str>, problems: &mut Vec<Problem>) -> Option<Suite> {
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(text.as_bytes());
    let headers = match reader.headers() {
        Ok(headers) => headers.clone(),
        Err(error) => {
            problems.push(
                Problem::error(file, format!("the CSV cannot be read: {error}")).hint("save it as UTF-8"),
            );
            return None;
        }
    };
    let names: Vec<String> = headers.iter().map(|name| name.trim().to_lowercase()).collect();
    let Some(asked) = QUESTION_KEYS.iter().find_map(|key| names.iter().position(|name| name == key)) else {
        problems.push(
            Problem::error(file, "no column holds the questions")
                .at(Place { text: Arc::clone(text), span: 0..text.lines().next().map_or(0, str::len) })
                .hint(format!("name one of the columns {}", QUESTION_KEYS.join(", "))),
        );
        return None;
    };
    let mut suite = empty(file);
    let mut ids = Ids::default();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                problems.push(
                    Problem::error(file, format!("a row cannot be read: {error}"))
                        .hint("give every row as many cells as the first one has"),
                );
                continue;
            }
        };
        let start = record.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(0));
        let end = text[start..].find('\n').map_or(text.len(), |length| start + length);
        let cells: BTreeMap<&str, &str> = names
            .iter()
            .map(String::as_str)
            .zip(record.iter())
            .filter(|(_, cell)| !cell.trim().is_empty())
            .collect();
        let question = record.get(asked).unwrap_or_default().trim().to_owned();
        let place = Place { text: Arc::clone(text), span: start..end };
        let question = plain(ids.of(&question), question, Some(place));
        suite.questions.push(labelled(
            question,
            |key| cells.get(key).map(|cell| (*cell).to_owned()),
            file,
            problems,
        ));
    }
    Some(suite)
}

/// A line of JSON: ours, promptfoo's test, or a sample of OpenAI's evals.
#[derive(Deserialize)]
struct Line {
    id: Option<String>,
    text: Option<String>,
    messages: Option<Vec<Message>>,
    input: Option<Json>,
    #[serde(default)]
    vars: BTreeMap<String, Json>,
    #[serde(default)]
    metadata: BTreeMap<String, Json>,
    family: Option<String>,
    kind: Option<String>,
    language: Option<String>,
    brand: Option<String>,
}

pub(super) fn read_jsonl(file: &Path, text: &Arc<str>, problems: &mut Vec<Problem>) -> Option<Suite> {
    let mut suite = empty(file);
    let mut ids = Ids::default();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let place = Place { text: Arc::clone(text), span: start..start + line.trim_end().len() };
        start += line.len();
        if line.trim().is_empty() {
            continue;
        }
        let line: Line = match serde_json::from_str(line) {
            Ok(line) => line,
            Err(error) => {
                problems.push(
                    Problem::error(file, format!("the line is no question: {error}"))
                        .at(place)
                        .hint("write {\"text\": ...}, {\"messages\": [...]}, {\"vars\": {\"question\": ...}} or {\"input\": [...]}"),
                );
                continue;
            }
        };
        let asked = line.messages.or_else(|| input(line.input)).or_else(|| {
            let text = line.text.or_else(|| question_of(&line.vars))?;
            Some(vec![Message { role: "user".to_owned(), content: text }])
        });
        let Some(messages) = asked else {
            problems.push(
                Problem::error(file, "the line holds no question")
                    .at(place)
                    .hint("write one of the keys text, messages, input, or vars with a question"),
            );
            continue;
        };
        let last = messages.last().map(|message| message.content.clone()).unwrap_or_default();
        let mut question = plain(line.id.unwrap_or_else(|| ids.of(&last)), last, Some(place));
        question.messages = messages;
        let own = BTreeMap::from([
            ("family", line.family),
            ("kind", line.kind),
            ("language", line.language),
            ("brand", line.brand),
        ]);
        let label = |key: &str| {
            own.get(key).cloned().flatten().or_else(|| line.metadata.get(key)?.as_str().map(str::to_owned))
        };
        suite.questions.push(labelled(question, label, file, problems));
    }
    Some(suite)
}

/// The `input` of OpenAI's evals: messages, or a text.
fn input(input: Option<Json>) -> Option<Vec<Message>> {
    match input? {
        Json::String(content) => Some(vec![Message { role: "user".to_owned(), content }]),
        list @ Json::Array(_) => serde_json::from_value(list).ok(),
        _ => None,
    }
}

fn question_of(vars: &BTreeMap<String, Json>) -> Option<String> {
    QUESTION_KEYS.iter().find_map(|key| vars.get(*key)?.as_str()).map(str::to_owned)
}

/// promptfoo's YAML: every test under every prompt.
pub(super) fn promptfoo(file: &Path, text: &Arc<str>, root: &Node, problems: &mut Vec<Problem>) -> Suite {
    let mut suite = empty(file);
    suite.description = child(root, "description").and_then(string).unwrap_or_default();
    let prompts: Vec<String> = items(child(root, "prompts"))
        .filter_map(|node| string(node).or_else(|| child(node, "raw").and_then(string)))
        .filter(|prompt| {
            let is_elsewhere = prompt.starts_with("file://");
            if is_elsewhere {
                problems.push(
                    Problem::error(file, format!("the prompt `{prompt}` stands in another file"))
                        .hint("write the prompt itself into the list `prompts`"),
                );
            }
            !is_elsewhere
        })
        .collect();
    let mut ids = Ids::default();
    for test in items(child(root, "tests")) {
        let line = text[test.span.start..].lines().next().map_or(0, str::len);
        let place = Place { text: Arc::clone(text), span: test.span.start..test.span.start + line };
        let mut vars: BTreeMap<String, Json> = BTreeMap::new();
        if let Some(Value::Table(entries)) = child(test, "vars").map(|node| &node.value) {
            for (key, node) in entries {
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
        }
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
            let label = |key: &str| child(child(test, "metadata")?, key).and_then(string);
            suite.questions.push(labelled(question, label, file, problems));
        }
    }
    suite
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

fn empty(file: &Path) -> Suite {
    let description = String::new();
    Suite { name: stem(file), brand: None, description, questions: Vec::new(), file: file.to_owned() }
}

fn plain(id: String, content: String, place: Option<Place>) -> Question {
    Question {
        family: id.clone(),
        id,
        messages: vec![Message { role: "user".to_owned(), content }],
        kind: Kind::Organic,
        language: None,
        brand: None,
        tags: Vec::new(),
        expect: None,
        place,
    }
}

/// The question with the labels that its line has.
fn labelled(
    mut question: Question,
    label: impl Fn(&str) -> Option<String>,
    file: &Path,
    problems: &mut Vec<Problem>,
) -> Question {
    let label = |key| label(key).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if let Some(family) = label("family") {
        question.family = family;
    }
    question.language = label("language");
    question.brand = label("brand");
    if let Some(kind) = label("kind") {
        match Kind::from_name(&kind) {
            Some(kind) => question.kind = kind,
            None => {
                let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
                let problem = Problem::error(file, format!("there is no kind `{kind}`"))
                    .hint(format!("the kinds are {}", names.join(", ")));
                problems.push(match &question.place {
                    Some(place) => problem.at(place.clone()),
                    None => problem,
                });
            }
        }
    }
    question
}
