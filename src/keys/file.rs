//! The file of keys: TOML, a `[[keys]]` table each, which `foreword key new` appends to.

use std::path::Path;
use std::sync::Arc;

use super::ring::{Client, KeyRing};
use super::secret::{Hashed, NewKey};
use crate::document::{Node, Problem, Severity, Table, Value, parse_toml};

/// Reads the keys; all problems at once.
pub fn read_keys(file: &Path) -> Result<KeyRing, Vec<Problem>> {
    let text: Arc<str> = match std::fs::read_to_string(file) {
        Ok(text) => text.into(),
        Err(error) => {
            return Err(vec![
                Problem::error(file, format!("the keys cannot be read: {error}"))
                    .hint("make the first one with: foreword key new --name NAME"),
            ]);
        }
    };
    let root = parse_toml(&text).map_err(|faults| {
        faults.into_iter().map(|fault| fault.into_problem(file, &text)).collect::<Vec<_>>()
    })?;
    let mut problems = Vec::new();
    let mut ring = KeyRing::default();
    let mut table = Table::new(&root, file, &text, &mut problems);
    table.node("keys");
    table.finish();
    for node in entries(&root) {
        read_key(node, file, &text, &mut ring, &mut problems);
    }
    // A field that is misspelt must not let a key do more than its operator believes.
    for problem in &mut problems {
        problem.severity = Severity::Error;
    }
    if is_open_to_all(file) {
        problems.push(
            Problem::error(file, "everybody on this machine may write to the file of keys")
                .hint(format!("take that right away: chmod 600 {}", file.display())),
        );
    }
    if entries(&root).is_empty() {
        problems.push(
            Problem::error(file, "there is no key in it")
                .hint("make one in a file of its own: foreword key new --name NAME --file keys.toml"),
        );
    }
    if problems.iter().any(Problem::is_error) { Err(problems) } else { Ok(ring) }
}

#[cfg(unix)]
fn is_open_to_all(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).is_ok_and(|data| data.permissions().mode() & 0o002 != 0)
}

#[cfg(not(unix))]
fn is_open_to_all(_: &Path) -> bool {
    false
}

/// The tables under `keys`.
fn entries(root: &Node) -> &[Node] {
    let Value::Table(entries) = &root.value else { return &[] };
    match entries.iter().find(|(key, _)| key.name == "keys").map(|(_, keys)| &keys.value) {
        Some(Value::List(nodes)) => nodes,
        _ => &[],
    }
}

fn read_key(node: &Node, file: &Path, text: &Arc<str>, ring: &mut KeyRing, problems: &mut Vec<Problem>) {
    let mut table = Table::new(node, file, text, problems);
    let id = table.string("id").unwrap_or_default();
    let name = table.string("name").unwrap_or_else(|| id.clone());
    let hash = table.string("hash").as_deref().and_then(Hashed::parse);
    let brands = table.strings("brands");
    if brands.is_empty() && table.node("brands").is_some() {
        table.error(
            "brands",
            "the key is for no brand",
            "name its brands, or take the line out: then it is for the default ones",
        );
    }
    let filter = (table.strings("tags"), table.strings("audience"));
    let holdout = table.share("holdout");
    let per_minute = table.integer_within("requests_per_minute", 1..=1_000_000);
    let hint = "make the key anew with: foreword key new --name NAME";
    if id.is_empty() {
        table.error("id", "the key has no id", hint);
    }
    match hash {
        None => table.error("hash", "the key has no hash of the form blake3:salt:hash", hint),
        Some(hash) => {
            let per_minute = per_minute.and_then(|number| u32::try_from(number).ok());
            if !ring.add(hash, Client::new(id, name, brands, filter, holdout, per_minute)) {
                table.error("id", "another key has the same id", "take one of the two out");
            }
        }
    }
    table.finish();
}

/// A key's entry, as [`read_keys`] reads it.
pub fn entry(key: &NewKey, name: &str, brands: &[String], per_minute: Option<u32>) -> String {
    let quote = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let mut text = format!(
        "[[keys]]\nid = {}\nname = {}\nhash = {}\n",
        quote(&key.id),
        quote(name),
        quote(&key.hash.to_text())
    );
    if !brands.is_empty() {
        let brands: Vec<String> = brands.iter().map(|brand| quote(brand)).collect();
        text.push_str(&format!("brands = [{}]\n", brands.join(", ")));
    }
    if let Some(per_minute) = per_minute {
        text.push_str(&format!("requests_per_minute = {per_minute}\n"));
    }
    text
}
