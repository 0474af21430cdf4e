//! Loading of knowledge: any file of any kind is read to its end or refused with a place that stands in it, and the same
//! file twice gives the same items.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use foreword::knowledge::{Limits, Loaded, load};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { max_file_bytes: 64 << 10, max_item_bytes: 512, max_section_bytes: 200 };
const BRAND: &str = "name = \"Acme\"\naliases = [\"ACME Corp\"]\nlanguages = [\"en\"]\n";

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));

/// The kinds of files, of which each run has one.
const FILES: [&str; 5] = ["brand.toml", "items.md", "items.yaml", "items.jsonl", "items.csv"];

fuzz_target!(|data: &[u8]| {
    let [kind, text @ ..] = data else { return };
    let brand: PathBuf = FOLDER.path().join("acme");
    fs::create_dir_all(&brand).expect("a folder");
    let name = FILES[usize::from(*kind) % FILES.len()];
    fs::write(brand.join("brand.toml"), BRAND).expect("a file");
    fs::write(brand.join(name), text).expect("a file");
    let loaded = load(FOLDER.path(), &LIMITS, jiff::Timestamp::UNIX_EPOCH);
    for problem in &loaded.problems {
        let _shown = problem.to_string();
        if let Some(place) = &problem.place {
            assert!(place.text.get(place.span.clone()).is_some(), "{problem}: {:?}", place.span);
        }
    }
    for brand in &loaded.knowledge.brands {
        let mut ids: Vec<&str> = brand.items.iter().map(|item| &*item.id).collect();
        ids.sort_unstable();
        let all = ids.len();
        ids.dedup();
        let is_sound = !loaded.problems.iter().any(foreword::document::Problem::is_error);
        assert!(ids.len() == all || !is_sound, "two items have one id");
        for item in &brand.items {
            assert!(!is_sound || item.text().len() <= LIMITS.max_item_bytes, "an item is too long");
            assert!(!is_sound || !item.text().trim().is_empty(), "an item says nothing");
        }
    }
    let again = load(FOLDER.path(), &LIMITS, jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(shown(&loaded), shown(&again));
    fs::remove_file(brand.join(name)).expect("it was written");
});

fn shown(loaded: &Loaded) -> String {
    format!("{:?}", loaded.knowledge)
}
