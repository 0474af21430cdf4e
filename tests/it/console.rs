//! The console: who may see it, what a page may do, and what the pages say.

use std::time::Duration;

use serde_json::Value;

use crate::support::client::{Answer, exchange, get, post};
use crate::support::proxy::{Proxy, Site};
use crate::support::upstream::{Step, Upstream};
use crate::support::{PATIENCE, run};

const ON: &[(&str, &str)] = &[("admin.console", "true")];
const PAGES: &[&str] =
    &["/console/", "/console/try", "/console/knowledge", "/console/knowledge/acme", "/console/measure"];

/// A posted form, as a browser sends it from a page of the console itself.
fn form(proxy: &Proxy, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let origin = format!("origin: http://{}\r\n", proxy.admin);
    form_with(proxy, path, &origin, fields)
}

fn form_with(proxy: &Proxy, path: &str, headers: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let encode = |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02x}")).collect() };
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    let body = pairs.join("&");
    format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-www-form-urlencoded\r\n{headers}content-length: {}\r\n\r\n{body}",
        proxy.admin,
        body.len()
    )
    .into_bytes()
}

async fn tried(proxy: &Proxy, fields: &[(&str, &str)]) -> Answer {
    exchange(proxy.admin, &form(proxy, "/console/try", fields)).await
}

#[test]
fn the_console_is_off_unless_asked_for() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::start(&upstream.url()).await;
        for path in ["/", "/console/", "/console/try", "/console/files/console.css", "/console/sign-in"] {
            let answer = exchange(proxy.admin, &get(path)).await;
            assert_eq!(answer.status, 404, "{path}");
            assert!(answer.text().contains("admin.console = true"), "{path}: {}", answer.text());
        }
    });
}

#[test]
fn every_page_keeps_to_itself() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::of(Site::new(), &upstream.url(), ON).await;
        for path in PAGES {
            let answer = exchange(proxy.admin, &get(path)).await;
            assert_eq!(answer.status, 200, "{path}");
            let policy = answer.header("content-security-policy").unwrap();
            assert!(
                policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"),
                "{policy}"
            );
            assert!(!policy.contains("unsafe"), "{policy}");
            assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
            assert_eq!(answer.header("x-content-type-options").as_deref(), Some("nosniff"));
            let page = answer.text();
            for forbidden in [" style=", "<style", " onclick=", "javascript:", "//cdn", "<script>"] {
                assert!(!page.contains(forbidden), "{path} holds {forbidden}");
            }
        }
        let root = exchange(proxy.admin, &get("/")).await;
        assert_eq!((root.status, root.header("location").as_deref()), (303, Some("/console/")));
        for path in ["/console/nothing", "/console/knowledge/nobody", "/console/measure/none"] {
            assert_eq!(exchange(proxy.admin, &get(path)).await.status, 404, "{path}");
        }
        let file = exchange(proxy.admin, &get("/console/files/console.js")).await;
        let tag = file.header("etag").unwrap();
        let again = format!(
            "GET /console/files/console.js HTTP/1.1\r\nhost: localhost\r\nif-none-match: {tag}\r\n\r\n"
        );
        assert_eq!(exchange(proxy.admin, again.as_bytes()).await.status, 304);
    });
}

#[test]
fn other_pages_cannot_use_it() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::of(Site::new(), &upstream.url(), ON).await;
        let fields = [("conversation", "Which anvil is the lightest to carry?")];
        for headers in [
            "origin: https://evil.example\r\n",
            "origin: http://127.0.0.1:3000\r\n",
            "origin: null\r\n",
            "sec-fetch-site: cross-site\r\n",
        ] {
            for path in ["/console/try", "/console/try/answer", "/console/knowledge/reload"] {
                let answer = exchange(proxy.admin, &form_with(&proxy, path, headers, &fields)).await;
                assert_eq!(answer.status, 403, "{path} {headers}");
            }
        }
        assert!(upstream.received().is_empty());
    });
}

