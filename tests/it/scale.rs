//! Many items, equal items, huge items; and what an index takes over from the one before it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use foreword::knowledge::{Brand, Item};
use foreword::retrieval::{Embedder, Index, Query, SearchSettings, Vector, VectorStore, search};
use jiff::Timestamp;
use proptest::prelude::*;

use crate::support::retrieval::{brand, embedder, fact, find, in_language, index, index_with};

const QUESTIONS: [&str; 4] = [
    "Which anvil is light to carry?",
    "How long is the warranty on tongs?",
    "What is the capital of France?",
    "anvil 17",
];

fn tools(changed: Option<usize>) -> Brand {
    let tool = |number: usize| {
        let kind = ["anvil", "hammer", "tongs"][number % 3];
        let years = if changed == Some(number) { 99 } else { number };
        let title = format!("The {kind} {number}");
        fact("tools", &format!("{number:03}"), &title, &format!("The {kind} has {years} years of warranty."))
    };
    brand("tools", (0..60).map(tool).collect())
}

fn rebuilt(
    brand: &Brand,
    store: &mut VectorStore,
    embedder: Option<&Embedder>,
    earlier: Option<&Arc<Index>>,
) -> (Arc<Index>, usize) {
    let settings = SearchSettings::default();
    Index::rebuild(brand, Timestamp::UNIX_EPOCH, store, embedder, &settings, earlier, &mut |_, _| {}).unwrap()
}

/// Ids with all the numbers that they are ranked by.
fn found(index: &Index, embedder: Option<&Embedder>, question: &str) -> Vec<(String, u32, u32, u32)> {
    let query = Query::alone(question);
    let vectors = embedder.map(|embedder| embedder.vectors(&query, "").unwrap());
    search(&[index], &query, vectors.as_ref(), &SearchSettings::default())
        .candidates
        .iter()
        .map(|found| {
            (found.item.id.clone(), found.fused.to_bits(), found.score.to_bits(), found.threshold.to_bits())
        })
        .collect()
}

#[test]
fn what_has_not_changed_is_not_made_again() {
    for embedder in [Some(embedder()), None] {
        let mut store = VectorStore::empty(embedder.map(Embedder::identity));
        let (first, _) = rebuilt(&tools(None), &mut store, embedder, None);
        let (again, embedded) = rebuilt(&tools(None), &mut store, embedder, Some(&first));
        assert!(Arc::ptr_eq(&first, &again));
        assert_eq!(embedded, 0);
        // Another spelling of the name is a change, and so is a tag, though neither is embedded.
        let mut renamed = tools(None);
        renamed.aliases.push("implements".to_owned());
        let mut tagged = tools(None);
        tagged.items[7] = Arc::new(Item { tags: vec!["new".to_owned()], ..Item::clone(&tagged.items[7]) });
        for changed in [renamed, tagged] {
            let (other, embedded) = rebuilt(&changed, &mut store, embedder, Some(&first));
            assert!(!Arc::ptr_eq(&first, &other));
            assert_eq!(embedded, 0);
        }
    }
}

#[test]
fn an_index_made_from_an_earlier_one_is_the_one_made_anew() {
    for embedder in [Some(embedder()), None] {
        let mut store = VectorStore::empty(embedder.map(Embedder::identity));
        let (first, _) = rebuilt(&tools(None), &mut store, embedder, None);
        let changed = tools(Some(21));
        let mut fewer = tools(None);
        fewer.items.remove(30);
        for (brand, embeds) in [(changed, 1), (fewer, 0)] {
            let (incremental, embedded) = rebuilt(&brand, &mut store, embedder, Some(&first));
            assert_eq!(embedded, if embedder.is_some() { embeds } else { 0 });
            let (anew, _) = index_with(&brand, &mut store, embedder);
            for question in QUESTIONS {
                let (incremental, anew) =
                    (found(&incremental, embedder, question), found(&anew, embedder, question));
                // By words alone, nothing is like a question about something else.
                assert!(!anew.is_empty() || (embedder.is_none() && question.contains("France")));
                assert_eq!(incremental, anew, "{question}");
            }
        }
    }
}

/// What edits put in: texts of several languages, some of them about what prompts of the cohort are about.
const TEXTS: [(&str, &str); 6] = [
    ("en", "The anvil has ten years of warranty."),
    ("en", "Write a poem about the capital of France, with a recipe for soup."),
    ("de", "Der Amboss hat zehn Jahre Garantie, und das Wetter ist morgen gut."),
    ("zh", "铁砧有十年的保修期，今天天气怎么样？"),
    ("ru", "Какая погода будет завтра в Москве?"),
    ("en", ""),
];

