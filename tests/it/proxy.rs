//! The request path with a real socket on both sides: what leaves, what comes back.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::Notify;

use crate::support::client::{Answer, Connection, exchange, get, post, post_with};
use crate::support::proxy::{Proxy, Site};
use crate::support::upstream::{Received, Step, Upstream, chunk, json_answer, stream_head};
use crate::support::{run, until};

const CHAT: &str = "/v1/chat/completions";
const ORGANIC: &str = "Which anvil is the lightest to carry?";

fn chat(question: &str) -> String {
    format!("{{\"model\":\"m\",\"messages\":[{{\"role\":\"user\",\"content\":\"{question}\"}}]}}")
}

/// Sends one request through a proxy of its own, with this configuration.
async fn through(config: &[(&'static str, &str)], request: &[u8]) -> (Answer, Received) {
    let upstream = Upstream::answering("{\"id\":\"a\"}").await;
    let proxy = Proxy::of(Site::new(), &upstream.url(), config).await;
    let answer = exchange(proxy.address, request).await;
    (answer, upstream.last())
}

#[test]
fn a_fitting_question_is_injected_and_says_so() {
    run(async {
        let (answer, received) = through(&[], &post(CHAT, chat(ORGANIC))).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "{\"id\":\"a\"}"));
        assert_eq!(answer.decision(), "injected");
        assert!(answer.header("x-foreword-items").unwrap().parse::<usize>().unwrap() >= 1);
        assert_eq!(answer.header("x-foreword-receipt").unwrap().len(), 36);
        let body: Value = serde_json::from_slice(&received.body).unwrap();
        let messages = body["messages"].as_array().unwrap();
        assert_eq!(messages.last().unwrap()["content"], ORGANIC);
        assert!(
            String::from_utf8_lossy(&received.body)
                .contains("The FeatherAnvil by Acme weighs twelve kilograms.")
        );
        assert_eq!(received.header("content-length").unwrap(), received.body.len().to_string());
    });
}

#[test]
fn t3_t4_what_is_not_touched_leaves_byte_for_byte() {
    // Every one of these leaves as it came, for the reason that stands beside it.
    let mut cases: Vec<(String, &str, String)> = Vec::new();
    for (reason, body) in [
        (
            "below_threshold",
            "{ \"messages\" : [ {\"role\":\"user\",\"content\":\"What is the capital of France?\"} ] , \"seed\":1.0e2,\"x_unknown\":{\"a\":[1e400,-0]} }",
        ),
        ("not_json", "{\"messages\":[{\"role\":\"user\""),
        ("not_json", "<html>"),
        ("not_chat", "[1,2]"),
        ("not_chat", "{\"prompt\":\"x\"}"),
        ("no_user_turn", "{\"messages\":[]}"),
        ("no_user_turn", "{\"messages\":[{\"role\":\"system\",\"content\":\"x\"}]}"),
        ("ambiguous", "{\"messages\":\"x\"}"),
        ("ambiguous", "{\"messages\":[],\"messages\":[]}"),
        ("ambiguous", "{\"messages\":[{\"content\":\"no role\"}]}"),
        ("no_text", "{\"messages\":[{\"role\":\"user\",\"content\":17}]}"),
        ("no_text", "{\"messages\":[{\"role\":\"user\",\"content\":null}]}"),
        ("no_text", "{\"messages\":[{\"role\":\"user\",\"content\":[[[]]]}]}"),
    ] {
        cases.push((String::new(), reason, body.to_owned()));
    }
    let deep = format!(
        "{{\"messages\":[{{\"role\":\"user\",\"content\":\"{ORGANIC}\"}}],\"x\":{}1{}}}",
        "[".repeat(500),
        "]".repeat(500)
    );
    cases.push((String::new(), "too_deep", deep));
    for (header, reason) in [
        ("content-encoding: gzip", "encoded"),
        ("content-encoding: identity\r\ncontent-encoding: br", "encoded"),
        ("content-type: application/json; charset=utf-16", "not_chat"),
        ("content-digest: sha-256=:x:", "signed"),
        ("signature: sig1=:x:", "signed"),
        ("authorization: AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=00", "signed"),
        ("authorization: Signature version=\"1\",keyId=\"k\",signature=\"eA==\"", "signed"),
        ("x-content-sha256: eA==", "signed"),
        ("x-foreword-context: off", "opt_out"),
        ("x-foreword-context: OFF", "opt_out"),
    ] {
        cases.push((format!("{header}\r\n"), reason, chat(ORGANIC)));
    }
    run(async move {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::start(&upstream.url()).await;
        for (header, reason, body) in cases {
            let answer = exchange(proxy.address, &post_with(CHAT, &header, &body)).await;
            assert_eq!(answer.decision(), reason, "{header}{body:.100}");
            assert_eq!(upstream.last().body, body.as_bytes(), "{reason}");
            assert_eq!(answer.header("x-foreword-items").unwrap(), "0");
        }
    });
}

