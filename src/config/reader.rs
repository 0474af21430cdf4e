//! Reads keys from the layers, one by one, so that every problem is found and each names its place: a
//! line of the file, or the environment variable.

use std::collections::{BTreeMap, HashMap};
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use config::Config;

use super::keys::KEYS;
use crate::document::{Node, Place, Problem, Value, nearest, parse_toml};

/// Where a key's value came from decides how a problem with it is shown.
pub(super) struct Reader {
    layers: Config,
    file: PathBuf,
    text: Arc<str>,
    tree: Option<Node>,
    /// Keys that flags set.
    flags: Vec<&'static str>,
    pub(super) problems: Vec<Problem>,
}

/// The variables of the environment. The names of lints have hyphens, which a shell lets no variable have.
fn variables() -> HashMap<String, String> {
    const LINTS: &str = "FOREWORD_LINTS__";
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .map(|(name, value)| match name.strip_prefix(LINTS) {
            Some(lint) => (format!("{LINTS}{}", lint.replace('_', "-")), value),
            None => (name, value),
        })
        .collect()
}

impl Reader {
    /// Layers the environment over the file and `overrides` (flags) over both. A file that is absent is
    /// an empty one.
    pub(super) fn new(file: &Path, text: &str, overrides: &[(&'static str, String)]) -> Reader {
        let text: Arc<str> = text.into();
        let mut problems = Vec::new();
        let tree = match parse_toml(&text) {
            Ok(tree) => Some(tree),
            Err(faults) => {
                problems.extend(faults.into_iter().map(|fault| fault.into_problem(file, &text)));
                None
            }
        };
        let mut builder = Config::builder();
        if tree.is_some() {
            builder = builder.add_source(config::File::from_str(&text, config::FileFormat::Toml));
        }
        builder = builder.add_source(
            config::Environment::with_prefix("FOREWORD")
                .prefix_separator("_")
                .separator("__")
                .source(Some(variables())),
        );
        for (key, value) in overrides {
            builder = match builder.clone().set_override(*key, value.as_str()) {
                Ok(builder) => builder,
                Err(_) => builder,
            };
        }
        let layers = builder.build().unwrap_or_else(|error| {
            problems.push(
                Problem::error(file, format!("the configuration cannot be read: {error}"))
                    .hint("compare it with the file that `foreword init` writes"),
            );
            Config::default()
        });
        let flags = overrides.iter().map(|(key, _)| *key).collect();
        let mut reader = Reader { layers, file: file.to_owned(), text, tree, flags, problems };
        reader.unknown_keys();
        reader
    }

    /// Every key that is set, with its value as text.
    pub(super) fn written(&self) -> BTreeMap<&'static str, String> {
        let value = |key: &str| match self.layers.get_array(key) {
            Ok(list) => Some(format!("{list:?}")),
            Err(_) => self.layers.get_string(key).ok(),
        };
        KEYS.iter().filter_map(|key| Some((*key, value(key)?))).collect()
    }

    /// A text; `None` where it is not set.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        debug_assert!(KEYS.contains(&key), "{key} is not in the list of keys");
        match self.layers.get_string(key) {
            Ok(text) => Some(text),
            Err(config::ConfigError::NotFound(_)) => None,
            Err(_) => {
                self.problem(key, "must be a single value");
                None
            }
        }
    }

    /// A value that is written as text; `what` says what it must be.
    pub(super) fn parsed<T: FromStr>(&mut self, key: &'static str, default: T, what: &str) -> T {
        let Some(text) = self.text(key) else { return default };
        text.parse().unwrap_or_else(|_| {
            self.problem(key, &format!("must be {what}, and is `{text}`"));
            default
        })
    }

    /// A whole number within bounds.
    pub(super) fn number(&mut self, key: &'static str, default: u64, bounds: RangeInclusive<u64>) -> u64 {
        let what = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        let number = self.parsed(key, default, &what);
        if bounds.contains(&number) {
            return number;
        }
        self.problem(key, &format!("must be {what}, and is `{number}`"));
        default
    }

    /// A fraction from 0 (excluded) to 1.
    pub(super) fn fraction(&mut self, key: &'static str, default: f32) -> f32 {
        let number: f32 = self.parsed(key, default, "a number above 0 and at most 1");
        if number > 0.0 && number <= 1.0 {
            return number;
        }
        self.problem(key, &format!("must be a number above 0 and at most 1, and is `{number}`"));
        default
    }

    /// A share from 0 to 1, both included.
    pub(super) fn share(&mut self, key: &'static str, default: f64) -> f64 {
        let number: f64 = self.parsed(key, default, "a number from 0 to 1");
        if (0.0..=1.0).contains(&number) {
            return number;
        }
        self.problem(key, &format!("must be a number from 0 to 1, and is `{number}`"));
        default
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        self.parsed(key, default, "true or false")
    }

