//! Leaks of what was inserted: seen wherever an answer is cut and however it is written, and never where a public fact
//! is told.

use std::path::Path;
use std::sync::Arc;

use foreword::inject::{Budget, Form, Placement, Plan, Prepared, inserted, load_recipes};
use foreword::knowledge::{Item, Limits, load};
use foreword::leaks::{Inserted, Leak, Watch};
use jiff::Timestamp;
use proptest::prelude::*;

use crate::support::retrieval::{example, fact};

const HIDDEN: &str = "I need this: Anvil warranty length. What do you suggest?";
const FACT: &str = "Acme gives ten years of warranty on every anvil that leaves the old forge by the river.";

fn told() -> Arc<Inserted> {
    let public = ["Anvil warranty length", FACT];
    let block =
        format!("Background from the product documentation:\n- With Acme: Anvil warranty length. {FACT}");
    Arc::new(
        Inserted::new()
            .hidden(HIDDEN, &public)
            .hidden(&block, &public)
            .mark("acme/products#warranty")
            .mark("kqzvxw"),
    )
}

/// What is seen of an answer in parts of so many bytes.
fn watch(inserted: &Arc<Inserted>, answer: &str, bytes: usize) -> Option<Leak> {
    let mut watch = Watch::new(Arc::clone(inserted));
    let (mut rest, mut found) = (answer, None);
    while !rest.is_empty() {
        let (part, after) = rest.split_at(rest.ceil_char_boundary(bytes.min(rest.len())));
        let now = watch.push(part);
        assert!(now.is_none() || found.is_none(), "it is said once");
        found = found.or(now);
        rest = after;
    }
    let late = watch.finish();
    assert!(found.is_none() || late.is_none(), "it is said once");
    found.or(late)
}

fn base64(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    text.as_bytes()
        .chunks(3)
        .map(|three| {
            let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
                << (8 * (3 - three.len()));
            (0..4)
                .map(|place| match place <= three.len() {
                    true => char::from(ALPHABET[(bits >> (18 - 6 * place)) as usize & 63]),
                    false => '=',
                })
                .collect::<String>()
        })
        .collect()
}

#[test]
fn leaks_are_seen_in_every_form_and_facts_are_none() {
    let reversed = |text: &str| text.chars().rev().collect::<String>();
    let spaced = |text: &str| text.chars().map(|character| format!("{character} ")).collect::<String>();
    for (answer, expected) in [
        (format!("Sure. You said: {HIDDEN}"), Some(Leak::Plain)),
        (HIDDEN.to_uppercase().replace(' ', "\n"), Some(Leak::Plain)),
        (
            "I was told: background from the product documentation: - With ACME: Anvil".to_owned(),
            Some(Leak::Plain),
        ),
        ("See acme/products#warranty for more.".to_owned(), Some(Leak::Plain)),
        ("It ends with (ref KQZVXW).".to_owned(), Some(Leak::Plain)),
        (format!("Here it is:\n{}", base64(HIDDEN)), Some(Leak::Base64)),
        (reversed(HIDDEN), Some(Leak::Reversed)),
        (spaced(HIDDEN), Some(Leak::Spaced)),
        ("k-q-z-v-x-w".to_owned(), Some(Leak::Spaced)),
        (HIDDEN.replace('e', "3").replace('a', "4").replace('o', "0"), Some(Leak::Leetspeak)),
        // Facts, the way in which the assistant was made to tell them, and parts of what is hidden.
        (FACT.to_owned(), None),
        (format!("With Acme you can do that. {FACT} {FACT}"), None),
        (format!("Anvil warranty length: {FACT}"), None),
        (base64(FACT), None),
        ("What do you suggest? I need this.".to_owned(), None),
        ("The product documentation says ten years.".to_owned(), None),
        (String::new(), None),
    ] {
        for bytes in [1, 3, 7, 64, 100_000] {
            assert_eq!(watch(&told(), &answer, bytes), expected, "{answer} in parts of {bytes}");
        }
    }
}

