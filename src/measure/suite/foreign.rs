//! Question sets of other tools, a question a line: CSV and JSONL of promptfoo, JSONL of OpenAI's evals, plain text. What
//! they know of kinds and families is little: every question is organic and a family of its own unless a column or
//! `metadata` says otherwise.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value as Json;

use super::expectation::{Assertion, Expectations, OWN};
use super::own::stem;
use super::{Ids, Kind, Message, Question, Suite};
use crate::document::{Place, Problem};

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
    let (mut ids, mut expectations) = (Ids::default(), Expectations::default());
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
        // A row begins behind the end of the line before it, of which the reader leaves a part.
        let start = start + (text.len() - start - text[start..].trim_start_matches(['\r', '\n']).len());
        let end = text[start..].find('\n').map_or(text.len(), |length| start + length);
        let cells: BTreeMap<&str, &str> = names
            .iter()
            .map(String::as_str)
            .zip(record.iter())
            .filter(|(_, cell)| !cell.trim().is_empty())
            .collect();
        let question = record.get(asked).unwrap_or_default().trim().to_owned();
        let place = Place { text: Arc::clone(text), span: start..end };
        let label = |key: &str| {
            let cell = cells.get(key).or_else(|| cells.get(format!("__metadata:{key}").as_str()));
            cell.map(|cell| (*cell).to_owned())
        };
        let id = label("id").map_or_else(|| ids.of(&question), |id| id.trim().to_owned());
        let question = plain(id, question, Some(place));
        let mut question = labelled(question, label, file, problems);
        // Ours is an expression; promptfoo's are the columns `__expected`, `__expected1` and so on.
        let own = label("expect").map(own_expression);
        let theirs = cells.range("__expected"..).take_while(|(name, _)| name.starts_with("__expected"));
        let theirs = theirs.map(|(_, cell)| Assertion::of_cell(cell));
        let assertions: Vec<Assertion> = own.into_iter().chain(theirs).collect();
        expect(&mut question, &assertions, &mut expectations, file, problems);
        suite.questions.push(question);
    }
    problems.extend(expectations.note(file));
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
    #[serde(default)]
    tags: Json,
    expect: Option<String>,
    #[serde(default)]
    assert: Vec<Json>,
    ideal: Option<Json>,
}

pub(super) fn read_jsonl(file: &Path, text: &Arc<str>, problems: &mut Vec<Problem>) -> Option<Suite> {
    let mut suite = empty(file);
    let (mut ids, mut expectations) = (Ids::default(), Expectations::default());
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
            ("tags", joined(&line.tags)),
        ]);
        let label = |key: &str| own.get(key).cloned().flatten().or_else(|| joined(line.metadata.get(key)?));
        let mut question = labelled(question, label, file, problems);
        let own = line.expect.or_else(|| label("expect")).map(own_expression);
        let assertions: Vec<Assertion> = own
            .into_iter()
            .chain(line.assert.iter().map(Assertion::of_json))
            .chain(line.ideal.as_ref().map(Assertion::of_ideal))
            .collect();
        expect(&mut question, &assertions, &mut expectations, file, problems);
        suite.questions.push(question);
    }
    problems.extend(expectations.note(file));
    Some(suite)
}

pub(super) fn own_expression(pattern: String) -> Assertion {
    Assertion { kind: OWN.to_owned(), values: vec![pattern] }
}

/// A text, or a list of texts with commas between them.
fn joined(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Array(values) => Some(values.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(",")),
        _ => None,
    }
}

/// The `input` of OpenAI's evals: messages, or a text.
fn input(input: Option<Json>) -> Option<Vec<Message>> {
    match input? {
        Json::String(content) => Some(vec![Message { role: "user".to_owned(), content }]),
        list @ Json::Array(_) => serde_json::from_value(list).ok(),
        _ => None,
    }
}

pub(super) fn question_of(vars: &BTreeMap<String, Json>) -> Option<String> {
    QUESTION_KEYS.iter().find_map(|key| vars.get(*key)?.as_str()).map(str::to_owned)
}

pub(super) fn empty(file: &Path) -> Suite {
    let description = String::new();
    Suite { name: stem(file), brand: None, description, questions: Vec::new(), file: file.to_owned() }
}

pub(super) fn plain(id: String, content: String, place: Option<Place>) -> Question {
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

/// Gives the question what its assertions expect.
pub(super) fn expect(
    question: &mut Question,
    assertions: &[Assertion],
    expectations: &mut Expectations,
    file: &Path,
    problems: &mut Vec<Problem>,
) {
    match expectations.of(assertions) {
        Ok(expected) => question.expect = expected,
        Err(error) => {
            let problem = Problem::error(file, format!("the regular expression does not compile: {error}"))
                .hint("see the syntax of the crate `regex`: without look-around and back-references");
            problems.push(match &question.place {
                Some(place) => problem.at(place.clone()),
                None => problem,
            });
        }
    }
}

/// The question with the labels that its line has.
pub(super) fn labelled(
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
    let tags = label("tags").unwrap_or_default();
    question.tags = tags.split(',').map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect();
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