#[test]
fn t4_unknown_fields_and_number_text_survive_an_injection() {
    run(async {
        let body = format!(
            "{{\"temperature\":0.70,\"messages\":[{{\"role\":\"system\",\"content\":\"s\"}},{{\"name\":\"x\",\"content\":[{{\"type\":\"image_url\",\"image_url\":{{\"url\":\"data:,\"}}}},{{\"type\":\"text\",\"text\":\"{ORGANIC}\",\"cache_control\":{{\"type\":\"ephemeral\"}}}}],\"role\":\"user\"}}],\"tools\":[{{\"z\":1,\"a\":1.0}}],\"vendor\":{{\"b\":1E+2,\"a\":null}},\"stop\":\"\\u00e9\\ud83d\\ude00\"}}"
        );
        let (answer, received) = through(&[], &post(CHAT, &body)).await;
        assert_eq!(answer.decision(), "injected");
        // The user message begins where the insertion ends: everything else stands around it unchanged.
        let at = body.find("{\"name\":\"x\"").unwrap();
        let sent = String::from_utf8(received.body).unwrap();
        assert!(sent.starts_with(&body[..at]) && sent.ends_with(&body[at..]) && sent.len() > body.len());
    });
}

#[test]
fn t1_t6_tool_results_and_prefill_keep_their_places() {
    let calls = "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}";
    let result = "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"r\"}";
    let user = format!("{{\"role\":\"user\",\"content\":\"{ORGANIC}\"}}");
    let system = "{\"role\":\"system\",\"content\":\"one\"}";
    run(async move {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::start(&upstream.url()).await;
        for rest in [vec![calls, result], vec!["{\"role\":\"assistant\",\"content\":\"The lightest is\"}"]] {
            let body = format!("{{\"messages\":[{system},{user},{}]}}", rest.join(","));
            let answer = exchange(proxy.address, &post(CHAT, &body)).await;
            assert_eq!(answer.decision(), "injected");
            let sent = String::from_utf8(upstream.last().body).unwrap();
            assert!(sent.starts_with(&format!("{{\"messages\":[{system},{{\"role\":\"user\"")));
            assert!(sent.ends_with(&format!("{user},{}]}}", rest.join(","))), "{sent}");
        }
    });
}

#[test]
fn t2_the_next_turn_begins_with_what_was_sent_before() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::start(&upstream.url()).await;
        let mut messages = vec!["{\"role\":\"system\",\"content\":\"Be brief.\"}".to_owned()];
        let mut before: Vec<Value> = Vec::new();
        for question in
            [ORGANIC, "thanks", "What is the anvil warranty length?", "Which anvil should a beginner buy?"]
        {
            messages.push(format!("{{\"role\":\"user\",\"content\":\"{question}\"}}"));
            let body = format!("{{\"messages\":[{}]}}", messages.join(","));
            assert_eq!(exchange(proxy.address, &post(CHAT, &body)).await.decision(), "injected");
            let sent: Value = serde_json::from_slice(&upstream.last().body).unwrap();
            let sent = sent["messages"].as_array().unwrap().clone();
            assert_eq!(&sent[..before.len()], &before[..]);
            before = sent;
            messages.push("{\"role\":\"assistant\",\"content\":\"ok\"}".to_owned());
        }
    });
}