#[test]
fn with_a_token_one_signs_in() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let token = "a long random text";
        let proxy = Proxy::with(Site::new(), &upstream.url(), ON, |settings| {
            settings.admin_token = Some(blake3::hash(token.as_bytes()));
        })
        .await;
        for path in PAGES {
            let answer = exchange(proxy.admin, &get(path)).await;
            assert_eq!(
                (answer.status, answer.header("location").as_deref()),
                (303, Some("/console/sign-in"))
            );
        }
        let metrics = exchange(proxy.admin, &get("/metrics")).await;
        assert_eq!((metrics.status, metrics.header("www-authenticate").as_deref()), (401, Some("Bearer")));
        let health = exchange(proxy.admin, &get("/healthz")).await;
        assert_eq!((health.status, &*health.text()), (200, "{\"status\":\"ok\"}\n"));
        // Another machine's name is answered: the token says who asks.
        let door =
            exchange(proxy.admin, b"GET /console/sign-in HTTP/1.1\r\nhost: proxy.example\r\n\r\n").await;
        assert!(door.status == 200 && door.text().contains("Admin token"));

        let wrong = exchange(proxy.admin, &form(&proxy, "/console/sign-in", &[("token", "another")])).await;
        assert!(wrong.status == 401 && wrong.text().contains("not the admin token"));
        assert_eq!(wrong.header("set-cookie"), None);
        let right = exchange(proxy.admin, &form(&proxy, "/console/sign-in", &[("token", token)])).await;
        let cookie = right.header("set-cookie").unwrap();
        assert_eq!(right.status, 303);
        assert!(cookie.contains("HttpOnly; SameSite=Strict") && !cookie.contains(token));

        let with =
            |line: &str| format!("GET /console/ HTTP/1.1\r\nhost: localhost\r\n{line}\r\n\r\n").into_bytes();
        let session = cookie.split(';').next().unwrap().to_owned();
        for (line, status) in [
            (format!("cookie: {session}"), 200),
            (format!("authorization: Bearer {token}"), 200),
            (format!("cookie: {}x", session.replace("=1", "=2")), 303),
        ] {
            assert_eq!(exchange(proxy.admin, &with(&line)).await.status, status, "{line}");
        }
        let leaving = format!("origin: http://{}\r\ncookie: {session}\r\n", proxy.admin);
        let out = exchange(proxy.admin, &form_with(&proxy, "/console/sign-out", &leaving, &[])).await;
        assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
        let kept = exchange(proxy.admin, &with(&format!("cookie: {session}"))).await;
        assert_eq!(kept.status, 303, "a cookie that somebody kept opens nothing");
    });
}

#[test]
fn a_brand_named_like_a_script_is_only_text() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let site = Site::new();
        site.write(
            "knowledge/acme/brand.toml",
            "name = \"<script>alert(1)</script>\"\naliases = [\"\\\"><img src=x onerror=alert(2)>\"]\n",
        );
        site.write(
            "knowledge/acme/evil.md",
            "---\nsource: \"javascript:alert(3)\"\ntags: [\"<b>bold</b>\"]\n---\n\n# Anvil </textarea><script>alert(4)</script>\n\nThe anvil says </pre><script>alert(5)</script>.\n",
        );
        let proxy = Proxy::of(site, &upstream.url(), ON).await;
        let question = "Which anvil says \"</textarea><script>alert(6)</script>\"?";
        let mut pages = Vec::new();
        for path in PAGES {
            pages.push(exchange(proxy.admin, &get(path)).await.text());
        }
        pages.push(tried(&proxy, &[("conversation", question)]).await.text());
        pages.push(tried(&proxy, &[("conversation", "{\"<script>\"")]).await.text());
        pages.push(tried(&proxy, &[("conversation", "x"), ("recipe", "<script>")]).await.text());
        for page in &pages {
            for forbidden in ["<script>", "<img src=x", "<b>bold", "href=\"javascript:"] {
                assert!(!page.contains(forbidden), "{forbidden} in\n{page}");
            }
        }
        assert!(pages[3].contains("&lt;script&gt;alert(1)"), "{}", pages[3]);
        assert!(pages[5].contains("alert(6)"));
    });
}

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

