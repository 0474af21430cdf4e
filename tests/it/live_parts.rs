//! Mention rates by topic and language, what tokens cost, and stores of before.

use std::path::Path;
use std::process::Command;

use foreword::live::{LiveReport, Receipt, Store, StoreError, live_report};

use crate::support::client::{exchange, get, post_with};
use crate::support::proxy::{Proxy, Site};
use crate::support::upstream::{Received, Step, Upstream, json_answer};
use crate::support::{run, until};

const STORE: &str = "live.sqlite";
const DAY: i64 = 24 * 60 * 60 * 1_000;

/// An upstream that names the brand where the request does.
async fn believer() -> Upstream {
    Upstream::start(|request: &Received| {
        let told = String::from_utf8_lossy(&request.body).contains("FeatherAnvil");
        let text = if told { "Take the FeatherAnvil by Acme." } else { "Any will do." };
        vec![Step::Send(json_answer(&format!(
            "{{\"choices\":[{{\"message\":{{\"content\":\"{text}\"}}}}],\"usage\":{{\"prompt_tokens\":1000,\
             \"completion_tokens\":10,\"prompt_tokens_details\":{{\"cached_tokens\":500}}}}}}"
        )))]
    })
    .await
}

/// Sixty conversations, each about both topics in their languages.
async fn ask_both_questions(proxy: &Proxy) {
    for conversation in 0..60 {
        let name = format!("x-foreword-conversation: c{conversation}\r\n");
        for question in
            ["Which anvil is the lightest to carry for me?", "Wie lange gilt die Garantie für den Amboss?"]
        {
            let body = format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"{question}\"}}]}}");
            let answer = exchange(proxy.address, &post_with("/v1/chat/completions", &name, body)).await;
            assert!(["injected", "holdout"].contains(&&*answer.decision()), "{}", answer.decision());
        }
    }
}

fn the_report_is_printed(folder: &Path) {
    let shown = Command::new(env!("CARGO_BIN_EXE_foreword"))
        .current_dir(folder)
        .env("FOREWORD_PRICES__PROMPT", "2")
        .env("FOREWORD_PRICES__COMPLETION", "5")
        .args(["report", "--store", STORE])
        .output()
        .unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    // 120,000 tokens of prompts at 2 for a million, and 1,200 of answers at 5.
    for said in
        ["by topic", "by language", "of all prompts 0.24 USD, of all answers 0.0060 USD", "one answer more"]
    {
        assert!(text.contains(said), "`{said}` is not in\n{text}");
    }
}

#[test]
fn rates_are_told_by_topic_and_language_and_what_it_cost() {
    run(async {
        let upstream = believer().await;
        let site = Site::new();
        site.write(
            "knowledge/acme/products.md",
            "---\ntags: [weight]\n---\n\n# Lightest anvil to carry\n\nThe FeatherAnvil by Acme weighs twelve kilograms.\n",
        );
        site.write(
            "knowledge/acme/service.md",
            "---\ntags: [<b>service</b>]\nlanguage: de\n---\n\n# Garantie für den Amboss\n\nDie Garantie für den Amboss FeatherAnvil von Acme gilt zehn Jahre.\n",
        );
        let config = [
            ("experiment.holdout", "0.5"),
            ("live.store", STORE),
            ("admin.console", "true"),
            ("prices.prompt", "2"),
            ("prices.cached", "1"),
            ("prices.currency", "EUR"),
        ];
        let proxy = Proxy::of(site, &upstream.url(), &config).await;
        ask_both_questions(&proxy).await;
        let folder = proxy.site.path("");
        let (admin, recorded) =
            (proxy.admin, || Store::read(&folder.join(STORE)).and_then(|store| store.totals(0)));
        until("all is kept", || recorded().is_ok_and(|totals| totals.requests == 120)).await;
        let page = exchange(admin, &get("/console/experiments?days=1")).await.text();
        for said in ["By topic", "&lt;b&gt;service&lt;", "By language", ">de</th>", ">en</th>", "+100 points"]
        {
            assert!(page.contains(said), "`{said}` is not in\n{page}");
        }
        let page = exchange(admin, &get("/console/?days=1")).await.text();
        for said in
            ["what was added costs", "for 1,000 requests that got something", "0.18 EUR", "One answer more"]
        {
            assert!(page.contains(said), "`{said}` is not in\n{page}");
        }
        proxy.stop().await.unwrap();

        the_report_is_printed(&folder);
        let store = Store::read(&folder.join(STORE)).unwrap();
        let report = of(&store, jiff::Timestamp::now().as_millisecond());
        assert_eq!(report.cost, None, "without prices nothing is said of them");
        let held_out = report.arms[0].conversations;
        assert!((15..=45).contains(&held_out), "{held_out} of 60");
        for (parts, names) in
            [(&report.topics, ["<b>service</b>", "weight"]), (&report.languages, ["de", "en"])]
        {
            let found: Vec<(&str, u64)> = parts.iter().map(|part| (&*part.name, part.answers)).collect();
            assert_eq!(found, names.map(|name| (name, 60)));
            for part in parts {
                let arms: Vec<_> = part
                    .arms
                    .iter()
                    .map(|arm| (&*arm.arm, arm.conversations, arm.answers, arm.mentions))
                    .collect();
                let rest = 60 - held_out;
                assert_eq!(arms, [("holdout", held_out, held_out, 0), ("injected", rest, rest, rest)]);
                let lift = part.arms[1].lift_always.unwrap();
                assert!(lift.point == 1.0 && lift.lower > 0.0, "{part:?}");
                assert_eq!(part.arms[0].lift_always, None);
            }
        }
    });
}

