//! The journal: one JSON object a line, appended as answers come and never rewritten. A process that is killed loses
//! at most the line that it was writing, which the next one cuts off.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::answer::Record;
use super::arm::Arm;
use super::design::{Design, Sampling};

/// The format of the lines. Another number is another format.
const VERSION: u32 = 1;

/// The first line: what the journal is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heading {
    /// The format's version.
    pub foreword_journal: u32,
    /// The suite's name.
    pub suite: String,
    /// The brand's id.
    pub brand: String,
    /// How answers are drawn.
    pub sampling: Sampling,
    /// The seed of the order.
    pub seed: u64,
    /// When the run began (RFC 3339).
    pub started: String,
    /// The arms that it began with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arms: Vec<Arm>,
    /// Answers to each question in each arm that it began with.
    #[serde(default)]
    pub repeats: u32,
}

impl Heading {
    /// A heading of this version.
    pub fn new(design: &Design, brand: &str, started: String) -> Heading {
        Heading {
            foreword_journal: VERSION,
            suite: design.suite.name.clone(),
            brand: brand.to_owned(),
            sampling: design.sampling.clone(),
            seed: design.seed,
            started,
            arms: design.arms.clone(),
            repeats: design.repeats,
        }
    }
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be read or written.
    #[error("the journal {} cannot be used: see that it is yours to read and write, or name another folder with --report", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is one already.
    #[error(
        "there is a journal of an earlier run at {}: go on with it with --resume, score it anew with --offline, or name \
         another folder with --report",
        .0.display()
    )]
    Exists(PathBuf),
    /// Another process writes it.
    #[error("another run is writing the journal {}: wait for its end, or name another folder with --report", .0.display())]
    Busy(PathBuf),
    /// There is none.
    #[error("there is no journal at {}: run without --resume and --offline first", .0.display())]
    Absent(PathBuf),
    /// Its first line is not a heading.
    #[error("{} is no journal of foreword: name another folder with --report", .0.display())]
    NotAJournal(PathBuf),
    /// It was written by a newer or older foreword.
    #[error("the journal {} has version {found}, this foreword writes version {VERSION}: name another folder with --report", file.display())]
    Version {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: u32,
    },
    /// It is about something else.
    #[error("the journal {} is of another run: its {what} is {found}, here it is {wanted}; go on as it was begun, or name another folder with --report", file.display())]
    OtherRun {
        /// The file.
        file: PathBuf,
        /// What differs.
        what: &'static str,
        /// In the journal.
        found: String,
        /// Now.
        wanted: String,
    },
    /// A line in the middle is not a record.
    #[error("line {line} of the journal {} is damaged: take it out to ask its question again", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

/// What a journal holds.
#[derive(Debug)]
pub struct Kept {
    /// The first line.
    pub heading: Heading,
    /// The last record of each key.
    pub records: HashMap<String, Record>,
    /// Bytes of whole lines; what stands behind them was cut off while it was written.
    whole: u64,
    /// Whether there is such a rest.
    pub torn: bool,
}

