//! The live experiment: who is held out, what is counted of answers, and what happens when the disk is gone.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use foreword::live::{AuditLog, Filter, LiveReport, Receipt, Store, live_report};

use crate::support::client::{exchange, post_with};
use crate::support::proxy::{Proxy, Site};
use crate::support::upstream::{Received, Step, Upstream, chunk, json_answer, stream_head};
use crate::support::{run, until};

const CHAT: &str = "/v1/chat/completions";
const QUESTION: &str = "Which anvil is the lightest to carry?";
const STORE: &str = "live.sqlite";
const NAMING: &str = "Take the FeatherAnvil by Acme.";
const SILENT: &str = "Any anvil of ten kilograms will do.";

/// A site whose brand knows a rival.
fn site() -> Site {
    let site = Site::new();
    site.write(
        "knowledge/acme/brand.toml",
        "name = \"Acme Anvils\"\naliases = [\"Acme\", \"FeatherAnvil\"]\ncompetitors = [\"Vulcanix\"]\n",
    );
    site
}

/// An upstream that names the brand where the request does: a model that believes what it is told.
async fn believer() -> Upstream {
    let script = |request: &Received| {
        let told = String::from_utf8_lossy(&request.body).contains("FeatherAnvil");
        let text = if told { NAMING } else { SILENT };
        let usage = "\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":5,\"prompt_tokens_details\":{\"cached_tokens\":4}}";
        vec![Step::Send(json_answer(&format!(
            "{{\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"{text}\"}}}}],{usage}}}"
        )))]
    };
    Upstream::start(script).await
}

fn body(turns: &[&str]) -> String {
    let messages: Vec<String> = turns
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let role = if index % 2 == 0 { "user" } else { "assistant" };
            format!("{{\"role\":\"{role}\",\"content\":\"{text}\"}}")
        })
        .collect();
    format!("{{\"messages\":[{}]}}", messages.join(","))
}

fn named(conversation: usize) -> String {
    format!("x-foreword-conversation: c{conversation}\r\n")
}

