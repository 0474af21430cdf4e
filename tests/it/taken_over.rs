//! What was read, rendered and counted for one state is taken over into the next, which is as if made from nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use foreword::knowledge::{Limits, Reader, load};
use foreword::metrics::ReloadResult;
use foreword::snapshot::{Builder, Reloader, Snapshot};
use jiff::Timestamp;
use proptest::prelude::*;

use crate::support::proxy::Site;

/// Texts of files: sound and broken ones, ids that others have too, items that have ended.
const TEXTS: [&str; 7] = [
    "# Anvils\n\nMade of steel.\n\n# Prices\n\nFrom 20 euros.\n",
    "# Anvils {#anvils}\n\nMade of iron.\n",
    "# Tongs {#anvils}\n\nFor hot iron.\n\nA: an answer without a question\n",
    "---\nvalid_until: 2026-01-01\n---\n# Sale\n\nAll anvils for half the price.\n",
    "---\nvalid_from: 2027-01-01\n---\n# Sale\r\n\r\nAll tongs for half the price.\n",
    "---\ntags: [\n---\n# Anvils\n\nMade of steel.\n",
    "",
];
const FILES: [&str; 4] = ["acme/a.md", "acme/b.md", "acme/deep/c.md", "tools/a.md"];

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_folder_that_is_read_again_is_as_if_read_for_the_first_time(
        edits in prop::collection::vec((0..FILES.len(), prop::option::weighted(0.8, 0..TEXTS.len()), 0..2_usize), 1..8),
    ) {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "acme/brand.toml", "name = \"Acme\"");
        write(root.path(), "tools/brand.toml", "name = \"Tools\"");
        let mut reader = Reader::new(Limits::default());
        for (file, text, year) in edits {
            match text {
                Some(text) => write(root.path(), FILES[file], TEXTS[text]),
                // It may not be there.
                None => drop(fs::remove_file(root.path().join(FILES[file]))),
            }
            let now: Timestamp = ["2025-06-01T00:00:00Z", "2026-06-01T00:00:00Z"][year].parse().unwrap();
            let again = reader.load(root.path(), now);
            let first = load(root.path(), &Limits::default(), now);
            prop_assert_eq!(format!("{again:?}"), format!("{first:?}"));
        }
    }
}

#[test]
fn items_of_files_that_have_not_changed_are_the_same_ones() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "acme/brand.toml", "name = \"Acme\"");
    write(root.path(), "acme/a.md", TEXTS[0]);
    write(root.path(), "acme/b.md", TEXTS[1]);
    let mut reader = Reader::new(Limits::default());
    let mut items = || {
        let items = reader.load(root.path(), Timestamp::UNIX_EPOCH).knowledge.brands.remove(0).items;
        items.into_iter().map(|item| (item.id.clone(), item)).collect::<BTreeMap<_, _>>()
    };
    let first = items();
    write(root.path(), "acme/a.md", &TEXTS[0].replace("steel", "brass"));
    let second = items();
    let same = |id: &str| Arc::ptr_eq(&first[id], &second[id]);
    assert_eq!((first.len(), second.len()), (3, 3));
    assert!(same("acme/anvils") && !same("acme/a#anvils"));
    assert!(second["acme/a#anvils"].text().contains("brass"));
}

/// What an item looks like from outside, of each item.
fn shown(snapshot: &Snapshot) -> Vec<(String, Option<u32>)> {
    let brand = &snapshot.brands[0];
    let items = snapshot.knowledge.brands[0].items.iter();
    items.map(|item| (item.id.clone(), brand.tokens(&item.id))).collect()
}

/// A reloader of the site with a cache of its own, and the file of the cache.
fn reloader(site: &Site, cache: &str) -> (Reloader, PathBuf) {
    let folder = site.path(cache).to_string_lossy().into_owned();
    let settings = site.settings("http://127.0.0.1:1/v1", &[("knowledge.cache", &*folder)]);
    let file = settings.snapshot.cache.clone().unwrap();
    let builder = Builder::new(settings.snapshot, None, settings.search);
    (Reloader::start(builder, Arc::default(), &mut |_, _| {}).unwrap().0, file)
}

#[test]
fn a_snapshot_after_edits_is_as_if_built_from_nothing_and_so_is_its_cache() {
    let site = Site::new();
    let (edited, cache) = reloader(&site, "edited");
    let mut ids = vec![edited.current().id.clone()];
    let edits = [
        ("knowledge/acme/umbrellas.md", "# Umbrellas\n\nAcme makes umbrellas.\n".to_owned()),
        (
            "knowledge/acme/umbrellas.md",
            "# Shades\n\nNew.\n\n# Umbrellas\n\nAcme makes umbrellas.\n".to_owned(),
        ),
        ("knowledge/acme/brand.toml", "name = \"Acme Works\"\n".to_owned()),
        (
            "prompts/pairs.md",
            fs::read_to_string(site.path("prompts/pairs.md"))
                .unwrap()
                .replace("{{ item.text }}", "So: {{ item.text }}"),
        ),
        ("knowledge/acme/umbrellas.md", "# Shades\n\nOld.\n".to_owned()),
        ("knowledge/acme/umbrellas.md", "---\nlanguage: de\n---\n# Shades\n\nOld.\n".to_owned()),
        ("knowledge/acme/brand.toml", "name = \"Acme Works\"\ndisclosure = \"Advertising.\"\n".to_owned()),
    ];
    for (number, (file, text)) in edits.iter().enumerate() {
        site.write(file, text);
        assert_eq!(edited.reload(), ReloadResult::Published, "{text}");
        let again = edited.current();
        let (fresh, fresh_cache) = reloader(&site, &format!("fresh-{number}"));
        let fresh = fresh.current();
        assert!(!ids.contains(&again.id));
        assert_eq!((&again.id, shown(&again)), (&fresh.id, shown(&fresh)), "{text}");
        assert_eq!(fs::read(&cache).unwrap(), fs::read(fresh_cache).unwrap(), "{text}");
        ids.push(again.id.clone());
    }
}