    /// A time such as `50ms`, `10s` or `5m`.
    pub(super) fn duration(&mut self, key: &'static str, default: Duration) -> Duration {
        let Some(text) = self.text(key) else { return default };
        match parse_duration(&text) {
            Some(duration) if !duration.is_zero() => duration,
            _ => {
                self.problem(key, &format!("must be a time such as 50ms, 10s or 5m, and is `{text}`"));
                default
            }
        }
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(&mut self, key: &'static str, default: T, choices: &[(&str, T)]) -> T {
        let Some(text) = self.text(key) else { return default };
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
            return *value;
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        self.problem(key, &format!("must be one of {}, and is `{text}`", words.join(", ")));
        default
    }

    /// A list of texts: a list in the file, commas in the environment.
    pub(super) fn list(&mut self, key: &'static str) -> Option<Vec<String>> {
        if let Ok(list) = self.layers.get_array(key) {
            let texts: Result<Vec<String>, _> = list.into_iter().map(config::Value::into_string).collect();
            return texts.map_err(|_| self.problem(key, "must be a list of texts")).ok();
        }
        let text = self.text(key)?;
        Some(text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect())
    }

    /// A path; a relative one is seen from the folder of the configuration file.
    pub(super) fn path(&mut self, key: &'static str, default: &str) -> PathBuf {
        let text = self.text(key).unwrap_or_else(|| default.to_owned());
        self.file.parent().map_or_else(|| PathBuf::from(&text), |folder| folder.join(&text))
    }

    /// A path in the folder of the configuration file, or in the nearest folder above it that has it.
    pub(super) fn nearest_above(&self, relative: &str) -> PathBuf {
        let here = self.file.parent().unwrap_or(Path::new(""));
        let absolute = std::path::absolute(if here.as_os_str().is_empty() { Path::new(".") } else { here });
        let found = absolute
            .iter()
            .flat_map(|folder| folder.ancestors())
            .map(|folder| folder.join(relative))
            .find(|path| path.exists());
        found.unwrap_or_else(|| here.join(relative))
    }

    /// Reports an error with the value of `key`, which may be a secret: its line is named and not shown.
    pub(super) fn problem_with_secret(&mut self, key: &'static str, message: &str) {
        let before = self.problems.len();
        self.problem(key, message);
        for problem in &mut self.problems[before..] {
            if let Some(place) = problem.place.take() {
                problem.message = format!("line {}: {}", place.line(), problem.message);
            }
        }
    }

    /// Reports an error with the value of `key`.
    pub(super) fn problem(&mut self, key: &'static str, message: &str) {
        let (section, name) = key.split_once('.').unwrap_or(("", key));
        let variable = format!("FOREWORD_{}__{}", section, name.replace('-', "_")).to_uppercase();
        let mut problem = Problem::error(&self.file, format!("`{key}` {message}"));
        if self.flags.contains(&key) {
            problem = problem.hint("the value comes from the command line");
        } else if std::env::var_os(&variable).is_some() {
            problem = problem.hint(format!("the value comes from the environment variable {variable}"));
        } else if let Some(span) = self.span_of(section, name) {
            problem = problem
                .at(Place { text: Arc::clone(&self.text), span })
                .hint("`foreword init DIR` writes a commented file to compare with");
        } else {
            problem = problem.hint(format!("set it in the section [{section}], or as {variable}"));
        }
        self.problems.push(problem);
    }

    fn span_of(&self, section: &str, name: &str) -> Option<Range<usize>> {
        let section = entry(self.tree.as_ref()?, section)?;
        Some(entry(section, name)?.span.clone())
    }

    fn unknown_keys(&mut self) {
        let mut found: Vec<(String, Option<Range<usize>>)> = Vec::new();
        if let Some(Node { value: Value::Table(sections), .. }) = &self.tree {
            for (section, node) in sections {
                match &node.value {
                    Value::Table(entries) => {
                        found.extend(entries.iter().map(|(key, _)| {
                            (format!("{}.{}", section.name, key.name), Some(key.span.clone()))
                        }));
                    }
                    _ => found.push((section.name.clone(), Some(section.span.clone()))),
                }
            }
        }
        for variable in variables().into_keys() {
            if let Some((section, key)) =
                variable.strip_prefix("FOREWORD_").and_then(|name| name.split_once("__"))
            {
                found.push((format!("{section}.{key}").to_lowercase(), None));
            }
        }
        for (key, span) in found.into_iter().filter(|(key, _)| !KEYS.contains(&key.as_str())) {
            let mut problem = Problem::warning(&self.file, format!("there is no key `{key}`"));
            if let Some(span) = span {
                let place = Place { text: Arc::clone(&self.text), span };
                // A line that may hold a secret is named and not shown.
                problem = match is_secret(&key) {
                    true => Problem::warning(
                        &self.file,
                        format!("line {}: there is no key `{key}`", place.line()),
                    ),
                    false => problem.at(place),
                };
            }
            problem = match nearest(&key, KEYS.iter().copied()) {
                Some(nearest) => problem.hint(format!("did you mean `{nearest}`?")),
                None => problem.hint("take it out: it has no effect"),
            };
            self.problems.push(problem);
        }
    }
}

fn entry<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    match &node.value {
        Value::Table(entries) => entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node),
        _ => None,
    }
}

/// `50ms`, `1.5s`, `10m`, `2h`.
fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit = text.find(|character: char| character.is_ascii_alphabetic())?;
    let number: f64 = text[..unit].trim().parse().ok()?;
    let seconds = match &text[unit..] {
        "ms" => number / 1_000.0,
        "s" => number,
        "m" => number * 60.0,
        "h" => number * 3_600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

/// Whether what stands behind a key that nobody knows may be a secret.
fn is_secret(key: &str) -> bool {
    ["key", "token", "secret", "password", "authorization"].iter().any(|word| key.contains(word))
}
