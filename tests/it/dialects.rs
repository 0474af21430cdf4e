//! What holds for every dialect: one set of tests, run for each of them.

use foreword::chat::{Conversation, Dialect, Paths, Unreadable};
use foreword::config::{self, Overrides};
use foreword::inject::{Decision, SkipReason};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::client::{exchange, post};
use crate::support::conversations::TEXTS;
use crate::support::planners::{RECIPES, cut, explain, planner, served, wait};
use crate::support::proxy::{Proxy, Site};
use crate::support::run;
use crate::support::upstream::Upstream;
use crate::support::wires::Said::{Assistant, System, User};
use crate::support::wires::{Said, WIRES, Wire, ends_of_turns, words};

fn any_wire() -> impl Strategy<Value = &'static Wire> {
    (0..WIRES.len()).prop_map(|number| &WIRES[number])
}

fn any_recipe() -> impl Strategy<Value = &'static str> {
    prop::sample::select(RECIPES)
}

/// One question that the anvil brand has an answer to, after a system text.
fn question(text: &str) -> Vec<Said> {
    vec![System("Be brief.".to_owned()), User(text.to_owned())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn invariant_1_and_2_in_every_dialect(said in words(), wire in any_wire(), recipe in any_recipe()) {
        let body = (wire.write)(&said);
        let explanation = explain(recipe, wire.dialect, &body);
        let spliced = &explanation.spliced;
        prop_assert_eq!(cut(&spliced.body, &spliced.inserted), body.as_bytes());
        let injected = matches!(explanation.decision, Decision::Injected { .. });
        prop_assert_eq!(injected, !spliced.inserted.is_empty(), "{:?}", explanation.decision);
        // Everything besides the list means what it meant.
        let key = wire.dialect.list_key();
        let mut before: Value = serde_json::from_str(&body).unwrap();
        let mut after: Value = serde_json::from_slice(&spliced.body).unwrap();
        before[key].take();
        after[key].take();
        prop_assert_eq!(before, after);
    }

    #[test]
    fn invariant_3_in_every_dialect(said in words(), wire in any_wire(), recipe in any_recipe()) {
        let outbound = |end: usize| {
            let body = (wire.write)(&said[..end]);
            wire.pieces(&explain(recipe, wire.dialect, &body).spliced.body)
        };
        let whole = outbound(said.len());
        for end in ends_of_turns(&said) {
            let part = outbound(end);
            prop_assert!(part.len() <= whole.len());
            prop_assert_eq!(&part[..], &whole[..part.len()]);
        }
    }

    #[test]
    fn invariant_9_in_every_dialect(said in words(), wire in any_wire(), recipe in any_recipe()) {
        let planner = planner(recipe);
        for end in ends_of_turns(&said) {
            let body = (wire.write)(&said[..end]);
            let sent = wait(served(&planner, wire.dialect, &body));
            prop_assert_eq!(&sent[..], &explain(recipe, wire.dialect, &body).spliced.body[..]);
        }
    }
}

#[test]
fn every_recipe_tells_its_items_in_every_dialect() {
    for wire in WIRES {
        for recipe in RECIPES {
            let told = if *recipe == "lead" { "Acme makes" } else { "twelve kilograms" };
            let said = question(TEXTS[0]);
            let body = (wire.write)(&said);
            let explanation = explain(recipe, wire.dialect, &body);
            let sent = wire.pieces(&explanation.spliced.body).concat();
            let at = sent.find(told).unwrap_or_else(|| panic!("{} {recipe}: {sent}", wire.name));
            // System text stays in front of it, the question after it.
            assert!(at < sent.rfind(TEXTS[0]).unwrap(), "{} {recipe}: {sent}", wire.name);
            assert!(
                sent.find("Be brief.").is_none_or(|system| system < at),
                "{} {recipe}: {sent}",
                wire.name
            );
        }
    }
}

#[test]
fn every_dialect_is_served_at_its_path() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::start(&upstream.url()).await;
        for wire in WIRES {
            let body = (wire.write)(&question(TEXTS[0]));
            let answer = exchange(proxy.address, &post(wire.path, &body)).await;
            assert_eq!(answer.decision(), "injected", "{}", wire.name);
            let sent = wire.pieces(&upstream.last().body).concat();
            assert!(sent.contains("twelve kilograms"), "{}: {sent}", wire.name);
        }
    });
}

