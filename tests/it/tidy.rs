//! Rules about the tree itself: which room may use which, and what a file must have.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms, in reading order, with the rooms that each may use. Cargo cannot hold this, so a test does.
const ROOMS: &[(&str, &[&str])] = &[
    ("metrics", &[]),
    ("document", &[]),
    ("chat", &[]),
    ("parallel", &[]),
    ("knowledge", &["document", "parallel"]),
    ("retrieval", &["knowledge", "parallel"]),
    ("evaluate", &["document", "knowledge", "retrieval"]),
    ("leaks", &[]),
    ("inject", &["document", "chat", "knowledge", "leaks"]),
    ("mentions", &["knowledge"]),
    ("lint", &["document", "chat", "knowledge", "mentions", "parallel"]),
    ("topics", &["document"]),
    (
        "snapshot",
        &["metrics", "document", "chat", "knowledge", "retrieval", "inject", "mentions", "lint", "topics"],
    ),
    ("tap", &["chat", "metrics", "mentions"]),
    ("keys", &["document"]),
    ("upstream", &["metrics"]),
    ("statistics", &[]),
    ("telemetry", &["metrics", "upstream"]),
    (
        "live",
        &[
            "metrics",
            "knowledge",
            "retrieval",
            "inject",
            "mentions",
            "leaks",
            "topics",
            "snapshot",
            "statistics",
            "tap",
            "telemetry",
        ],
    ),
    ("measure", &["document", "knowledge", "leaks", "mentions", "statistics", "upstream"]),
    ("server", &["metrics"]),
    (
        "proxy",
        &[
            "chat",
            "leaks",
            "knowledge",
            "inject",
            "snapshot",
            "tap",
            "live",
            "telemetry",
            "keys",
            "upstream",
            "metrics",
        ],
    ),
    (
        "config",
        &[
            "document",
            "chat",
            "knowledge",
            "retrieval",
            "inject",
            "lint",
            "topics",
            "snapshot",
            "live",
            "telemetry",
            "keys",
            "upstream",
            "server",
            "proxy",
        ],
    ),
    (
        "console",
        &[
            "metrics",
            "document",
            "chat",
            "knowledge",
            "inject",
            "snapshot",
            "mentions",
            "live",
            "upstream",
            "measure",
        ],
    ),
    ("admin", &["console", "live", "snapshot", "metrics"]),
    (
        "app",
        &[
            "document",
            "metrics",
            "retrieval",
            "snapshot",
            "live",
            "telemetry",
            "upstream",
            "server",
            "proxy",
            "config",
            "console",
            "admin",
        ],
    ),
    (
        "cli",
        &[
            "document",
            "chat",
            "knowledge",
            "retrieval",
            "evaluate",
            "inject",
            "lint",
            "snapshot",
            "live",
            "keys",
            "metrics",
            "mentions",
            "measure",
            "statistics",
            "upstream",
            "config",
            "server",
            "app",
        ],
    ),
];

fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 50, "the tree was not found");
    files
}

fn walk(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            files.push((path, text));
        }
    }
}

fn room_of(path: &Path) -> String {
    let relative = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    relative.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned()
}

#[test]
fn a_room_uses_only_the_rooms_that_it_may() {
    let allowed: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let mut faults = Vec::new();
    for (path, text) in sources() {
        let room = room_of(&path);
        if matches!(room.as_str(), "lib" | "main") {
            continue;
        }
        let may = allowed.get(room.as_str()).unwrap_or_else(|| panic!("the room {room} is not in the list"));
        for (number, line) in
            text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            for part in line.split("crate::").skip(1) {
                let used: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if !used.is_empty() && used != room && !may.contains(&used.as_str()) {
                    faults.push(format!("{}:{}: {room} uses {used}", path.display(), number + 1));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_room_is_in_the_list_and_in_the_architecture() {
    let architecture =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    assert!(architecture.lines().count() <= 150, "ARCHITECTURE.md has more than 150 lines");
    for (room, _) in ROOMS {
        assert!(architecture.contains(&format!("`{room}")), "ARCHITECTURE.md does not name the room {room}");
    }
}

#[test]
fn files_open_with_what_they_do_and_stay_small() {
    for (path, text) in sources() {
        assert!(text.starts_with("//! "), "{} does not say what it does", path.display());
        assert!(text.lines().count() <= 450, "{} has more than 450 lines", path.display());
    }
}

#[test]
fn every_invariant_has_a_test_that_bears_its_number() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut files = Vec::new();
    walk(&tests, &mut files);
    let all: String = files.into_iter().map(|(_, text)| text).collect();
    for number in 1..=10 {
        assert!(all.contains(&format!("fn invariant_{number}_")), "invariant {number} has no test");
    }
}

#[test]
fn every_key_is_in_the_commented_configuration() {
    let file = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("foreword.toml")).unwrap();
    for key in foreword::config::KEYS {
        let name = key.split_once('.').unwrap().1;
        assert!(file.contains(&format!("{name} = ")), "foreword.toml does not show {key}");
    }
}

#[test]
fn what_is_fuzzed_has_all_the_rooms_that_it_uses() {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/src/lib.rs");
    let library = fs::read_to_string(library).unwrap();
    let fuzzed = |room: &str| library.contains(&format!("pub mod {room};"));
    let whole = ROOMS.iter().filter(|(room, _)| library.contains(&format!("../../src/{room}/mod.rs")));
    let mut rooms = 0;
    for (room, uses) in whole {
        rooms += 1;
        let missing: Vec<&&str> = uses.iter().filter(|used| !fuzzed(used)).collect();
        assert!(missing.is_empty(), "fuzz/src/lib.rs has {room}, which uses {missing:?}");
    }
    assert!(rooms >= 5, "the fuzzed rooms were not found");
}
