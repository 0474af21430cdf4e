//! Invariant 4 against the rules of many providers, and against real chat templates: what was accepted
//! without foreword is accepted with it.

use std::collections::BTreeMap;
use std::path::Path;

use foreword::app::{StartError, core};
use foreword::chat::Dialect;
use minijinja::value::{Value as Jinja, from_args};
use minijinja::{Environment, Error, ErrorKind, State, context};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::Value;

use crate::support::conversations::{Chat, any_chat};
use crate::support::legality::{LENIENT, Rules, STRANGERS, STRICT, all_strict};
use crate::support::planners::{RECIPES, explain, list};
use crate::support::proxy::Site;

/// The recipes that a strict upstream may be given.
const STRICT_RECIPES: &[&str] = &["pairs", "inline", "lead"];

fn messages(chat: &Chat) -> Vec<Value> {
    list(chat.body(chat.messages.len()).as_bytes(), "messages")
}

fn outbound(recipe: &str, chat: &Chat) -> Vec<Value> {
    let body = chat.body(chat.messages.len());
    list(&explain(recipe, Dialect::ChatCompletions, &body).spliced.body, "messages")
}

/// What says who the model is to be.
fn system(messages: &[Value]) -> Vec<&Value> {
    messages
        .iter()
        .filter(|message| matches!(message["role"].as_str(), Some("system" | "developer")))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn invariant_4_legal_stays_legal_for_every_provider(chat in any_chat()) {
        let before = messages(&chat);
        for recipe in RECIPES {
            let after = outbound(recipe, &chat);
            let strict = all_strict().filter(|_| STRICT_RECIPES.contains(recipe));
            for rules in strict.chain([&LENIENT]).filter(|rules| rules.check(&before).is_ok()) {
                prop_assert_eq!(rules.check(&after), Ok(()), "{} under {}", rules.name, recipe);
            }
            if *recipe != "message" {
                // T1: system text is neither lost nor changed.
                prop_assert_eq!(system(&before), system(&after));
            }
        }
    }

    #[test]
    fn t6_nothing_comes_between_a_call_and_its_results(chat in any_chat(), recipe in prop::sample::select(RECIPES)) {
        // Whatever the client wrote between the two, nothing of ours is among it.
        let sent = outbound(recipe, &chat);
        let own = messages(&chat);
        let mut open = 0;
        let mut theirs = own.iter().peekable();
        for message in &sent {
            let is_theirs = recipe == "inline" || theirs.peek() == Some(&message);
            prop_assert!(is_theirs || open == 0, "{} stands among open calls", message);
            if is_theirs {
                theirs.next();
                match message["role"].as_str() {
                    Some("assistant") => {
                        let legacy = usize::from(message["function_call"].is_object());
                        open = message["tool_calls"].as_array().map_or(0, Vec::len) + legacy;
                    }
                    Some("tool" | "function") => open = usize::saturating_sub(open, 1),
                    _ => {}
                }
            }
        }
        prop_assert!(theirs.next().is_none());
    }
}

