//! A finding, and where in its file it stands.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use regex::Regex;

use super::catalog::{Level, Lint};
use crate::document::{Place, Problem};
use crate::knowledge::Item;

/// Words of a finding by which it is looked for in its file.
const WORDS: usize = 12;

/// What a lint has found in an item.
#[derive(Debug, Clone)]
pub(super) struct Finding<'a> {
    pub(super) lint: Lint,
    pub(super) item: &'a Item,
    /// The text of the item that it is about; empty: the item as a whole.
    pub(super) snippet: String,
    /// What is wrong, in one sentence without a full stop.
    pub(super) message: String,
    /// What to do.
    pub(super) remedy: &'static str,
}

/// The files of a knowledge folder, read again where a finding stands in them.
pub(super) struct Files<'a> {
    root: &'a Path,
    read: HashMap<PathBuf, Option<Arc<str>>>,
}

impl<'a> Files<'a> {
    pub(super) fn new(root: &'a Path) -> Files<'a> {
        Files { root, read: HashMap::new() }
    }

    /// The finding as a problem of this level.
    pub(super) fn problem(&mut self, finding: &Finding<'_>, level: Level) -> Problem {
        let file = self.root.join(&finding.item.origin.file);
        let message = format!("{}: {}", finding.lint.name(), finding.message);
        let mut problem = match level {
            Level::Deny => Problem::error(&file, message),
            Level::Warn | Level::Allow => Problem::warning(&file, message),
        };
        if let Some(text) = self.text(&file) {
            let span = locate(&text, finding.item.origin.line, &finding.snippet);
            problem = problem.at(Place { text, span });
        }
        problem.hint(finding.remedy)
    }

    fn text(&mut self, file: &Path) -> Option<Arc<str>> {
        let read = || {
            let text = std::fs::read_to_string(file).ok()?;
            Some(text.trim_start_matches('\u{feff}').replace("\r\n", "\n").into())
        };
        self.read.entry(file.to_owned()).or_insert_with(read).clone()
    }
}

/// Where a snippet stands in a file, from the line of its item on; that line where it is not found: marks of emphasis
/// and escapes may stand between its words in the file.
fn locate(text: &str, line: usize, snippet: &str) -> std::ops::Range<usize> {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let start = start.min(text.len());
    let rest = &text[start..];
    let words: Vec<String> = snippet.split_whitespace().take(WORDS).map(regex::escape).collect();
    let found = (!words.is_empty())
        .then(|| Regex::new(&words.join(r"[\s*_`>]+")).ok()?.find(rest).map(|found| found.range()))
        .flatten();
    match found {
        Some(found) => start + found.start..start + found.end,
        None => start..start + rest.lines().next().map_or(0, str::len),
    }
}

#[cfg(test)]
mod tests {
    use super::locate;

    #[test]
    fn a_snippet_is_found_over_line_ends_and_emphasis() {
        let text = "# One\n\nfirst\n\n# Two\n\nignore **all\nprevious** orders\n";
        let at = |line, snippet| &text[locate(text, line, snippet)];
        assert_eq!(at(5, "ignore all previous"), "ignore **all\nprevious");
        assert_eq!(at(5, "not there"), "# Two");
        assert_eq!(at(1, ""), "# One");
        assert_eq!(at(99, "x"), "");
    }
}
