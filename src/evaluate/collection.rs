//! Collections in BEIR's layout (Thakur et al., 2021): `corpus.jsonl`, `queries.jsonl`, `qrels.tsv` or
//! `qrels/test.tsv`. A query may be a conversation under `messages`, as chat requests have them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::run::{Qrels, read_qrels};
use crate::document::{Place, Problem};
use crate::retrieval::{Query, Speaker};

/// Something that is asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its id.
    pub id: String,
    /// What is looked up.
    pub query: Query,
}

/// An item of a corpus.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Document {
    #[serde(rename = "_id")]
    pub(super) id: String,
    #[serde(default)]
    pub(super) title: String,
    pub(super) text: String,
    #[serde(default)]
    pub(super) language: Option<String>,
}

/// A labelled collection.
#[derive(Debug, Clone)]
pub struct Collection {
    /// The folder's name.
    pub name: String,
    /// Empty where the knowledge folder is the corpus.
    pub(super) documents: Vec<Document>,
    /// The queries that have a relevant item.
    pub queries: Vec<Asked>,
    /// The judgements.
    pub qrels: Qrels,
}

/// The beginning of a negatives file's or query's line.
#[derive(Debug, Deserialize)]
struct AskedLine {
    #[serde(alias = "_id")]
    id: Option<String>,
    text: Option<String>,
    #[serde(default)]
    messages: Vec<Message>,
}

#[derive(Debug, Deserialize)]
struct Message {
    role: String,
    #[serde(default)]
    content: Option<String>,
}

/// Reads a collection; without `with_corpus` the items come from elsewhere. All problems at once.
pub fn read_collection(folder: &Path, with_corpus: bool) -> Result<Collection, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut keep = |found: Vec<Problem>| problems.extend(found);
    let documents: Vec<Document> = if with_corpus {
        read_lines(&folder.join("corpus.jsonl")).unwrap_or_else(|found| {
            keep(found);
            Vec::new()
        })
    } else {
        Vec::new()
    };
    let queries = read_negatives(&folder.join("queries.jsonl")).unwrap_or_else(|found| {
        keep(found);
        Vec::new()
    });
    let qrels = ["qrels.tsv", "qrels/test.tsv"].map(|name| folder.join(name));
    let qrels = qrels.iter().find(|file| file.exists()).unwrap_or(&qrels[0]);
    let qrels = read_qrels(qrels).unwrap_or_else(|found| {
        keep(found);
        Qrels::new()
    });
    if !problems.is_empty() {
        return Err(problems);
    }
    let has_answer =
        |asked: &Asked| qrels.get(&asked.id).is_some_and(|grades| grades.values().any(|grade| *grade > 0));
    let queries: Vec<Asked> = queries.into_iter().filter(has_answer).collect();
    if queries.is_empty() {
        let problem = Problem::error(folder, "no query has a relevant item")
            .hint("check that the ids in queries.jsonl and in the judgements are the same");
        return Err(vec![problem]);
    }
    let name = fs::canonicalize(folder)
        .ok()
        .and_then(|folder| folder.file_name().map(|name| name.to_string_lossy().into_owned()))
        .unwrap_or_default();
    Ok(Collection { name, documents, queries, qrels })
}

/// Reads what is asked: a JSON object a line with `text`, or `messages` whose last one is the user's.
pub fn read_negatives(file: &Path) -> Result<Vec<Asked>, Vec<Problem>> {
    let lines: Vec<AskedLine> = read_lines(file)?;
    let mut asked = Vec::with_capacity(lines.len());
    for (number, line) in lines.into_iter().enumerate() {
        let id = line.id.unwrap_or_else(|| format!("line-{}", number + 1));
        let before = line.messages.iter().rposition(|message| message.role == "user");
        let text =
            before.and_then(|last| line.messages[last].content.clone()).or(line.text).unwrap_or_default();
        let said = line.messages[..before.unwrap_or(0)].iter().filter_map(|message| {
            let speaker = match message.role.as_str() {
                "user" => Speaker::User,
                "assistant" => Speaker::Assistant,
                _ => return None,
            };
            Some((speaker, message.content.as_deref()?))
        });
        asked.push(Asked { query: Query::after(said.collect::<Vec<_>>().into_iter(), &text), id });
    }
    Ok(asked)
}

/// A JSON object a line; all problems at once.
fn read_lines<T: for<'de> Deserialize<'de>>(file: &Path) -> Result<Vec<T>, Vec<Problem>> {
    let text = read_text(file)?;
    let mut values = Vec::new();
    let mut problems = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if !line.trim().is_empty() {
            match serde_json::from_str(line) {
                Ok(value) => values.push(value),
                Err(error) => problems.push(
                    line_problem(file, &text, start, line.trim_end(), &error.to_string())
                        .hint("write a JSON object a line with `_id` and `text`"),
                ),
            }
        }
        start += line.len();
    }
    if problems.is_empty() && values.is_empty() {
        problems.push(Problem::error(file, "there is nothing in it").hint("write a JSON object a line"));
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

pub(super) fn read_text(file: &Path) -> Result<Arc<str>, Vec<Problem>> {
    fs::read_to_string(file).map(Arc::from).map_err(|error| {
        vec![
            Problem::error(file, format!("it cannot be read: {error}"))
                .hint("name a folder with corpus.jsonl, queries.jsonl and qrels.tsv"),
        ]
    })
}

pub(super) fn line_problem(file: &Path, text: &Arc<str>, start: usize, line: &str, message: &str) -> Problem {
    Problem::error(file, message).at(Place { text: Arc::clone(text), span: start..start + line.len() })
}
