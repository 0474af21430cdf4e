//! What goes wrong: upstreams that are down, break off or talk rubbish, clients that hang up or stall,
//! retrieval that fails. The client gets the upstream's bytes or an honest error.

use std::time::Duration;

use serde_json::Value;

use crate::support::client::{Answer, Connection, exchange, get, post, post_with};
use crate::support::proxy::{Proxy, Site};
use crate::support::upstream::{Step, Upstream, chunk, json_answer, stream_head};
use crate::support::{run, until};

const CHAT: &str = "/v1/chat/completions";
const BODY: &str = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Which anvil is the lightest to carry?\"}]}";

fn error_of(answer: &Answer) -> (u16, String) {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{}", answer.text()));
    assert_eq!(body["error"]["type"], "foreword_error");
    assert!(!body["error"]["message"].as_str().unwrap().is_empty());
    assert_eq!(answer.header("content-type").unwrap(), "application/json");
    (answer.status, body["error"]["code"].as_str().unwrap().to_owned())
}

#[test]
fn an_upstream_that_gives_no_answer_is_an_honest_error() {
    run(async {
        let closed = {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            format!("http://{}/v1", listener.local_addr().unwrap())
        };
        let resetting = Upstream::start(|_| vec![Step::Reset]).await;
        let closing = Upstream::start(|_| vec![Step::Close]).await;
        let garbage =
            Upstream::start(|_| vec![Step::Send(b"not http at all\r\n\r\n".to_vec()), Step::Close]).await;
        let silent = Upstream::start(|_| vec![Step::AwaitHangUp]).await;
        let plain = Upstream::answering("{}").await;
        let tls_to_plain = format!("https://{}/v1", plain.address);
        for (url, config, expected) in [
            (closed, vec![], (502, "upstream_unreachable")),
            (resetting.url(), vec![], (502, "upstream_broken")),
            (closing.url(), vec![], (502, "upstream_broken")),
            (garbage.url(), vec![], (502, "upstream_broken")),
            (tls_to_plain, vec![("upstream.connect_timeout", "100ms")], (502, "upstream_unreachable")),
            (silent.url(), vec![("upstream.first_byte_timeout", "50ms")], (504, "upstream_timeout")),
        ] {
            let proxy = Proxy::of(Site::new(), &url, &config).await;
            let answer = exchange(proxy.address, &post(CHAT, BODY)).await;
            let (status, code) = error_of(&answer);
            assert_eq!((status, code.as_str()), expected, "{url}");
            assert_eq!(answer.header("x-foreword-error").unwrap(), expected.1);
            assert_eq!(answer.header("x-foreword-decision").unwrap(), "injected");
            assert!(answer.header("x-foreword-receipt").is_some());
            assert!(!answer.text().contains("127.0.0.1"), "no address in an error");
        }
    });
}

#[test]
fn errors_of_the_upstream_pass_untouched() {
    run(async {
        let html = "<html>Bad gateway</html>";
        let upstream = Upstream::start(move |_| {
            vec![Step::Send(
                format!("HTTP/1.1 429 Slow Down\r\ncontent-type: text/html\r\nretry-after: 7\r\nx-vendor: 1\r\ncontent-length: {}\r\n\r\n{html}", html.len()).into_bytes(),
            )]
        })
        .await;
        let proxy = Proxy::start(&upstream.url()).await;
        let answer = exchange(proxy.address, &post(CHAT, BODY)).await;
        assert_eq!((answer.status, answer.text().as_str()), (429, html));
        assert_eq!(answer.header("retry-after").unwrap(), "7");
        assert_eq!(answer.header("x-vendor").unwrap(), "1");
        assert_eq!(answer.header("x-foreword-error"), None);
    });
}

