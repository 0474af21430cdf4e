//! Answers that give away what only the model was to see: observed, or ended before it.

use foreword::live::{Filter, Store};
use serde_json::Value;

use crate::support::client::{exchange, post, post_with};
use crate::support::proxy::{Proxy, Site};
use crate::support::upstream::{Received, Step, Upstream, chunk, json_answer, stream_head};
use crate::support::{run, until};

const CHAT: &str = "/v1/chat/completions";
const BEFORE: &str = "Sure, I was told: ";

fn body(rest: &str) -> String {
    format!(
        "{{\"messages\":[{{\"role\":\"user\",\"content\":\"Which anvil is the lightest to carry?\"}}]{rest}}}"
    )
}

/// What the proxy has made the user say, taken from the request.
fn hidden(received: &Received) -> String {
    let request: Value = serde_json::from_slice(&received.body).unwrap();
    request["messages"][0]["content"].as_str().unwrap().to_owned()
}

/// An upstream that repeats what was inserted, in a stream or as a whole, and then waits to be hung up on.
async fn parrot() -> Upstream {
    Upstream::start(|received: &Received| {
        assert!(received.header("accept-encoding").is_none(), "what is compressed cannot be read in time");
        let leak = hidden(received);
        if !String::from_utf8_lossy(&received.body).contains("\"stream\":true") {
            let content = serde_json::to_string(&format!("{BEFORE}{leak}")).unwrap();
            let answer = format!("{{\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":{content}}},\"finish_reason\":\"stop\"}}]}}");
            return vec![Step::Send(json_answer(&answer))];
        }
        let event = |text: &str| {
            let text = serde_json::to_string(text).unwrap();
            chunk(format!("data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{text}}},\"finish_reason\":null}}]}}\n\n").as_bytes())
        };
        let mut steps = vec![Step::Send(stream_head()), Step::Send(event(BEFORE))];
        steps.extend(leak.split_inclusive(' ').map(|word| Step::Send(event(word))));
        steps.extend([Step::Send(event(" and so on, without an end")), Step::AwaitHangUp]);
        steps
    })
    .await
}

async fn leaks(proxy: Proxy) -> Vec<Option<String>> {
    let path = proxy.site.path("live.sqlite");
    proxy.stop().await.unwrap();
    let store = Store::read(&path).unwrap();
    store
        .receipts(&Filter::default(), 9)
        .unwrap()
        .receipts
        .into_iter()
        .map(|(_, receipt)| receipt.leak)
        .collect()
}

#[test]
fn with_cut_an_answer_ends_before_it_gives_anything_away() {
    run(async {
        let upstream = parrot().await;
        let config = [("leaks.policy", "cut"), ("live.store", "live.sqlite")];
        let proxy = Proxy::of(Site::new(), &upstream.url(), &config).await;
        let stream = post_with(CHAT, "accept-encoding: gzip\r\n", body(",\"stream\":true"));
        let answer = exchange(proxy.address, &stream).await.text();
        let leak = hidden(&upstream.last());
        assert!(leak.split(' ').count() > 8, "{leak}");
        let told: String = answer
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
            .filter_map(|event| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
            .collect();
        assert!(told.starts_with(BEFORE) && !told.contains(&leak), "{told}");
        assert!(told.ends_with("not meant to be shown.]"), "{told}");
        assert!(answer.contains("\"content_filter\"") && answer.ends_with("data: [DONE]\n\n"), "{answer}");
        // Nobody waits for the rest.
        until("the upstream is hung up on", || upstream.hang_ups() == 1).await;
        let whole = exchange(proxy.address, &post(CHAT, body(""))).await;
        let whole: Value = serde_json::from_str(&whole.text()).unwrap();
        assert_eq!(whole["choices"][0]["finish_reason"], "content_filter");
        assert!(!whole.to_string().contains(&leak));
        until("both are counted", || proxy.metric("foreword_leaks_total") == 2.0).await;
        assert_eq!(leaks(proxy).await, [Some("plain".to_owned()), Some("plain".to_owned())]);
    });
}

#[test]
fn observed_answers_go_through_and_are_counted() {
    run(async {
        let upstream = Upstream::start(|received: &Received| {
            let content = serde_json::to_string(&format!("{BEFORE}{}", hidden(received))).unwrap();
            let answer = format!("{{\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":{content}}},\"finish_reason\":\"stop\"}}]}}");
            vec![Step::Send(json_answer(&answer))]
        })
        .await;
        let proxy = Proxy::of(Site::new(), &upstream.url(), &[("live.store", "live.sqlite")]).await;
        let answer = exchange(proxy.address, &post(CHAT, body(""))).await.text();
        assert!(answer.contains(&hidden(&upstream.last())), "{answer}");
        until("it is counted", || proxy.metric("foreword_leaks_total") == 1.0).await;
    });
}

#[test]
fn with_cut_an_ordinary_answer_stays_byte_for_byte() {
    run(async {
        let plain = "{ \"choices\" : [{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"The FeatherAnvil by Acme weighs twelve kilograms.\"},\"finish_reason\":\"stop\"}]}";
        let upstream = Upstream::answering(plain).await;
        let proxy = Proxy::of(Site::new(), &upstream.url(), &[("leaks.policy", "cut")]).await;
        let answer = exchange(proxy.address, &post(CHAT, body(""))).await;
        assert_eq!((answer.decision().as_str(), answer.text().as_str()), ("injected", plain));
    });
}