async fn decision(proxy: &Proxy, conversation: usize, turns: &[&str]) -> String {
    let answer = exchange(proxy.address, &post_with(CHAT, &named(conversation), body(turns))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.decision()
}

/// Stops the proxy, so that all is written, and reads what was.
async fn stored(proxy: Proxy) -> Store {
    let path = proxy.site.path(STORE);
    proxy.stop().await.unwrap();
    Store::read(&path).unwrap()
}

fn report(store: &Store) -> LiveReport {
    live_report(store, "acme", 3, jiff::Timestamp::now().as_millisecond(), None).unwrap()
}

fn receipts(store: &Store) -> Vec<Receipt> {
    store
        .receipts(&Filter::default(), 1_000)
        .unwrap()
        .receipts
        .into_iter()
        .map(|(_, receipt)| receipt)
        .collect()
}

#[test]
fn conversations_are_held_out_and_the_lift_is_told() {
    run(async {
        let upstream = believer().await;
        let config =
            [("experiment.holdout", "0.5"), ("live.store", STORE), ("live.audit_log", "audit.jsonl")];
        let proxy = Proxy::of(site(), &upstream.url(), &config).await;
        let other = Proxy::of(site(), &upstream.url(), &config[..1]).await;
        let mut held_out = 0;
        for conversation in 0..60 {
            let first = decision(&proxy, conversation, &[QUESTION]).await;
            let sent = upstream.last();
            if first == "holdout" {
                held_out += 1;
                assert_eq!(sent.body, body(&[QUESTION]).as_bytes(), "what is held out leaves as it came");
            }
            assert_eq!(sent.header("x-foreword-conversation"), None);
            // The next turn, on another replica that has seen nothing of it, is in the same arm.
            let longer = [QUESTION, "Here you are.", "How long is the warranty on an anvil?"];
            assert_eq!(decision(&other, conversation, &longer).await, first);
            assert_eq!(decision(&proxy, conversation, &longer).await, first);
        }
        assert!((15..=45).contains(&held_out), "{held_out} of 60");
        // Nothing fits: not eligible, and so no part of the comparison, in either arm.
        for conversation in 0..10 {
            let answer = decision(&proxy, conversation, &["Sing me a song about the sea"]).await;
            assert_eq!(answer, "below_threshold");
        }
        let (address, folder) = (proxy.address, proxy.site.path(""));
        let answer =
            exchange(address, &post_with(CHAT, "x-foreword-context: off\r\n", body(&[QUESTION]))).await;
        assert_eq!(answer.decision(), "opt_out");
        let receipt = answer.header("x-foreword-receipt").unwrap();
        let store = stored(proxy).await;

        let report = report(&store);
        let arms: Vec<(&str, u64, u64, u64)> = report
            .arms
            .iter()
            .map(|arm| (&*arm.name, arm.conversations, arm.answers, arm.mentions))
            .collect();
        let injected = 60 - held_out;
        assert_eq!(
            arms,
            [("holdout", held_out, 2 * held_out, 0), ("injected", injected, 2 * injected, 2 * injected)]
        );
        let lift = report.arms[1].lift_always.unwrap();
        assert!(
            lift.point == 1.0 && lift.lower > 0.3 && report.verdict.starts_with("It works"),
            "{report:#?}"
        );
        assert!(report.halves.as_ref().unwrap().is_sound);
        assert_eq!(report.totals.requests, 131);
        assert_eq!(report.totals.prompt_tokens, 9 * 131);
        assert_eq!(report.decisions.iter().map(|decided| decided.requests).sum::<u64>(), 131);
        let opted_out = store.receipt(&receipt).unwrap().unwrap();
        assert_eq!((&*opted_out.decision, &*opted_out.arm, opted_out.eligible), ("opt_out", "", false));

        let lines = std::fs::read_to_string(folder.join("audit.jsonl")).unwrap();
        assert_eq!(lines.lines().count(), 131);
        for word in ["Which anvil", "song", "carry?", "ten kilograms", NAMING] {
            assert!(!lines.contains(word), "the audit log holds text: {word}");
        }
        let audited: Vec<Receipt> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut kept = receipts(&store);
        kept.reverse();
        assert_eq!(audited, kept);
        let told = &audited.iter().find(|receipt| receipt.decision == "injected").unwrap();
        assert!(told.items[0].id.starts_with("acme/") && told.items[0].hash.len() == 16, "{told:?}");
        assert!(told.tokens > 0 && told.language == "en" && told.mentioned.as_ref().unwrap().positive);

        let shown = Command::new(env!("CARGO_BIN_EXE_foreword"))
            .current_dir(&folder)
            .args(["report", "--store", STORE, "--since", "2d"])
            .output()
            .unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        assert!(
            shown.contains("answers name the brand more often than without, by +100 points")
                && shown.contains("It works: since 20"),
            "{shown}"
        );
    });
}

#[test]
fn without_a_hold_out_every_conversation_is_served_and_the_report_says_what_to_do() {
    run(async {
        let upstream = believer().await;
        let proxy = Proxy::of(site(), &upstream.url(), &[("live.store", STORE)]).await;
        for conversation in 0..6 {
            assert_eq!(decision(&proxy, conversation, &[QUESTION]).await, "injected");
        }
        let store = stored(proxy).await;
        let report = report(&store);
        assert_eq!(report.arms.len(), 1);
        assert!(report.arms[0].rate.is_some() && report.arms[0].lift.is_none());
        assert!(report.verdict.contains("experiment.holdout"), "{}", report.verdict);
    });
}

#[test]
fn arms_of_the_live_experiment_are_treated_as_they_say() {
    run(async {
        let upstream = believer().await;
        let site = site();
        site.write(
            "knowledge/acme/brand.toml",
            "name = \"Acme Anvils\"\naliases = [\"Acme\"]\nholdout = 0.2\n",
        );
        let config = [("experiment.arms", "recipe:inline 0.4"), ("live.store", STORE)];
        let proxy = Proxy::of(site, &upstream.url(), &config).await;
        let mut inline = 0;
        for conversation in 0..50 {
            decision(&proxy, conversation, &[QUESTION]).await;
            let sent = String::from_utf8(upstream.last().body).unwrap();
            inline += usize::from(sent.contains("FeatherAnvil") && sent.matches("\"role\"").count() == 1);
        }
        let store = stored(proxy).await;
        let arms: Vec<(String, u64)> =
            report(&store).arms.into_iter().map(|arm| (arm.name, arm.conversations)).collect();
        assert_eq!(
            arms.iter().map(|(name, _)| &**name).collect::<Vec<_>>(),
            ["holdout", "injected", "recipe:inline"]
        );
        assert_eq!(arms[2].1, inline as u64);
        assert_eq!(arms.iter().map(|(_, count)| count).sum::<u64>(), 50);
    });
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn with_head(head: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 200 OK\r\n{head}content-length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// What the receipt says of an answer: `Some(true)` names, `None` missing.
async fn scored(
    path: &str,
    request: &str,
    steps: impl Fn() -> Vec<Step> + Send + Sync + 'static,
) -> Option<bool> {
    let upstream = Upstream::start(move |_: &Received| steps()).await;
    let proxy = Proxy::of(site(), &upstream.url(), &[("live.store", STORE)]).await;
    let _answer = exchange(proxy.address, &post_with(path, "", request)).await;
    let store = stored(proxy).await;
    let receipts = receipts(&store);
    assert_eq!(receipts.len(), 1);
    assert!(receipts[0].eligible, "{receipts:?}");
    receipts[0].mentioned.as_ref().map(|mentioned| mentioned.brand)
}

fn events(pieces: &[&str]) -> String {
    pieces.iter().map(|piece| format!("data: {piece}\n\n")).collect()
}

fn delta(choice: usize, text: &str) -> String {
    format!("{{\"choices\":[{{\"index\":{choice},\"delta\":{{\"content\":\"{text}\"}}}}]}}")
}

#[test]
fn answers_of_every_form_are_searched() {
    run(async {
        let chat = body(&[QUESTION]);
        let stream =
            events(&[&delta(0, "Take the Feather"), &delta(1, "Nothing."), &delta(0, "Anvil."), "[DONE]"]);
        let split = stream.clone();
        let steps = move || {
            let mut steps = vec![Step::Send(stream_head())];
            // Cut where a name, a key and a character's escape are not whole.
            steps.extend(split.as_bytes().chunks(7).map(|piece| Step::Send(chunk(piece))));
            steps.push(Step::Send(b"0\r\n\r\n".to_vec()));
            steps
        };
        assert_eq!(scored(CHAT, &chat, steps).await, Some(true));
        for (encoding, bytes) in [("gzip", gzip(stream.as_bytes())), ("GZIP", gzip(stream.as_bytes()))] {
            let head = format!("content-type: text/event-stream\r\ncontent-encoding: {encoding}\r\n");
            let answer = with_head(&head, &bytes);
            assert_eq!(
                scored(CHAT, &chat, move || vec![Step::Send(answer.clone())]).await,
                Some(true),
                "{encoding}"
            );
        }
        let silent = with_head(
            "content-type: application/json\r\n",
            b"{\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"Use Vulcanix.\"}]}}]}",
        );
        assert_eq!(scored(CHAT, &chat, move || vec![Step::Send(silent.clone())]).await, Some(false));
        let responses = format!("{{\"input\":\"{QUESTION}\"}}");
        let whole = with_head(
            "content-type: application/json\r\n",
            format!("{{\"output\":[{{\"type\":\"reasoning\",\"summary\":[]}},{{\"type\":\"message\",\"content\":[{{\"type\":\"output_text\",\"text\":\"{NAMING}\"}}]}}]}}").as_bytes(),
        );
        assert_eq!(
            scored("/v1/responses", &responses, move || vec![Step::Send(whole.clone())]).await,
            Some(true)
        );
        let streamed = with_head(
            "content-type: text/event-stream\r\n",
            events(&[
                "{\"type\":\"response.output_text.delta\",\"output_index\":1,\"delta\":\"the Ac\"}",
                "{\"type\":\"response.output_text.delta\",\"output_index\":1,\"delta\":\"me one\"}",
                "{\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}}",
            ])
            .as_bytes(),
        );
        assert_eq!(
            scored("/v1/responses", &responses, move || vec![Step::Send(streamed.clone())]).await,
            Some(true)
        );
        let completion =
            with_head("content-type: application/json\r\n", b"{\"choices\":[{\"text\":\"Acme!\"}]}");
        let prompt = format!("{{\"prompt\":\"{QUESTION}\"}}");
        assert_eq!(
            scored("/v1/completions", &prompt, move || vec![Step::Send(completion.clone())]).await,
            Some(true)
        );
    });
}

#[test]
fn answers_that_cannot_be_read_are_missing_and_never_silent() {
    run(async {
        let chat = body(&[QUESTION]);
        let json = "content-type: application/json\r\n";
        let naming = format!("{{\"choices\":[{{\"message\":{{\"content\":\"{NAMING}\"}}}}]}}");
        let broken = gzip(naming.as_bytes());
        for (what, answer) in [
            (
                "a tool call",
                with_head(json, b"{\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":[{}]}}]}"),
            ),
            ("no choice", with_head(json, b"{\"choices\":[]}")),
            ("no JSON", with_head(json, b"<html>Acme</html>")),
            (
                "broken gzip",
                with_head(&format!("{json}content-encoding: gzip\r\n"), &broken[..broken.len() / 2]),
            ),
            ("zstd", with_head(&format!("{json}content-encoding: zstd\r\n"), naming.as_bytes())),
            (
                "an error",
                format!("HTTP/1.1 500 No\r\n{json}content-length: {}\r\n\r\n{naming}", naming.len())
                    .into_bytes(),
            ),
            ("cut off", with_head(json, naming.as_bytes())[..60].to_vec()),
        ] {
            let found = scored(CHAT, &chat, move || vec![Step::Send(answer.clone()), Step::Close]).await;
            assert_eq!(found, None, "{what}");
        }
    });
}

