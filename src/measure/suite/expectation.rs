//! What other tools expect of an answer, as one regular expression: promptfoo's assertions
//! (<https://www.promptfoo.dev/docs/configuration/expected-outputs/>) and the `ideal` of OpenAI's evals.

use std::collections::BTreeSet;
use std::path::Path;

use regex::Regex;
use serde_json::Value as Json;

use crate::document::Problem;

/// Kinds of assertions that are told from a text with a colon in it, besides those that become expressions.
const OTHERS: [&str; 12] = [
    "contains-all",
    "cost",
    "grade",
    "icontains-all",
    "is-json",
    "javascript",
    "latency",
    "levenshtein",
    "llm-rubric",
    "python",
    "rouge-n",
    "similar",
];

/// One assertion: its kind as promptfoo names it, and the texts that it compares with.
#[derive(Debug, Clone, Default)]
pub(super) struct Assertion {
    pub(super) kind: String,
    pub(super) values: Vec<String>,
}

impl Assertion {
    /// A cell of promptfoo's CSV: `contains: text`, or the text that the answer is to be.
    pub(super) fn of_cell(cell: &str) -> Assertion {
        let found = cell.split_once(':').map(|(kind, value)| (kind.trim(), value.trim()));
        let is_kind = |kind: &str| {
            let kind = kind.strip_prefix("not-").unwrap_or(kind);
            OTHERS.contains(&kind) || pattern(kind, &[String::new()]).is_some()
        };
        match found.filter(|(kind, _)| is_kind(kind)) {
            Some((kind, value)) => Assertion { kind: kind.to_owned(), values: vec![value.to_owned()] },
            None => Assertion { kind: "equals".to_owned(), values: vec![cell.trim().to_owned()] },
        }
    }

    /// An assertion as JSON.
    pub(super) fn of_json(assertion: &Json) -> Assertion {
        let kind = assertion["type"].as_str().unwrap_or_default().to_owned();
        Assertion { kind, values: texts(&assertion["value"]) }
    }

    /// The `ideal` of OpenAI's evals: one of these texts is to be in the answer.
    pub(super) fn of_ideal(ideal: &Json) -> Assertion {
        Assertion { kind: "contains-any".to_owned(), values: texts(ideal) }
    }
}

/// A text, or a list of texts.
fn texts(value: &Json) -> Vec<String> {
    match value {
        Json::String(text) => vec![text.clone()],
        Json::Number(number) => vec![number.to_string()],
        Json::Array(values) => values.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// The expression of an assertion; none where one expression cannot say it.
fn pattern(kind: &str, values: &[String]) -> Option<String> {
    if values.iter().any(|value| value.starts_with("file://")) {
        return None;
    }
    let one = || values.first().map(|value| regex::escape(value));
    let any = || {
        // promptfoo also takes a list in one text, separated by commas.
        let values = values.iter().flat_map(|value| value.split(','));
        let values: Vec<String> = values.map(|value| regex::escape(value.trim())).collect();
        (!values.is_empty()).then(|| values.join("|"))
    };
    match kind {
        "equals" => one().map(|text| format!(r"^\s*{text}\s*$")),
        "contains" => one(),
        "icontains" => one().map(|text| format!("(?i){text}")),
        "starts-with" => one().map(|text| format!("^{text}")),
        "contains-any" => any(),
        "icontains-any" => any().map(|texts| format!("(?i){texts}")),
        "regex" => values.first().cloned(),
        _ => None,
    }
}

/// Gathers what a file expects, and which of its assertions have no likeness here.
#[derive(Default)]
pub(super) struct Expectations {
    left_out: BTreeSet<String>,
}

impl Expectations {
    /// The expression of a question: of the first assertion that has one.
    ///
    /// # Errors
    ///
    /// The expression does not compile.
    pub(super) fn of(&mut self, assertions: &[Assertion]) -> Result<Option<Regex>, regex::Error> {
        let mut expected = None;
        for assertion in assertions {
            match pattern(&assertion.kind, &assertion.values) {
                Some(pattern) if expected.is_none() => expected = Some(Regex::new(&pattern)?),
                Some(_) => {
                    self.left_out.insert(format!("a second assertion ({})", assertion.kind));
                }
                None => {
                    self.left_out.insert(assertion.kind.clone());
                }
            }
        }
        Ok(expected)
    }

    /// What is not taken over, as one note.
    pub(super) fn note(&self, file: &Path) -> Option<Problem> {
        let kinds: Vec<&str> = self.left_out.iter().map(String::as_str).collect();
        (!kinds.is_empty()).then(|| {
            Problem::note(file, format!("assertions that are not taken over: {}", kinds.join(", "))).hint(
                "a question has one `expect`, a regular expression: write what matters as one in the suite's own YAML",
            )
        })
    }
}
