//! Questions that found nothing: kept only where the operator asks for it, redacted, and shown in groups.

use foreword::live::{Question, Store};

use crate::support::client::{exchange, get, post_with};
use crate::support::proxy::{Proxy, Site};
use crate::support::upstream::Upstream;
use crate::support::{run, until};

const STORE: &str = "live.sqlite";
const CHAT: &str = "/v1/chat/completions";
const ANSWER: &str = "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"I cannot say.\"}}]}";

async fn ask(proxy: &Proxy, conversation: usize, headers: &str, question: &str) -> String {
    let headers = format!("x-foreword-conversation: c{conversation}\r\n{headers}");
    let body = serde_json::json!({"messages": [{"role": "user", "content": question}]});
    exchange(proxy.address, &post_with(CHAT, &headers, body.to_string())).await.decision()
}

#[test]
fn questions_that_found_nothing_are_kept_with_consent_alone() {
    run(async {
        let upstream = Upstream::answering(ANSWER).await;
        let config = [
            ("live.store", STORE),
            ("admin.console", "true"),
            ("live.unanswered", "true"),
            ("topics.never", "elections"),
        ];
        let proxy = Proxy::of(Site::new(), &upstream.url(), &config).await;
        let page = exchange(proxy.admin, &get("/console/knowledge")).await.text();
        assert!(page.contains("None so far"), "{page}");
        for (conversation, question) in [
            (1, "Do they sell gift vouchers? Write to jane.doe@private.example or +49 30 1234567"),
            (1, "Do they sell gift vouchers? Write to jane.doe@private.example or +49 30 1234567"),
            (2, "Are there gift vouchers from <b>Acme</b>?"),
            (3, "My name is Jane Doe, can I have a gift voucher?"),
            (4, "Sing me a song about the sea"),
        ] {
            assert_eq!(ask(&proxy, conversation, "", question).await, "below_threshold", "{question}");
        }
        // What got something, what is nobody's business, and what somebody pasted.
        assert_eq!(ask(&proxy, 5, "", "Which anvil is the lightest to carry?").await, "injected");
        let private = "Sing of the gift vouchers";
        assert_eq!(ask(&proxy, 6, "x-foreword-context: off\r\n", private).await, "opt_out");
        assert_eq!(ask(&proxy, 7, "sec-gpc: 1\r\n", private).await, "opt_out");
        assert_eq!(ask(&proxy, 8, "", "I want to kill myself with a gift voucher").await, "below_threshold");
        assert_eq!(
            ask(&proxy, 10, "", "Which party gives gift vouchers in the election?").await,
            "sensitive_topic"
        );
        let pasted = "gift voucher of the sea ".repeat(40);
        assert_eq!(ask(&proxy, 9, "", &pasted).await, "below_threshold");

        let path = proxy.site.path(STORE);
        let counted =
            || Store::read(&path).and_then(|store| store.questions(100)).is_ok_and(|found| found.len() >= 4);
        until("questions are kept", counted).await;
        let page = exchange(proxy.admin, &get("/console/knowledge")).await.text();
        for said in [
            "3 conversations",
            "1 names a brand",
            "vouchers",
            "&lt;b&gt;Acme&lt;",
            "My name is [name]",
            "1 more question stands alone",
        ] {
            assert!(page.contains(said), "`{said}` is not in\n{page}");
        }
        assert!(!page.contains("the sea"), "what one conversation asked is not shown\n{page}");
        let about = exchange(proxy.address, &get("/.well-known/foreword.json")).await.text();
        assert!(about.contains("\"keeps_text_of_requests\": true"), "{about}");

        let site = proxy.stopped().await;
        let mut found = Store::read(&path).unwrap().questions(100).unwrap();
        found.sort_by(|one, other| one.text.cmp(&other.text));
        let texts: Vec<&str> = found.iter().map(|question| &*question.text).collect();
        assert_eq!(
            texts,
            [
                "Are there gift vouchers from <b>Acme</b>?",
                "Do they sell gift vouchers? Write to [e-mail] or [number]",
                "My name is [name], can I have a gift voucher?",
                "Sing me a song about the sea",
            ]
        );
        let named: Vec<bool> = found.iter().map(|question| question.names).collect();
        assert_eq!(named, [true, false, false, false]);
        let bytes = std::fs::read(&path).unwrap();
        for secret in ["jane.doe", "1234567", "Jane Doe", "kill myself", "Sing of"] {
            assert!(!holds(&bytes, secret), "the file holds {secret}");
        }
        assert!(holds(&bytes, "about the sea"));

        consent_is_taken_back(site, &upstream).await;
    });
}

/// What was kept is gone before the first request, and nothing comes.
async fn consent_is_taken_back(site: Site, upstream: &Upstream) {
    let path = site.path(STORE);
    let config = [("live.store", STORE), ("admin.console", "true")];
    let proxy = Proxy::of(site, &upstream.url(), &config).await;
    until("questions are forgotten", || Store::read(&path).unwrap().questions(100).unwrap().is_empty()).await;
    let log = proxy.site.path("live.sqlite-wal");
    let is_gone =
        || ![&path, &log].iter().any(|file| holds(&std::fs::read(file).unwrap_or_default(), "about the sea"));
    until("what is forgotten is overwritten", is_gone).await;
    assert_eq!(ask(&proxy, 1, "", "Sing me a song about the sea").await, "below_threshold");
    let page = exchange(proxy.admin, &get("/console/knowledge")).await.text();
    assert!(page.contains("unanswered = true") && page.contains("off by default"), "{page}");
    let about = exchange(proxy.address, &get("/.well-known/foreword.json")).await.text();
    assert!(about.contains("\"keeps_text_of_requests\": false"), "{about}");
    let _site = proxy.stopped().await;
    assert_eq!(Store::read(&path).unwrap().questions(100).unwrap(), []);
    assert!(!holds(&std::fs::read(&path).unwrap(), "about the sea"), "what is forgotten is overwritten");
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn question(number: i64, day: i64) -> Question {
    Question {
        day,
        asker: number,
        language: "en".to_owned(),
        names: false,
        text: format!("question {number}"),
    }
}

#[test]
fn questions_are_bounded_and_forgotten_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(STORE);
    let mut store = Store::open(&path).unwrap();
    let day = 24 * 60 * 60 * 1_000;
    let all: Vec<Question> = (0..6_000).map(|number| question(number, 100 + number / 1_000)).collect();
    for some in all.chunks(500) {
        store.keep_questions(some).unwrap();
        store.keep_questions(some).unwrap();
    }
    let kept = store.questions(10_000).unwrap();
    assert_eq!((kept.len(), kept[0].asker, kept[4_999].asker), (5_000, 5_999, 1_000));
    store.forget_questions(105 * day + 5, 2).unwrap();
    assert_eq!(store.questions(10_000).unwrap().last().unwrap().day, 104);
    // A clock that goes back forgets nothing.
    store.forget_questions(3 * day, 2).unwrap();
    assert_eq!(store.questions(10_000).unwrap().len(), 2_000);
    store.forget_questions(105 * day, 0).unwrap();
    assert_eq!(store.questions(10_000).unwrap(), []);
}