#[test]
fn an_answer_that_gives_away_what_only_the_model_was_to_see_is_told() {
    run(async {
        for (text, leak) in [
            (NAMING, None),
            ("My notes are acme/products#lightest-anvil-to-carry and others.", Some("plain")),
            // The same id in Base64.
            ("YWNtZS9wcm9kdWN0cyNsaWdodGVzdC1hbnZpbC10by1jYXJyeQ==", Some("base64")),
        ] {
            let upstream =
                Upstream::answering(&format!("{{\"choices\":[{{\"message\":{{\"content\":\"{text}\"}}}}]}}"))
                    .await;
            let proxy = Proxy::of(site(), &upstream.url(), &[("live.store", STORE)]).await;
            assert_eq!(decision(&proxy, 1, &[QUESTION]).await, "injected");
            let metrics = std::sync::Arc::clone(&proxy.metrics);
            let receipts = receipts(&stored(proxy).await);
            assert_eq!(receipts[0].leak.as_deref(), leak, "{text}");
            let counted = metrics.render().unwrap().contains("foreword_leaks_total 1");
            assert_eq!(counted, leak.is_some());
        }
    });
}

#[test]
fn a_store_that_cannot_be_used_costs_no_request_and_is_told() {
    run(async {
        let upstream = believer().await;
        for damage in
            ["not a database, and longer than the header of one would be: ".repeat(40), String::new()]
        {
            let site = site();
            if damage.is_empty() {
                // A folder stands where the file should.
                std::fs::create_dir(site.path(STORE)).unwrap();
            } else {
                site.write(STORE, &damage);
            }
            let config = [("live.store", STORE), ("experiment.holdout", "0.5")];
            let proxy = Proxy::of(site, &upstream.url(), &config).await;
            for conversation in 0..20 {
                decision(&proxy, conversation, &[QUESTION]).await;
            }
            let counted = || proxy.metric("foreword_answers_total") > 0.0;
            until("answers are counted without a store", counted).await;
            let path = proxy.site.path(STORE);
            proxy.stop().await.unwrap();
            let error = Store::read(&path).err().unwrap().to_string();
            assert!(error.contains(STORE), "{error}");
            assert_eq!(
                std::fs::read_to_string(&path).unwrap_or_default(),
                damage,
                "what is there is left alone"
            );
        }
    });
}