/// Reads a journal. A last line that was not finished is left out.
///
/// # Errors
///
/// What is wrong with the file.
pub fn read_journal(file: &Path) -> Result<Kept, JournalError> {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(JournalError::Absent(file.to_owned()));
        }
        Err(source) => return Err(JournalError::File { file: file.to_owned(), source }),
    };
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let mut lines = bytes[..whole].split_inclusive(|&byte| byte == b'\n');
    let first: serde_json::Value = lines
        .next()
        .and_then(|line| serde_json::from_slice(line).ok())
        .ok_or_else(|| JournalError::NotAJournal(file.to_owned()))?;
    match first["foreword_journal"].as_u64() {
        None => return Err(JournalError::NotAJournal(file.to_owned())),
        Some(found) if found != u64::from(VERSION) => {
            return Err(JournalError::Version {
                file: file.to_owned(),
                found: u32::try_from(found).unwrap_or(u32::MAX),
            });
        }
        Some(_) => {}
    }
    let heading = serde_json::from_value(first).map_err(|_| JournalError::NotAJournal(file.to_owned()))?;
    let mut records = HashMap::new();
    for (number, line) in lines.enumerate() {
        let record: Record = serde_json::from_slice(line)
            .map_err(|_| JournalError::Damaged { file: file.to_owned(), line: number + 2 })?;
        records.insert(record.key.clone(), record);
    }
    Ok(Kept { heading, records, whole: whole as u64, torn: whole < bytes.len() })
}

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Begins a journal. One without a single record, of a run that got no answer, is written over.
    ///
    /// # Errors
    ///
    /// There is one already, or it cannot be written.
    pub fn create(path: &Path, heading: &Heading) -> Result<Journal, JournalError> {
        if read_journal(path).is_ok_and(|kept| kept.records.is_empty()) {
            let file = OpenOptions::new().write(true).open(path);
            let file = file.map_err(|source| JournalError::File { file: path.to_owned(), source })?;
            lock(&file, path)?;
            file.set_len(0).map_err(|source| JournalError::File { file: path.to_owned(), source })?;
            let mut journal = Journal { file, path: path.to_owned() };
            journal.line(heading)?;
            return Ok(journal);
        }
        let file =
            OpenOptions::new().write(true).create_new(true).open(path).map_err(|source| {
                match source.kind() {
                    io::ErrorKind::AlreadyExists => JournalError::Exists(path.to_owned()),
                    _ => JournalError::File { file: path.to_owned(), source },
                }
            })?;
        lock(&file, path)?;
        let mut journal = Journal { file, path: path.to_owned() };
        journal.line(heading)?;
        Ok(journal)
    }

    /// Goes on with a journal, whose unfinished last line is cut off.
    ///
    /// # Errors
    ///
    /// It is of another run, or cannot be written.
    pub fn resume(path: &Path, kept: &Kept, heading: &Heading) -> Result<Journal, JournalError> {
        kept.is_of(path, heading)?;
        let failed = |source| JournalError::File { file: path.to_owned(), source };
        let mut file = OpenOptions::new().write(true).open(path).map_err(failed)?;
        lock(&file, path)?;
        file.set_len(kept.whole).map_err(failed)?;
        io::Seek::seek(&mut file, io::SeekFrom::End(0)).map_err(failed)?;
        Ok(Journal { file, path: path.to_owned() })
    }

    /// Writes a record.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        self.line(record)
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), JournalError> {
        let failed = |source: io::Error| JournalError::File { file: self.path.clone(), source };
        let mut line = serde_json::to_vec(value).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        // One call: the line is in the file whole, or torn at its end, whatever happens to the process.
        self.file.write_all(&line).map_err(failed)
    }
}

/// One run writes a journal at a time. The lock ends with the process.
fn lock(file: &File, path: &Path) -> Result<(), JournalError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(JournalError::Busy(path.to_owned())),
        // A file system without locks.
        Err(TryLockError::Error(_)) => Ok(()),
    }
}

impl Kept {
    /// The arms of the run: those that it began with, and others that were asked since.
    pub fn arms(&self) -> Vec<Arm> {
        let mut others: Vec<Arm> = self.records.values().map(|record| Arm::new(record.arm.clone())).collect();
        others.sort_by_key(|arm| (!arm.is_baseline(), arm.name() != "injected", arm.name().to_owned()));
        let mut arms = self.heading.arms.clone();
        for arm in others {
            if !arms.contains(&arm) {
                arms.push(arm);
            }
        }
        arms
    }

    /// Answers to each question in each arm.
    pub fn repeats(&self) -> u32 {
        let asked = self.records.values().map(|record| record.repeat + 1).max().unwrap_or(1);
        asked.max(self.heading.repeats)
    }

    /// Whether the journal is about the same thing, drawn in the same way.
    ///
    /// # Errors
    ///
    /// What differs.
    pub fn is_of(&self, path: &Path, heading: &Heading) -> Result<(), JournalError> {
        let said = |heading: &Heading| {
            let Sampling { model, max_tokens, temperature, seeds, extra } = &heading.sampling;
            [
                ("suite", heading.suite.clone()),
                ("brand", heading.brand.clone()),
                ("model", model.clone()),
                ("max_tokens", max_tokens.to_string()),
                ("temperature", temperature.to_string()),
                ("seeds", seeds.name().to_owned()),
                ("further fields (--set)", serde_json::to_string(extra).unwrap_or_default()),
                ("seed", heading.seed.to_string()),
            ]
        };
        let pairs = said(&self.heading).into_iter().zip(said(heading));
        match pairs.into_iter().find(|((_, found), (_, wanted))| found != wanted) {
            None => Ok(()),
            Some(((what, found), (_, wanted))) => {
                Err(JournalError::OtherRun { file: path.to_owned(), what, found, wanted })
            }
        }
    }
}
