//! A question that is tried: what it gets and why, and the answers with their mentions.

use serde_json::Value;

use super::{ON, form, tried};
use crate::support::client::{exchange, get};
use crate::support::proxy::{Proxy, Site};
use crate::support::run;
use crate::support::upstream::{Step, Upstream};

#[test]
fn a_try_says_what_a_question_gets_and_why() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::of(Site::new(), &upstream.url(), ON).await;
        let anvil = "Which anvil is the lightest to carry?";
        let injected = tried(&proxy, &[("conversation", anvil)]).await;
        let page = injected.text().replace("&#x2f;", "/");
        assert_eq!(injected.status, 200);
        for said in [
            "added:",
            "gate passed",
            "Lightest anvil to carry",
            "acme/products.md:1",
            "FeatherAnvil",
            "<ins>",
        ] {
            assert!(page.contains(said), "`{said}` is not in\n{page}");
        }
        let both = "Which anvil is the lightest to carry, and what is the anvil warranty length?";
        for (fields, said) in [
            (&[("conversation", "What is the capital of France?")][..], "Nothing is added: no item fits"),
            (&[("conversation", anvil), ("threshold", "1.9")], "Nothing is added: no item fits"),
            (&[("conversation", "Does the anvil cause coyote injury?")], "“never” in the brand"),
            (&[("conversation", anvil), ("k", "1")], "1 item is added"),
            (&[("conversation", both), ("k", "1"), ("threshold", "0.05")], "no place left"),
            (&[("conversation", anvil), ("recipe", "inline")], "Recipe inline"),
            (&[("conversation", anvil), ("recipe", "message")], "lenient"),
            (&[("conversation", anvil), ("k", "0")], "from 1 to 32"),
            (&[("conversation", anvil), ("brand", "nobody")], "Choose a brand"),
            (&[("conversation", "System: be kind")], "Nobody asks"),
            (&[("conversation", "{\"a\":1}")], "no chat request"),
            (&[("conversation", ""), ("asked", "1")], "Type a question"),
            (
                &[("conversation", "User: Hi\nUser: Which anvil is the lightest to carry?")],
                "Turn 1 gets nothing",
            ),
            (
                &[(
                    "conversation",
                    "User: Which anvil is the lightest to carry?\nAssistant: x\nUser: Which anvil is the lightest to carry?",
                )],
                "added in an earlier turn",
            ),
            (&[("conversation", "{\"input\":\"Which anvil is the lightest to carry?\"}")], "added:"),
        ] {
            let page = tried(&proxy, fields).await.text();
            assert!(page.contains(said), "{fields:?}: `{said}` is not in\n{page}");
        }
        assert!(upstream.received().is_empty(), "explaining sends nothing");
    });
}

fn events(pieces: &[&str]) -> Vec<u8> {
    let mut body = String::new();
    for piece in pieces {
        let event = serde_json::json!({ "choices": [{ "delta": { "content": piece } }] });
        body.push_str(&format!("data: {event}\n\n"));
    }
    body.push_str("data: [DONE]\n\n");
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[test]
fn answers_stream_with_their_mentions_marked() {
    run(async {
        let upstream =
            Upstream::start(|_| vec![Step::Send(events(&["Take the Feather", "Anvil by Acme", "."]))]).await;
        let proxy = Proxy::of(Site::new(), &upstream.url(), ON).await;
        let question = "Which anvil is the lightest to carry?";
        let fields = |arm| [("conversation", question), ("model", "m1"), ("key", "sk-1"), ("arm", arm)];
        for (arm, is_injected) in [("direct", false), ("injected", true)] {
            let answer = exchange(proxy.admin, &form(&proxy, "/console/try/answer", &fields(arm))).await;
            let lines: Vec<Value> =
                answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let text: String = lines.iter().filter_map(|line| line["text"].as_str()).collect();
            assert_eq!(text, "Take the FeatherAnvil by Acme.");
            let marks = lines.iter().rev().find(|line| line["marks"].is_array()).unwrap();
            assert_eq!(marks["marks"][0]["name"], "Acme");
            assert_eq!(lines.last().unwrap()["done"]["own"], 1, "{lines:?}");
            let sent = upstream.last();
            let body: Value = serde_json::from_slice(&sent.body).unwrap();
            assert_eq!((&body["model"], &body["stream"]), (&"m1".into(), &true.into()));
            assert_eq!(body["messages"].as_array().unwrap().len() > 1, is_injected, "{body}");
            assert_eq!(sent.header("authorization").as_deref(), Some("Bearer sk-1"));
            assert_eq!(sent.header("cookie"), None);
        }
    });
}

#[test]
fn what_goes_wrong_with_an_answer_is_said() {
    run(async {
        let refusing = |status: &str, body: &str| {
            format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes()
        };
        for (answer, said) in [
            (refusing("401 Unauthorized", "{\"error\":{\"message\":\"no key\"}}"), "It wants a key"),
            (
                refusing("429 Too Many Requests", "{\"error\":{\"message\":\"slower\"}}"),
                "429 Too Many Requests: slower",
            ),
            (refusing("200 OK", "{\"choices\":[{\"message\":{\"content\":\"whole\"}}]}"), "whole"),
        ] {
            let upstream = Upstream::start(move |_| vec![Step::Send(answer.clone())]).await;
            let proxy = Proxy::of(Site::new(), &upstream.url(), ON).await;
            let fields = [("conversation", "Hello"), ("arm", "direct")];
            let told = exchange(proxy.admin, &form(&proxy, "/console/try/answer", &fields)).await.text();
            assert!(told.contains(said), "`{said}` is not in {told}");
        }
        let proxy = Proxy::of(Site::new(), "http://127.0.0.1:1/v1", ON).await;
        let fields = [("conversation", "Hello"), ("arm", "direct")];
        let told = exchange(proxy.admin, &form(&proxy, "/console/try/answer", &fields)).await.text();
        assert!(told.contains("cannot be reached"), "{told}");
        let models = exchange(proxy.admin, &get("/console/try/models")).await.text();
        assert_eq!(models, "{\"models\":[]}");
    });
}
