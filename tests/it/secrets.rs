//! What a process under load writes anywhere holds neither keys nor the text of requests and answers; and keys change while
//! it runs.

use std::fs;
use std::io::Read;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use foreword::keys::{NewKey, entry};

use crate::support::client::{exchange, get, post_with};
use crate::support::process::Serving;
use crate::support::proxy::Site;
use crate::support::run;
use crate::support::upstream::{Received, Step, Upstream, json_answer};

const CHAT: &str = "/v1/chat/completions";
const OPERATOR: &str = "sk-operator-5d1c77aa20";
const CLIENT: &str = "sk-client-0b9e33f1c4";
/// What is said, in words that stand nowhere else.
const ASKED: &str = "Which anvil is the lightest to carry, asks Wilhelmine Quastenflosser?";
const ANSWERED: &str = "Take the zirconium one, dear Quastenflosser.";

fn address(text: &str) -> SocketAddr {
    text.to_socket_addrs().unwrap().next().unwrap()
}

/// A site that keeps everything it can, with one key for clients.
fn site() -> (Site, NewKey) {
    let site = Site::new();
    let key = NewKey::generate().unwrap();
    site.write("keys.toml", &entry(&key, "bot", &[], None));
    private(&site);
    site.write(
        "foreword.toml",
        "[retrieval]\nmodel = \"off\"\n[server]\nkeys = \"keys.toml\"\n[upstream]\napi_key_env = \"OPERATOR_KEY\"\n\
         [live]\nstore = \"live.sqlite\"\naudit_log = \"audit.jsonl\"\n[log]\nlevel = \"debug\"\nformat = \"json\"\n",
    );
    (site, key)
}

fn private(site: &Site) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(site.path("keys.toml"), fs::Permissions::from_mode(0o600)).unwrap();
}

fn serve(site: &Site, upstream: &str) -> Serving {
    Serving::start_with(site, &[], &[("OPERATOR_KEY", OPERATOR)], upstream)
}

/// Answers, refuses and fails in turn, and repeats what it was sent where a careless server would.
fn moody(request: &Received) -> Vec<Step> {
    let key = request.header("authorization").unwrap_or_default();
    let body = String::from_utf8_lossy(&request.body).into_owned();
    if body.contains("\"n\":1,") {
        return vec![Step::Send(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n".to_vec())];
    }
    if body.contains("\"n\":2,") {
        // It breaks off in the middle of its head.
        return vec![Step::Send(format!("HTTP/1.1 200 OK\r\nx-key: {key}\r\n").into_bytes()), Step::Close];
    }
    let said = format!(
        "{{\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"{ANSWERED}\"}},\"finish_reason\":\"stop\"}}]}}"
    );
    vec![Step::Send(json_answer(&said))]
}

#[test]
fn a_busy_run_writes_no_secret_and_no_text_anywhere() {
    run(async {
        let (site, key) = site();
        let upstream = Upstream::start(moody).await;
        let mut serving = serve(&site, &upstream.url());
        let mut log = serving.child.stderr.take().unwrap();
        let logged = std::thread::spawn(move || {
            let mut text = String::new();
            log.read_to_string(&mut text).unwrap();
            text
        });
        let (proxy, admin) = (address(&serving.address()), address(&serving.admin()));
        let mine = format!("x-foreword-key: {}\r\nauthorization: Bearer {CLIENT}\r\n", key.key);
        let stranger = NewKey::generate().unwrap().key;
        let strangers = format!("authorization: Bearer {stranger}\r\n");
        for number in 0..60 {
            let body = format!(
                "{{\"n\":{},\"stream\":{},\"messages\":[{{\"role\":\"user\",\"content\":\"{ASKED}\"}}]}}",
                number % 4,
                number % 3 == 0
            );
            for (path, headers) in
                [(CHAT, &mine), (CHAT, &strangers), ("/v1/organization/admin_api_keys", &mine)]
            {
                exchange(proxy, &post_with(path, headers, &body)).await;
            }
            // Broken JSON with the text in it.
            exchange(proxy, &post_with(CHAT, &mine, &body[..body.len() - 3])).await;
        }
        let metrics = exchange(admin, &get("/metrics")).await.text();
        assert!(metrics.contains("foreword_decisions_total{decision=\"injected\"}"), "{metrics}");
        serving.signal("TERM");
        assert_eq!(serving.child.wait().unwrap().code(), Some(0));
        let mut out = String::new();
        serving.rest.read_to_string(&mut out).unwrap();
        let err = logged.join().unwrap();
        assert!(err.lines().count() > 200 && err.contains("\"level\":\"DEBUG\""), "a line a request: {err}");
        let read = |name: &str| fs::read(site.path(name)).unwrap_or_default();
        assert!(read("audit.jsonl").len() > 10_000);
        let banner = serving.banner.clone();
        for (place, bytes) in [
            ("what it printed", [banner, out].concat().into_bytes()),
            ("the log", err.into_bytes()),
            ("the metrics", metrics.into_bytes()),
            ("the audit log", read("audit.jsonl")),
            ("the store", [read("live.sqlite"), read("live.sqlite-wal")].concat()),
        ] {
            for secret in [OPERATOR, CLIENT, &key.key, &stranger, "Quastenflosser", "zirconium"] {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{place} holds {secret}");
            }
        }
    });
}

#[test]
fn a_key_that_is_taken_out_of_the_file_opens_nothing_any_more() {
    run(async {
        let (site, key) = site();
        let upstream = Upstream::answering("{}").await;
        let serving = serve(&site, &upstream.url());
        let proxy = address(&serving.address());
        let ask = async |key: &NewKey| {
            let headers = format!("authorization: Bearer {}\r\n", key.key);
            exchange(proxy, &post_with(CHAT, &headers, "{\"messages\":[]}")).await.status
        };
        assert_eq!(ask(&key).await, 200);
        let other = NewKey::generate().unwrap();
        site.write("keys.toml", &entry(&other, "other", &[], None));
        let changed = Instant::now();
        while ask(&key).await != 401 {
            assert!(changed.elapsed() < Duration::from_secs(20), "the old key still opens");
        }
        assert_eq!(ask(&other).await, 200);
        // A file with a mistake changes nothing; and that nobody reads the log holds nothing up.
        site.write("keys.toml", &entry(&key, "bot", &[], None).replace("hash", "hsah"));
        serving.signal("HUP");
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(2) {
            assert_eq!((ask(&other).await, ask(&key).await), (200, 401));
        }
    });
}
