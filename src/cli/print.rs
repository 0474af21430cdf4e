//! Writing to the terminal: colours where it shows them, no panic where a pipe is closed.

use std::io::{IsTerminal, Write};

use super::Exit;
use crate::app::StartError;
use crate::document::{Problem, Severity};

/// Writes text to standard output. A reader that went away is no error of ours.
pub(super) fn out(text: &str) {
    let _closed = anstream::stdout().lock().write_all(text.as_bytes());
}

/// Writes text to standard error.
pub(super) fn err(text: &str) {
    let _closed = anstream::stderr().lock().write_all(text.as_bytes());
}

/// Shows problems with the lines around them, worst last, and a count of each kind.
pub(super) fn problems(problems: &[Problem], least: Severity) {
    let colour = std::io::stderr().is_terminal();
    let mut shown: Vec<&Problem> = problems.iter().filter(|problem| problem.severity >= least).collect();
    shown.sort_by_key(|problem| problem.severity);
    for problem in shown {
        err(&problem.render(colour));
    }
}

/// `2 errors, 1 warning`; empty when there is nothing.
pub(super) fn tally(problems: &[Problem]) -> String {
    let mut parts = Vec::new();
    for (severity, name) in
        [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")]
    {
        let count = problems.iter().filter(|problem| problem.severity == severity).count();
        if count > 0 {
            parts.push(format!("{count} {name}{}", if count == 1 { "" } else { "s" }));
        }
    }
    parts.join(", ")
}

/// An error with its sources, a line each.
pub(super) fn failure(error: &dyn std::error::Error) {
    let mut said = error.to_string();
    let mut text = format!("foreword: {said}\n");
    let mut source = error.source();
    while let Some(cause) = source {
        let line = cause.to_string();
        // Some say what their cause says.
        if !line.ends_with(&said) && !said.ends_with(&line) {
            text.push_str(&format!("  because: {line}\n"));
        }
        said = line;
        source = cause.source();
    }
    err(&text);
}

/// Why foreword did not start, and the exit code for it.
pub(super) fn not_started(error: &StartError) -> Exit {
    match error {
        StartError::Knowledge(found) => {
            problems(found, Severity::Warning);
            err("foreword: not started: the knowledge or the recipes have errors\n");
            Exit::BadInput
        }
        StartError::NoUpstream => {
            failure(error);
            err("  for instance: foreword serve --upstream http://127.0.0.1:11434/v1\n");
            Exit::BadInput
        }
        StartError::Model(_) | StartError::Telemetry(_) | StartError::Tls(_) | StartError::Certificate(_) => {
            failure(error);
            Exit::BadInput
        }
        StartError::Listen { .. } | StartError::Signals(_) | StartError::Receipts(_) => {
            failure(error);
            Exit::Runtime
        }
    }
}