#[test]
fn what_was_told_is_not_told_again_and_topics_are_kept_off_in_every_dialect() {
    for wire in WIRES {
        let mut said = question(TEXTS[0]);
        said.extend([Assistant("The FeatherAnvil.".to_owned()), User(TEXTS[0].to_owned())]);
        let sent = wire.pieces(&explain("pairs", wire.dialect, (wire.write)(&said)).spliced.body).concat();
        assert_eq!(sent.matches("twelve kilograms").count(), 1, "{}: {sent}", wire.name);
        for (text, reason) in
            [("What is the capital of France?", SkipReason::BelowThreshold), (TEXTS[7], SkipReason::Vetoed)]
        {
            let decision = explain("pairs", wire.dialect, (wire.write)(&question(text))).decision;
            assert_eq!(decision, Decision::Skipped(reason), "{}", wire.name);
        }
    }
}

#[test]
fn t3_t4_what_no_dialect_can_read_leaves_as_it_came() {
    for dialect in Dialect::ALL {
        let key = dialect.list_key();
        let deep = format!("{}1{}", "[".repeat(300), "]".repeat(300));
        let list = match dialect {
            Dialect::Completions => format!("{key:?}:\"x\""),
            _ => format!("{key:?}:[{{\"role\":\"user\",\"content\":\"x\"}}]"),
        };
        for (body, expected) in [
            (String::new(), Unreadable::NotJson),
            (format!("{{{list}"), Unreadable::NotJson),
            (format!("{{{list}}} trailing"), Unreadable::NotJson),
            (format!("\u{feff}{{{list}}}"), Unreadable::NotJson),
            (format!("{{{list},\"x\":{deep}}}"), Unreadable::TooDeep),
            ("{}".to_owned(), Unreadable::NoMessages),
            ("[]".to_owned(), Unreadable::NoMessages),
            (format!("{{{list},{list}}}"), Unreadable::Ambiguous),
            (format!("{{{key:?}:17}}"), Unreadable::Ambiguous),
            (format!("{{{key:?}:{{}}}}"), Unreadable::Ambiguous),
            (format!("{{{key:?}:null}}"), Unreadable::Ambiguous),
        ] {
            assert_eq!(
                Conversation::read(body.as_bytes(), dialect).unwrap_err(),
                expected,
                "{dialect:?} {body:.60}"
            );
            let explanation = explain("pairs", dialect, &body);
            assert_eq!(explanation.spliced.body, body.as_bytes());
        }
        let broken = [format!("{{{list},\"x\":\"").as_bytes(), b"\xc3\x28\"}"].concat();
        assert_eq!(Conversation::read(&broken, dialect), Err(Unreadable::NotJson));
    }
}

