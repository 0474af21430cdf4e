//! WebSockets: connections that become tunnels, and those that must not.

use crate::support::client::{Connection, exchange, get, post};
use crate::support::proxy::{Proxy, Site};
use crate::support::upstream::{Step, Upstream, json_answer};
use crate::support::{run, until};

const ASKED: &str = "GET /v1/realtime?model=m HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\nsec-websocket-key: k\r\nsec-websocket-version: 13\r\nsec-websocket-protocol: realtime\r\nx-foreword-brand: acme\r\nauthorization: Bearer client\r\n\r\n";
const SWITCHED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: accepted\r\n\r\nhello";

/// Switches over, says hello in the same breath, and answers each `ping`.
async fn switching_upstream() -> Upstream {
    Upstream::start(|request| match request.request_line() {
        "ping" => vec![Step::Send(b"pong".to_vec())],
        line if line.starts_with("GET /v1/realtime") => vec![Step::Send(SWITCHED.to_vec())],
        _ => vec![Step::Send(json_answer("{}"))],
    })
    .await
}

/// A client whose connection has become a tunnel.
async fn tunnel(proxy: &Proxy) -> Connection {
    let mut client = Connection::open(proxy.address).await;
    client.send(ASKED.as_bytes()).await;
    let head = String::from_utf8(client.read_until(b"\r\n\r\n").await).unwrap().to_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    for field in ["connection: upgrade\r\n", "upgrade: websocket\r\n", "sec-websocket-accept: accepted\r\n"] {
        assert!(head.contains(field), "{head}");
    }
    client.read_until(b"hello").await;
    client
}

fn ended(proxy: &Proxy, how: &str) -> bool {
    proxy.metrics.render().unwrap().contains(&format!("foreword_tunnels_total{{ending=\"{how}\"}} 1"))
}

#[test]
fn a_websocket_passes_both_ways_and_ends_with_either_side() {
    run(async {
        let upstream = switching_upstream().await;
        // A provider that is spoken to in HTTP/2 otherwise: a WebSocket needs a connection of its own.
        for prior_knowledge in ["false", "true"] {
            let config = [("upstream.http2_prior_knowledge", prior_knowledge)];
            let proxy = Proxy::of(Site::new(), &upstream.url(), &config).await;
            let mut client = tunnel(&proxy).await;
            let asked = upstream.last();
            assert_eq!(asked.request_line(), "GET /v1/realtime?model=m HTTP/1.1");
            for (name, value) in [
                ("connection", "upgrade"),
                ("upgrade", "websocket"),
                ("sec-websocket-key", "k"),
                ("sec-websocket-version", "13"),
                ("sec-websocket-protocol", "realtime"),
                ("authorization", "Bearer client"),
            ] {
                assert_eq!(asked.header(name).as_deref(), Some(value), "{name}");
            }
            assert_eq!(asked.header("x-foreword-brand"), None);
            for _ in 0..50 {
                client.send(b"ping\r\n\r\n").await;
                client.read_until(b"pong").await;
            }
            assert_eq!(proxy.metric("foreword_open_tunnels"), 1.0);
            drop(client);
            until("the tunnel ends with the client", || ended(&proxy, "closed")).await;
            assert_eq!(proxy.metric("foreword_open_tunnels"), 0.0);
        }
        let closing = Upstream::start(|_| vec![Step::Send(SWITCHED.to_vec()), Step::Close]).await;
        let proxy = Proxy::start(&closing.url()).await;
        let mut client = tunnel(&proxy).await;
        assert!(client.is_closed().await);
    });
}

#[test]
fn a_silent_tunnel_is_given_up_and_a_busy_one_is_not() {
    run(async {
        let upstream = switching_upstream().await;
        let proxy = Proxy::of(Site::new(), &upstream.url(), &[("upstream.idle_timeout", "1s")]).await;
        let mut client = tunnel(&proxy).await;
        let began = std::time::Instant::now();
        while began.elapsed() < std::time::Duration::from_millis(2500) {
            client.send(b"ping\r\n\r\n").await;
            client.read_until(b"pong").await;
        }
        assert!(client.is_closed().await);
        until("the silence is counted", || ended(&proxy, "silent")).await;
    });
}

#[test]
fn a_tunnel_takes_a_place_and_ends_with_the_process() {
    run(async {
        let upstream = switching_upstream().await;
        let config = [("server.max_requests", "1"), ("server.drain_timeout", "100ms")];
        let proxy = Proxy::of(Site::new(), &upstream.url(), &config).await;
        let mut client = tunnel(&proxy).await;
        assert_eq!(exchange(proxy.address, &get("/v1/models")).await.status, 503);
        let metrics = std::sync::Arc::clone(&proxy.metrics);
        assert_eq!(proxy.stop().await.unwrap().cut, 1);
        assert!(client.is_closed().await);
        assert!(metrics.render().unwrap().contains("foreword_tunnels_total{ending=\"shutdown\"} 1"));
    });
}

#[test]
fn an_upstream_that_does_not_switch_answers_as_always() {
    run(async {
        let upstream = Upstream::answering("{\"error\":1}").await;
        let proxy = Proxy::start(&upstream.url()).await;
        let mut client = Connection::open(proxy.address).await;
        for _ in 0..2 {
            client.send(ASKED.as_bytes()).await;
            assert_eq!(client.answer().await.text(), "{\"error\":1}");
        }
        client.send(&get("/v1/models")).await;
        assert_eq!(client.answer().await.status, 200);
        assert_eq!(proxy.metric("foreword_open_tunnels"), 0.0);
    });
}

#[test]
fn nothing_but_a_websocket_that_was_asked_for_becomes_a_tunnel() {
    run(async {
        let upstream = Upstream::start(|_| vec![Step::Send(SWITCHED.to_vec())]).await;
        let proxy = Proxy::start(&upstream.url()).await;
        let asked = |from: &str, to: &str| ASKED.replace(from, to).into_bytes();
        for request in [
            post("/v1/chat/completions", "{}"),
            get("/v1/realtime"),
            asked("upgrade: WebSocket", "upgrade: h2c"),
            asked("upgrade: WebSocket", "upgrade: websocket, h2c"),
            asked("connection: keep-alive, Upgrade", "connection: keep-alive"),
            asked("GET", "POST"),
        ] {
            let text = String::from_utf8_lossy(&request).into_owned();
            let answer = exchange(proxy.address, &request).await;
            assert_eq!(answer.status, 502, "{text}");
            assert_eq!(answer.header("x-foreword-error").unwrap(), "upstream_broken");
            assert_eq!(upstream.last().header("upgrade"), None, "{text}");
        }
        let other = Upstream::start(|_| {
            let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n";
            vec![Step::Send(head.into())]
        })
        .await;
        let proxy = Proxy::start(&other.url()).await;
        assert_eq!(exchange(proxy.address, ASKED.as_bytes()).await.status, 502);
    });
}
