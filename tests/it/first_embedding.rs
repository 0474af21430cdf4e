//! The first start with many texts: words serve while vectors are computed, and what was computed is kept.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use foreword::retrieval::VectorStore;

use crate::support::client::{exchange, get, post};
use crate::support::proxy::{Proxy, Site};
use crate::support::retrieval::{embedder, model_folder, warm};
use crate::support::run;
use crate::support::upstream::Upstream;

const CHAT: &str = "/v1/chat/completions";

fn question(text: &str) -> String {
    format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"{text}\"}}]}}")
}

/// A site with so many items more.
fn large_site(items: usize) -> Site {
    let site = Site::new();
    let text: String = (0..items)
        .map(|number| {
            format!(
                "# Horseshoe pattern {number}\n\nPattern {number} of Acme is for a hoof of size {number}.\n\n"
            )
        })
        .collect();
    site.write("knowledge/acme/patterns.md", &text);
    site
}

async fn retrieval(proxy: &Proxy) -> String {
    let answer = exchange(proxy.admin, &get("/readyz")).await.text();
    let body: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(body["snapshot"]["texts_waiting"].as_u64().unwrap() > 0, body["retrieval"] == "lexical");
    body["retrieval"].as_str().unwrap().to_owned()
}

#[test]
fn words_serve_while_vectors_are_computed_and_edits_are_served_meanwhile() {
    let site = large_site(12);
    let cache = site.path("cache");
    warm(&cache.join("vectors.bin"));
    run(async move {
        let model = model_folder().to_string_lossy().into_owned();
        let config = [
            ("retrieval.model", &*model),
            ("retrieval.lexical_first", "10"),
            ("knowledge.cache", &*cache.to_string_lossy()),
        ];
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::of(site, &upstream.url(), &config).await;
        assert_eq!(retrieval(&proxy).await, "lexical");
        let warranty = question("How long is the anvil warranty?");
        let answer = exchange(proxy.address, &post(CHAT, &warranty)).await;
        assert_eq!((answer.status, answer.decision().as_str()), (200, "injected"));
        let file = proxy.site.path("knowledge/acme/umbrella.md");
        fs::write(&file, "# Purple umbrella factory\n\nThe purple umbrella factory of Acme is in Ulm.\n")
            .unwrap();
        let umbrella = question("Where is the purple umbrella factory?");
        let asked = Instant::now();
        loop {
            exchange(proxy.address, &post(CHAT, &umbrella)).await;
            if String::from_utf8_lossy(&upstream.last().body).contains("Ulm") {
                break;
            }
            assert!(asked.elapsed() < Duration::from_secs(30), "the edit is not served");
        }
        let waited = Instant::now();
        while proxy.metric("foreword_texts_waiting") > 0.0 {
            assert!(waited.elapsed() < Duration::from_secs(40), "texts still have no vectors");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(retrieval(&proxy).await, "hybrid");
        assert!(cache.join("vectors.bin").exists());
        // The next start has nothing to wait for.
        let Proxy { site, .. } = proxy;
        let again = Proxy::of(site, &upstream.url(), &config).await;
        assert_eq!(retrieval(&again).await, "hybrid");
    });
}

#[test]
fn a_first_start_serves_by_words_at_once() {
    let site = Site::new();
    // A cache of nothing: neither the prompts that the gate is set by nor the examples of topics have vectors.
    let cache = site.path("cold");
    fs::create_dir(&cache).unwrap();
    fs::write(cache.join("vectors.bin"), "").unwrap();
    let cache = cache.to_string_lossy().into_owned();
    run(async move {
        let model = model_folder().to_string_lossy().into_owned();
        let config = [("retrieval.model", &*model), ("knowledge.cache", &*cache)];
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::of(site, &upstream.url(), &config).await;
        assert_eq!(retrieval(&proxy).await, "lexical");
        assert!(proxy.metric("foreword_texts_waiting") > 2_000.0);
        let answer = exchange(proxy.address, &post(CHAT, question("How long is the anvil warranty?"))).await;
        assert_eq!((answer.status, answer.decision().as_str()), (200, "injected"));
    });
}

#[test]
fn two_processes_on_one_cache_folder_both_serve_and_leave_a_sound_file() {
    let cache = tempfile::tempdir().unwrap();
    warm(&cache.path().join("vectors.bin"));
    // Each needs other vectors, and forgets what it does not need.
    let sites = [large_site(3), large_site(5)];
    let start = |site: &Site| {
        site.write("foreword.toml", "");
        Command::new(env!("CARGO_BIN_EXE_foreword"))
            .current_dir(site.folder.path())
            .args(["explain", "How long is the anvil warranty?"])
            .env_clear()
            .env("FOREWORD_RETRIEVAL__MODEL", model_folder())
            .env("FOREWORD_KNOWLEDGE__CACHE", cache.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    for _ in 0..2 {
        let running: Vec<Child> = sites.iter().map(start).collect();
        for process in running {
            let output = process.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && !said.contains("built anew"), "{said}");
            assert!(String::from_utf8_lossy(&output.stdout).contains("acme/products#anvil-warranty-length"));
        }
        let left: Vec<_> =
            fs::read_dir(cache.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["vectors.bin"]);
        let file = cache.path().join("vectors.bin");
        let (mut store, problem) = VectorStore::open(&file, Some(embedder().identity()));
        assert_eq!((problem, store.vector("Horseshoe pattern 2").is_some()), (None, true));
    }
}
