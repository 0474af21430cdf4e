//! TREC files: judgements (qrels) and rankings (runs), and BEIR's judgements with their header.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::collection::{line_problem, read_text};
use crate::document::Problem;

/// For each query the grades of the items that were judged.
pub type Qrels = BTreeMap<String, BTreeMap<String, i64>>;

/// For each query the items, best first.
pub type Run = BTreeMap<String, Vec<String>>;

/// Reads judgements: `query item grade` with a header (BEIR), or `query iteration item grade` (TREC).
pub fn read_qrels(file: &Path) -> Result<Qrels, Vec<Problem>> {
    let text = read_text(file)?;
    let mut qrels = Qrels::new();
    let mut problems = Vec::new();
    for (number, (start, line)) in lines(&text).enumerate() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (query, item, grade) = match fields[..] {
            [] => continue,
            [query, item, grade] | [query, _, item, grade] => (query, item, grade),
            _ => {
                problems
                    .push(line_problem(file, &text, start, line, "is no judgement").hint(
                        "write: query id, item id, grade (BEIR) or query id, 0, item id, grade (TREC)",
                    ));
                continue;
            }
        };
        match grade.parse::<f64>() {
            Ok(grade) if grade.fract() == 0.0 => {
                qrels.entry(query.to_owned()).or_default().insert(item.to_owned(), grade as i64);
            }
            // A header names its columns.
            _ if number == 0 => {}
            _ => problems.push(
                line_problem(file, &text, start, line, &format!("the grade `{grade}` is no whole number"))
                    .hint("write 0 for not relevant, 1 and up for relevant"),
            ),
        }
    }
    if problems.is_empty() && qrels.is_empty() {
        problems.push(
            Problem::error(file, "there is no judgement in it").hint("write one a line: query, item, grade"),
        );
    }
    if problems.is_empty() { Ok(qrels) } else { Err(problems) }
}

/// Reads a ranking: `query Q0 item rank score tag`. As in trec_eval the scores make the order, and of equal
/// ones the item whose id is the greater comes first.
pub fn read_run(file: &Path) -> Result<Run, Vec<Problem>> {
    let text = read_text(file)?;
    let mut scored: BTreeMap<String, Vec<(f64, String)>> = BTreeMap::new();
    let mut problems = Vec::new();
    for (start, line) in lines(&text) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        match fields[..] {
            [] => {}
            [query, _, item, _, score, ..] if score.parse::<f64>().is_ok_and(f64::is_finite) => {
                let score = score.parse().unwrap_or_default();
                scored.entry(query.to_owned()).or_default().push((score, item.to_owned()));
            }
            _ => problems.push(
                line_problem(file, &text, start, line, "is no line of a run")
                    .hint("write: query id, Q0, item id, rank, score, name of the run"),
            ),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let order = |mut items: Vec<(f64, String)>| {
        items.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| b.1.cmp(&a.1)));
        items.into_iter().map(|(_, item)| item).collect()
    };
    Ok(scored.into_iter().map(|(query, items)| (query, order(items))).collect())
}

/// A ranking as TREC writes it; the scores are made of the ranks, so that the order is kept.
pub fn write_run(run: &Run, name: &str) -> String {
    let mut text = String::new();
    for (query, items) in run {
        for (at, item) in items.iter().enumerate() {
            let _infallible = writeln!(text, "{query} Q0 {item} {} {} {name}", at + 1, items.len() - at);
        }
    }
    text
}

/// Lines with the place where they start.
fn lines(text: &Arc<str>) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let at = start;
        start += line.len();
        (at, line.trim_end_matches(['\n', '\r']))
    })
}