fn of(store: &Store, now: i64) -> LiveReport {
    live_report(store, "acme", 30, now, None).unwrap()
}

#[test]
fn prices_that_say_too_little_or_too_much_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let check = |config: &str| {
        std::fs::write(folder.path().join("foreword.toml"), config).unwrap();
        let checked = Command::new(env!("CARGO_BIN_EXE_foreword"))
            .current_dir(folder.path())
            .arg("check")
            .output()
            .unwrap();
        String::from_utf8(checked.stderr).unwrap() + &String::from_utf8(checked.stdout).unwrap()
    };
    for (config, said) in [
        ("[prices]\ncached = 1.0\n", "`prices.prompt` is missing"),
        ("[prices]\nprompt = -1\n", "`prices.prompt` must be the price of a million tokens"),
        ("[prices]\nprompt = \"much\"\n", "`prices.prompt` must be the price of a million tokens"),
        ("[prices]\nprompt = 1\ncurrency = \"pieces of eight\"\n", "`prices.currency` must be a short name"),
        ("[live]\nunanswered = true\n", "`live.unanswered` needs a file"),
    ] {
        let said_now = check(config);
        assert!(said_now.contains(said), "{config}: {said_now}");
    }
    assert!(!check("[prices]\nprompt = 2.5\ncompletion = 10\n").contains("prices."));
}

/// Receipts of some days, in the order of time.
fn receipts(count: u64) -> Vec<Receipt> {
    let mut random = fastrand::Rng::with_seed(11);
    let one = |number: u64| {
        let choose = |random: &mut fastrand::Rng, from: &[&str]| from[random.usize(..from.len())].to_owned();
        let mut receipt: Receipt = serde_json::from_value(serde_json::json!({
            "id": format!("r{number}"), "time": (20_000 * DAY) + number as i64 * DAY / 100, "brand": "acme",
            "conversation": u64::MAX / 2 - random.u64(..40), "arm": choose(&mut random, &["holdout", "injected", ""]),
            "eligible": random.u32(..4) > 0, "decision": "injected", "language": choose(&mut random, &["en", "de", ""]),
            "topic": choose(&mut random, &["weight", "it's", ""]), "items": [], "recipe": "pairs", "snapshot": "s",
            "tokens": 3, "planning_us": 1, "total_us": 2, "status": 200, "ending": "complete",
            "mentioned": {"brand": random.bool(), "positive": false, "names": []}
        }))
        .unwrap();
        if random.u32(..5) == 0 {
            receipt.mentioned = None;
        }
        receipt
    };
    (0..count).map(one).collect()
}

fn dump(path: &Path) -> Vec<String> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut rows = Vec::new();
    for query in [
        "SELECT format('%s %s %s %s %d %d %d %d', kind, value, arm, brand, conversation, day, answers, mentions) FROM parts",
        "SELECT format('%s %s %s %d: %d %d %d %d %d %d', kind, value, arm, day, clusters, answers, mentions, answers_squared, \
         mentions_squared, products) FROM part_sums",
        "SELECT format('%s %s %d %d %d %d', arm, brand, conversation, day, answers, missing) FROM conversations",
        "SELECT format('%s %d %d: %d %d %d %d %d %d %d', arm, day, half, clusters, answers, mentions, answers_squared, \
         mentions_squared, products, missing) FROM sums",
    ] {
        let mut statement = connection.prepare(query).unwrap();
        rows.extend(statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap));
    }
    rows
}

