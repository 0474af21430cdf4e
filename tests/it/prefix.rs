//! Invariant 3 as it is served: a conversation keeps what its turns got, whatever is remembered of it and
//! whichever process sees it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use foreword::app;
use foreword::chat::Dialect;
use foreword::snapshot::{
    BrandChoice, BreakerSettings, Choice, Planner, PlannerSettings, Request, Treatment,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::client::{exchange, post, post_with};
use crate::support::conversations::{Chat, TEXTS, any_chat, legal_chat};
use crate::support::planners::{explain, fresh_planner, list, planner, served, wait};
use crate::support::proxy::{KNOWLEDGE, Proxy, Site};
use crate::support::retrieval::model_folder;
use crate::support::run;
use crate::support::upstream::Upstream;

const DIALECT: Dialect = Dialect::ChatCompletions;

/// Processes that serve the same knowledge: one remembers everything, two nearly nothing.
fn processes() -> &'static [Arc<Planner>] {
    static PROCESSES: OnceLock<Vec<Arc<Planner>>> = OnceLock::new();
    PROCESSES.get_or_init(|| {
        let forgetful = || fresh_planner("pairs", &[("injection.plan_cache", "1")]);
        vec![planner("pairs"), forgetful(), forgetful()]
    })
}

fn messages(body: &[u8]) -> Vec<Value> {
    list(body, "messages")
}

/// The chat with another text in the user message nearest to `at`, and nothing after it.
fn edited(chat: &Chat, at: usize, text: &str) -> Chat {
    let at = chat.ends_of_turns().into_iter().rfind(|&end| end <= at + 1).unwrap_or(1) - 1;
    let mut messages = chat.messages[..at].to_vec();
    messages.push(json!({ "role": "user", "content": text }).to_string());
    Chat { messages }
}

/// The chat with another answer in place of the first that is a plain one.
fn regenerated(chat: &Chat) -> Chat {
    let mut messages = chat.messages.clone();
    let is_plain = |message: &String| message.starts_with("{\"role\":\"assistant\",\"content\":\"");
    if let Some(at) = messages.iter().position(is_plain) {
        messages[at] =
            "{\"role\":\"assistant\",\"content\":\"Ask me about the warranty of anvils.\"}".to_owned();
    }
    Chat { messages }
}

/// How many messages two lists begin with in common.
fn in_common(one: &[Value], other: &[Value]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn invariant_3_holds_over_eviction_and_processes_that_take_turns(
        chat in any_chat(),
        turns in prop::collection::vec(0..3_usize, 12),
        at in any::<prop::sample::Index>(),
        text in prop::sample::select(TEXTS),
    ) {
        // A client asks turn by turn, has an answer given anew, and edits what it had said.
        let mut requests: Vec<Chat> = Vec::new();
        for end in chat.ends_of_turns() {
            requests.push(Chat { messages: chat.messages[..end].to_vec() });
        }
        requests.push(regenerated(&chat));
        requests.push(edited(&chat, at.index(chat.messages.len()), text));
        requests.push(chat.clone());
        let mut process = turns.iter().cycle();
        let mut sent: Vec<(Chat, Vec<Value>)> = Vec::new();
        for request in requests {
            let body = request.body(request.messages.len());
            let planner = &processes()[*process.next().unwrap()];
            let served = wait(served(planner, DIALECT, &body));
            // Memory changes nothing.
            prop_assert_eq!(&served[..], &explain("pairs", DIALECT, &body).spliced.body[..]);
            let served = messages(&served);
            for (earlier, before) in &sent {
                // What two requests have in common up to a user message, they have in common when they leave.
                let shared = earlier.messages.iter().zip(&request.messages).take_while(|(a, b)| a == b).count();
                let ends = request.ends_of_turns().into_iter().filter(|&end| end <= shared);
                let Some(end) = ends.max() else { continue };
                let ours = |sent: &[Value], of: &Chat| sent.len() - of.messages.len();
                let kept = in_common(before, &served);
                prop_assert!(kept >= end, "{kept} of {end}");
                // All that was put into the shared turns is among it.
                let part = Chat { messages: request.messages[..end].to_vec() };
                let alone = messages(&explain("pairs", DIALECT, part.body(end)).spliced.body);
                prop_assert!(kept >= end + ours(&alone, &part));
            }
            sent.push((request, served));
        }
    }

    #[test]
    fn invariant_3_system_text_and_settings_do_not_move_injections(
        chat in legal_chat(),
        system in prop::sample::select(vec!["It is 12:00.", "It is 12:01. {\"anvil\"}"]),
    ) {
        let told = |body: &str| -> Vec<Vec<u8>> {
            let spliced = explain("pairs", DIALECT, body).spliced;
            spliced.inserted.iter().map(|range| spliced.body[range.clone()].to_vec()).collect()
        };
        let plain = chat.body(chat.messages.len());
        let mut others = chat.messages.clone();
        others.retain(|message| !message.contains("Be brief."));
        others.insert(0, json!({ "role": "system", "content": system }).to_string());
        let other = Chat { messages: others };
        let other = other.body(other.messages.len());
        let other = other.replacen("\"model\": \"m\"", "\"model\":\"n\",\"temperature\":0.5,\"user\":\"u\"", 1);
        prop_assert_eq!(told(&plain), told(&other));
    }
}