/// The same conversations each time, a good many of each kind.
fn sample() -> Vec<Chat> {
    let mut runner = TestRunner::deterministic();
    let strategy = any_chat();
    (0..600).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

#[test]
fn every_rule_accepts_and_refuses_and_injections_happen_among_what_it_accepts() {
    // Without this the property above might hold because nothing is ever accepted, or nothing injected.
    let chats: Vec<(Vec<Value>, bool)> = sample()
        .iter()
        .map(|chat| (messages(chat), outbound("pairs", chat).len() > chat.messages.len()))
        .collect();
    for rules in all_strict().chain([&LENIENT]) {
        let accepted: Vec<_> = chats.iter().filter(|(messages, _)| rules.check(messages).is_ok()).collect();
        let injected = accepted.iter().filter(|(_, injected)| *injected).count();
        assert!(injected >= 20, "{}: {injected} of {} accepted", rules.name, accepted.len());
        let free = rules.name == "Zephyr";
        assert!(free || chats.len() - accepted.len() >= 20, "{} refuses nothing", rules.name);
        assert!(!rules.source.is_empty());
    }
}

#[test]
fn the_checker_sees_faults() {
    let check = |rules: &Rules, text: &str| rules.check(&serde_json::from_str::<Vec<Value>>(text).unwrap());
    for bad in [
        r#"[{"role":"user"},{"role":"user"}]"#,
        r#"[{"role":"user"},{"role":"system"}]"#,
        r#"[{"role":"system"},{"role":"system"},{"role":"user"}]"#,
        r#"[{"role":"assistant"}]"#,
        r#"[{"role":"narrator"}]"#,
        r#"[{"role":"user"},{"role":"tool","tool_call_id":"x"}]"#,
        r#"[{"role":"user"},{"role":"assistant","tool_calls":[{"id":"x"}]},{"role":"user"}]"#,
        r#"[{"role":"user"},{"role":"assistant"},{"role":"assistant","tool_calls":[{"id":"x"}]}]"#,
    ] {
        assert!(check(&STRICT, bad).is_err(), "{bad}");
    }
    assert_eq!(check(&STRICT, r#"[{"role":"system"},{"role":"user"},{"role":"assistant"}]"#), Ok(()));
    // A system message inside is what the recipe `message` needs a lenient provider for.
    let inside = r#"[{"role":"user","content":"x"},{"role":"assistant","content":"x"},{"role":"system","content":"x"},{"role":"user","content":"x"}]"#;
    assert_eq!(check(&LENIENT, inside), Ok(()));
    assert!(check(&STRICT, inside).is_err());
    assert!(STRANGERS.iter().filter(|rules| check(rules, inside).is_err()).count() >= 8);
}

#[test]
fn a_recipe_that_makes_empty_messages_is_refused() {
    let site = Site::new();
    let pairs = "---\nplacement: pairs\n---\n## fact.user\n{{ item.title }}\n## fact.assistant\n{% if item.source %}{{ item.text }}{% endif %}\n## example.user\n{{ item.question }}\n## example.assistant\n{{ item.answer }}\n";
    site.write("prompts/pairs.md", pairs);
    let settings = site.settings("http://127.0.0.1:1/v1", &[]);
    let Err(StartError::Knowledge(problems)) = core(&settings, &mut |_, _| {}) else {
        panic!("it was loaded")
    };
    let told = problems.iter().map(ToString::to_string).collect::<String>();
    assert!(
        told.contains("products.md") && told.contains("the section `fact.assistant` says nothing"),
        "{told}"
    );
}

/// A real chat template, read from where scripts/setup has put it.
fn template(environment: &mut Environment<'static>, name: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(".foreword/templates").join(name);
    let text = std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{} cannot be read ({error}): run scripts/setup", file.display()));
    environment.add_template_owned(name.to_owned(), text).unwrap_or_else(|error| panic!("{name}: {error:#}"));
}

/// Jinja as servers offer it to chat templates: with a function that refuses, and a few of Python's methods.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.add_function("raise_exception", |reason: String| -> Result<String, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, reason))
    });
    environment.add_function("strftime_now", |_: String| "2026-01-01".to_owned());
    environment.add_filter("tojson", |value: Jinja| value.to_string());
    environment.set_unknown_method_callback(
        |_: &mut State<'_, '_>, value: &Jinja, method: &str, arguments: &[Jinja]| {
            let text = value.as_str();
            match (method, text) {
                ("strip", Some(text)) => Ok(text.trim().into()),
                ("startswith", Some(text)) => {
                    let (start,): (&str,) = from_args(arguments)?;
                    Ok(text.starts_with(start).into())
                }
                _ => Err(Error::from(ErrorKind::UnknownMethod)),
            }
        },
    );
    for rules in STRANGERS {
        rules.template.into_iter().for_each(|name| template(&mut environment, name));
    }
    environment
}

fn jinja(value: &Value) -> Jinja {
    match value {
        Value::Null => Jinja::from(()),
        Value::Bool(value) => Jinja::from(*value),
        Value::Number(value) => Jinja::from(value.as_f64()),
        Value::String(text) => Jinja::from(&**text),
        Value::Array(items) => items.iter().map(jinja).collect(),
        Value::Object(entries) => {
            Jinja::from_pairs(entries.iter().map(|(key, value)| (Jinja::from(&**key), jinja(value))))
        }
    }
}

/// What a model reads, or why the template refuses.
fn render(environment: &Environment<'_>, name: &str, messages: &[Value]) -> Result<String, Error> {
    let messages: Jinja = messages.iter().map(jinja).collect();
    let values =
        context! { messages, bos_token => "<s>", eos_token => "</s>", add_generation_prompt => true };
    environment.get_template(name)?.render(values)
}

#[test]
fn invariant_4_real_chat_templates_refuse_nothing_that_they_accepted() {
    let environment = environment();
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for chat in sample() {
        let before = messages(&chat);
        let after: Vec<Vec<Value>> = STRICT_RECIPES.iter().map(|recipe| outbound(recipe, &chat)).collect();
        for name in STRANGERS.iter().filter_map(|rules| rules.template) {
            let (accepted, injected) = counts.entry(name).or_default();
            if render(&environment, name, &before).is_err() {
                continue;
            }
            *accepted += 1;
            for (recipe, after) in STRICT_RECIPES.iter().zip(&after) {
                *injected += usize::from(*after != before);
                let rendered = render(&environment, name, after);
                assert!(rendered.is_ok(), "{name} refuses under {recipe}: {:?}\n{after:#?}", rendered.err());
            }
        }
    }
    assert!(counts.len() >= 10, "{counts:?}");
    for (name, (accepted, injected)) in counts {
        assert!(accepted >= 40 && injected >= 60, "{name}: {accepted} accepted, {injected} injected");
    }
}

#[test]
fn the_rules_are_those_of_the_templates() {
    let environment = environment();
    // What a template makes of a content that is no text is not a matter of who speaks when.
    let as_texts = |chat: &Chat| {
        let mut messages = messages(chat);
        messages.iter_mut().for_each(|message| message["content"] = "a text".into());
        messages
    };
    let chats: Vec<Vec<Value>> = sample().iter().map(as_texts).collect();
    for rules in STRANGERS {
        let Some(name) = rules.template else { continue };
        for messages in &chats {
            let rendered = render(&environment, name, messages);
            let checked = rules.check(messages);
            assert_eq!(
                checked.is_ok(),
                rendered.is_ok(),
                "{}: {checked:?}, but {:?}\n{messages:#?}",
                rules.name,
                rendered.err()
            );
        }
    }
}
