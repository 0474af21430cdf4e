//! Loading of recipes: a file is refused with a place that stands in it, or gives a recipe that renders items within
//! bounds, to legal JSON, without ever failing in another way than by its own error.
#![no_main]

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use foreword::inject::{Form, Placement, Prepared, load_recipes};
use foreword::knowledge::{Item, Limits, load};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));

static ITEMS: LazyLock<Vec<Arc<Item>>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../knowledge");
    let loaded = load(&root, &Limits::default(), jiff::Timestamp::UNIX_EPOCH);
    loaded.knowledge.brands.into_iter().flat_map(|brand| brand.items.into_iter().take(2)).collect()
});

fuzz_target!(|data: &[u8]| {
    fs::write(FOLDER.path().join("fuzzed.md"), data).expect("a file");
    let (recipes, problems) = load_recipes(FOLDER.path());
    for problem in &problems {
        let _shown = problem.to_string();
        if let Some(place) = &problem.place {
            assert!(place.text.get(place.span.clone()).is_some(), "{problem}: {:?}", place.span);
        }
    }
    for recipe in recipes.values() {
        let prepare = |item: &Arc<Item>| Prepared::new(recipe, Arc::clone(item), "Acme".into(), |text| text.len() as u32);
        // A template may ask for what an item does not have, or cost too much: an error, and nothing else.
        let Ok(prepared) = ITEMS.iter().map(prepare).collect::<Result<Vec<_>, _>>() else { continue };
        let items: Vec<&Prepared> = prepared.iter().collect();
        if let Ok(text) = recipe.render(&items, Form::Text) {
            let quoted = [b"\"", &text[..], b"\""].concat();
            assert!(serde_json::from_slice::<String>(&quoted).is_ok(), "no text of a JSON string");
        }
        let Ok(messages) = recipe.render(&items, Form::Messages) else { continue };
        let list = match recipe.placement {
            Placement::Inline => [b"[\"", &messages[..], b"\"]"].concat(),
            _ => [b"[", &messages[..], b"0]"].concat(),
        };
        let list: Value = serde_json::from_slice(&list).expect("what is inserted is JSON");
        let roles: Vec<&str> = list.as_array().expect("a list").iter().filter_map(|one| one["role"].as_str()).collect();
        match recipe.placement {
            Placement::Pairs | Placement::Lead => {
                assert!(roles.chunks(2).all(|pair| pair == ["user", "assistant"]), "{roles:?}");
                assert_eq!(roles.len(), 2 * items.len());
            }
            Placement::Message => assert_eq!(roles, ["system"]),
            Placement::Inline => {}
        }
    }
});
