//! A brand's disclosure: behind answers to which something was added, never where a program reads, and never mistaken
//! for a mention. Opting out.

use foreword::live::{Filter, Store};
use serde_json::Value;

use crate::support::client::{Answer, exchange, get, post, post_with};
use crate::support::proxy::{Proxy, Site};
use crate::support::run;
use crate::support::upstream::{Received, Step, Upstream, chunk, json_answer, stream_head};

const CHAT: &str = "/v1/chat/completions";
const QUESTION: &str = "Which anvil is the lightest to carry?";
const ENGLISH: &str = "This answer was written with notes from Acme.";
const GERMAN: &str = "Diese Antwort entstand mit Hinweisen von Acme.";

fn site() -> Site {
    let site = Site::new();
    site.write(
        "knowledge/acme/brand.toml",
        &format!(
            "name = \"Acme Anvils\"\naliases = [\"Acme\"]\n[disclosure]\nen = \"{ENGLISH}\"\nde = \"{GERMAN}\"\n"
        ),
    );
    site.write(
        "knowledge/acme/de.md",
        "---\nlanguage: de\n---\n# Der leichteste Amboss zum Tragen\n\nDer FeatherAnvil von Acme wiegt zwölf Kilogramm.\n",
    );
    site
}

fn body(question: &str, rest: &str) -> String {
    format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"{question}\"}}]{rest}}}")
}

fn json(text: &str) -> Vec<Step> {
    vec![Step::Send(json_answer(text))]
}

const PLAIN: &str = "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Ten kilograms.\"},\"finish_reason\":\"stop\"}]}";

fn content(answer: &Answer) -> String {
    let answer: Value = serde_json::from_str(&answer.text()).unwrap();
    answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
}

#[test]
fn answers_to_which_something_was_added_end_with_the_disclosure_in_their_language() {
    run(async {
        let upstream = Upstream::start(|_: &Received| json(PLAIN)).await;
        let proxy = Proxy::of(site(), &upstream.url(), &[("live.store", "live.sqlite")]).await;
        for (question, footer) in [
            (QUESTION, format!("\n\n{ENGLISH}")),
            ("Welcher Amboss ist der leichteste zum Tragen auf die Baustelle?", format!("\n\n{GERMAN}")),
            ("Sing me a song about the sea", String::new()),
        ] {
            let answer = exchange(proxy.address, &post(CHAT, body(question, ""))).await;
            assert_eq!(content(&answer), format!("Ten kilograms.{footer}"), "{question}");
        }
        for (headers, rest) in [
            ("x-foreword-context: off\r\n", ""),
            ("sec-gpc: 1\r\n", ""),
            ("", ",\"response_format\":{\"type\":\"json_object\"}"),
            ("", ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{}}"),
            ("", ",\"guided_choice\":[\"yes\",\"no\"]"),
            ("", ",\"structured_outputs\":{\"regex\":\"[0-9]+\"}"),
            ("", ",\"grammar\":\"root ::= [0-9]+\""),
            ("x-foreword-context: on\r\nx-foreword-context: off\r\n", ""),
        ] {
            let answer = exchange(proxy.address, &post_with(CHAT, headers, body(QUESTION, rest))).await;
            assert_eq!(answer.text(), PLAIN, "{headers}{rest}");
        }
        let text = ",\"response_format\":{\"type\":\"text\"}";
        let answer = exchange(proxy.address, &post(CHAT, body(QUESTION, text))).await;
        assert!(answer.text().contains(ENGLISH));
        assert_eq!(proxy.metric("foreword_disclosures_total{result=\"added\"}"), 3.0);
        // The disclosure names the brand; the model did not.
        let path = proxy.site.path("live.sqlite");
        proxy.stop().await.unwrap();
        let receipts = Store::read(&path).unwrap().receipts(&Filter::default(), 99).unwrap().receipts;
        let mentioned: Vec<bool> = receipts
            .iter()
            .filter_map(|(_, receipt)| receipt.mentioned.as_ref().map(|mentioned| mentioned.brand))
            .collect();
        assert!(mentioned.len() >= 5 && mentioned.iter().all(|mentioned| !mentioned), "{receipts:?}");
    });
}

#[test]
fn a_stream_is_whole_with_it_and_what_cannot_carry_it_stays_as_it_is() {
    run(async {
        let events = |end: &str| {
            format!(
                "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"Ten\"}}}}]}}\n\ndata: {{\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"{end}\"}}]}}\n\ndata: [DONE]\n\n"
            )
        };
        for (end, encoding, is_told) in
            [("stop", "", true), ("tool_calls", "", false), ("stop", "content-encoding: gzip\r\n", false)]
        {
            let text = events(end);
            let sent = text.clone();
            let upstream = Upstream::start(move |_: &Received| {
                let head = String::from_utf8(stream_head()).unwrap();
                let head = head.replacen("\r\n", &format!("\r\n{encoding}"), 1);
                let mut steps = vec![Step::Send(head.into_bytes())];
                steps.extend(sent.as_bytes().chunks(19).map(|piece| Step::Send(chunk(piece))));
                steps.push(Step::Send(b"0\r\n\r\n".to_vec()));
                steps
            })
            .await;
            let proxy = Proxy::of(site(), &upstream.url(), &[]).await;
            let answer = exchange(proxy.address, &post(CHAT, body(QUESTION, ",\"stream\":true"))).await;
            let told = answer.text();
            if is_told {
                let at = told.find(ENGLISH).unwrap();
                assert!(at < told.find("\"stop\"").unwrap() && told.ends_with("data: [DONE]\n\n"), "{told}");
                let without: String =
                    told.split_inclusive("\n\n").filter(|event| !event.contains(ENGLISH)).collect();
                assert_eq!(without, text, "all else is as it came");
            } else {
                assert_eq!(told, text);
            }
        }
    });
}

#[test]
fn what_a_disclosure_names_is_not_what_the_conversation_is_about() {
    run(async {
        let upstream = Upstream::start(|_: &Received| json(PLAIN)).await;
        let proxy = Proxy::of(site(), &upstream.url(), &[]).await;
        let talk = |answer: &str| {
            format!(
                "{{\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}},{{\"role\":\"assistant\",\"content\":\"{answer}\"}},{{\"role\":\"user\",\"content\":\"And how long is its warranty?\"}}]}}"
            )
        };
        let mut decisions = Vec::new();
        for answer in ["Hi.", &format!("Hi.\\n\\n{ENGLISH}")] {
            decisions.push(exchange(proxy.address, &post(CHAT, talk(answer))).await.decision());
        }
        assert_eq!(decisions[0], decisions[1]);
    });
}

#[test]
fn whoever_meets_the_proxy_can_read_what_it_does_and_how_to_opt_out() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::of(site(), &upstream.url(), &[]).await;
        let answer = exchange(proxy.address, &get("/.well-known/foreword.json")).await;
        let about: Value = serde_json::from_str(&answer.text()).unwrap();
        assert_eq!((answer.status, &about["opt_out"]["sec-gpc"]), (200, &Value::from("1")));
        assert!(!answer.text().contains("Acme"), "it says nothing of brands");
        assert_eq!(upstream.received().len(), 0);
    });
}