#[test]
fn files_that_cannot_serve_are_shown_with_their_place() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::of(Site::new(), &upstream.url(), &[ON[0], ("knowledge.watch", "off")]).await;
        proxy.site.write("knowledge/acme/brand.toml", "name = \"Acme\"\naliases = [\"a\" \"b\"]\n");
        let reload = form(&proxy, "/console/knowledge/reload", &[]);
        assert_eq!(exchange(proxy.admin, &reload).await.status, 303);
        let page = exchange(proxy.admin, &get("/console/knowledge")).await.text();
        for said in ["The last good version is still in use", "brand.toml:2:", "aliases = ["] {
            assert!(page.contains(said), "`{said}` is not in\n{page}");
        }
        assert!(
            exchange(proxy.admin, &get("/console/")).await.text().contains("The changed files have errors")
        );
        proxy.site.write("knowledge/acme/brand.toml", "name = \"Acme Anvils\"\n");
        exchange(proxy.admin, &reload).await;
        let page = exchange(proxy.admin, &get("/console/knowledge")).await.text();
        assert!(page.contains("The latest version of your files is in use"), "{page}");
    });
}

#[test]
fn items_are_found_by_words_validity_and_tag() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let site = Site::new();
        site.write(
            "knowledge/acme/dated.md",
            "---\nvalid_until: 2020-01-01\ntags: [old]\nlanguage: de\nsource: https://acme.example/a?b=1&c=2\n---\n\n# Sommerangebot\n\nEin Amboss.\n",
        );
        let many: String =
            (0..70).map(|n| format!("# Anvil number {n}\n\nIt weighs {n} kilograms.\n\n")).collect();
        site.write("knowledge/acme/many.md", &many);
        let proxy = Proxy::of(site, &upstream.url(), ON).await;
        for (query, said) in [
            ("", "75 items, page 1 of 2"),
            ("?page=2", "Earlier"),
            ("?page=99", "page 2 of 2"),
            ("?q=warranty", "1 of 75 items"),
            ("?state=expired", "Sommerangebot"),
            ("?tag=old", "https://acme.example/a?b=1&amp;c=2"),
            ("?language=de", "1 of 75 items"),
            ("?q=zebra", "No item matches all of this"),
            ("?q=number&page=1", "q=number&amp;page=2"),
        ] {
            let page = exchange(proxy.admin, &get(&format!("/console/knowledge/acme{query}"))).await.text();
            let page = page.replace("&#x2f;", "/");
            assert!(page.contains(said), "{query}: `{said}` is not in\n{page}");
        }
    });
}

#[test]
fn reports_are_listed_and_nothing_else_is_read() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let site = Site::new();
        site.write("reports/good/results.json", "{}");
        site.write("reports/good/report.html", "<p style=\"color:red\">A report</p>");
        site.write("reports/empty/other.txt", "");
        site.write("secret/report.html", "secret");
        site.write("secret/results.json", "{}");
        let proxy = Proxy::of(site, &upstream.url(), &[ON[0], ("console.reports", "reports")]).await;
        let page = exchange(proxy.admin, &get("/console/measure")).await.text();
        assert!(page.contains("/console/measure/good") && page.contains("another version"), "{page}");
        assert!(!page.contains("/console/measure/empty"), "{page}");
        let framed = exchange(proxy.admin, &get("/console/measure/good/report.html")).await;
        let policy = framed.header("content-security-policy").unwrap();
        assert!(framed.text().contains("A report") && policy.contains("sandbox;"), "{policy}");
        for name in ["..%2Fsecret", "../secret", "%2e%2e", "good/../../secret", ".", "%00", "..%5Csecret"] {
            for end in ["", "/report.html"] {
                let answer = exchange(proxy.admin, &get(&format!("/console/measure/{name}{end}"))).await;
                assert_eq!(answer.status, 404, "{name}{end}");
            }
        }
    });
}

