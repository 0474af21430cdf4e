//! What is wrong with a file that a person wrote, where, and what to do about it. Shown by
//! `foreword check` with the offending text, and in one line where a log wants it.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing is left out.
    Note,
    /// Something is ignored or left out; the rest serves.
    Warning,
    /// The state cannot serve: `check` fails and a reload keeps the last good snapshot.
    Error,
}

/// Where in a file a problem is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The whole text of the file, to show the lines around.
    pub text: Arc<str>,
    /// Byte range of the offending text in `text`.
    pub span: Range<usize>,
}

/// One thing wrong with one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The file or folder.
    pub file: PathBuf,
    /// The place in the file, where there is one.
    pub place: Option<Place>,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}
