//! "Measure": the stored reports of `foreword measure`, listed and opened in place.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use http::StatusCode;
use minijinja::{Value, context};

use super::form::{decode, encode};
use super::reply::{Reply, report};
use super::service::{Console, not_found};
use crate::measure::report::{Results, verdict};

/// Reports that are listed, the newest.
const LISTED: usize = 200;
/// Bytes of a report that is opened.
const LARGEST_REPORT: u64 = 64 << 20;

/// A stored report.
struct Stored {
    /// The folder's name.
    name: String,
    results: Result<Box<Results>, String>,
    has_page: bool,
}

impl Console {
    pub(super) fn reports_page(&self) -> Reply {
        let listed = self.reports.as_deref().map(list);
        let problem = listed.as_ref().and_then(|listed| listed.as_ref().err()).cloned();
        let reports: Vec<Value> = listed.and_then(Result::ok).unwrap_or_default().iter().map(view).collect();
        let folder = self.reports.as_ref().map(|folder| folder.to_string_lossy().into_owned());
        self.show(StatusCode::OK, "measure.html", "measure", context! { reports, folder, problem })
    }

    /// `NAME` is the page around a report, `NAME/report.html` the report itself.
    pub(super) fn report_page(&self, path: &str) -> Reply {
        let (name, is_framed) = match path.strip_suffix("/report.html") {
            Some(name) => (decode(name), true),
            None => (decode(path), false),
        };
        let Some(folder) = self.reports.as_deref().and_then(|reports| folder_of(reports, &name)) else {
            return not_found();
        };
        if is_framed {
            return match read_bounded(&folder.join("report.html")) {
                Some(html) => report(html),
                None => not_found(),
            };
        }
        let Some(stored) = read_stored(&folder, name) else { return not_found() };
        self.show(StatusCode::OK, "report.html", "measure", context! { report => view(&stored) })
    }
}

/// A folder within `reports`; only a name that is one may be asked for.
fn folder_of(reports: &Path, name: &str) -> Option<PathBuf> {
    let is_name = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
    let folder = reports.join(name);
    (is_name && folder.is_dir()).then_some(folder)
}

/// The stored reports, the newest first.
fn list(reports: &Path) -> Result<Vec<Stored>, String> {
    let entries = fs::read_dir(reports).map_err(|error| error.to_string())?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let folders = names.filter_map(|name| Some((folder_of(reports, &name)?, name)));
    let mut found: Vec<(PathBuf, String, SystemTime)> =
        folders.filter_map(|(folder, name)| Some((folder.clone(), name, written(&folder)?))).collect();
    found.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.1.cmp(&b.1)));
    Ok(found.into_iter().take(LISTED).filter_map(|(folder, name, _)| read_stored(&folder, name)).collect())
}

/// When the results of a run were written; `None` where the folder holds none.
fn written(folder: &Path) -> Option<SystemTime> {
    fs::metadata(folder.join("results.json")).ok()?.modified().ok()
}

fn read_stored(folder: &Path, name: String) -> Option<Stored> {
    written(folder)?;
    let text = read_bounded(&folder.join("results.json"));
    let results = match text {
        None => Err("its results.json cannot be read".to_owned()),
        Some(text) => serde_json::from_str(&text)
            .map(Box::new)
            .map_err(|error| format!("its results.json was written by another version: {error}")),
    };
    Some(Stored { has_page: folder.join("report.html").is_file(), name, results })
}

fn read_bounded(file: &Path) -> Option<String> {
    let is_bounded = fs::metadata(file).is_ok_and(|data| data.is_file() && data.len() <= LARGEST_REPORT);
    is_bounded.then(|| fs::read_to_string(file).ok()).flatten()
}

fn view(stored: &Stored) -> Value {
    let name = &stored.name;
    let common = context! { name => name.clone(), path => encode(name), has_page => stored.has_page };
    match &stored.results {
        Err(problem) => context! { problem => problem.clone(), ..common },
        Ok(results) => context! {
            brand => results.brand.clone(),
            suite => results.suite.clone(),
            model => results.sampling.model.clone(),
            // RFC 3339: the date and the minute.
            started => results.started.get(..16).unwrap_or(&results.started).replace('T', " "),
            requests => results.requests,
            verdict => verdict(results),
            ..common
        },
    }
}