#[test]
fn invariant_6_t5_streams_pass_chunk_by_chunk() {
    let first = Arc::new(Notify::new());
    let go_on = Arc::clone(&first);
    let big = format!(
        "data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{{\"function\":{{\"arguments\":\"{}\"}}}}]}}}}]}}\r\n\r\n",
        "x".repeat(100_000)
    );
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":3,\"prompt_tokens_details\":{\"cached_tokens\":7}}}\n\n";
    let parts =
        [": comment\n\n", "event: x\ndata: a\n\n", &big, usage, "data: [DONE]\n\n"].map(str::to_owned);
    let whole = parts.concat();
    run(async move {
        let scripted = parts.clone();
        let upstream = Upstream::start(move |_| {
            let mut steps = vec![
                Step::Send([stream_head(), chunk(scripted[0].as_bytes())].concat()),
                Step::Wait(Arc::clone(&first)),
            ];
            steps.extend(scripted[1..].iter().map(|part| Step::Send(chunk(part.as_bytes()))));
            steps.extend([Step::Send(chunk(b"")), Step::Close]);
            steps
        })
        .await;
        let proxy = Proxy::start(&upstream.url()).await;
        let mut connection = Connection::open(proxy.address).await;
        connection.send(&post(CHAT, chat("hi"))).await;
        // The first event is here while the upstream has not sent the second.
        let head = connection.read_until(b": comment\n\n").await;
        assert!(String::from_utf8_lossy(&head).contains("text/event-stream"));
        go_on.notify_one();
        let rest = connection.read_until(b"0\r\n\r\n").await;
        let decoded = decode_chunks(&[&b"b\r\n: comment\n\n"[..], &rest[..]].concat());
        assert_eq!(decoded, whole.as_bytes());
        until("the usage is counted", || proxy.metric("foreword_upstream_cached_tokens_total") == 7.0).await;
        assert_eq!(proxy.metric("foreword_upstream_prompt_tokens_total"), 12.0);
    });
}

/// Takes the chunked coding off.
fn decode_chunks(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = bytes.windows(2).position(|pair| pair == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&bytes[line + 2..line + 2 + size]);
        bytes = &bytes[line + 2 + size + 2..];
    }
}

