//! Which files of a knowledge folder are read, and their text. Nothing outside of the folder is read.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::document::{Place, Problem};

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Bounds of files and items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest file that is read, in bytes.
    pub max_file_bytes: usize,
    /// Largest item, in bytes of its text.
    pub max_item_bytes: usize,
    /// Length at which a section is cut into several items, in bytes.
    pub max_section_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_file_bytes: 8 << 20, max_item_bytes: 4 << 10, max_section_bytes: 800 }
    }
}

/// What a file holds, told by its extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Markdown,
    Yaml,
    Jsonl,
    Csv,
}

/// The text of a file.
pub(super) struct Source {
    /// The path under which it is reported.
    pub(super) file: PathBuf,
    /// The path within the brand's folder, without extension and with `/` between its parts.
    pub(super) stem: String,
    /// The text, without a byte order mark and with `\n` at the ends of lines.
    pub(super) text: Arc<str>,
    /// Where its lines end.
    line_ends: Vec<usize>,
}

impl Source {
    /// The number of the line, from 1, that the byte `at` is in.
    pub(super) fn line(&self, at: usize) -> usize {
        1 + self.line_ends.partition_point(|end| *end < at)
    }

    pub(super) fn place(&self, span: std::ops::Range<usize>) -> Place {
        Place { text: Arc::clone(&self.text), span }
    }
}

/// The names of the brand folders, sorted.
pub(super) fn brand_folders(root: &Path, problems: &mut Vec<Problem>) -> Vec<String> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) => {
            problems.push(
                Problem::error(root, format!("the knowledge folder cannot be read: {error}"))
                    .hint("`foreword init DIR` makes one; knowledge.folder names it"),
            );
            return Vec::new();
        }
    };
    let mut names = Vec::new();
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_scratch(&name) || !entry.path().is_dir() {
            continue;
        }
        let plain = |character: char| matches!(character, 'a'..='z' | '0'..='9' | '-' | '_');
        if name.chars().all(plain) {
            names.push(name);
        } else {
            problems.push(
                Problem::error(entry.path(), format!("`{name}` is no name for a brand's folder"))
                    .hint("use a-z, 0-9, `-` and `_`: the name stands in paths and headers"),
            );
        }
    }
    names.sort();
    if names.is_empty() && !problems.iter().any(Problem::is_error) {
        problems.push(
            Problem::warning(root, "the knowledge folder holds no brand: nothing will be injected")
                .hint("make a folder in it with a brand.toml, or let `foreword init DIR` show one"),
        );
    }
    names
}

/// The files of a brand that hold items, sorted by path.
pub(super) fn brand_files(root: &Path, folder: &Path, problems: &mut Vec<Problem>) -> Vec<(PathBuf, Format)> {
    let Ok(home) = root.canonicalize() else { return Vec::new() };
    let mut walk = Walk { home, visited: BTreeSet::new(), files: Vec::new(), problems };
    walk.folder(folder);
    let mut files = walk.files;
    files.sort();
    files
}

struct Walk<'a> {
    home: PathBuf,
    visited: BTreeSet<PathBuf>,
    files: Vec<(PathBuf, Format)>,
    problems: &'a mut Vec<Problem>,
}

