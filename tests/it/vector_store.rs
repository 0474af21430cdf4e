//! Vectors on disk: what is read is what was written, or nothing.

use std::path::{Path, PathBuf};
use std::sync::Barrier;

use foreword::retrieval::{Embedder, Identity, Vector, VectorStore};
use tempfile::TempDir;

use crate::support::retrieval::{brand, embedder, example, fact, index_with};

const TEXTS: [&str; 3] = ["a hammer", "an anvil", "ein Amboß"];

fn identity() -> Identity {
    Identity { model: "tiny-0123456789ab".to_owned(), dimension: 4 }
}

fn vector(seed: usize) -> Vector {
    Vector::of(&[0.1, -0.2, 0.3, seed as f32 / 4_000.0])
}

fn store() -> VectorStore {
    let mut store = VectorStore::empty(Some(&identity()));
    for (seed, text) in TEXTS.iter().enumerate() {
        store.put_vector(text, vector(seed));
        assert_eq!(store.tokens("words", text, || 2 + seed as u32).0, 2 + seed as u32);
    }
    store
}

fn saved() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache/vectors.bin");
    store().save(&path).unwrap();
    (folder, path)
}

fn uncounted() -> u32 {
    panic!("the count is known")
}

/// Nothing is known, and the reason is told.
#[track_caller]
fn refused(path: &Path, reasons: &[&str]) {
    let (mut store, reason) = VectorStore::open(path, Some(&identity()));
    let reason = reason.expect("a file that is not sound was taken");
    assert!(reasons.iter().any(|expected| reason.contains(expected)), "{reason}");
    for text in TEXTS {
        assert_eq!(store.vector(text), None);
        assert_eq!(store.tokens("words", text, || 99).0, 99);
    }
}

#[test]
fn what_is_saved_is_read_again() {
    let (_folder, path) = saved();
    let (mut store, reason) = VectorStore::open(&path, Some(&identity()));
    assert_eq!(reason, None);
    for (seed, text) in TEXTS.iter().enumerate() {
        assert_eq!(store.vector(text), Some(vector(seed)));
        assert_eq!(store.tokens("words", text, uncounted).0, 2 + seed as u32);
        // Another tokenizer counts otherwise.
        assert_eq!(store.tokens("letters", text, || 50).0, 50);
    }
    assert_eq!(store.vector("a hammer "), None);
    let absent = VectorStore::open(&path.with_extension("absent"), Some(&identity()));
    assert_eq!(absent.1, None);
}

#[test]
fn the_same_content_is_the_same_file() {
    let (_folder, path) = saved();
    let first = std::fs::read(&path).unwrap();
    let (_other, path) = saved();
    assert_eq!(std::fs::read(&path).unwrap(), first);
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    let (_folder, path) = saved();
    let whole = std::fs::read(&path).unwrap();
    assert!(whole.len() > 100);
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        refused(&path, &["cut short"]);
    }
}

#[test]
fn a_flipped_byte_anywhere_is_noticed() {
    let (_folder, path) = saved();
    let whole = std::fs::read(&path).unwrap();
    for place in 0..whole.len() {
        for bit in [0x01, 0x80] {
            let mut bytes = whole.clone();
            bytes[place] ^= bit;
            std::fs::write(&path, &bytes).unwrap();
            refused(&path, &["no file of foreword", "another version", "checksum"]);
        }
    }
}

