//! Receipts and counts in one SQLite file. Days are days of UTC since 1970.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params_from_iter};
use rusqlite_migration::{M, Migrations};
use serde::Serialize;

use super::receipt::Receipt;
use super::writing::insert;
use crate::statistics::ClusterSums;

/// Milliseconds of a day.
pub(super) const DAY: i64 = 24 * 60 * 60 * 1_000;
/// How long a statement waits for another process that writes.
const BUSY: Duration = Duration::from_secs(2);
/// Days for which counts are kept.
const COUNTS_KEPT: i64 = 2 * 366;

/// Days for which single conversations are known: one that goes on for longer counts as two.
const CONVERSATIONS_KEPT: i64 = 90;

/// The steps from an empty file to one of this version, each for good.
const STEPS: [&str; 3] =
    [include_str!("schema.sql"), include_str!("schema_2.sql"), include_str!("schema_3.sql")];

static MIGRATIONS: LazyLock<Migrations<'static>> =
    LazyLock::new(|| Migrations::new(STEPS.into_iter().map(M::up).collect()));

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It was written by a newer version.
    #[error(
        "{0} was written by a newer version of foreword: update foreword, or name another file with live.store"
    )]
    Newer(PathBuf),
    /// It was written by an older version, and nobody has opened it for writing since.
    #[error("{0} was written by an older version of foreword: `foreword serve` brings it up to date")]
    Older(PathBuf),
    /// It is no database, or a damaged one.
    #[error("{0} is no database that foreword wrote, or is damaged: move it away, and a new one is begun")]
    Damaged(PathBuf, #[source] rusqlite::Error),
    /// It is not there.
    #[error(
        "{0} is not there: it is written by `foreword serve` with live.store, once a chat request has ended"
    )]
    Absent(PathBuf),
    /// A folder stands where the file should.
    #[error("{0} is a folder: name a file in it with live.store, such as .foreword/live.sqlite")]
    IsFolder(PathBuf),
    /// The file system, or SQLite, says no.
    #[error("{0} cannot be used")]
    Failed(PathBuf, #[source] rusqlite::Error),
    /// Its folder cannot be made.
    #[error("the folder of {0} cannot be made")]
    Folder(PathBuf, #[source] std::io::Error),
}

/// An open store.
pub struct Store {
    path: PathBuf,
    connection: Connection,
}

/// Which receipts are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this brand.
    pub brand: Option<String>,
    /// Of this arm.
    pub arm: Option<String>,
    /// With this decision.
    pub decision: Option<String>,
    /// Whose answer names the brand, or does not.
    pub mentioned: Option<bool>,
    /// Older than the receipt of this number.
    pub before: Option<i64>,
    /// Newer than the receipt of this number.
    pub after: Option<i64>,
}

/// Receipts, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// With their numbers.
    pub receipts: Vec<(i64, Receipt)>,
    /// Whether there are older ones.
    pub has_more: bool,
}

/// Sums of the conversations of one day, arm and half.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DaySums {
    pub(super) day: i64,
    pub(super) arm: String,
    pub(super) half: bool,
    pub(super) sums: ClusterSums,
    pub(super) missing: u64,
}

/// Sums over requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Chat requests.
    pub requests: u64,
    /// Requests to which something was added.
    pub injected: u64,
    /// Answers that could be searched.
    pub scored: u64,
    /// Tokens that were added.
    pub tokens_added: u64,
    /// Tokens of prompts, as upstreams count them.
    pub prompt_tokens: u64,
    /// Of these, from their caches.
    pub cached_tokens: u64,
    /// Tokens of answers.
    pub completion_tokens: u64,
    /// Microseconds that decisions took.
    pub planning_us: u64,
    /// Microseconds that requests took.
    pub total_us: u64,
    /// Tokens of prompts to which something was added.
    pub injected_prompt_tokens: u64,
    /// Of these, from the upstreams' caches.
    pub injected_cached_tokens: u64,
}