#[test]
fn a_stream_that_breaks_off_breaks_off_for_the_client_too() {
    run(async {
        let upstream = Upstream::start(|_| {
            vec![Step::Send([stream_head(), chunk(b"data: a\n\n")].concat()), Step::Close]
        })
        .await;
        let proxy = Proxy::start(&upstream.url()).await;
        let answer = exchange(proxy.address, &post(CHAT, BODY)).await;
        assert_eq!((answer.status, answer.text().as_str(), answer.complete), (200, "data: a\n\n", false));
        until("the ending is counted", || {
            proxy.metrics.render().unwrap().contains("status=\"2xx\",ending=\"failed\"} 1")
        })
        .await;
    });
}

#[test]
fn a_slow_stream_passes_byte_by_byte() {
    run(async {
        let text = b"data: slow\n\n";
        let upstream = Upstream::start(|_| {
            let answer = b"HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: slow\n\n".to_vec();
            vec![Step::Trickle(answer, Duration::from_millis(2)), Step::Close]
        })
        .await;
        let proxy = Proxy::start(&upstream.url()).await;
        let answer = exchange(proxy.address, &post(CHAT, BODY)).await;
        assert_eq!(answer.body, text);
        assert!(answer.head.starts_with("HTTP/1.1 200 OK"), "{}", answer.head);
        assert!(answer.complete);
    });
}

#[test]
fn a_silent_stream_is_given_up() {
    run(async {
        let upstream = Upstream::start(|_| {
            vec![Step::Send([stream_head(), chunk(b"data: a\n\n")].concat()), Step::AwaitHangUp]
        })
        .await;
        let proxy = Proxy::of(Site::new(), &upstream.url(), &[("upstream.idle_timeout", "80ms")]).await;
        let answer = exchange(proxy.address, &post(CHAT, BODY)).await;
        assert!(!answer.complete);
        until("the upstream sees the end", || upstream.hang_ups() == 1).await;
    });
}

#[test]
fn a_client_that_hangs_up_cancels_the_upstream() {
    run(async {
        let upstream = Upstream::start(|_| {
            vec![Step::Send([stream_head(), chunk(b"data: a\n\n")].concat()), Step::AwaitHangUp]
        })
        .await;
        let proxy = Proxy::start(&upstream.url()).await;
        let mut connection = Connection::open(proxy.address).await;
        connection.send(&post(CHAT, BODY)).await;
        connection.read_until(b"data: a\n\n").await;
        drop(connection);
        until("the upstream sees the hang-up", || upstream.hang_ups() == 1).await;
        until("the ending is counted", || {
            proxy.metrics.render().unwrap().contains("status=\"2xx\",ending=\"cancelled\"} 1")
        })
        .await;
        until("nothing is in flight", || proxy.metric("foreword_in_flight_requests") == 0.0).await;
    });
}

#[test]
fn a_pooled_connection_that_died_is_replaced() {
    run(async {
        // Each connection answers one request as if it were kept, and ends.
        let upstream =
            Upstream::start(|_| vec![Step::Send(json_answer("{}")), Step::EndSending, Step::AwaitHangUp])
                .await;
        let proxy = Proxy::start(&upstream.url()).await;
        for number in 1..=20 {
            assert_eq!(exchange(proxy.address, &post(CHAT, BODY)).await.status, 200);
            until("the proxy has noticed the end", || upstream.hang_ups() == number).await;
        }
    });
}

#[test]
fn too_many_requests_at_once_are_turned_away_until_one_has_ended() {
    run(async {
        let upstream = Upstream::start(|_| {
            vec![Step::Send([stream_head(), chunk(b"data: a\n\n")].concat()), Step::AwaitHangUp]
        })
        .await;
        let proxy = Proxy::of(Site::new(), &upstream.url(), &[("server.max_requests", "1")]).await;
        let mut first = Connection::open(proxy.address).await;
        first.send(&post(CHAT, BODY)).await;
        // The head is here and the stream runs: its place is still taken.
        first.read_until(b"data: a\n\n").await;
        let answer = exchange(proxy.address, &post(CHAT, BODY)).await;
        assert_eq!(error_of(&answer), (503, "too_many_requests_at_once".to_owned()));
        assert_eq!(answer.header("retry-after").unwrap(), "1");
        drop(first);
        let started = std::time::Instant::now();
        loop {
            let mut second = Connection::open(proxy.address).await;
            second.send(&post(CHAT, BODY)).await;
            let head = second.read_until(b"\r\n\r\n").await;
            if head.starts_with(b"HTTP/1.1 200") {
                break;
            }
            assert!(started.elapsed() < Duration::from_secs(30), "the place was never free");
        }
    });
}

