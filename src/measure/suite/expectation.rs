//! What other tools expect of an answer, as one regular expression: promptfoo's assertions
//! (<https://www.promptfoo.dev/docs/configuration/expected-outputs/>) and the `ideal` of OpenAI's evals.

use std::collections::BTreeSet;
use std::path::Path;

use regex::Regex;
use serde_json::Value as Json;

use crate::document::Problem;

/// The kind of an expression that is our own.
pub(super) const OWN: &str = "expect";

/// promptfoo's kinds that become no expression; each may have `not-` before it.
const OTHERS: [&str; 50] = [
    "answer-relevance",
    "bleu",
    "classifier",
    "contains-all",
    "contains-html",
    "contains-json",
    "contains-sql",
    "contains-xml",
    "context-faithfulness",
    "context-recall",
    "context-relevance",
    "conversation-relevance",
    "cost",
    "eval",
    "f-score",
    "factuality",
    "finish-reason",
    "fn",
    "g-eval",
    "gleu",
    "grade",
    "guardrails",
    "icontains-all",
    "is-html",
    "is-json",
    "is-refusal",
    "is-sql",
    "is-valid-function-call",
    "is-valid-openai-function-call",
    "is-valid-openai-tools-call",
    "is-xml",
    "javascript",
    "latency",
    "levenshtein",
    "llm-rubric",
    "meteor",
    "model-graded-closedqa",
    "model-graded-factuality",
    "moderation",
    "perplexity",
    "perplexity-score",
    "pi",
    "python",
    "rouge-n",
    "ruby",
    "search-rubric",
    "select-best",
    "similar",
    "tool-call-f1",
    "webhook",
];

/// The kinds that do.
const EXPRESSED: [&str; 7] =
    ["equals", "contains", "icontains", "starts-with", "contains-any", "icontains-any", "regex"];

/// One assertion: its kind as promptfoo names it, and the texts that it compares with.
#[derive(Debug, Clone, Default)]
pub(super) struct Assertion {
    pub(super) kind: String,
    pub(super) values: Vec<String>,
}

impl Assertion {
    /// An assertion of a kind. Lists of texts are also written as one text with commas.
    pub(super) fn new(kind: String, values: Vec<String>) -> Assertion {
        let values = match values.as_slice() {
            [text] if kind.ends_with("contains-any") => {
                text.split(',').map(|value| value.trim().to_owned()).collect()
            }
            _ => values,
        };
        Assertion { kind, values }
    }

    /// A cell of promptfoo's CSV: `contains: text`, `similar(0.8): text`, or the text that the answer is to be.
    pub(super) fn of_cell(cell: &str) -> Assertion {
        let (kind, value) = cell.split_once(':').unwrap_or((cell, ""));
        let name = kind.trim().split('(').next().unwrap_or_default();
        let name = name.strip_prefix("not-").unwrap_or(name);
        // Some kinds compare with nothing; another word alone is what the answer is to be.
        let stands_alone = name.starts_with("is-") || name.starts_with("contains-");
        let is_kind = match cell.contains(':') {
            true => OTHERS.contains(&name) || EXPRESSED.contains(&name),
            false => OTHERS.contains(&name) && stands_alone,
        };
        match is_kind {
            true => Assertion::new(kind.trim().to_owned(), vec![value.trim().to_owned()]),
            false => Assertion::new("equals".to_owned(), vec![cell.trim().to_owned()]),
        }
    }

    /// An assertion as JSON.
    pub(super) fn of_json(assertion: &Json) -> Assertion {
        let kind = assertion["type"].as_str().unwrap_or_default().to_owned();
        Assertion::new(kind, texts(&assertion["value"]))
    }

    /// The `ideal` of OpenAI's evals: one of these texts is to be in the answer.
    pub(super) fn of_ideal(ideal: &Json) -> Assertion {
        Assertion { kind: "contains-any".to_owned(), values: texts(ideal) }
    }

    /// As an expression; none where one expression cannot say it.
    fn pattern(&self) -> Option<String> {
        // What stands in another file is not read, and an empty text is in every answer.
        let values: Vec<&str> = self.values.iter().map(|value| value.trim()).collect();
        if values.is_empty() || values.iter().any(|value| value.is_empty() || value.starts_with("file://")) {
            return None;
        }
        let escaped = values.iter().map(|value| regex::escape(value)).collect::<Vec<_>>().join("|");
        match &*self.kind {
            "equals" => Some(format!(r"^\s*(?:{escaped})\s*$")),
            "contains" | "contains-any" => Some(escaped),
            "icontains" | "icontains-any" => Some(format!("(?i){escaped}")),
            "starts-with" => Some(format!("^(?:{escaped})")),
            "regex" | OWN => Some(values[0].to_owned()),
            _ => None,
        }
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
    /// An expression of our own does not compile. Those of others may be written in another language.
    pub(super) fn of(&mut self, assertions: &[Assertion]) -> Result<Option<Regex>, regex::Error> {
        let mut expected = None;
        for assertion in assertions {
            let left_out = match assertion.pattern().map(|pattern| Regex::new(&pattern)) {
                Some(Ok(pattern)) if expected.is_none() => {
                    expected = Some(pattern);
                    continue;
                }
                Some(Ok(_)) => format!("a second assertion ({})", assertion.kind),
                Some(Err(error)) if assertion.kind == OWN => return Err(error),
                Some(Err(_)) => format!("{} `{}`", assertion.kind, assertion.values.join(" ")),
                None if assertion.kind.is_empty() => "an assertion without a type".to_owned(),
                None => assertion.kind.clone(),
            };
            self.left_out.insert(left_out);
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