impl PartialOrd for Format {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Format {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (*self as u8).cmp(&(*other as u8))
    }
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path) {
        let Ok(real) = folder.canonicalize() else { return };
        // A link back up would go round forever.
        if !self.visited.insert(real) {
            return;
        }
        match fs::read_dir(folder) {
            Ok(entries) => {
                let mut paths: Vec<PathBuf> =
                    entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
                paths.sort();
                paths.iter().for_each(|path| self.entry(path));
            }
            Err(error) => self.problems.push(
                Problem::error(folder, format!("the folder cannot be read: {error}"))
                    .hint("give the user that runs foreword the right to read it"),
            ),
        }
    }

    fn entry(&mut self, path: &Path) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if is_scratch(&name) || name == "brand.toml" {
            return;
        }
        let real = match path.canonicalize() {
            Ok(real) => real,
            // Deleted between the listing and now.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !path.is_symlink() => return,
            Err(error) => {
                self.problems.push(
                    Problem::error(path, format!("the file cannot be read: {error}"))
                        .hint("mend the link, or delete it"),
                );
                return;
            }
        };
        if !real.starts_with(&self.home) {
            self.problems.push(
                Problem::error(path, "the link leads out of the knowledge folder and is not followed")
                    .hint("put a copy of the file here"),
            );
        } else if real.is_dir() {
            self.folder(path);
        } else if !real.is_file() {
            self.problems
                .push(Problem::error(path, "this is not a regular file and is not read").hint("delete it"));
        } else {
            self.file(path, &name);
        }
    }

    fn file(&mut self, path: &Path, name: &str) {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let format = match extension.as_str() {
            "md" | "markdown" if name.eq_ignore_ascii_case("README.md") => return,
            "md" | "markdown" => Format::Markdown,
            "yaml" | "yml" => Format::Yaml,
            "jsonl" => Format::Jsonl,
            "csv" => Format::Csv,
            _ => {
                self.problems.push(
                    Problem::note(path, "the file is not read: its extension is not known")
                        .hint("items stand in .md, .yaml, .jsonl and .csv files"),
                );
                return;
            }
        };
        self.files.push((path.to_owned(), format));
    }
}

/// Hidden files, and what editors leave while they save.
fn is_scratch(name: &str) -> bool {
    let backup = [".swp", ".swx", ".tmp", ".bak", ".orig"].iter().any(|end| name.ends_with(end));
    name.starts_with('.') || name.ends_with('~') || name.starts_with('#') && name.ends_with('#') || backup
}

/// Reads the text of a file.
pub(super) fn read_source(
    folder: &Path,
    file: &Path,
    limits: &Limits,
    problems: &mut Vec<Problem>,
) -> Option<Source> {
    let unreadable = |error: std::io::Error| {
        Problem::error(file, format!("the file cannot be read: {error}"))
            .hint("give the user that runs foreword the right to read it")
    };
    let size = match fs::metadata(file) {
        Ok(data) => data.len(),
        Err(error) => {
            problems.push(unreadable(error));
            return None;
        }
    };
    if size > limits.max_file_bytes as u64 {
        problems.push(
            Problem::error(file, format!("the file has {size} bytes, more than {}", limits.max_file_bytes))
                .hint("split it, or raise knowledge.max_file_bytes"),
        );
        return None;
    }
    let bytes = fs::read(file).map_err(|error| problems.push(unreadable(error))).ok()?;
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let sound: Arc<str> = String::from_utf8_lossy(&error.as_bytes()[..at]).into();
            problems.push(
                Problem::error(file, format!("the file is not UTF-8 from byte {at} on"))
                    .at(Place { span: sound.len()..sound.len(), text: sound })
                    .hint("save it as UTF-8"),
            );
            return None;
        }
    };
    let relative = file.strip_prefix(folder).unwrap_or(file).with_extension("");
    let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
    let text = normalise(file, text, problems);
    let line_ends = text.match_indices('\n').map(|(at, _)| at).collect();
    Some(Source { file: file.to_owned(), stem: parts.join("/"), text, line_ends })
}

fn normalise(file: &Path, text: String, problems: &mut Vec<Problem>) -> Arc<str> {
    let mut text = text;
    if text.starts_with(BYTE_ORDER_MARK) {
        problems.push(
            Problem::note(file, "the file begins with a byte order mark, which is ignored")
                .hint("save it as UTF-8 without BOM"),
        );
        text.remove(0);
    }
    if text.contains("\r\n") {
        problems.push(
            Problem::note(file, "the lines end in CRLF, which is read as a line feed")
                .hint("nothing to do, unless the answers should hold carriage returns"),
        );
        text = text.replace("\r\n", "\n");
    }
    text.into()
}
