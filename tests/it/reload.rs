//! Files change while requests run: what was saved serves within a second, what is broken does not.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::client::{exchange, post};
use crate::support::proxy::{Proxy, Site};
use crate::support::upstream::Upstream;
use crate::support::{run, until};

const CHAT: &str = "/v1/chat/completions";
const QUESTION: &str =
    "{\"messages\":[{\"role\":\"user\",\"content\":\"Where is the purple umbrella factory located?\"}]}";
const ITEM: &str =
    "# Purple umbrella factory located where\n\nThe purple umbrella factory of Acme is located in Ulm.\n";

struct Watched {
    upstream: Upstream,
    proxy: Proxy,
}

impl Watched {
    async fn start(config: &[(&'static str, &str)]) -> Watched {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::of(Site::new(), &upstream.url(), config).await;
        let watched = Watched { upstream, proxy };
        assert!(!watched.told("Ulm").await);
        watched
    }

    /// Whether the question is answered with an item that holds `text`.
    async fn told(&self, text: &str) -> bool {
        let answer = exchange(self.proxy.address, &post(CHAT, QUESTION)).await;
        assert_eq!(answer.status, 200);
        String::from_utf8_lossy(&self.upstream.last().body).contains(text)
    }

    /// Asks until `told(text)` is `expected`; how long that took.
    async fn becomes(&self, text: &str, expected: bool) -> Duration {
        let started = Instant::now();
        while self.told(text).await != expected {
            assert!(started.elapsed() < Duration::from_secs(30), "`{text}` never became {expected}");
            tokio::task::yield_now().await;
        }
        started.elapsed()
    }

    fn reloads(&self, result: &str) -> f64 {
        self.proxy.metric(&format!("foreword_reloads_total{{result=\"{result}\"}}"))
    }
}

#[test]
fn invariant_8_saving_changes_answers_and_deleting_removes_them() {
    for mode in ["auto", "poll"] {
        run(async move {
            let watched = Watched::start(&[("knowledge.watch", mode)]).await;
            let file = watched.proxy.site.path("knowledge/acme/umbrella.md");
            fs::write(&file, ITEM).unwrap();
            watched.becomes("Ulm", true).await;
            // As editors save: another file is written and takes the place.
            let beside = file.with_file_name(".umbrella.md.swp");
            fs::write(&beside, ITEM.replace("Ulm", "Bonn")).unwrap();
            fs::rename(&beside, &file).unwrap();
            watched.becomes("Bonn", true).await;
            fs::remove_file(&file).unwrap();
            watched.becomes("Bonn", false).await;
        });
    }
}

#[test]
fn invariant_8_t13_a_bad_file_keeps_the_last_good_state() {
    run(async {
        let watched = Watched::start(&[]).await;
        let site = &watched.proxy.site;
        site.write("knowledge/acme/umbrella.md", ITEM);
        watched.becomes("Ulm", true).await;
        site.write("knowledge/acme/umbrella.md", &ITEM.replace("Ulm", "Bonn"));
        site.write("knowledge/acme/broken.md", "---\ntags: [a\n---\n# T\n\nx\n");
        until("a rejected reload", || watched.reloads("rejected") > 0.0).await;
        // Whatever was live before the broken file came serves on, whole: no third state.
        assert!(watched.told("Ulm").await || watched.told("Bonn").await);
        let rejected = watched.reloads("rejected");
        // A recipe that does not parse is caught here, never by a request.
        site.write("prompts/pairs.md", "---\nplacement: pairs\n---\n## fact.user\n{{ item.");
        site.write("knowledge/acme/broken.md", "# Fine\n\nAgain.\n");
        until("another rejected reload", || watched.reloads("rejected") > rejected).await;
        assert!(watched.told("Ulm").await || watched.told("Bonn").await);
        site.write("prompts/pairs.md", include_str!("../../prompts/pairs.md"));
        watched.becomes("Bonn", true).await;
    });
}

#[test]
fn a_folder_that_is_replaced_or_gone_is_noticed() {
    run(async {
        let watched = Watched::start(&[]).await;
        let knowledge = watched.proxy.site.path("knowledge");
        let moved = watched.proxy.site.path("old");
        fs::rename(&knowledge, &moved).unwrap();
        until("a rejected reload", || watched.reloads("rejected") > 0.0).await;
        assert!(!watched.told("Ulm").await, "requests go on");
        for name in ["brand.toml", "products.md"] {
            let text = fs::read_to_string(moved.join("acme").join(name)).unwrap();
            watched.proxy.site.write(&format!("knowledge/acme/{name}"), &text);
        }
        watched.proxy.site.write("knowledge/acme/umbrella.md", ITEM);
        watched.becomes("Ulm", true).await;
    });
}

#[test]
fn items_come_and_go_at_their_minute_without_a_reload_of_files() {
    run(async {
        let site = Site::new();
        let until = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(2);
        site.write("knowledge/acme/umbrella.md", &format!("---\nvalid_until: {until}\n---\n{ITEM}"));
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::of(site, &upstream.url(), &[("knowledge.watch", "off")]).await;
        let watched = Watched { upstream, proxy };
        assert!(watched.told("Ulm").await);
        watched.becomes("Ulm", false).await;
        assert!(jiff::Timestamp::now() >= until);
    });
}

#[test]
fn a_reload_breaks_the_prefix_and_is_counted() {
    run(async {
        let watched = Watched::start(&[]).await;
        let site = &watched.proxy.site;
        site.write("knowledge/acme/umbrella.md", ITEM);
        watched.becomes("Ulm", true).await;
        let two = QUESTION.replace(
            "]}",
            ",{\"role\":\"assistant\",\"content\":\"ok\"},{\"role\":\"user\",\"content\":\"thanks\"}]}",
        );
        exchange(watched.proxy.address, &post(CHAT, &two)).await;
        site.write("knowledge/acme/umbrella.md", &ITEM.replace("Ulm", "Bonn"));
        watched.becomes("Bonn", true).await;
        exchange(watched.proxy.address, &post(CHAT, &two)).await;
        assert!(watched.proxy.metric("foreword_prefix_breaks_total{cause=\"reload\"}") >= 1.0);
    });
}
