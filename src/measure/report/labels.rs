//! Answers that people have labelled, to correct what the detector gets wrong (S11).

use std::collections::{HashMap, HashSet};

use super::analyse::Judged;
use super::csv::as_it_was;
use crate::measure::experiment::Record;
use crate::statistics::Calibration;

/// Whether a person says that an answer names the brand, by question, arm and repeat.
#[derive(Debug, Default)]
pub struct Labels {
    by_answer: HashMap<(String, String, u32), bool>,
}

/// Labels that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LabelsError {
    /// It is no CSV.
    #[error("the labels cannot be read")]
    Csv(#[from] ::csv::Error),
    /// A column is missing.
    #[error("the labels have no column `{0}`: copy rows of answers.csv and correct their column `mentioned`")]
    Column(&'static str),
    /// A cell is not what it must be.
    #[error("line {line} of the labels: `{column}` must be {wanted}")]
    Cell {
        /// From 1.
        line: u64,
        /// Its column.
        column: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
}

impl Labels {
    /// Reads rows of `answers.csv` whose column `mentioned` a person has looked at. Rows without a value are left out.
    ///
    /// # Errors
    ///
    /// What is wrong with the file.
    pub fn read(bytes: &[u8]) -> Result<Labels, LabelsError> {
        let mut reader = ::csv::Reader::from_reader(bytes);
        let headers = reader.headers()?.clone();
        let column = |name: &'static str| {
            headers.iter().position(|header| header.trim() == name).ok_or(LabelsError::Column(name))
        };
        let columns = [column("question")?, column("arm")?, column("repeat")?, column("mentioned")?];
        let mut by_answer = HashMap::new();
        for record in reader.records() {
            let record = record?;
            let line = record.position().map_or(0, ::csv::Position::line);
            let [question, arm, repeat, mentioned] =
                columns.map(|column| record.get(column).unwrap_or_default().trim());
            let repeat = repeat.parse().map_err(|_| LabelsError::Cell {
                line,
                column: "repeat",
                wanted: "a whole number",
            })?;
            let mentioned = match mentioned {
                "" => continue,
                "1" | "true" | "yes" => true,
                "0" | "false" | "no" => false,
                _ => return Err(LabelsError::Cell { line, column: "mentioned", wanted: "1 or 0" }),
            };
            by_answer.insert((as_it_was(question).to_owned(), arm.to_owned(), repeat), mentioned);
        }
        Ok(Labels { by_answer })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.by_answer.len()
    }

    /// How many of them are of answers that are not among these.
    pub(super) fn unknown(&self, judged: &[Judged<'_>]) -> usize {
        let answers: HashSet<_> = judged.iter().map(|judged| key(judged.record)).collect();
        self.by_answer.keys().filter(|key| !answers.contains(*key)).count()
    }

    /// How the detector did on the labelled answers among these.
    pub(super) fn calibration<'a>(&self, judged: impl Iterator<Item = &'a Judged<'a>>) -> Calibration {
        let mut counts =
            Calibration { true_positives: 0, false_negatives: 0, true_negatives: 0, false_positives: 0 };
        for judged in judged {
            let label = self.by_answer.get(&key(judged.record));
            let (Some(&label), Some(verdict)) = (label, &judged.verdict) else { continue };
            let count = match (label, verdict.mentioned) {
                (true, true) => &mut counts.true_positives,
                (true, false) => &mut counts.false_negatives,
                (false, false) => &mut counts.true_negatives,
                (false, true) => &mut counts.false_positives,
            };
            *count += 1;
        }
        counts
    }
}

/// What an answer is known by.
fn key(record: &Record) -> (String, String, u32) {
    (record.question.clone(), record.arm.clone(), record.repeat)
}