#[test]
fn files_of_others_are_refused_and_written_over() {
    let (_folder, path) = saved();
    let whole = std::fs::read(&path).unwrap();
    let mut other_version = whole.clone();
    other_version[8] += 1;
    for (bytes, reason) in [
        (
            b"PK\x03\x04 this is some other program's archive, which has nothing to do with us".to_vec(),
            "no file of foreword",
        ),
        (other_version, "another version"),
        ([whole.as_slice(), b"more"].concat(), "checksum"),
        (Vec::new(), "cut short"),
    ] {
        std::fs::write(&path, &bytes).unwrap();
        refused(&path, &[reason]);
        store().save(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }
    // A folder in the file's place.
    refused(path.parent().unwrap(), &["cannot be read"]);
}

#[test]
fn vectors_of_another_model_are_not_used_and_token_counts_are() {
    let (_folder, path) = saved();
    for other in [
        Identity { model: "tiny-000000000000".to_owned(), ..identity() },
        Identity { dimension: 2, ..identity() },
        Identity::default(),
    ] {
        let (mut store, reason) = VectorStore::open(&path, Some(&other));
        assert_eq!(reason, None);
        for (seed, text) in TEXTS.iter().enumerate() {
            assert_eq!(store.vector(text), None, "{other:?}");
            assert_eq!(store.tokens("words", text, uncounted).0, 2 + seed as u32);
        }
        let elsewhere = path.with_extension(other.model.clone() + "x");
        store.save(&elsewhere).unwrap();
        let (mut again, reason) = VectorStore::open(&elsewhere, Some(&identity()));
        assert_eq!((again.vector(TEXTS[0]), reason), (None, None));
    }
}

#[test]
fn only_what_was_asked_for_is_kept() {
    let (_folder, path) = saved();
    let (mut store, _) = VectorStore::open(&path, Some(&identity()));
    assert!(store.vector("a hammer").is_some());
    store.tokens("words", "an anvil", uncounted);
    store.save(&path).unwrap();
    let (mut store, reason) = VectorStore::open(&path, Some(&identity()));
    assert_eq!(reason, None);
    assert_eq!((store.vector("a hammer").is_some(), store.vector("an anvil")), (true, None));
    assert_eq!(store.tokens("words", "a hammer", || 40).0, 40);
    assert_eq!(store.tokens("words", "an anvil", uncounted).0, 3);
}

#[test]
fn an_unchanged_store_leaves_its_file_alone() {
    let (_folder, path) = saved();
    let (mut store, _) = VectorStore::open(&path, Some(&identity()));
    for text in TEXTS {
        assert!(store.vector(text).is_some());
        store.tokens("words", text, uncounted);
    }
    // Whoever writes makes the file anew, and this one would come back.
    std::fs::remove_file(&path).unwrap();
    store.save(&path).unwrap();
    assert!(!path.exists());
}

#[test]
fn a_place_that_cannot_be_written_is_an_error_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "not a folder").unwrap();
    assert!(store().save(&file.join("vectors.bin")).is_err());
    // A folder where the file should be: the write succeeds, the renaming does not.
    let taken = folder.path().join("taken");
    std::fs::create_dir_all(taken.join("inside")).unwrap();
    assert!(store().save(&taken).is_err());
    let mut left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["file", "taken"]);
}

#[test]
fn writers_at_the_same_time_leave_a_sound_file() {
    const WRITERS: usize = 4;
    const ROUNDS: usize = 40;
    let (_folder, path) = saved();
    let start = Barrier::new(WRITERS + 1);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (path, start) = (&path, &start);
            scope.spawn(move || {
                start.wait();
                for round in 0..ROUNDS {
                    let mut store = store();
                    // Files of different lengths, so that a mixture of two would show.
                    for extra in 0..writer * 200 {
                        store.put_vector(&format!("{writer} {round} {extra}"), vector(extra));
                    }
                    store.save(path).unwrap();
                }
            });
        }
        start.wait();
        for _ in 0..WRITERS * ROUNDS {
            let (mut store, reason) = VectorStore::open(&path, Some(&identity()));
            assert_eq!(reason, None);
            assert_eq!(store.vector("a hammer"), Some(vector(0)));
        }
    });
    let left: Vec<_> =
        std::fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["vectors.bin"]);
}

#[test]
fn a_second_build_embeds_nothing_and_an_edit_embeds_what_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors.bin");
    let embedder = Some(embedder());
    let build = |text: &str| {
        let items = vec![
            example("acme", "a", "Which anvil is light?", "The FeatherAnvil."),
            fact("acme", "b", "Warranty", "Ten years on every anvil."),
            fact("acme", "c", "Weight", text),
        ];
        let (mut store, reason) = VectorStore::open(&path, embedder.map(Embedder::identity));
        assert_eq!(reason, None);
        let embedded = index_with(&brand("acme", items), &mut store, embedder).1;
        store.save(&path).unwrap();
        embedded
    };
    assert_eq!(build("It weighs twelve kilograms."), 3);
    assert_eq!(build("It weighs twelve kilograms."), 0);
    assert_eq!(build("It weighs eleven kilograms."), 1);
    assert_eq!(build("It weighs eleven kilograms."), 0);
    // What nobody uses any more is forgotten.
    assert_eq!(build("It weighs twelve kilograms."), 1);
}

#[test]
fn what_a_killed_process_left_beside_is_removed() {
    let (_folder, path) = saved();
    let beside = |name: &str| path.with_file_name(name);
    let (old, new, other) =
        (beside(".vectors.bin.7.0.tmp"), beside(".vectors.bin.8.0.tmp"), beside(".else.bin.7.0.tmp"));
    for file in [&old, &new, &other] {
        std::fs::write(file, "begun").unwrap();
    }
    for file in [&old, &other] {
        let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3_600);
        std::fs::File::options().write(true).open(file).unwrap().set_modified(long_ago).unwrap();
    }
    let (_, reason) = VectorStore::open(&path, Some(&identity()));
    assert_eq!(reason, None);
    assert_eq!([old.exists(), new.exists(), other.exists()], [false, true, true]);
}