#[test]
fn a_client_that_stalls_is_given_up() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let config = [("server.header_timeout", "100ms"), ("server.body_timeout", "100ms")];
        let proxy = Proxy::of(Site::new(), &upstream.url(), &config).await;
        for beginning in ["", "PRI * HT", "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"] {
            let mut connection = Connection::open(proxy.address).await;
            connection.send(beginning.as_bytes()).await;
            assert!(connection.is_closed().await, "{beginning}");
        }
        for path in [CHAT, "/v1/embeddings"] {
            let mut connection = Connection::open(proxy.address).await;
            connection.send(format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{").as_bytes()).await;
            let answer = connection.answer().await;
            assert_eq!(answer.status, 408, "{path}: {}", answer.head);
            assert_eq!(answer.header("x-foreword-error").unwrap(), "request_body_timeout");
        }
        assert!(upstream.received().is_empty());
    });
}

#[test]
fn a_body_that_only_trickles_is_given_up() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::of(Site::new(), &upstream.url(), &[("server.body_timeout", "200ms")]).await;
        for path in [CHAT, "/v1/embeddings"] {
            let mut connection = Connection::open(proxy.address).await;
            connection.send(format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{{").as_bytes()).await;
            // Never silent for as long as the timeout, and over long before the last byte.
            let mut trickle = tokio::time::interval(Duration::from_millis(20));
            let mut sent = 0;
            let answered = loop {
                tokio::select! {
                    biased;
                    () = connection.wait_for(b"\r\n\r\n") => break true,
                    _ = trickle.tick() => {}
                }
                if sent == 900 {
                    break false;
                }
                connection.send(b" ").await;
                sent += 1;
            };
            assert!(answered, "{path}: still reading after {sent} bytes");
            let answer = connection.answer().await;
            assert_eq!(answer.status, 408, "{path}: {}", answer.head);
            assert_eq!(answer.header("x-foreword-error").unwrap(), "request_body_timeout");
        }
        assert!(upstream.received().is_empty());
    });
}

/// A conversation of so many turns that planning it takes far longer than a millisecond.
fn long_conversation(turns: usize) -> String {
    let turn = "{\"role\":\"user\",\"content\":\"Which anvil is the lightest to carry?\"},{\"role\":\"assistant\",\"content\":\"ok\"},";
    format!("{{\"messages\":[{}{{\"role\":\"user\",\"content\":\"thanks\"}}]}}", turn.repeat(turns))
}

#[test]
fn invariant_5_t7_retrieval_that_is_late_lets_the_request_go_on() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let config = [("retrieval.deadline", "1ms"), ("retrieval.deadline_cap", "1ms")];
        let proxy = Proxy::of(Site::new(), &upstream.url(), &config).await;
        let body = long_conversation(2_000);
        let answer = exchange(proxy.address, &post(CHAT, &body)).await;
        assert_eq!((answer.status, answer.decision().as_str()), (200, "deadline"));
        assert_eq!(upstream.last().body, body.as_bytes());
        assert_eq!(proxy.metric("foreword_decisions_total{decision=\"deadline\"}"), 1.0);
        assert_eq!(proxy.metric("foreword_prefix_breaks_total{cause=\"deadline\"}"), 1.0);
        // What went on in the background is there for a later request, which is injected whole.
        let started = std::time::Instant::now();
        loop {
            let answer = exchange(proxy.address, &post(CHAT, &body)).await;
            if answer.decision() == "injected" {
                break;
            }
            assert_eq!(upstream.last().body, body.as_bytes(), "whole or not at all");
            assert!(started.elapsed() < Duration::from_secs(120), "never planned: {}", answer.decision());
        }
    });
}

