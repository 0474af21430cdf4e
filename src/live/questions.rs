//! Questions that found nothing, kept where the operator asks for it: without what tells who asked, for a bounded time
//! and in a bounded number, so that the person who writes items sees what is missing.

use rusqlite::params;
use rusqlite::types::Value;

use super::finished::Finished;
use super::redact::redacted;
use super::store::{DAY, Store, StoreError};
use crate::inject::{Decision, SkipReason};
use crate::mentions::{Answer, find};
use crate::retrieval::language_of;
use crate::topics::{Topics, built_in};

/// Questions that are kept; older ones make room.
const MOST_KEPT: i64 = 5_000;
/// Bytes of the longest question that is kept: what is longer is a document that somebody pasted.
const LONGEST: usize = 600;

/// A question that found nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// When it was asked: a day of UTC since 1970, nothing finer.
    pub day: i64,
    /// A number that is the same for all questions of a conversation, as long as the process runs. No receipt has it.
    pub asker: i64,
    /// Primary subtag of its language; empty where it cannot be told.
    pub language: String,
    /// Whether it names a brand or a competitor.
    pub names: bool,
    /// The question, redacted.
    pub text: String,
}

/// Makes questions of requests.
pub(super) struct Asked {
    /// Gives conversations numbers that cannot be found in receipts, nor after a restart.
    key: [u8; 32],
    /// What is nobody's business, whatever may be told into it.
    topics: Topics,
}

impl Asked {
    pub(super) fn new() -> Asked {
        let (one, other) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
        let mut key = blake3::Hasher::new();
        key.update(one.as_bytes()).update(other.as_bytes());
        Asked { key: *key.finalize().as_bytes(), topics: Topics::new(built_in().to_vec()) }
    }

    fn number(&self, conversation: u64) -> i64 {
        let hash = blake3::keyed_hash(&self.key, &conversation.to_le_bytes());
        hash.as_bytes()[..8].iter().fold(0, |number, &byte| number << 8 | i64::from(byte))
    }

    /// The question of a request, where nothing was found for it and nobody has asked to be left alone.
    pub(super) fn question(&self, finished: &Finished) -> Option<Question> {
        if finished.decision != Decision::Skipped(SkipReason::BelowThreshold) {
            return None;
        }
        let spoken = finished.spoken.as_ref()?;
        let observed = spoken.observed.as_ref()?;
        let said = observed.question.trim();
        if said.len() > LONGEST || self.topics.touched(said, |_| true).is_some() {
            return None;
        }
        let text = redacted(said);
        let answer = Answer { text: said, question: None, disclosure: None };
        let names =
            spoken.lexicon.as_ref().is_some_and(|lexicon| !find(lexicon, &answer).mentions.is_empty());
        text.chars().any(char::is_alphabetic).then(|| Question {
            day: finished.began.as_millisecond().div_euclid(DAY),
            asker: self.number(observed.assignment.conversation),
            language: language_of(said).unwrap_or_default().to_owned(),
            names,
            text,
        })
    }
}

impl Store {
    /// Keeps questions, each once for a conversation.
    ///
    /// # Errors
    ///
    /// Those of the file.
    pub fn keep_questions(&mut self, questions: &[Question]) -> Result<(), StoreError> {
        self.change(|connection| {
            let transaction = connection.transaction()?;
            for question in questions {
                transaction
                    .prepare_cached(
                        "INSERT OR IGNORE INTO questions (day, asker, language, names, text) VALUES (?1, ?2, ?3, ?4, ?5)",
                    )?
                    .execute(params![question.day, question.asker, question.language, question.names, question.text])?;
            }
            transaction.execute(
                "DELETE FROM questions WHERE sequence <= (SELECT MAX(sequence) FROM questions) - ?1",
                [MOST_KEPT],
            )?;
            transaction.commit()
        })
    }

    /// Forgets questions that are older than so many days; with none, all of them.
    ///
    /// # Errors
    ///
    /// Those of the file.
    pub fn forget_questions(&mut self, now: i64, days: u32) -> Result<(), StoreError> {
        let first = if days == 0 { i64::MAX } else { now.div_euclid(DAY) - i64::from(days) + 1 };
        self.change(|connection| {
            if connection.execute("DELETE FROM questions WHERE day < ?1", [first])? > 0 {
                // The log beside the file holds pages of before until they are carried over.
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            }
            Ok(())
        })
    }

    /// The questions that were asked last.
    ///
    /// # Errors
    ///
    /// Those of the file.
    pub fn questions(&self, limit: u32) -> Result<Vec<Question>, StoreError> {
        let query = "SELECT day, asker, language, names, text FROM questions ORDER BY sequence DESC LIMIT ?1";
        self.all(query, &[Value::Integer(i64::from(limit))], |row| {
            Ok(Question {
                day: row.get(0)?,
                asker: row.get(1)?,
                language: row.get(2)?,
                names: row.get(3)?,
                text: row.get(4)?,
            })
        })
    }
}
