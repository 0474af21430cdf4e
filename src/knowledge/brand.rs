//! `brand.toml`: what is to be named.

use std::path::Path;

use super::files::{Limits, read_source};
use super::item::{Brand, Disclosure};
use crate::document::{Problem, Table, parse_toml};

/// Reads a brand's own file; its items come from the others.
pub(super) fn read_brand(
    folder: &Path,
    id: &str,
    limits: &Limits,
    problems: &mut Vec<Problem>,
) -> Option<Brand> {
    let file = folder.join("brand.toml");
    if !file.exists() {
        problems.push(
            Problem::error(&file, "the brand's folder has no brand.toml")
                .hint("write one with at least: name = \"The Brand\""),
        );
        return None;
    }
    let source = read_source(folder, &file, limits, problems)?;
    let node = match parse_toml(&source.text) {
        Ok(node) => node,
        Err(faults) => {
            problems.extend(faults.into_iter().map(|fault| fault.into_problem(&file, &source.text)));
            return None;
        }
    };
    let mut table = Table::new(&node, &file, &source.text, problems);
    let name = table.string("name").unwrap_or_default();
    if name.is_empty() {
        table.error("name", "the brand has no name", "write: name = \"The Brand\"");
    }
    let mut names = |key: &'static str| {
        let names = table.strings(key);
        if names.iter().any(String::is_empty) {
            table.error(
                key,
                &format!("`{key}` holds an empty text"),
                "take it out: it would match everything",
            );
        }
        names
    };
    let brand = Brand {
        id: id.to_owned(),
        aliases: names("aliases"),
        competitors: names("competitors"),
        excludes: names("excludes"),
        context: names("context"),
        exact: names("exact"),
        domains: names("domains"),
        languages: names("languages"),
        never: names("never"),
        topics_allowed: names("topics_allowed"),
        topics: topics(&mut table),
        disclosure: disclosure(&mut table),
        holdout: table.share("holdout"),
        name,
        items: Vec::new(),
    };
    for name in &brand.exact {
        if *name != brand.name && !brand.aliases.contains(name) {
            table.error(
                "exact",
                &format!("`{name}` is no name of the brand"),
                "write it as `name` or `aliases` has it",
            );
        }
    }
    table.finish();
    Some(brand)
}

fn topics(table: &mut Table<'_>) -> Vec<(String, Vec<String>)> {
    let topics = table.named_lists("topics");
    let says_nothing = |phrase: &String| !phrase.chars().any(char::is_alphanumeric);
    if topics.iter().any(|(_, phrases)| phrases.is_empty() || phrases.iter().any(says_nothing)) {
        table.error(
            "topics",
            "`topics` holds a topic or a phrase without words",
            "write: name = [\"a phrase\", \"another\"]",
        );
    }
    topics
}

fn disclosure(table: &mut Table<'_>) -> Disclosure {
    let texts = table.named_strings("disclosure");
    if texts.iter().any(|(_, text)| text.trim().is_empty()) {
        table.error(
            "disclosure",
            "`disclosure` holds an empty text",
            "write what answers are to end with, or take it out",
        );
    }
    Disclosure::new(texts)
}