#[test]
fn invariant_5_retrieval_that_is_busy_lets_the_request_go_on() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::of(Site::new(), &upstream.url(), &[("retrieval.queue", "1")]).await;
        let ask = |number: usize| {
            let body = long_conversation(1_000 + number);
            async move {
                let answer = exchange(proxy.address, &post(CHAT, &body)).await;
                assert_eq!(answer.status, 200);
                answer.decision()
            }
        };
        let (a, b, c, d, e) = tokio::join!(ask(1), ask(2), ask(3), ask(4), ask(5));
        let decisions = [a, b, c, d, e];
        assert!(decisions.iter().any(|decision| decision == "overloaded"), "{decisions:?}");
        assert!(decisions.iter().any(|decision| decision == "injected"), "{decisions:?}");
    });
}

#[test]
fn a_long_conversation_holds_up_nobody_else() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        // One worker, and far more to plan than it can within the deadline of a short question.
        let config = [
            ("retrieval.workers", "1"),
            ("retrieval.deadline", "1s"),
            ("retrieval.deadline_cap", "1s"),
            ("retrieval.breaker_failures", "1000"),
        ];
        let proxy = Proxy::of(Site::new(), &upstream.url(), &config).await;
        let long = long_conversation(40_000);
        let hogs = async {
            let answer = exchange(proxy.address, &post(CHAT, &long)).await;
            assert_eq!((answer.status, answer.decision().as_str()), (200, "deadline"));
        };
        let short = async {
            until("the long one is planned", || proxy.metric("foreword_retrieval_jobs") > 0.0).await;
            for number in 0..5 {
                let body = BODY.replace("lightest", &format!("lightest of {number}"));
                let answer = exchange(proxy.address, &post(CHAT, body)).await;
                assert_eq!((answer.status, answer.decision().as_str()), (200, "injected"), "{number}");
            }
            assert!(proxy.metric("foreword_retrieval_jobs") > 0.0, "the long one is still being planned");
        };
        tokio::join!(hogs, short);
    });
}

#[test]
fn invariant_5_retrieval_that_is_always_late_is_left_alone_for_a_while() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let config = [
            ("retrieval.breaker_failures", "3"),
            ("retrieval.breaker_pause", "10m"),
            ("retrieval.deadline", "1ms"),
            ("retrieval.deadline_cap", "1ms"),
            ("retrieval.workers", "1"),
        ];
        let proxy = Proxy::of(Site::new(), &upstream.url(), &config).await;
        let mut decisions = Vec::new();
        for round in 0..10 {
            // The only worker has a long conversation to plan, and those behind it wait in vain.
            let long = long_conversation(5_000).replace("thanks", &format!("thanks, {round}"));
            assert_eq!(exchange(proxy.address, &post(CHAT, &long)).await.status, 200);
            for number in 0..4 {
                let body = BODY.replace("lightest", &format!("lightest of {round} and {number}"));
                let answer = exchange(proxy.address, &post(CHAT, &body)).await;
                assert_eq!(answer.status, 200);
                if answer.decision() != "injected" {
                    assert_eq!(upstream.last().body, body.as_bytes());
                }
                decisions.push(answer.decision());
            }
            if decisions.last().is_some_and(|decision| decision == "breaker_open") {
                break;
            }
        }
        assert_eq!(decisions.last().map(String::as_str), Some("breaker_open"), "{decisions:?}");
        assert!(decisions.iter().filter(|decision| *decision == "deadline").count() >= 3, "{decisions:?}");
        assert_eq!(proxy.metric("foreword_breaker_open"), 1.0);
        assert_eq!(proxy.metric("foreword_breaker_openings_total"), 1.0);
    });
}