#[test]
fn a_store_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(STORE);
    drop(Store::open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    for error in [Store::open(&path).err().unwrap(), Store::read(&path).err().unwrap()] {
        assert!(error.to_string().contains("newer version"), "{error}");
    }
    let absent = Store::read(&folder.path().join("absent.sqlite")).err().unwrap().to_string();
    assert!(absent.contains("foreword serve"), "{absent}");
}

fn receipt(number: u64, time: i64) -> Receipt {
    let json = format!(
        "{{\"id\":\"r{number}\",\"time\":{time},\"brand\":\"acme\",\"conversation\":{number},\"arm\":\"injected\",\
         \"eligible\":true,\"decision\":\"injected\",\"language\":\"en\",\"topic\":\"\",\"items\":[],\"recipe\":\"pairs\",\
         \"snapshot\":\"s\",\"tokens\":3,\"planning_us\":1,\"total_us\":2,\"status\":200,\"ending\":\"complete\"}}"
    );
    serde_json::from_str(&json).unwrap()
}

#[test]
fn receipts_are_kept_once_listed_by_page_and_forgotten_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er").join(STORE);
    let mut store = Store::open(&path).unwrap();
    let day = 24 * 60 * 60 * 1_000;
    let all: Vec<Receipt> = (0..10).map(|number| receipt(number, number as i64 * day)).collect();
    store.write(&all).unwrap();
    store.write(&all).unwrap();
    assert_eq!(store.totals(0).unwrap().requests, 10, "a receipt that comes again is not counted again");
    let reader = Store::read(&path).unwrap();
    let first = reader.receipts(&Filter::default(), 4).unwrap();
    let ids = |page: &foreword::live::Page| {
        page.receipts.iter().map(|(_, receipt)| receipt.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!((ids(&first), first.has_more), (["r9", "r8", "r7", "r6"].map(str::to_owned).to_vec(), true));
    let before = Filter { before: Some(first.receipts[3].0), ..Filter::default() };
    let last = reader.receipts(&before, 6).unwrap();
    assert_eq!((ids(&last)[0].as_str(), last.receipts.len(), last.has_more), ("r5", 6, false));
    let none = Filter { brand: Some("' OR 1=1 --".to_owned()), ..Filter::default() };
    assert!(reader.receipts(&none, 9).unwrap().receipts.is_empty());
    store.forget(10 * day, 3).unwrap();
    assert_eq!(ids(&reader.receipts(&Filter::default(), 9).unwrap()), ["r9", "r8", "r7"]);
    assert_eq!(reader.totals(0).unwrap().requests, 10, "counts outlive receipts");
}

#[test]
fn an_audit_log_goes_on_after_a_line_that_was_cut_and_is_put_aside_when_full() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    std::fs::write(&path, "{\"id\":\"cut").unwrap();
    let mut log = AuditLog::open_with(&path, 1_000).unwrap();
    for number in 0..20 {
        log.append(&[receipt(number, 0)]).unwrap();
    }
    let files = |folder: &Path| -> Vec<String> {
        let mut names: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        names.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
    };
    let texts = files(folder.path());
    assert!(texts.len() > 3, "{}", texts.len());
    let whole = texts.concat().lines().filter(|line| serde_json::from_str::<Receipt>(line).is_ok()).count();
    assert_eq!(whole, 20);
}