#[test]
fn paths_tell_the_dialect_and_are_configurable() {
    let standard = Paths::default();
    for (path, expected) in [
        ("/v1/chat/completions", Some(Dialect::ChatCompletions)),
        ("/chat/completions/", Some(Dialect::ChatCompletions)),
        ("/openai/deployments/my-gpt/chat/completions", Some(Dialect::ChatCompletions)),
        ("/api/v1/chat/completions", Some(Dialect::ChatCompletions)),
        ("/v1beta/openai/chat/completions", Some(Dialect::ChatCompletions)),
        ("/v1/completions", Some(Dialect::Completions)),
        ("/openai/deployments/my-gpt/completions", Some(Dialect::Completions)),
        ("/v1/responses", Some(Dialect::Responses)),
        ("/openai/v1/responses", Some(Dialect::Responses)),
        ("/v1/responses/resp_1/cancel", None),
        ("/v1/responses/input_tokens", None),
        ("/v1/chat/completions/chatcmpl_1", None),
        ("/v1/embeddings", None),
        ("/v1/autocompletions", None),
        ("/completions/x", None),
        ("/", None),
    ] {
        assert_eq!(standard.dialect_of(path), expected, "{path}");
    }
    run(async {
        let upstream = Upstream::answering("{}").await;
        let config =
            [("injection.chat_paths", "/chat/completions, /v2/chat"), ("injection.responses_paths", "")];
        let proxy = Proxy::of(Site::new(), &format!("http://{}", upstream.address), &config).await;
        let chat = (WIRES[0].write)(&question(TEXTS[0]));
        let items = (WIRES[2].write)(&question(TEXTS[0]));
        let prompt = (WIRES[4].write)(&question(TEXTS[0]));
        for (path, body, decision) in [
            ("/openai/deployments/d/chat/completions?api-version=2024-10-21", &chat, "injected"),
            ("/api/v2/chat", &chat, "injected"),
            ("/openai/deployments/d/completions?api-version=2024-10-21", &prompt, "injected"),
            ("/v1/responses", &items, ""),
            ("/v1/completions", &chat, "not_chat"),
        ] {
            let answer = exchange(proxy.address, &post(path, body)).await;
            assert_eq!(answer.decision(), decision, "{path}");
            let received = upstream.last();
            assert_eq!(received.request_line(), format!("POST {path} HTTP/1.1"));
            assert_eq!(received.body == body.as_bytes(), decision != "injected", "{path}");
        }
    });
}

#[test]
fn an_end_of_a_path_that_cannot_be_one_is_told() {
    for wrong in ["chat/completions", "/", "/v2/chat/"] {
        let values = vec![("injection.chat_paths", format!("/chat/completions, {wrong}"))];
        let (settings, problems) = config::load("no-such-file.toml".as_ref(), true, &Overrides { values });
        assert!(settings.is_none(), "{wrong}");
        let told = problems.iter().map(ToString::to_string).collect::<String>();
        assert!(told.contains("injection.chat_paths") && told.contains(&format!("{wrong:?}")), "{told}");
    }
}

#[test]
fn prompts_in_every_form() {
    let ask = |recipe: &str, prompt: Value| {
        explain(recipe, Dialect::Completions, json!({ "prompt": prompt, "max_tokens": 8 }).to_string())
    };
    let outbound = |recipe: &str, prompt: Value| -> Value {
        let body = ask(recipe, prompt).spliced.body;
        serde_json::from_slice::<Value>(&body).unwrap()["prompt"].clone()
    };
    // Nobody is seen to speak: what fits stands in front of all.
    let plain = outbound("pairs", json!(TEXTS[0]));
    let plain = plain.as_str().unwrap();
    assert!(plain.ends_with(&format!("\n\n{}", TEXTS[0])) && plain.contains("twelve kilograms"), "{plain}");
    // Each text of a list is a conversation of its own: what one was told, the other is told as well.
    let several = outbound("pairs", json!([TEXTS[0], "What is the capital of France?", TEXTS[0]]));
    assert_eq!(several, json!([plain, "What is the capital of France?", plain]));
    let pinned = outbound("lead", json!(["a", "b"]));
    assert!(pinned.as_array().unwrap().iter().all(|prompt| prompt.as_str().unwrap().contains("Acme makes")));
    for (prompt, reason) in [
        (json!([1, 2, 3]), SkipReason::TokenPrompt),
        (json!([[1, 2], [3]]), SkipReason::TokenPrompt),
        (json!([TEXTS[0], [3]]), SkipReason::Ambiguous),
        (json!([]), SkipReason::NoUserTurn),
        (json!(""), SkipReason::NoText),
        (json!([""]), SkipReason::NoText),
    ] {
        assert_eq!(ask("pairs", prompt.clone()).decision, Decision::Skipped(reason), "{prompt}");
    }
    for (field, decision) in
        [("\"echo\":true", Some(SkipReason::Echo)), ("\"echo\":false", None), ("\"echo\":null", None)]
    {
        let body = format!("{{\"prompt\":\"{}\",{field}}}", TEXTS[0]);
        let found = explain("pairs", Dialect::Completions, &body).decision;
        assert_eq!(matches!(found, Decision::Injected { .. }), decision.is_none(), "{field}");
        assert!(decision.is_none_or(|reason| found == Decision::Skipped(reason)), "{field}: {found:?}");
    }
}

