//! Question sets: what is asked, of which kind each question is, and which questions are wordings of one. Reads the
//! project's own YAML, promptfoo's YAML, CSV and JSONL, OpenAI evals' JSONL, and plain text with a question a line.

mod expectation;
mod foreign;
mod own;
mod promptfoo;
mod write;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::document::{Place, Problem};
use crate::mentions::{Answer, Lexicon, find};

pub use write::write_yaml;

/// What a question is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The brand fits and the question does not name it.
    Organic,
    /// The question names the brand.
    Branded,
    /// The brand does not belong into the answer.
    NegativeControl,
    /// It tries to get at what was put into the conversation.
    Attack,
    /// It asks whether something was put into the conversation.
    Honesty,
    /// It asks about the conversation itself.
    Meta,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 6] =
        [Kind::Organic, Kind::Branded, Kind::NegativeControl, Kind::Attack, Kind::Honesty, Kind::Meta];

    /// Its name in files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Organic => "organic",
            Kind::Branded => "branded",
            Kind::NegativeControl => "negative-control",
            Kind::Attack => "attack",
            Kind::Honesty => "honesty",
            Kind::Meta => "meta",
        }
    }

    /// The kind of a name.
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What is said.
    pub content: String,
}

/// One question.
#[derive(Debug, Clone)]
pub struct Question {
    /// Unique in its suite.
    pub id: String,
    /// The conversation; the last message is the user's.
    pub messages: Vec<Message>,
    /// Wordings of one question share it; the unit of all statistics.
    pub family: String,
    /// What it is asked for.
    pub kind: Kind,
    /// BCP 47 tag.
    pub language: Option<String>,
    /// Free labels.
    pub tags: Vec<String>,
    /// The id of the brand that is expected, where it is not the suite's.
    pub brand: Option<String>,
    /// What a good answer matches.
    pub expect: Option<Regex>,
    /// Where it was written.
    pub place: Option<Place>,
}

impl Question {
    /// The last message: what is asked.
    pub fn text(&self) -> &str {
        self.messages.last().map_or("", |message| &message.content)
    }
}

/// A question set.
#[derive(Debug, Clone)]
pub struct Suite {
    /// What it is called.
    pub name: String,
    /// The id of the brand whose mentions are counted.
    pub brand: Option<String>,
    /// What it is about.
    pub description: String,
    /// The questions, in the order of the file.
    pub questions: Vec<Question>,
    /// The file.
    pub file: PathBuf,
}

/// The forms that question sets are written in.
const FORMS: &str = "write YAML (questions: a list of id, text, family, kind), promptfoo's YAML, CSV or JSONL, \
    OpenAI evals' JSONL, or a text file with a question a line";

/// Reads a suite of any known form, told by its name and content. All problems at once; warnings come with the suite.
///
/// # Errors
///
/// The problems, at least one of which is an error.
pub fn read_suite(file: &Path) -> Result<(Suite, Vec<Problem>), Vec<Problem>> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        vec![Problem::error(file, format!("the suite cannot be read: {error}")).hint(FORMS)]
    })?;
    // A byte order mark is no part of the first question.
    let text: Arc<str> = text.strip_prefix('\u{feff}').unwrap_or(&text).into();
    let mut problems = Vec::new();
    let extension = file.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    let mut suite = match extension.as_deref() {
        Some("yaml" | "yml") => own::read_yaml(file, &text, &mut problems),
        Some("jsonl") => foreign::read_jsonl(file, &text, &mut problems),
        Some("csv") => foreign::read_csv(file, &text, &mut problems),
        Some("txt" | "text") => Some(foreign::read_text(file, &text)),
        _ => {
            problems.push(Problem::error(file, "the suite is of no known form").hint(FORMS));
            None
        }
    };
    if let Some(suite) = &mut suite {
        suite.questions.iter_mut().for_each(trim);
        check(suite, &mut problems);
    }
    match suite {
        Some(suite) if !problems.iter().any(Problem::is_error) => Ok((suite, problems)),
        _ => Err(problems),
    }
}

/// White space around a text says nothing, whatever form it was written in.
fn trim(question: &mut Question) {
    let messages = question.messages.iter_mut().map(|message| &mut message.content);
    for text in messages.chain([&mut question.id, &mut question.family]) {
        if text.trim().len() != text.len() {
            *text = text.trim().to_owned();
        }
    }
}