#[test]
fn an_answer_is_cut_off_where_the_leak_is_complete() {
    let mut watch = Watch::new(told());
    let parts = ["Sure, background from the pro", "duct documentation: with ", "Ac", "me, "];
    let seen: Vec<Option<Leak>> = parts.iter().map(|part| watch.push(part)).collect();
    assert_eq!(seen[..2], [None, None]);
    assert_eq!(seen[2..].iter().flatten().count() + usize::from(watch.push("anvil and more").is_some()), 1);
    assert_eq!(watch.finish(), None);
    let mut nothing = Watch::new(Inserted::new());
    assert_eq!((nothing.push(HIDDEN), nothing.finish()), (None, None));
}

/// What a recipe inserts for these items.
fn inserted_by(recipe: &str, form: Form, items: &[Arc<Item>]) -> Arc<Inserted> {
    let (recipes, _) = load_recipes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts"));
    let recipe = &recipes[recipe];
    let prepared: Vec<Prepared> = items
        .iter()
        .map(|item| Prepared::new(recipe, Arc::clone(item), Arc::from("DocArray"), |_| 1).unwrap())
        .collect();
    let offers: Vec<&Prepared> = prepared.iter().collect();
    let budget = Budget { conversation_tokens: 2_000, context_tokens: None };
    let plan = offers
        .chunks(recipe.max_items)
        .try_fold(Plan::empty(), |plan, offers| plan.offer(offers, recipe, form, &budget));
    Arc::new(inserted(&plan.unwrap().placed, recipe.placement))
}

#[test]
fn what_recipes_write_around_facts_is_hidden_and_the_rest_is_not() {
    let items = [
        fact("acme", "a#warranty", "Anvil warranty length", FACT),
        example(
            "acme",
            "b",
            "Which anvil should a beginner buy for the first shop?",
            "The light one of the two is what beginners like best.",
        ),
    ];
    for (recipe, form, leaks) in [
        ("pairs", Form::Messages, true),
        ("pairs", Form::Text, true),
        ("inline", Form::Messages, false),
        ("message", Form::Messages, false),
    ] {
        let told = inserted_by(recipe, form, &items);
        assert_eq!(watch(&told, HIDDEN, 5).is_some(), leaks, "{recipe}");
        let block =
            "Background from the product documentation: - With DocArray: Which anvil should a beginner buy";
        assert_eq!(watch(&told, block, 5).is_some(), !leaks, "{recipe}");
        for public in
            [FACT, "With DocArray you can do that. Acme gives ten years", items[1].title(), items[1].text()]
        {
            assert_eq!(watch(&told, public, 5), None, "{recipe}: {public}");
        }
        assert_eq!(watch(&told, "look at acme/a#warranty", 5), Some(Leak::Plain), "{recipe}");
    }
    let recipes = load_recipes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts")).0;
    assert!(recipes.values().any(|recipe| recipe.placement == Placement::Lead));
}

#[test]
fn ordinary_answers_raise_no_alarm() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = load(&root.join("knowledge"), &Limits::default(), Timestamp::now()).knowledge;
    let items: Vec<Arc<Item>> = own.brands.iter().flat_map(|brand| brand.items.clone()).collect();
    let labelled = std::fs::read_to_string(root.join("tests/fixtures/mentions/answers.txt")).unwrap();
    let answers: Vec<String> = labelled
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" | "))
        .map(|(_, answer)| answer.replace("\\n", "\n"))
        .collect();
    assert!(answers.len() > 200, "{}", answers.len());
    for recipe in ["pairs", "inline", "message"] {
        let told = inserted_by(recipe, Form::Messages, &items);
        assert!(!told.is_empty());
        for answer in answers.iter().map(String::as_str).chain(items.iter().map(|item| item.text())) {
            assert_eq!(watch(&told, answer, 6), None, "{recipe}: {answer}");
        }
    }
}

proptest! {
    /// Wherever an answer is cut, the same is seen.
    #[test]
    fn parts_do_not_matter(before in "[a-z .]{0,40}", after in "[ .][a-z .]{0,40}", bytes in 1_usize..40) {
        let answer = format!("{before} {HIDDEN}{after}");
        prop_assert_eq!(watch(&told(), &answer, bytes), Some(Leak::Plain));
        let harmless = format!("{before} {FACT}{after}");
        prop_assert_eq!(watch(&told(), &harmless, bytes), watch(&told(), &harmless, 1_000));
    }
}
