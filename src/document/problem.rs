//! What is wrong with a file that a person wrote, where, and what to do about it. Shown by
//! `foreword check` with the offending text, and in one line where a log wants it.

use std::error::Error;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report};

/// Lines longer than this are not shown.
const LONGEST_SHOWN_LINE: usize = 400;

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

impl Place {
    /// The line, from 1.
    pub fn line(&self) -> usize {
        1 + self.text.as_bytes()[..self.span.start].iter().filter(|byte| **byte == b'\n').count()
    }
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

impl Problem {
    /// An error in `file`.
    pub fn error(file: impl AsRef<Path>, message: impl Into<String>) -> Problem {
        Problem::new(Severity::Error, file.as_ref(), message.into())
    }

    /// A warning about `file`.
    pub fn warning(file: impl AsRef<Path>, message: impl Into<String>) -> Problem {
        Problem::new(Severity::Warning, file.as_ref(), message.into())
    }

    /// A note on `file`.
    pub fn note(file: impl AsRef<Path>, message: impl Into<String>) -> Problem {
        Problem::new(Severity::Note, file.as_ref(), message.into())
    }

    fn new(severity: Severity, file: &Path, message: String) -> Problem {
        Problem { severity, file: file.to_owned(), place: None, message, hint: None }
    }

    /// The same, at a place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Problem {
        // Parsers of others may point into the middle of a character.
        let Place { text, span } = place;
        let span = text.floor_char_boundary(span.start)..text.ceil_char_boundary(span.end.min(text.len()));
        self.place = Some(Place { text, span });
        self
    }

    /// The same, with a remedy.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Line and column of the place, both from 1, the column in characters.
    pub fn line_column(&self) -> Option<(usize, usize)> {
        let place = self.place.as_ref()?;
        let before = &place.text[..place.text.floor_char_boundary(place.span.start)];
        let line = before.matches('\n').count() + 1;
        let column = before[before.rfind('\n').map_or(0, |at| at + 1)..].chars().count() + 1;
        Some((line, column))
    }

    /// Several lines for a person: the text around the place, the message and the remedy.
    pub fn render(&self, colour: bool) -> String {
        let severity = match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Note => miette::Severity::Advice,
        };
        let mut diagnostic = MietteDiagnostic::new(format!("{}: {}", self.location(), self.message));
        diagnostic.severity = Some(severity);
        diagnostic.help.clone_from(&self.hint);
        let mut report = Report::new(diagnostic.clone());
        if let Some(place) = self.place.as_ref().filter(|place| is_showable(place)) {
            let length = place.span.len().max(usize::from(place.span.start < place.text.len()));
            diagnostic.labels =
                Some(vec![LabeledSpan::underline((place.span.start, length.min(LONGEST_SHOWN_LINE)))]);
            let source = NamedSource::new(self.file.to_string_lossy(), place.text.to_string());
            report = Report::new(diagnostic).with_source_code(source);
        }
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let mut text = String::new();
        let handler = GraphicalReportHandler::new_themed(theme).with_width(110).with_context_lines(1);
        match handler.render_report(&mut text, report.as_ref()) {
            Ok(()) => text,
            Err(fmt::Error) => format!("{self}\n"),
        }
    }

    /// `file:line:column`, as far as it is known.
    fn location(&self) -> String {
        match self.line_column() {
            Some((line, column)) => format!("{}:{line}:{column}", self.file.display()),
            None => self.file.display().to_string(),
        }
    }
}

/// Whether the lines around a place are short enough to be shown.
fn is_showable(place: &Place) -> bool {
    let (before, after) = (&place.text[..place.span.start], &place.text[place.span.start..]);
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let end = after.find('\n').map_or(place.text.len(), |at| before.len() + at);
    end - start <= LONGEST_SHOWN_LINE
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        write!(formatter, "{}: {severity}: {}", self.location(), self.message)?;
        match &self.hint {
            Some(hint) => write!(formatter, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// An error and what it is owed to, in one line.
pub fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
