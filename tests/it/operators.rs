//! The admin listener: health, metrics, and whom it answers.

use serde_json::Value;

use crate::support::client::{exchange, get, post};
use crate::support::proxy::{Proxy, Site};
use crate::support::run;
use crate::support::upstream::Upstream;

#[test]
fn health_and_metrics_are_served_to_this_machine_only() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::start(&upstream.url()).await;
        for path in ["/healthz", "/readyz"] {
            let answer = exchange(proxy.admin, &get(path)).await;
            let health: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(
                (answer.status, &health["status"], &health["retrieval"]),
                (200, &"ok".into(), &"lexical".into())
            );
            assert_eq!(health["snapshot"]["brands"][0]["items"], 4);
        }
        for (request, status) in [
            ("GET /healthz HTTP/1.1\r\nhost: evil.example\r\n\r\n", 403),
            ("GET /metrics HTTP/1.1\r\nhost: localhost\r\norigin: https://evil.example\r\n\r\n", 403),
            ("POST /metrics HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n", 405),
            ("GET /nothing HTTP/1.1\r\nhost: localhost\r\n\r\n", 404),
        ] {
            assert_eq!(exchange(proxy.admin, request.as_bytes()).await.status, status, "{request}");
        }
    });
}

#[test]
fn requests_are_counted_by_decision_and_ending() {
    run(async {
        let upstream = Upstream::answering("{\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}").await;
        let proxy = Proxy::start(&upstream.url()).await;
        let chat =
            "{\"messages\":[{\"role\":\"user\",\"content\":\"Which anvil is the lightest to carry?\"}]}";
        for _ in 0..3 {
            exchange(proxy.address, &post("/v1/chat/completions", chat)).await;
        }
        exchange(proxy.address, &get("/v1/models")).await;
        let metrics = exchange(proxy.admin, &get("/metrics")).await.text();
        for line in [
            "foreword_decisions_total{decision=\"injected\"} 3",
            "foreword_requests_total{route=\"chat\",status=\"2xx\",ending=\"complete\"} 3",
            "foreword_requests_total{route=\"passthrough\",status=\"2xx\",ending=\"complete\"} 1",
            "foreword_plan_cache_hits_total 2",
            "foreword_plan_cache_misses_total 1",
            "foreword_upstream_prompt_tokens_total 15",
            "foreword_in_flight_requests 0",
            "foreword_snapshot_items 4",
            "# EOF",
        ] {
            assert!(metrics.lines().any(|found| found == line), "`{line}` is not in\n{metrics}");
        }
        assert!(!metrics.contains("anvil"), "no text of a request in a metric");
    });
}

#[test]
fn a_receipt_is_found_under_the_id_that_its_answer_says() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let config = [("live.store", "live.sqlite")];
        let proxy = Proxy::of(Site::new(), &upstream.url(), &config).await;
        let chat =
            "{\"messages\":[{\"role\":\"user\",\"content\":\"Which anvil is the lightest to carry?\"}]}";
        let answer = exchange(proxy.address, &post("/v1/chat/completions", chat)).await;
        let path = format!("/receipts/{}", answer.header("x-foreword-receipt").unwrap());
        let began = std::time::Instant::now();
        let receipt = loop {
            let found = exchange(proxy.admin, &get(&path)).await;
            if found.status == 200 {
                break found.text();
            }
            // It is written a moment after the answer has ended.
            assert!(matches!(found.status, 404 | 503), "{}", found.text());
            assert!(began.elapsed().as_secs() < 20, "{}", found.text());
        };
        let receipt: Value = serde_json::from_str(&receipt).unwrap();
        assert_eq!((&receipt["decision"], &receipt["brand"]), (&"injected".into(), &"acme".into()));
        assert!(!receipt.to_string().contains("carry?"));
        for unknown in ["/receipts/", "/receipts/nobody", "/receipts/%00", "/receipts/../metrics"] {
            assert_eq!(exchange(proxy.admin, &get(unknown)).await.status, 404, "{unknown}");
        }
        let without = Proxy::start(&upstream.url()).await;
        let found = exchange(without.admin, &get(&path)).await;
        assert!(found.status == 404 && found.text().contains("live.store"), "{}", found.text());
    });
}