#[test]
fn invariant_3_a_text_that_goes_on_keeps_what_stands_in_front_of_it() {
    // Nobody is seen to speak in it, and it is longer than what is looked at.
    let start = format!("{} ", TEXTS[0]).repeat(60);
    let outbound = |text: &str| -> String {
        let body = json!({ "prompt": text }).to_string();
        let body = explain("pairs", Dialect::Completions, &body).spliced.body;
        serde_json::from_slice::<Value>(&body).unwrap()["prompt"].as_str().unwrap().to_owned()
    };
    let before = outbound(&start);
    assert!(before.len() > start.len());
    for more in ["\n\nWhat is the anvil warranty length?", "\n", "é \"quoted\" \u{1f600}"] {
        assert_eq!(outbound(&format!("{start}{more}")), format!("{before}{more}"));
    }
}

#[test]
fn a_context_window_is_that_of_each_prompt() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let config = [("upstream.context_tokens", "200")];
        let proxy = Proxy::of(Site::new(), &upstream.url(), &config).await;
        let long = format!("{} {}", TEXTS[0], "x ".repeat(300));
        for (prompts, decision) in [(vec![TEXTS[0]; 20], "injected"), (vec![&*long; 1], "over_budget")] {
            let body = json!({ "prompt": prompts }).to_string();
            let answer = exchange(proxy.address, &post("/v1/completions", &body)).await;
            assert_eq!(answer.decision(), decision);
        }
    });
}

#[test]
fn items_of_a_call_keep_together_whatever_stands_between() {
    // A message between a call and its output does not end the call.
    let said = |rest: &str| {
        let body = format!(
            "{{\"input\":[{{\"role\":\"user\",\"content\":\"thanks\"}},{rest},{{\"role\":\"user\",\"content\":\"{}\"}}]}}",
            TEXTS[0]
        );
        explain("pairs", Dialect::Responses, &body).decision
    };
    let call = "{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"{}\"}";
    let output = "{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"1\"}";
    let words = "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"One moment.\"}]}";
    let open = Decision::Skipped(SkipReason::OpenToolCalls);
    assert_eq!(said(&format!("{call},{words}")), open);
    assert!(matches!(said(&format!("{call},{words},{output}")), Decision::Injected { .. }));
    for (call, output) in [
        ("computer_call", "computer_call_output"),
        ("local_shell_call", "local_shell_call_output"),
        ("shell_call", "shell_call_output"),
        ("apply_patch_call", "apply_patch_call_output"),
        ("custom_tool_call", "custom_tool_call_output"),
    ] {
        let item = |kind: &str| format!("{{\"type\":\"{kind}\",\"call_id\":\"c\"}}");
        assert_eq!(said(&item(call)), open, "{call}");
        assert!(
            matches!(said(&format!("{},{}", item(call), item(output))), Decision::Injected { .. }),
            "{call}"
        );
    }
    // Calls that the provider answers itself have no output of the client's.
    for kind in ["web_search_call", "file_search_call", "code_interpreter_call", "mcp_call", "reasoning"] {
        assert!(matches!(said(&format!("{{\"type\":\"{kind}\"}}")), Decision::Injected { .. }), "{kind}");
    }
}