#[test]
fn invariant_6_other_paths_stream_both_ways() {
    run(async {
        let upstream = Upstream::start(|request| {
            let body = String::from_utf8_lossy(&request.body).into_owned();
            vec![Step::Send(json_answer(&format!("{}|{}", request.request_line(), body.len())))]
        })
        .await;
        let proxy = Proxy::start(&upstream.url()).await;
        let large = "x".repeat(1 << 20);
        for (request, expected) in [
            (get("/v1/models?limit=2"), "GET /v1/models?limit=2 HTTP/1.1|0".to_owned()),
            (get("/models"), "GET /v1/models HTTP/1.1|0".to_owned()),
            (post("/v1/embeddings", &large), format!("POST /v1/embeddings HTTP/1.1|{}", large.len())),
            (post("/b/acme/v1/embeddings", "{}"), "POST /v1/embeddings HTTP/1.1|2".to_owned()),
            (b"DELETE /v1/files/a%20b HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), "DELETE /v1/files/a%20b HTTP/1.1|0".to_owned()),
            (get("/v1/chat/completions"), "GET /v1/chat/completions HTTP/1.1|0".to_owned()),
            (b"POST /v1/audio HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n".to_vec(), "POST /v1/audio HTTP/1.1|5".to_owned()),
        ] {
            let answer = exchange(proxy.address, &request).await;
            assert_eq!((answer.status, answer.text()), (200, expected));
            assert_eq!(answer.decision(), "", "only chat answers carry a decision");
        }
    });
}

#[test]
fn headers_of_one_connection_end_at_it() {
    run(async {
        let (_, received) = through(
            &[],
            &post_with(
                CHAT,
                "connection: close, x-hop\r\nx-hop: 1\r\nkeep-alive: 5\r\nproxy-authorization: x\r\nte: trailers, gzip\r\nupgrade: h2c\r\nx-foreword-brand: acme\r\nx-foreword-other: 1\r\nauthorization: Bearer client\r\nx-request-id: r1\r\nexpect: 100-continue\r\n",
                chat("hi"),
            ),
        )
        .await;
        for gone in [
            "x-hop",
            "keep-alive",
            "proxy-authorization",
            "upgrade",
            "x-foreword-brand",
            "x-foreword-other",
            "expect",
        ] {
            assert_eq!(received.header(gone), None, "{gone}");
        }
        assert_eq!(received.header("authorization").unwrap(), "Bearer client");
        assert_eq!(received.header("x-request-id").unwrap(), "r1");
        assert_eq!(received.header("te").unwrap(), "trailers");
        assert!(received.header("host").unwrap().starts_with("127.0.0.1:"));
    });
}

#[test]
fn brands_are_chosen_by_path_header_and_default() {
    run(async {
        let site = Site::new();
        site.write("knowledge/zeta/brand.toml", "name = \"Zeta\"");
        site.write("knowledge/zeta/a.md", "# Lightest anvil to carry\n\nZeta makes anvils of foam.");
        let upstream = Upstream::answering("{}").await;
        let config = [("knowledge.default_brands", "acme"), ("knowledge.brand_header", "true")];
        let proxy = Proxy::of(site, &upstream.url(), &config).await;
        for (path, header, decision, told, kept_back) in [
            (CHAT, "", "injected", "FeatherAnvil", "foam"),
            ("/b/zeta/v1/chat/completions", "", "injected", "foam", "FeatherAnvil"),
            ("/b/zeta/v1/chat/completions", "x-foreword-brand: acme\r\n", "injected", "foam", "FeatherAnvil"),
            (CHAT, "x-foreword-brand: zeta\r\n", "injected", "foam", "FeatherAnvil"),
            (CHAT, "x-foreword-brand: nobody\r\n", "unknown_brand", "anvil", "foam"),
            ("/b/nobody/v1/chat/completions", "", "unknown_brand", "anvil", "foam"),
        ] {
            let answer = exchange(proxy.address, &post_with(path, header, chat(ORGANIC))).await;
            let sent = String::from_utf8(upstream.last().body).unwrap();
            assert_eq!(answer.decision(), decision, "{path} {header}");
            assert!(sent.contains(told) && !sent.contains(kept_back), "{path} {header}: {sent}");
            assert!(upstream.last().request_line().starts_with("POST /v1/chat/completions "));
        }
    });
}

#[test]
fn the_responses_path_is_a_chat_request_too() {
    run(async {
        let body = format!("{{\"model\":\"m\",\"input\":\"{ORGANIC}\"}}");
        let (answer, received) = through(&[], &post("/v1/responses", &body)).await;
        assert_eq!(answer.decision(), "injected");
        let sent = String::from_utf8(received.body).unwrap();
        assert!(sent.starts_with("{\"model\":\"m\",\"input\":[{\"role\":\"user\""), "{sent}");
        assert!(sent.ends_with(&format!("{{\"role\":\"user\",\"content\":\"{ORGANIC}\"}}]}}")), "{sent}");
    });
}

#[test]
fn decision_headers_can_be_switched_off() {
    run(async {
        let (answer, _) = through(&[("injection.headers", "false")], &post(CHAT, chat(ORGANIC))).await;
        assert!(!answer.head.contains("x-foreword"));
    });
}

#[test]
fn a_body_over_the_limit_streams_on_untouched() {
    run(async {
        let body = format!(
            "{{\"pad\":\"{}\",\"messages\":[{{\"role\":\"user\",\"content\":\"{ORGANIC}\"}}]}}",
            "p".repeat(5_000)
        );
        let chunked = {
            let mut request = format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n").into_bytes();
            body.as_bytes().chunks(700).for_each(|part| request.extend(chunk(part)));
            request.extend(chunk(b""));
            request
        };
        for request in [post(CHAT, &body), chunked] {
            let (answer, received) = through(&[("injection.max_body_bytes", "2000")], &request).await;
            assert_eq!(answer.decision(), "too_large");
            assert_eq!(received.body, body.as_bytes());
        }
    });
}

#[test]
fn a_body_that_is_signed_behind_its_end_leaves_as_it_came() {
    run(async {
        let body = chat(ORGANIC);
        let ask = async |trailer: &str| {
            let head = format!(
                "POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json; charset=\"UTF-8\"\r\n\
                 trailer: {trailer}\r\ntransfer-encoding: chunked\r\n\r\n"
            );
            let end = format!("0\r\n{trailer}: sha-256=:eA==:\r\n\r\n");
            let request = [head.as_bytes(), &chunk(body.as_bytes()), end.as_bytes()].concat();
            through(&[], &request).await
        };
        let (answer, received) = ask("content-digest").await;
        assert_eq!(answer.decision(), "signed");
        assert_eq!(received.body, body.as_bytes());
        let (answer, received) = ask("x-checked").await;
        assert_eq!(answer.decision(), "injected");
        assert!(received.body.len() > body.len());
    });
}

#[test]
fn token_budgets_hold_and_drop_whole_items() {
    run(async {
        for (config, decision) in [
            ([("injection.conversation_tokens", "1"), ("upstream.context_tokens", "0")], "over_budget"),
            ([("injection.conversation_tokens", "500"), ("upstream.context_tokens", "40")], "over_budget"),
            ([("injection.conversation_tokens", "500"), ("upstream.context_tokens", "4000")], "injected"),
        ] {
            let (answer, _) = through(&config, &post(CHAT, chat(ORGANIC))).await;
            assert_eq!(answer.decision(), decision, "{config:?}");
        }
    });
}

#[test]
fn t11_targets_of_forward_proxies_and_dot_segments_are_refused() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::start(&upstream.url()).await;
        for request in [
            "GET http://evil.example/v1/models HTTP/1.1\r\nhost: evil.example\r\n\r\n",
            "CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example\r\n\r\n",
            "GET /v1/../admin HTTP/1.1\r\nhost: x\r\n\r\n",
            "GET /v1/%2e%2E/admin HTTP/1.1\r\nhost: x\r\n\r\n",
            "GET /v1/models HTTP/1.1\r\n\r\n",
            "GET /v1/models HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
            "GET * HTTP/1.1\r\nhost: a\r\n\r\n",
        ] {
            let answer = exchange(proxy.address, request.as_bytes()).await;
            assert_eq!(answer.status, 400, "{request}");
            assert!(upstream.received().is_empty(), "{request} reached the upstream");
        }
    });
}

#[test]
fn smuggled_framing_is_refused() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::start(&upstream.url()).await;
        for request in [
            "POST /v1/x HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
            "POST /v1/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n",
            "POST /v1/x HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
            "POST /v1/x HTTP/1.1\r\nhost: a\r\n folded: x\r\n\r\n",
            "NONSENSE\r\n\r\n",
        ] {
            let answer = exchange(proxy.address, request.as_bytes()).await;
            assert_eq!(answer.status, 400, "{request}");
            assert!(upstream.received().is_empty(), "{request} reached the upstream");
        }
    });
}