#[test]
fn the_overview_counts_what_was_decided() {
    run(async {
        let upstream = Upstream::answering("{\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":1}}").await;
        let proxy = Proxy::of(Site::new(), &upstream.url(), ON).await;
        let page = exchange(proxy.admin, &get("/console/")).await.text();
        assert!(page.contains("Try a question now"), "{page}");
        for question in ["Which anvil is the lightest to carry?", "What is the capital of France?"] {
            let body = format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"{question}\"}}]}}");
            exchange(proxy.address, &post("/v1/chat/completions", body)).await;
        }
        let page = exchange(proxy.admin, &get("/console/")).await.text();
        for said in
            ["50 % got something", "below threshold", "no item fits the question well enough", "Acme Anvils"]
        {
            assert!(page.contains(said), "`{said}` is not in\n{page}");
        }
    });
}

#[test]
fn live_counts_are_shown_as_they_come() {
    run(async {
        let upstream = Upstream::answering(
            "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"Acme makes it.\"}}]}",
        )
        .await;
        let proxy = Proxy::of(Site::new(), &upstream.url(), &[ON[0], ("live.store", "live.sqlite")]).await;
        for path in ["/console/requests", "/console/experiments", "/console/"] {
            let page = exchange(proxy.admin, &get(path)).await.text();
            assert!(page.contains("Nothing has been counted yet"), "{path}: {page}");
        }
        for number in 0..6 {
            let body = format!(
                "{{\"messages\":[{{\"role\":\"system\",\"content\":\"{number}\"}},{{\"role\":\"user\",\"content\":\"Which anvil is the lightest to carry?\"}}]}}"
            );
            exchange(proxy.address, &post("/v1/chat/completions", body)).await;
        }
        let rows = shown(&proxy, "/console/requests", "Requests", |page| {
            page.matches("<tr><th scope=\"row\">").count() == 6
        })
        .await;
        assert!(rows.contains("Acme Anvils") && rows.contains(">yes<"), "{rows}");
        let receipt = rows
            .split("/console/requests/")
            .find(|part| part.len() > 36 && part.as_bytes()[8] == b'-')
            .unwrap();
        let receipt = &receipt[..36];
        let page = exchange(proxy.admin, &get(&format!("/console/requests/{receipt}"))).await.text();
        for said in [
            receipt,
            "names Acme Anvils",
            "acme/products#lightest-anvil-to-carry",
            "counts in the experiment",
        ] {
            assert!(page.replace("&#x2f;", "/").contains(said), "`{said}` is not in\n{page}");
        }
        for (query, count) in [
            ("decision=injected", 6),
            ("decision=vetoed", 0),
            ("named=yes", 6),
            ("named=no", 0),
            ("brand=acme&arm=injected", 6),
            ("arm=holdout", 0),
            ("before=3", 2),
        ] {
            let page = exchange(proxy.admin, &get(&format!("/console/requests?{query}"))).await.text();
            assert_eq!(page.matches("<tr><th scope=\"row\">").count(), count, "{query}");
        }
        let new = exchange(proxy.admin, &get("/console/requests/new?after=4")).await.text();
        assert!(new.matches("<tr>").count() == 2 && new.contains("data-newest=\"6\""), "{new}");
        let page = exchange(proxy.admin, &get("/console/?days=1")).await.text();
        for said in [
            "100 % got something",
            "Share of voice",
            "nothing can be said about the effect",
            "Mention rate by day",
        ] {
            assert!(page.contains(said), "`{said}` is not in\n{page}");
        }
        let page = exchange(proxy.admin, &get("/console/experiments?days=1&brand=acme")).await.text();
        assert!(page.contains("set experiment.holdout") && page.contains("injected"), "{page}");
        assert!(page.contains("0 % of the conversations"), "{page}");
        let page = exchange(proxy.admin, &get("/console/knowledge/acme?q=lightest")).await.text();
        assert!(page.contains("6 times in 30 days") && page.contains("6 of 6 answers"), "{page}");
        assert!(page.contains("the brand (100 %)"), "{page}");
        for (query, found, first) in
            [("most+used+first", "4 items", "lightest-anvil"), ("never+used", "of 4 items", "anvil-warranty")]
        {
            let path = format!("/console/knowledge/acme?use={query}");
            let page = exchange(proxy.admin, &get(&path)).await.text();
            let name = page.split("<dt>Name</dt>").nth(1).unwrap();
            assert!(
                page.contains(found) && name[..name.find("</dd>").unwrap()].contains(first),
                "{query}: {page}"
            );
        }
    });
}