impl Store {
    /// Opens the file for writing, and makes it if it is not there.
    pub fn open(path: &Path) -> Result<Store, StoreError> {
        if path.is_dir() {
            return Err(StoreError::IsFolder(path.to_owned()));
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| StoreError::Folder(path.to_owned(), error))?;
        }
        // Made before SQLite makes it, so that nobody else may read it; the files beside it have the same rights.
        let made = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
        made.map_err(|error| StoreError::Folder(path.to_owned(), error))?;
        let connection = Connection::open(path).map_err(|error| of(path, error))?;
        let mut store = Store { path: path.to_owned(), connection };
        store.prepare(true)?;
        match MIGRATIONS.to_latest(&mut store.connection) {
            Ok(()) => Ok(store),
            Err(rusqlite_migration::Error::RusqliteError { err, .. }) => Err(of(path, err)),
            Err(_) => Err(StoreError::Newer(path.to_owned())),
        }
    }

    /// Opens a file that is there, for reading alone.
    pub fn read(path: &Path) -> Result<Store, StoreError> {
        if !path.exists() {
            return Err(StoreError::Absent(path.to_owned()));
        }
        if path.is_dir() {
            return Err(StoreError::IsFolder(path.to_owned()));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| of(path, error))?;
        let mut store = Store { path: path.to_owned(), connection };
        store.prepare(false)?;
        let version =
            store.one("SELECT user_version FROM pragma_user_version", &[], |row| row.get::<_, i64>(0))?;
        match usize::try_from(version).unwrap_or(0) {
            0 => Err(StoreError::Absent(path.to_owned())),
            known if known == STEPS.len() => Ok(store),
            known if known < STEPS.len() => Err(StoreError::Older(path.to_owned())),
            _ => Err(StoreError::Newer(path.to_owned())),
        }
    }

    fn prepare(&mut self, writes: bool) -> Result<(), StoreError> {
        let set = || {
            self.connection.busy_timeout(BUSY)?;
            if writes {
                // Readers go on beside the one writer, and a crash loses at most the last moments.
                self.connection.pragma_update(None, "journal_mode", "WAL")?;
                self.connection.pragma_update(None, "synchronous", "NORMAL")?;
                // What is forgotten is overwritten, and does not wait in free pages.
                self.connection.pragma_update(None, "secure_delete", "ON")?;
            }
            Ok(())
        };
        set().map_err(|error| of(&self.path, error))
    }

    /// Keeps receipts, and counts them: all, or none.
    pub fn write(&mut self, receipts: &[Receipt]) -> Result<(), StoreError> {
        self.change(|connection| {
            let transaction = connection.transaction()?;
            for receipt in receipts {
                insert(&transaction, receipt)?;
            }
            transaction.commit()
        })
    }

    pub(super) fn change(
        &mut self,
        change: impl FnOnce(&mut Connection) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        change(&mut self.connection).map_err(|error| of(&self.path, error))
    }

    /// Forgets receipts that are older than so many days, and counts that are older than two years.
    pub fn forget(&mut self, now: i64, receipt_days: u32) -> Result<(), StoreError> {
        let (receipts, counts) = (now - i64::from(receipt_days) * DAY, now / DAY - COUNTS_KEPT);
        self.change(|connection| {
            connection.execute("DELETE FROM receipts WHERE time < ?1", [receipts])?;
            for table in ["counts", "names", "items", "sums", "part_sums"] {
                connection.execute(&format!("DELETE FROM {table} WHERE day < ?1"), [counts])?;
            }
            for table in ["conversations", "parts"] {
                let query = format!("DELETE FROM {table} WHERE day < ?1");
                connection.execute(&query, [now / DAY - CONVERSATIONS_KEPT])?;
            }
            Ok(())
        })
    }

    /// Receipts that a filter lets through, newest first.
    pub fn receipts(&self, filter: &Filter, limit: usize) -> Result<Page, StoreError> {
        let mut wanted = String::from("1");
        let mut values: Vec<Value> = Vec::new();
        let mut want = |column: &str, value: Option<Value>| {
            if let Some(value) = value {
                values.push(value);
                // The plus keeps SQLite from using another index than that of the first, which tells most apart.
                let plus = if values.len() > 1 && column.ends_with('=') { "+" } else { "" };
                wanted.push_str(&format!(" AND {plus}{column} ?{}", values.len()));
            }
        };
        let text = |text: &Option<String>| text.clone().map(Value::Text);
        want("decision =", text(&filter.decision));
        want("arm =", text(&filter.arm));
        want("mentioned =", filter.mentioned.map(|mentioned| Value::Integer(i64::from(mentioned))));
        want("brand =", text(&filter.brand));
        want("sequence <", filter.before.map(Value::Integer));
        want("sequence >", filter.after.map(Value::Integer));
        let query = format!(
            "SELECT sequence, receipt FROM receipts WHERE {wanted} ORDER BY sequence DESC LIMIT {}",
            limit + 1
        );
        let mut receipts = self.all(&query, &values, |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
        let has_more = receipts.len() > limit;
        receipts.truncate(limit);
        let receipts = receipts
            .into_iter()
            .filter_map(|(sequence, json)| Some((sequence, serde_json::from_str(&json).ok()?)))
            .collect();
        Ok(Page { receipts, has_more })
    }

    /// The receipt of an id.
    pub fn receipt(&self, id: &str) -> Result<Option<Receipt>, StoreError> {
        let found = self
            .connection
            .query_row("SELECT receipt FROM receipts WHERE id = ?1", [id], |row| row.get::<_, String>(0))
            .optional()
            .map_err(|error| of(&self.path, error))?;
        Ok(found.and_then(|json| serde_json::from_str(&json).ok()))
    }

    /// The brands that were told of since a day, those with most answers first.
    pub fn brands(&self, since: i64) -> Result<Vec<String>, StoreError> {
        let query = "SELECT brand FROM counts WHERE day >= ?1 AND brand <> '' GROUP BY brand ORDER BY SUM(scored) DESC, brand";
        self.all(query, &[Value::Integer(since)], |row| row.get(0))
    }

    /// Conversations that began since a day, summed by day, arm and half, in the order of days.
    pub(super) fn sums(&self, brand: &str, since: i64) -> Result<Vec<DaySums>, StoreError> {
        let query = "SELECT day, arm, half, clusters, answers, mentions, answers_squared, mentions_squared, products, \
                     missing FROM sums WHERE brand = ?1 AND day >= ?2 ORDER BY day, arm, half";
        self.all(query, &[Value::Text(brand.to_owned()), Value::Integer(since)], |row| {
            let number = |column: usize| row.get::<_, i64>(column).map(|number| number as f64);
            let sums = ClusterSums {
                clusters: number(3)?,
                answers: number(4)?,
                mentions: number(5)?,
                answers_squared: number(6)?,
                mentions_squared: number(7)?,
                products: number(8)?,
            };
            let missing = row.get::<_, i64>(9)?.unsigned_abs();
            Ok(DaySums {
                day: row.get(0)?,
                arm: row.get(1)?,
                half: row.get::<_, i64>(2)? == 1,
                sums,
                missing,
            })
        })
    }

    /// Requests since a day by decision, most first.
    pub fn decisions(&self, since: i64) -> Result<Vec<(String, u64)>, StoreError> {
        let query =
            "SELECT decision, SUM(requests) FROM counts WHERE day >= ?1 GROUP BY decision ORDER BY 2 DESC, 1";
        self.all(query, &[Value::Integer(since)], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
        })
    }

    /// Sums over all requests since a day.
    pub fn totals(&self, since: i64) -> Result<Totals, StoreError> {
        let sums = [
            "requests",
            "scored",
            "tokens_added",
            "prompt_tokens",
            "cached_tokens",
            "completion_tokens",
            "planning_us",
            "total_us",
        ]
        .map(|column| format!("COALESCE(SUM({column}), 0)"));
        let injected = ["requests", "prompt_tokens", "cached_tokens"]
            .map(|column| format!("COALESCE(SUM({column}) FILTER (WHERE decision = 'injected'), 0)"));
        let query =
            format!("SELECT {}, {} FROM counts WHERE day >= ?1", sums.join(", "), injected.join(", "));
        self.one(&query, &[Value::Integer(since)], |row| {
            let number = |column: usize| row.get::<_, i64>(column).map(i64::unsigned_abs);
            Ok(Totals {
                requests: number(0)?,
                scored: number(1)?,
                tokens_added: number(2)?,
                prompt_tokens: number(3)?,
                cached_tokens: number(4)?,
                completion_tokens: number(5)?,
                planning_us: number(6)?,
                total_us: number(7)?,
                injected: number(8)?,
                injected_prompt_tokens: number(9)?,
                injected_cached_tokens: number(10)?,
            })
        })
    }

    /// Tokens that were added to the requests of an arm since a day, for one brand.
    pub(super) fn tokens_added(&self, brand: &str, arm: &str, since: i64) -> Result<u64, StoreError> {
        let query =
            "SELECT COALESCE(SUM(tokens_added), 0) FROM counts WHERE day >= ?1 AND brand = ?2 AND arm = ?3";
        let values = [Value::Integer(since), Value::Text(brand.to_owned()), Value::Text(arm.to_owned())];
        self.one(query, &values, |row| row.get::<_, i64>(0).map(i64::unsigned_abs))
    }

    /// Answers that name each name, by arm, most first: the share of voice.
    pub fn names(&self, brand: &str, since: i64) -> Result<Vec<(String, String, u64)>, StoreError> {
        let query = "SELECT arm, name, SUM(answers) FROM names WHERE brand = ?1 AND day >= ?2 GROUP BY arm, name ORDER BY 3 DESC, 1, 2";
        self.all(query, &[Value::Text(brand.to_owned()), Value::Integer(since)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.unsigned_abs()))
        })
    }

    /// How often each item was told since a day, in how many answers that could be searched, and in how many of these
    /// the brand is named.
    pub fn items(&self, since: i64) -> Result<Vec<(String, u64, u64, u64)>, StoreError> {
        let query = "SELECT item, SUM(told), SUM(scored), SUM(mentions) FROM items WHERE day >= ?1 GROUP BY item ORDER BY 2 DESC, 1";
        self.all(query, &[Value::Integer(since)], |row| {
            let number = |column: usize| row.get::<_, i64>(column).map(i64::unsigned_abs);
            Ok((row.get(0)?, number(1)?, number(2)?, number(3)?))
        })
    }

    pub(super) fn one<T>(
        &self,
        query: &str,
        values: &[Value],
        of_row: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.connection
            .query_row(query, params_from_iter(values), of_row)
            .map_err(|error| of(&self.path, error))
    }

    pub(super) fn all<T>(
        &self,
        query: &str,
        values: &[Value],
        of_row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let read = || {
            let mut statement = self.connection.prepare_cached(query)?;
            statement.query_map(params_from_iter(values), of_row)?.collect::<rusqlite::Result<Vec<T>>>()
        };
        read().map_err(|error| of(&self.path, error))
    }
}

fn of(path: &Path, error: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    match error.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => StoreError::Damaged(path.to_owned(), error),
        _ => StoreError::Failed(path.to_owned(), error),
    }
}