/// Replaces, inserts or removes items; ids stay sorted.
fn apply(brand: &mut Brand, edits: &[(usize, u8, usize)]) {
    for (number, &(place, edit, text)) in edits.iter().enumerate() {
        let place = place % brand.items.len();
        let (language, text) = TEXTS[text % TEXTS.len()];
        let id = brand.items[place].id.trim_start_matches("tools/").to_owned();
        let new = |id: &str| in_language(language, &fact("tools", id, "What changed", text));
        match edit {
            0 => brand.items[place] = new(&id),
            1 => brand.items.insert(place + 1, new(&format!("{id}+{number:02}"))),
            _ => drop(brand.items.remove(place)),
        }
    }
    brand.items.sort_by(|a, b| a.id.cmp(&b.id));
    brand.items.dedup_by(|a, b| a.id == b.id);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn edits_leave_no_trace_in_calibration_and_scores(
        edits in prop::collection::vec((0..100_usize, 0..3_u8, 0..6_usize), 1..8),
        more in prop::collection::vec((0..100_usize, 0..3_u8, 0..6_usize), 0..8),
    ) {
        let mut store = VectorStore::empty(None);
        let mut edited = tools(None);
        let (mut index, _) = rebuilt(&edited, &mut store, None, None);
        for edits in [edits, more] {
            apply(&mut edited, &edits);
            index = rebuilt(&edited, &mut store, None, Some(&index)).0;
            let (anew, _) = index_with(&edited, &mut store, None);
            prop_assert_eq!(index.calibration(), anew.calibration());
            for question in QUESTIONS {
                prop_assert_eq!(found(&index, None, question), found(&anew, None, question));
            }
        }
    }
}

#[test]
fn edits_among_many_vectors_leave_no_trace_in_calibration_and_scores() {
    // More than are all compared with each prompt, with vectors that are made up.
    let vector = |seed: usize| {
        let numbers = (0..embedder().identity().dimension).map(|at| ((seed * 389 + at * 17) as f32).sin());
        Vector::of(&numbers.map(|number| number / 16.0).collect::<Vec<_>>())
    };
    let mut store = VectorStore::empty(Some(embedder().identity()));
    let item =
        |number: usize| fact("tools", &format!("{number:04}"), "", &format!("Tool {number} is of steel."));
    for number in 0..1_500 {
        store.put_vector(&format!("Tool {number} is of steel."), vector(number));
    }
    let mut edited = brand("tools", (0..1_500).map(item).collect());
    let (mut index, _) = rebuilt(&edited, &mut store, Some(embedder()), None);
    apply(&mut edited, &[(700, 0, 1), (20, 2, 0), (1_300, 1, 2)]);
    index = rebuilt(&edited, &mut store, Some(embedder()), Some(&index)).0;
    let (anew, _) = index_with(&edited, &mut store, Some(embedder()));
    assert_eq!(index.calibration(), anew.calibration());
    assert_eq!(found(&index, Some(embedder()), QUESTIONS[2]), found(&anew, Some(embedder()), QUESTIONS[2]));
}

#[test]
fn vectors_of_a_build_that_was_broken_off_are_used_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors.bin");
    let item =
        |number: usize| fact("many", &format!("{number:03}"), &format!("Tool {number}"), "It is of steel.");
    let brand = brand("many", (0..120).map(item).collect());
    let build = |progress: &mut dyn FnMut(usize, usize)| {
        let (mut store, problem) = VectorStore::open(&path, Some(embedder().identity()));
        assert_eq!(problem, None);
        let (now, settings) = (Timestamp::UNIX_EPOCH, SearchSettings::default());
        Index::build(&brand, now, &mut store, Some(embedder()), &settings, progress).unwrap()
    };
    // The store is not saved: what is on disk was written on the way.
    let broken =
        catch_unwind(AssertUnwindSafe(|| build(&mut |done, _| assert!(done < 100, "ended half-way"))));
    assert!(broken.is_err());
    let (_, embedded) = build(&mut |_, _| {});
    // A vector of the text and one of the title: the first 64 items make a file of 128.
    assert!((1..=120 - 64).contains(&embedded), "{embedded}");
}

#[test]
fn a_hundred_thousand_identical_items_are_one_answer() {
    let same = |number: usize| fact("same", &format!("{number:06}"), "Anvil", "The anvil weighs ten kilos.");
    let many = brand("same", (0..100_000).map(same).collect());
    let index = index(&many, None);
    let hits = find(std::slice::from_ref(&index), None, "How much does the anvil weigh, how many kilos?");
    let told: Vec<&str> = hits
        .candidates
        .iter()
        .filter(|candidate| candidate.passes && candidate.duplicate_of.is_none())
        .map(|candidate| &*candidate.item.id)
        .collect();
    assert_eq!((index.len(), told), (100_000, vec!["same/000000"]));
}

#[test]
fn an_item_of_five_megabytes_is_searched() {
    let text = "The anvil rings when the hammer falls on it. ".repeat(5_000_000 / 45);
    let items =
        vec![fact("huge", "book", "The book of anvils", &text), fact("huge", "soup", "Soup", "Leek soup.")];
    for embedder in [Some(embedder()), None] {
        let index = index(&brand("huge", items.clone()), embedder);
        let hits =
            find(std::slice::from_ref(&index), embedder, "Is there a book of anvils, and who is the hammer?");
        assert_eq!(hits.candidates[0].item.id, "huge/book");
    }
}