#[test]
fn invariant_3_holds_over_a_restart() {
    let chat = |turns: usize| {
        let said = [TEXTS[0], "thanks", TEXTS[1], "And which should a beginner buy?", TEXTS[2]];
        let messages: Vec<Value> = said[..turns]
            .iter()
            .flat_map(|text| {
                [json!({ "role": "user", "content": text }), json!({ "role": "assistant", "content": "ok" })]
            })
            .collect();
        json!({ "messages": messages[..2 * turns - 1] }).to_string()
    };
    let mut before: Vec<Value> = Vec::new();
    for turns in 1..=5 {
        // Each turn is seen by a process that has just started.
        let process = fresh_planner("pairs", &[]);
        let sent = messages(&wait(served(&process, DIALECT, &chat(turns))));
        assert_eq!(&sent[..before.len()], &before[..]);
        before = sent;
    }
    assert!(before.len() >= 9 + 6, "{before:#?}");
}

#[test]
fn invariant_3_holds_where_much_of_what_was_said_is_no_text() {
    // Turns that are answered by calls alone: what a query looks back at reaches over many of them.
    let call = |number: usize| {
        let call = json!({ "id": format!("c{number}"), "type": "function", "function": { "name": "f", "arguments": "{}" } });
        [
            json!({ "role": "assistant", "content": null, "tool_calls": [call] }),
            json!({ "role": "tool", "tool_call_id": format!("c{number}"), "content": "1" }),
        ]
    };
    let said = |first: &str, answer: &str, between: usize| {
        let mut history = vec![
            json!({ "role": "user", "content": first }),
            json!({ "role": "assistant", "content": answer }),
            json!({ "role": "user", "content": "thanks" }),
        ];
        for number in 0..between {
            history.extend(call(number));
            history.push(json!({ "role": "user", "content": "thanks" }));
        }
        history.extend(call(between));
        history.push(json!({ "role": "user", "content": "Is parking free for guests there?" }));
        history
    };
    let (process, afresh) = (hotels(), hotels());
    let mut told = Vec::new();
    for (first, answer, between) in [
        ("A place to stay?", "How about the Casa Mirabella?", 12),
        ("A place to stay?", "How about the Casa Mirabella?", 40),
        ("I want to die.", "I am sorry.", 5),
        ("I want to die.", "I am sorry.", 40),
    ] {
        let history = said(first, answer, between);
        let ends = (1..=history.len()).filter(|&end| history[end - 1]["role"] == "user");
        let mut sent = Vec::new();
        for end in ends {
            let body = json!({ "messages": history[..end] }).to_string();
            sent = wait(served(&process, DIALECT, &body));
            // A process that has seen none of it says the same.
            let explained =
                afresh.explain(body.as_bytes(), DIALECT, &Choice::default(), &Treatment::Served).unwrap();
            assert_eq!(sent, explained.spliced.body, "{first} {between} {end}");
        }
        let sent = messages(&sent);
        // What fits best stands right before the question.
        let best = sent[sent.len() - 2]["content"].as_str().unwrap_or_default().to_owned();
        told.push((sent.len() > history.len(), best.contains("Parking at the Casa Mirabella")));
    }
    // What was named is known for as long as it is looked back at; a topic that stays bars all that follows.
    assert_eq!(told[0], (true, true), "{told:?}");
    assert!(told[1].0 && told[2..] == [(false, false); 2], "{told:?}");
}

