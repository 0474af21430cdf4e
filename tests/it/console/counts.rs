//! What was decided and counted, and stores that cannot be used.

use std::time::Duration;

use super::ON;
use crate::support::client::{exchange, get, post};
use crate::support::proxy::{Proxy, Site};
use crate::support::upstream::Upstream;
use crate::support::{PATIENCE, run};

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
