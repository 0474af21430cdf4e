//! The report folder.

use std::path::{Path, PathBuf};

use crate::cli::Exit;
use crate::cli::print::{err, failure};
use crate::measure::experiment::Design;
use crate::measure::judge::Material;
use crate::measure::report::{Gate, Judged, Results, SCHEMA, Status, csv, html, junit, markdown};

/// Writes every form of the results into `folder`; returns the HTML file.
pub(super) fn write(
    folder: &Path,
    results: &Results,
    gates: &[(&Gate, Status, String)],
    design: &Design,
    material: &Material,
    judged: &[Judged<'_>],
) -> Result<PathBuf, Exit> {
    let failed = |error: &dyn std::error::Error| {
        failure(error);
        Exit::Runtime
    };
    let page = html(results, gates, design, material, judged).map_err(|error| failed(&error))?;
    let rows = csv(design, judged).map_err(|error| failed(&error))?;
    let cases = junit(results, gates).map_err(|error| failed(&error))?;
    let document = serde_json::to_vec_pretty(results).map_err(|error| failed(&error))?;
    let shown = folder.join("report.html");
    for (name, bytes) in [
        ("report.html", page.as_bytes()),
        ("answers.csv", &rows),
        ("junit.xml", cases.as_bytes()),
        ("results.json", &document),
        ("summary.md", markdown(results, gates).as_bytes()),
    ] {
        std::fs::write(folder.join(name), bytes).map_err(|error| {
            err(&format!(
                "foreword: {} cannot be written: {error}; the answers are kept in the journal: make the folder writable and \
                 run again with --offline\n",
                folder.join(name).display()
            ));
            Exit::Runtime
        })?;
    }
    Ok(shown)
}

/// Reads the results of an earlier run.
pub(super) fn read_results(file: &Path) -> Result<Results, Exit> {
    let file = &if file.is_dir() { file.join("results.json") } else { file.to_owned() };
    let refuse = |reason: String| {
        err(&format!("foreword: {} holds no results of a run: {reason}\n", file.display()));
        Exit::BadInput
    };
    let bytes = std::fs::read(file).map_err(|error| refuse(error.to_string()))?;
    let value: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
    match value["schema"].as_u64() {
        Some(schema) if schema == u64::from(SCHEMA) => {}
        found => return Err(refuse(format!("its schema is {found:?}, and this foreword reads {SCHEMA}"))),
    }
    serde_json::from_value(value).map_err(|error| refuse(error.to_string()))
}