/// A planner over hotels that only their names tell apart.
fn hotels() -> Arc<Planner> {
    let items = HOTELS.map(|hotel| {
        format!(
            "# {hotel}: Is there parking?\n\nParking at the {hotel} of City Hotels is free for guests.\n\n\
             # {hotel}: Which cards are accepted?\n\nVisa and Mastercard are accepted at the {hotel} of City Hotels.\n\n"
        )
    });
    let site = Site::new();
    site.write("knowledge/hotels/brand.toml", "name = \"City Hotels\"\n");
    site.write("knowledge/hotels/items.md", &items.concat());
    let settings = site.settings("http://127.0.0.1:1/v1", &[("knowledge.default_brands", "hotels")]);
    app::core(&settings, &mut |_, _| {}).unwrap_or_else(|error| panic!("{error:?}")).planner
}

const HOTELS: [&str; 3] = ["Hotel Sunrise", "Argonaut Inn", "Casa Mirabella"];

#[test]
fn invariant_3_what_the_assistant_said_is_part_of_what_is_remembered() {
    let planner = hotels();
    // The user says the same in all of them.
    for hotel in HOTELS {
        let body = json!({ "messages": [
            { "role": "user", "content": "A place to stay?" },
            { "role": "assistant", "content": format!("How about the {hotel}?") },
            { "role": "user", "content": "Is parking free for guests there?" },
        ] });
        let sent = messages(&wait(served(&planner, DIALECT, &body.to_string())));
        // What fits best stands right before the question.
        let best = sent[sent.len() - 2]["content"].as_str().unwrap();
        assert!(best.contains(&format!("Parking at the {hotel}")), "{hotel}: {best}");
    }
}

#[test]
fn invariant_3_each_brand_has_its_own_memory() {
    let site = Site::new();
    site.write("knowledge/forge/brand.toml", "name = \"Forge & Sons\"\n");
    site.write(
        "knowledge/forge/items.md",
        &KNOWLEDGE[1].1.replace("Acme", "Forge & Sons").replace("twelve", "nine"),
    );
    let settings = site.settings("http://127.0.0.1:1/v1", &[("knowledge.default_brands", "acme, forge")]);
    let planner = app::core(&settings, &mut |_, _| {}).unwrap_or_else(|error| panic!("{error:?}")).planner;
    let brands = [
        BrandChoice::Default,
        BrandChoice::Named("acme".to_owned()),
        BrandChoice::Named("forge".to_owned()),
        BrandChoice::Listed(Arc::new(["acme".to_owned(), "forge".to_owned()])),
    ];
    let question = |text: &str| format!("{{\"role\":\"user\",\"content\":\"{text}\"}}");
    let first = format!("{{\"messages\":[{}]}}", question(TEXTS[0]));
    let second = first
        .replace("]}", &format!(",{{\"role\":\"assistant\",\"content\":\"ok\"}},{}]}}", question(TEXTS[1])));
    let mut told = Vec::new();
    for body in [&first, &second] {
        for brand in &brands {
            let treatment = &Treatment::Served;
            let request = Request {
                body: body.clone().into(),
                dialect: DIALECT,
                choice: &brand.clone().into(),
                treatment: Some(treatment),
                conversation: None,
                holdout: None,
            };
            let sent = wait(planner.plan(request)).body;
            let explained =
                planner.explain(body.as_bytes(), DIALECT, &brand.clone().into(), treatment).unwrap();
            assert_eq!(sent, explained.spliced.body, "{brand:?}");
            told.push(String::from_utf8(sent.to_vec()).unwrap());
        }
    }
    for (sent, weights) in told
        .iter()
        .zip([["twelve", "nine"], ["twelve", "twelve"], ["nine", "nine"], ["twelve", "nine"]].iter().cycle())
    {
        assert!(weights.iter().all(|weight| sent.contains(weight)), "{sent}");
        assert_eq!(sent.contains("twelve") && sent.contains("nine"), weights[0] != weights[1], "{sent}");
    }
}