/// Whether the sums that are kept with each answer are those that one finds by summing all.
#[test]
fn a_store_of_before_is_brought_up_to_date_with_what_its_receipts_say() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old.sqlite"), folder.path().join("new.sqlite"));
    let receipts = receipts(600);
    let connection = rusqlite::Connection::open(&old).unwrap();
    connection.execute_batch(include_str!("../../src/live/schema.sql")).unwrap();
    for receipt in &receipts {
        let named = receipt.mentioned.as_ref().map(|mentioned| mentioned.brand);
        connection
            .execute(
                "INSERT INTO receipts (id, time, brand, arm, decision, mentioned, receipt) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                rusqlite::params![receipt.id, receipt.time, receipt.brand, receipt.arm, receipt.decision, named,
                    serde_json::to_string(receipt).unwrap()],
            )
            .unwrap();
    }
    connection
        .execute_batch(
            "INSERT INTO conversations SELECT brand, arm, json_extract(receipt, '$.conversation'), MIN(time / 86400000), \
             COUNT(mentioned), COALESCE(SUM(mentioned), 0), COUNT(*) - COUNT(mentioned) FROM receipts \
             WHERE arm <> '' AND json_extract(receipt, '$.eligible') GROUP BY 1, 2, 3",
        )
        .unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    drop(connection);
    assert!(matches!(Store::read(&old), Err(StoreError::Older(_))));
    drop(Store::open(&old).unwrap());
    for some in receipts.chunks(70) {
        Store::open(&new).unwrap().write(some).unwrap();
    }
    let (migrated, written) = (dump(&old), dump(&new));
    assert!(written.len() > 200, "{}", written.len());
    assert_eq!(migrated, written);
    // Zero answers of an arm that takes no part, of turns that are not eligible, or that could not be read.
    let counted = receipts
        .iter()
        .filter(|receipt| !receipt.arm.is_empty() && receipt.eligible && receipt.mentioned.is_some())
        .count() as u64;
    let report = of(&Store::read(&new).unwrap(), 20_006 * DAY);
    for parts in [&report.topics, &report.languages] {
        assert_eq!(parts.iter().map(|part| part.answers).sum::<u64>(), counted);
        assert_eq!(parts.len(), 3);
    }
    // What is forgotten leaves the sums as they are, and two years later they go as well.
    let mut store = Store::open(&new).unwrap();
    store.forget(20_200 * DAY, 30).unwrap();
    assert_eq!(of(&Store::read(&new).unwrap(), 20_006 * DAY).topics, report.topics);
    store.forget(21_000 * DAY, 30).unwrap();
    assert_eq!(dump(&new), Vec::<String>::new());
}

/// Days that are to come, since the clock was ahead once, count; and a conversation stays on the day on which it began.
#[test]
fn a_clock_that_goes_back_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(STORE);
    let mut store = Store::open(&path).unwrap();
    let at = |number: u64, day: i64| -> Receipt {
        let mut receipt = receipts(1).remove(0);
        receipt.id = format!("c{number}");
        receipt.time = day * DAY;
        receipt.arm = "injected".to_owned();
        receipt.eligible = true;
        receipt.conversation = Some(number % 10);
        receipt.mentioned =
            serde_json::from_str("{\"brand\":true,\"positive\":true,\"names\":[\"acme\"]}").unwrap();
        receipt
    };
    let ahead: Vec<Receipt> = (0..10).map(|number| at(number, 20_010)).collect();
    let back: Vec<Receipt> = (10..20).map(|number| at(number, 20_000)).collect();
    store.write(&ahead).unwrap();
    store.write(&back).unwrap();
    store.forget(20_000 * DAY, 30).unwrap();
    let report = of(&store, 20_000 * DAY);
    let arm = &report.arms[0];
    assert_eq!((arm.conversations, arm.answers, arm.mentions), (10, 20, 20));
    assert_eq!((report.topics[0].answers, report.topics[0].arms[0].conversations), (20, 10));
    assert_eq!((report.since.as_str(), report.until.as_str()), ("2024-09-05", "2024-10-14"));
}

#[test]
fn a_log_that_was_moved_away_is_begun_anew() {
    run(async {
        let upstream = believer().await;
        let proxy = Proxy::of(Site::new(), &upstream.url(), &[("live.audit_log", "audit.jsonl")]).await;
        let log = proxy.site.path("audit.jsonl");
        let ask = async || {
            for _ in 0..2 {
                let body = "{\"messages\":[{\"role\":\"user\",\"content\":\"Which anvil?\"}]}";
                exchange(proxy.address, &post_with("/v1/chat/completions", "", body)).await;
            }
            let lines = || std::fs::read_to_string(&log).unwrap_or_default().lines().count();
            until("two receipts stand under the path", || lines() == 2).await;
        };
        ask().await;
        let aside = proxy.site.path("aside.jsonl");
        std::fs::rename(&log, &aside).unwrap();
        ask().await;
        assert_eq!(std::fs::read_to_string(&aside).unwrap().lines().count(), 2);
        assert_eq!(std::fs::read_to_string(&log).unwrap().lines().count(), 2);
        assert_eq!(proxy.metric("foreword_receipts_lost_total{reason=\"disk\"}"), 0.0);
    });
}