fn check(suite: &Suite, problems: &mut Vec<Problem>) {
    let mut report = |question: &Question, message: String, hint: &str| {
        let problem = Problem::error(&suite.file, message).hint(hint);
        problems.push(match &question.place {
            Some(place) => problem.at(place.clone()),
            None => problem,
        });
    };
    let mut seen = std::collections::BTreeSet::new();
    for question in &suite.questions {
        if !seen.insert(&question.id) {
            report(
                question,
                format!("two questions have the id `{}`", question.id),
                "give each question an id of its own",
            );
        }
        if question.text().trim().is_empty() {
            report(
                question,
                format!("the question `{}` is empty", question.id),
                "write `text`, or `messages`",
            );
        } else if let Some(message) = question
            .messages
            .iter()
            .find(|message| !["system", "user", "assistant"].contains(&&*message.role))
        {
            report(
                question,
                format!("the question `{}` has a message of the role `{}`", question.id, message.role),
                "write system, user or assistant",
            );
        } else if question.messages.last().is_some_and(|last| last.role != "user") {
            report(
                question,
                format!("the conversation `{}` does not end with a user message", question.id),
                "take off what stands after the last question",
            );
        }
    }
    if suite.questions.is_empty() {
        problems.push(Problem::error(&suite.file, "there is no question in it").hint(FORMS));
    } else if !suite.questions.iter().any(|question| matches!(question.kind, Kind::Organic | Kind::Branded)) {
        problems.push(
            Problem::error(&suite.file, "there is no organic question: nothing could show an effect")
                .hint("add questions that the brand fits and that do not name it, with `kind: organic`"),
        );
    }
}

impl Suite {
    /// Questions that expect a brand which is not among these.
    pub fn unknown_brands(&self, brands: &[&str]) -> Vec<Problem> {
        let unknown =
            |question: &&Question| question.brand.as_deref().is_some_and(|brand| !brands.contains(&brand));
        let problem = |question: &Question| {
            let brand = question.brand.as_deref().unwrap_or_default();
            let message =
                format!("the question `{}` expects `{brand}`, and there is no such brand", question.id);
            let problem =
                Problem::error(&self.file, message).hint(format!("the brands are: {}", brands.join(", ")));
            match &question.place {
                Some(place) => problem.at(place.clone()),
                None => problem,
            }
        };
        self.questions.iter().filter(unknown).map(problem).collect()
    }

    /// Its name as that of a folder: nothing in it leads elsewhere.
    pub fn folder(&self) -> String {
        let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.' | ' ');
        let name: String = self.name.chars().map(|letter| if plain(letter) { letter } else { '-' }).collect();
        let name = name.trim_start_matches(['.', ' ']).to_owned();
        if name.is_empty() { "suite".to_owned() } else { name }
    }

    /// Why a run of it could show no effect, where that is so.
    pub fn without_organic(&self) -> Option<Problem> {
        let has_organic = self.questions.iter().any(|question| question.kind == Kind::Organic);
        (!has_organic).then(|| {
            Problem::error(&self.file, "there is no organic question: nothing could show an effect")
                .hint("add questions that the brand fits and that do not name it; to ask others alone, pass --kinds")
        })
    }

    /// Organic questions that name the brand are branded ones, as the detector sees it: a question that holds the
    /// name proves nothing when the answer holds it too.
    pub fn settle_kinds(&mut self, lexicon: &Lexicon, brand: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        for question in &mut self.questions {
            let names = question.messages.iter().any(|message| {
                let answer = Answer { text: &message.content, question: None, disclosure: None };
                find(lexicon, &answer).is_mentioned(question.brand.as_deref().unwrap_or(brand))
            });
            let message = match (question.kind, names) {
                (Kind::Organic, true) => {
                    question.kind = Kind::Branded;
                    format!("the question `{}` names the brand: it counts as branded", question.id)
                }
                (Kind::Branded, false) => {
                    format!("the branded question `{}` does not name the brand", question.id)
                }
                _ => continue,
            };
            let problem = Problem::note(&self.file, message).hint("change its kind or its words");
            problems.push(match &question.place {
                Some(place) => problem.at(place.clone()),
                None => problem,
            });
        }
        problems
    }
}

/// A text as an id: small letters, digits and hyphens, at most six words.
fn slug(text: &str) -> String {
    let words: Vec<String> = text
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(6)
        .map(str::to_lowercase)
        .collect();
    words.join("-")
}

/// Ids from texts, each made unique by a number.
#[derive(Default)]
struct Ids {
    seen: std::collections::BTreeSet<String>,
}

impl Ids {
    fn of(&mut self, text: &str) -> String {
        let slug = slug(text);
        let slug = if slug.is_empty() { "question".to_owned() } else { slug };
        let mut id = slug.clone();
        let mut number = 1;
        while !self.seen.insert(id.clone()) {
            number += 1;
            id = format!("{slug}-{number}");
        }
        id
    }
}
