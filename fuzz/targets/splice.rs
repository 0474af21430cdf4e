//! Finding messages in a body and inserting between them.
//!
//! Three readers must agree: cutting the insertions out gives the body; `serde_json` accepts what the finder accepts;
//! and as values, what leaves is what came with nothing but list elements and text added under the one key.
#![no_main]

use std::path::Path;
use std::sync::{Arc, LazyLock};

use foreword::chat::{Content, Conversation, Dialect, check_json};
use foreword::inject::{Budget, Form, Plan, Prepared, Recipe, load_recipes, splice};
use foreword::knowledge::{Limits, load};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use serde_json::value::RawValue;

/// A recipe with the items that it tells.
struct Told {
    recipe: Arc<Recipe>,
    items: Vec<Prepared>,
}

/// The repository's own recipes over its own knowledge.
static TOLD: LazyLock<Vec<Told>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let loaded = load(&root.join("knowledge"), &Limits::default(), jiff::Timestamp::UNIX_EPOCH);
    let (recipes, problems) = load_recipes(&root.join("prompts"));
    assert!(problems.is_empty(), "{problems:?}");
    let brand = loaded.knowledge.brands.into_iter().next().expect("a brand");
    let name: Arc<str> = brand.name.as_str().into();
    let told = |recipe: Arc<Recipe>| {
        let prepare = |item| Prepared::new(&recipe, item, Arc::clone(&name), |text| text.len() as u32 / 4);
        let items = brand.items.iter().cloned().map(prepare).collect::<Result<_, _>>().expect("they render");
        Told { items, recipe }
    };
    recipes.into_values().map(told).collect()
});

fuzz_target!(|data: &[u8]| {
    let [way, body @ ..] = data else { return };
    let dialect = Dialect::ALL[usize::from(way % 3)];
    let told = &TOLD[usize::from(way / 3) % TOLD.len()];
    let text = std::str::from_utf8(body);
    if let Ok(text) = text {
        let other = serde_json::from_str::<&RawValue>(text);
        assert_eq!(check_json(text).is_ok(), other.is_ok(), "{other:?}");
    }
    let Ok(conversation) = Conversation::read(body, dialect) else { return };
    let text = text.expect("what was read is text");
    for message in &conversation.messages {
        assert!(text.is_char_boundary(message.span.start) && text.is_char_boundary(message.span.end));
    }
    let turns = conversation.turns();
    let budget = Budget { conversation_tokens: u32::MAX, context_tokens: None };
    let mut plan = Plan::empty();
    for (turn, offered) in turns.iter().zip(told.items.chunks(2).cycle()) {
        let _readable = turn.text(text);
        if turn.opens {
            plan = plan.open();
        }
        let form = if matches!(turn.content, Content::Prompt(_)) { Form::Text } else { Form::Messages };
        let offers: Vec<&Prepared> = if turn.insertable { offered.iter().collect() } else { Vec::new() };
        plan = plan.offer(&offers, &told.recipe, form, &budget).expect("it renders");
    }
    let spliced = splice(body, &turns, told.recipe.placement, &plan.placed);
    let mut cut = Vec::with_capacity(body.len());
    let mut at = 0;
    for range in &spliced.inserted {
        assert!(at <= range.start && range.start < range.end, "{:?}", spliced.inserted);
        cut.extend_from_slice(&spliced.body[at..range.start]);
        at = range.end;
    }
    cut.extend_from_slice(&spliced.body[at..]);
    assert_eq!(cut, body, "cutting the insertions out does not give the body");
    // Numbers beyond a double's range are JSON, but no `Value`.
    let Ok(before) = serde_json::from_str::<Value>(text) else { return };
    let after = serde_json::from_slice::<Value>(&spliced.body).expect("what leaves is JSON");
    let (Value::Object(before), Value::Object(after)) = (&before, &after) else { panic!("no object") };
    assert_eq!(before.len(), after.len(), "a field was added or dropped");
    for (key, value) in before {
        let left = after.get(key).expect("every field is still there");
        if key == dialect.list_key() {
            assert!(has_grown(value, left), "{value} became {left}");
        } else {
            assert_eq!(value, left, "the field {key} was changed");
        }
    }
});

/// Whether `after` is `before` with elements, messages or text put in and nothing taken out or moved.
fn has_grown(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::String(before), Value::String(after)) => {
            let mut characters = after.chars();
            before.chars().all(|character| characters.any(|other| other == character))
        }
        (Value::Array(before), Value::Array(after)) => {
            let mut elements = after.iter();
            before.iter().all(|element| elements.any(|other| has_grown(element, other)))
        }
        (Value::Object(before), Value::Object(after)) => {
            let same = |(key, value)| after.get(key).is_some_and(|other| has_grown(value, other));
            before.len() == after.len() && before.iter().all(same)
        }
        // A text that stood for the whole list.
        (Value::String(_), Value::Array(after)) => {
            after.last().is_some_and(|last| last["role"] == "user" && has_grown(before, &last["content"]))
        }
        _ => before == after,
    }
}