/// A page, once it is as it should be.
async fn shown(proxy: &Proxy, path: &str, what: &str, is_right: impl Fn(&str) -> bool) -> String {
    let asked = async {
        loop {
            let page = exchange(proxy.admin, &get(path)).await.text();
            if is_right(&page) {
                return page;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("never came true: {what}"))
}

#[test]
fn a_store_that_cannot_be_read_is_said_and_nothing_else_suffers() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let site = Site::new();
        site.write(
            "live.sqlite",
            &"this is no database at all, but long enough to look like one ".repeat(100),
        );
        let proxy = Proxy::of(site, &upstream.url(), &[ON[0], ("live.store", "live.sqlite")]).await;
        for path in ["/console/", "/console/requests", "/console/requests/an-id", "/console/experiments"] {
            let answer = exchange(proxy.admin, &get(path)).await;
            assert!(answer.status == 200 && answer.text().contains("is no database"), "{}", answer.text());
        }
        for path in ["/console/knowledge/acme", "/console/try", "/console/requests/new"] {
            assert_eq!(exchange(proxy.admin, &get(path)).await.status, 200, "{path}");
        }
        let body =
            "{\"messages\":[{\"role\":\"user\",\"content\":\"Which anvil is the lightest to carry?\"}]}";
        assert_eq!(exchange(proxy.address, &post("/v1/chat/completions", body)).await.status, 200);
        let off = Proxy::of(Site::new(), &upstream.url(), ON).await;
        for path in ["/console/", "/console/requests", "/console/experiments"] {
            let page = exchange(off.admin, &get(path)).await.text();
            assert!(page.contains("[live]") && page.contains("holdout = 0.05"), "{path}: {page}");
        }
    });
}

#[test]
fn a_store_that_somebody_else_has_locked_is_waited_for() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let config = [ON[0], ("live.store", "live.sqlite"), ("live.unanswered", "true")];
        let proxy = Proxy::of(Site::new(), &upstream.url(), &config).await;
        let body =
            "{\"messages\":[{\"role\":\"user\",\"content\":\"Which anvil is the lightest to carry?\"}]}";
        let request = post("/v1/chat/completions", body);
        let rows = |page: &str| page.matches("<tr><th scope=\"row\">").count();
        assert_eq!(exchange(proxy.address, &request).await.status, 200);
        shown(&proxy, "/console/requests", "the first receipt", |page| rows(page) == 1).await;

        let path = proxy.site.path("live.sqlite");
        let other = rusqlite::Connection::open(path).unwrap();
        other.busy_timeout(Duration::from_secs(10)).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        for _ in 0..3 {
            assert_eq!(exchange(proxy.address, &request).await.status, 200, "nobody waits for the file");
        }
        let page = exchange(proxy.admin, &get("/console/requests")).await.text();
        assert_eq!(rows(&page), 1, "who reads does not wait either");
        other.execute_batch("COMMIT").unwrap();
        shown(&proxy, "/console/requests", "what had to wait is kept", |page| rows(page) == 4).await;
    });
}