#[test]
fn paths_outside_of_the_list_are_refused_with_the_operators_key() {
    run(async {
        // PATH is a variable that every machine has; its value stands in for a key.
        let path = std::env::var("PATH").unwrap();
        for (named_by, name, key) in [
            ("upstream.api_key_env", "PATH", path.trim()),
            ("upstream.api_key_file", "key.txt", "sk-of-the-operator"),
        ] {
            let upstream = Upstream::answering("{}").await;
            let site = Site::new();
            site.write("key.txt", "sk-of-the-operator\n");
            let proxy = Proxy::of(site, &upstream.url(), &[(named_by, name)]).await;
            let answer = exchange(proxy.address, &get("/v1/organization/admin_api_keys")).await;
            assert_eq!(error_of(&answer), (403, "path_not_allowed".to_owned()));
            assert!(upstream.received().is_empty());
            let request = post_with(CHAT, "authorization: Bearer client\r\n", BODY);
            assert_eq!(exchange(proxy.address, &request).await.status, 200);
            assert_eq!(upstream.last().header("authorization").unwrap(), format!("Bearer {key}"));
        }
    });
}

#[test]
fn large_and_long_bodies_are_answered() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::start(&upstream.url()).await;
        let large =
            format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"{}\"}}]}}", "x".repeat(10 << 20));
        let answer = exchange(proxy.address, &post(CHAT, &large)).await;
        assert_eq!((answer.status, answer.decision().as_str()), (200, "too_large"));
        assert_eq!(upstream.last().body.len(), large.len());
        let pairs = "{\"role\":\"user\",\"content\":\"Which anvil is the lightest to carry?\"},{\"role\":\"assistant\",\"content\":\"ok\"},".repeat(2_500);
        let many = format!("{{\"messages\":[{pairs}{{\"role\":\"user\",\"content\":\"thanks\"}}]}}");
        let answer = exchange(proxy.address, &post(CHAT, &many)).await;
        assert_eq!((answer.status, answer.decision().as_str()), (200, "injected"));
        assert!(upstream.last().body.len() > many.len());
    });
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::start(&upstream.url()).await;
        let long = post_with(CHAT, &format!("x-long: {}\r\n", "x".repeat(100_000)), BODY);
        let many = post_with(CHAT, &"x-many: 1\r\n".repeat(500), BODY);
        for request in [long, many] {
            let answer = exchange(proxy.address, &request).await;
            assert_eq!(answer.status, 431);
        }
        assert!(upstream.received().is_empty());
    });
}

#[test]
fn shutdown_lets_streams_end_and_counts_what_it_cuts() {
    run(async {
        let go_on = std::sync::Arc::new(tokio::sync::Notify::new());
        let waiting = std::sync::Arc::clone(&go_on);
        let upstream = Upstream::start(move |_| {
            vec![
                Step::Send([stream_head(), chunk(b"data: a\n\n")].concat()),
                Step::Wait(std::sync::Arc::clone(&waiting)),
                Step::Send([chunk(b"data: b\n\n"), chunk(b"")].concat()),
            ]
        })
        .await;
        let proxy = Proxy::start(&upstream.url()).await;
        let (address, admin) = (proxy.address, proxy.admin);
        let mut connection = Connection::open(address).await;
        connection.send(&post(CHAT, BODY)).await;
        connection.read_until(b"data: a\n\n").await;
        let serving = proxy.stop();
        until("no new connections", || std::net::TcpStream::connect(address).is_err()).await;
        for (path, status) in [("/readyz", 503), ("/healthz", 200)] {
            assert_eq!(exchange(admin, &get(path)).await.status, status, "{path}");
        }
        go_on.notify_one();
        connection.read_until(b"data: b\n\n").await;
        assert_eq!(serving.await.unwrap().cut, 0);

        let stuck = Upstream::start(|_| {
            vec![Step::Send([stream_head(), chunk(b"data: a\n\n")].concat()), Step::AwaitHangUp]
        })
        .await;
        let proxy = Proxy::of(Site::new(), &stuck.url(), &[("server.drain_timeout", "100ms")]).await;
        let mut connection = Connection::open(proxy.address).await;
        connection.send(&post(CHAT, BODY)).await;
        connection.read_until(b"data: a\n\n").await;
        assert_eq!(proxy.stop().await.unwrap().cut, 1);
    });
}