#[test]
fn invariant_3_holds_with_the_embedding_model() {
    let model = model_folder();
    let model = model.to_str().unwrap();
    let first = fresh_planner("pairs", &[("retrieval.model", model)]);
    let second = fresh_planner("pairs", &[("retrieval.model", model), ("injection.plan_cache", "1")]);
    assert!(!first.is_lexical_only());
    let said =
        ["Which anvil weighs least?", "Sure?", "How long is it guaranteed?", "How hot must the steel be?"];
    let mut history: Vec<Value> = vec![json!({ "role": "system", "content": "Be brief." })];
    let mut before: Vec<Value> = Vec::new();
    for (turn, text) in said.iter().enumerate() {
        history.push(json!({ "role": "user", "content": text }));
        let body = json!({ "messages": history }).to_string();
        let process = [&first, &second][turn % 2];
        let sent = messages(&wait(served(process, DIALECT, &body)));
        assert_eq!(&sent[..before.len()], &before[..]);
        before = sent;
        history.push(json!({ "role": "assistant", "content": "It is so." }));
    }
    assert!(before.len() > history.len() + 3, "{before:#?}");
}

#[test]
fn a_conversation_never_seen_may_take_longer_than_a_new_turn_and_not_without_bound() {
    let settings = PlannerSettings {
        deadline: Duration::from_millis(50),
        deadline_per_past_turn: Duration::from_millis(10),
        deadline_cap: Duration::from_secs(1),
        background: Duration::from_secs(5),
        breaker: BreakerSettings::default(),
        cache_entries: 1,
    };
    for (past, milliseconds) in [(0, 50), (1, 60), (30, 350), (95, 1_000), (96, 1_000), (usize::MAX, 1_000)] {
        assert_eq!(settings.allowed(past), Duration::from_millis(milliseconds), "{past}");
    }
    // These are what a configuration that says nothing means.
    let (defaults, _) = foreword::config::load("no-such-file.toml".as_ref(), true, &Default::default());
    let defaults = defaults.unwrap().planner;
    assert_eq!((defaults.allowed(0), defaults.allowed(30)), (settings.allowed(0), settings.allowed(30)));
}

#[test]
fn all_turns_of_a_conversation_never_seen_are_one_job() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        // A job for each turn would find no place.
        let config = [("retrieval.queue", "1"), ("retrieval.workers", "1")];
        let proxy = Proxy::of(Site::new(), &upstream.url(), &config).await;
        let history: Vec<Value> = (0..40)
            .flat_map(|turn| {
                [
                    json!({ "role": "user", "content": TEXTS[turn % 6] }),
                    json!({ "role": "assistant", "content": "ok" }),
                ]
            })
            .collect();
        let body = json!({ "messages": history[..79] }).to_string();
        let answer = exchange(proxy.address, &post("/v1/chat/completions", &body)).await;
        assert_eq!(
            (answer.decision().as_str(), answer.header("x-foreword-items").unwrap()),
            ("injected", "4".to_owned())
        );
        assert_eq!(proxy.metric("foreword_plan_cache_misses_total"), 1.0);
        // Known now, up to its last turn.
        exchange(proxy.address, &post("/v1/chat/completions", &body)).await;
        assert_eq!(proxy.metric("foreword_plan_cache_hits_total"), 1.0);
    });
}

#[test]
fn invariant_3_is_broken_by_name_only() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::of(Site::new(), &upstream.url(), &[("upstream.context_tokens", "120")]).await;
        let breaks =
            |cause: &str| proxy.metric(&format!("foreword_prefix_breaks_total{{cause=\"{cause}\"}}"));
        let ask = |headers: &'static str, padding: usize| {
            let first = json!({ "role": "user", "content": TEXTS[0] });
            let answer = json!({ "role": "assistant", "content": "x".repeat(padding) });
            let last = json!({ "role": "user", "content": "thanks" });
            let body =
                json!({ "messages": if padding == 0 { vec![first] } else { vec![first, answer, last] } });
            async move {
                exchange(proxy.address, &post_with("/v1/chat/completions", headers, body.to_string())).await
            }
        };
        assert_eq!(ask("", 0).await.decision(), "injected");
        assert_eq!((breaks("context_overflow"), breaks("opt_out")), (0.0, 0.0));
        assert_eq!(ask("", 400).await.decision(), "over_budget");
        assert_eq!((breaks("context_overflow"), breaks("opt_out")), (1.0, 0.0));
        assert_eq!(ask("x-foreword-context: off\r\n", 8).await.decision(), "opt_out");
        assert_eq!((breaks("context_overflow"), breaks("opt_out")), (1.0, 1.0));
    });
}
