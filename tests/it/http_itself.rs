//! HTTP itself: versions in every pairing, trailers, expectations, pipelines, informational answers, framing that two
//! readers could read in two ways.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

use crate::support::client::{Connection, exchange, get, post};
use crate::support::proxy::{Proxy, Site};
use crate::support::run;
use crate::support::upstream::{Step, Upstream, chunk, json_answer};

const CHAT: &str = "/v1/chat/completions";
const BODY: &str = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Which anvil is the lightest to carry?\"}]}";

fn trailers(name: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(http::HeaderName::from_static(name), HeaderValue::from_static("7"))])
}

/// A body of no stated length, since over HTTP/1.1 only a chunked one has trailers.
struct Pieces(VecDeque<Frame<Bytes>>);

impl Pieces {
    fn new(data: impl Into<Bytes>, trailer: &'static str) -> Pieces {
        Pieces(VecDeque::from([Frame::data(data.into()), Frame::trailers(trailers(trailer))]))
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}

/// Says what arrived, and sends a trailer of its own.
async fn tell(request: Request<Incoming>) -> Result<Response<Pieces>, Infallible> {
    let version = request.version();
    let body = request.into_body().collect().await.unwrap();
    let trailer = body.trailers().and_then(|trailers| trailers.get("x-up")).cloned();
    let seen = format!("{version:?} {} {trailer:?}", body.to_bytes().len() > 1);
    Ok(Response::builder().header("trailer", "x-down").body(Pieces::new(seen, "x-down")).unwrap())
}

/// An upstream that speaks one version of HTTP.
async fn telling_upstream(version: Version) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (stream, service) = (TokioIo::new(stream), hyper::service::service_fn(tell));
            tokio::spawn(async move {
                let _closed = if version == Version::HTTP_2 {
                    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    server.serve_connection(stream, service).await
                } else {
                    hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await
                };
            });
        }
    });
    url
}

#[test]
fn every_pairing_of_versions_carries_bodies_and_trailers_both_ways() {
    run(async {
        for upstream_version in [Version::HTTP_11, Version::HTTP_2] {
            let url = telling_upstream(upstream_version).await;
            let knowledge = if upstream_version == Version::HTTP_2 { "true" } else { "false" };
            let proxy = Proxy::of(Site::new(), &url, &[("upstream.http2_prior_knowledge", knowledge)]).await;
            for client_version in [Version::HTTP_11, Version::HTTP_2] {
                let client: Client<_, _> = Client::builder(TokioExecutor::new())
                    .http2_only(client_version == Version::HTTP_2)
                    .build_http();
                for path in [CHAT, "/v1/embeddings"] {
                    let request = Request::post(format!("http://{}{path}", proxy.address))
                        .header("te", "trailers")
                        .header("trailer", "x-up")
                        .body(Pieces::new(BODY, "x-up"))
                        .unwrap();
                    let pairing = format!("{client_version:?} to {upstream_version:?} {path}");
                    let response = client.request(request).await.unwrap();
                    assert_eq!(response.version(), client_version, "{pairing}");
                    let body = response.into_body().collect().await.unwrap();
                    assert_eq!(body.trailers(), Some(&trailers("x-down")), "{pairing}");
                    let expected = format!("{upstream_version:?} true Some(\"7\")");
                    assert_eq!(body.to_bytes(), expected, "{pairing}");
                }
            }
        }
    });
}

#[test]
fn a_client_that_waits_to_be_told_sends_its_body_then() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::start(&upstream.url()).await;
        for path in [CHAT, "/v1/embeddings"] {
            let mut client = Connection::open(proxy.address).await;
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
                BODY.len()
            );
            client.send(head.as_bytes()).await;
            let told = client.read_until(b"\r\n\r\n").await;
            assert!(told.starts_with(b"HTTP/1.1 100 Continue\r\n"), "{path}");
            client.send(BODY.as_bytes()).await;
            assert_eq!(client.answer().await.status, 200, "{path}");
            let received = upstream.last();
            assert!(String::from_utf8_lossy(&received.body).contains("lightest"), "{path}");
            assert_eq!(received.header("expect"), None);
        }
    });
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    run(async {
        let upstream = Upstream::start(|request| {
            let asked = request.request_line().split(' ').nth(1).unwrap().to_owned();
            vec![Step::Send(json_answer(&asked))]
        })
        .await;
        let proxy = Proxy::start(&upstream.url()).await;
        let mut client = Connection::open(proxy.address).await;
        let all: Vec<u8> = (0..20)
            .flat_map(|n| if n % 3 == 0 { post(CHAT, BODY) } else { get(&format!("/v1/models/{n}")) })
            .collect();
        client.send(&all).await;
        for n in 0..20 {
            let expected = if n % 3 == 0 { CHAT.to_owned() } else { format!("/v1/models/{n}") };
            assert_eq!(client.answer().await.text(), expected);
        }
    });
}

#[test]
fn informational_answers_do_not_get_into_the_way_of_the_real_one() {
    run(async {
        let upstream = Upstream::start(|_| {
            let before = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n";
            vec![Step::Send([before.as_bytes(), &json_answer("{\"id\":1}")].concat())]
        })
        .await;
        let proxy = Proxy::start(&upstream.url()).await;
        let mut client = Connection::open(proxy.address).await;
        for request in [post(CHAT, BODY), get("/v1/models"), post("/v1/embeddings", BODY)] {
            client.send(&request).await;
            let answer = client.answer().await;
            assert_eq!((answer.status, answer.text().as_str()), (200, "{\"id\":1}"));
            assert_eq!(answer.header("link"), None);
        }
    });
}

#[test]
fn framing_that_cannot_be_trusted_is_refused() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::start(&upstream.url()).await;
        let chunked = "POST /v1/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n";
        let mut broken = 0;
        for request in [
            format!("{chunked}\r\nzz\r\nabc\r\n0\r\n\r\n"),
            format!("{chunked}\r\n-3\r\nabc\r\n0\r\n\r\n"),
            format!("{chunked}\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
            format!("{chunked}\r\n3 x\r\nabc\r\n0\r\n\r\n"),
            format!("{chunked}\r\n3\r\nabcdef\r\n0\r\n\r\n"),
            format!("{chunked}\r\n3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(1 << 20)),
            "POST /v1/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n"
                .to_owned(),
            "POST /v1/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n".to_owned(),
            "POST /v1/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n"
                .to_owned(),
            "POST /v1/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n".to_owned(),
            "POST /v1/x HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
            "POST /v1/x HTTP/1.1\r\nhost: a\r\ncontent-length: 3, 4\r\n\r\nabcd".to_owned(),
            "POST /v1/x HTTP/1.1\r\nhost: a\r\ncontent-length: +3\r\n\r\nabc".to_owned(),
            "POST /v1/x HTTP/1.1\r\nhost: a\r\ncontent-length : 3\r\n\r\nabc".to_owned(),
            "GET /v1/x HTTP/1.1\r\nhost: a\r\nx-a: b\r\n folded\r\n\r\n".to_owned(),
            "GET /v1/x HTTP/1.1\r\nhost: a\r\nx-a: b\0c\r\n\r\n".to_owned(),
            "GET /v1/x\thttp HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
        ] {
            let answer = exchange(proxy.address, request.as_bytes()).await;
            assert_eq!(answer.status, 400, "{request:.120}");
            broken += usize::from(
                answer.header("x-foreword-error").is_some_and(|code| code == "request_body_broken"),
            );
        }
        // A body that streams has begun by the time that it breaks; what arrives upstream is no whole request.
        assert!(upstream.received().is_empty(), "{:?}", upstream.received());
        assert!(broken > 0, "bodies that break are answered by the proxy");
    });
}

#[test]
fn an_answer_with_both_lengths_is_as_long_as_its_chunks() {
    run(async {
        for length in [2, 50] {
            let upstream = Upstream::start(move |_| {
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n"
                );
                let sent = [head.as_bytes(), &chunk(b"hello"), &chunk(b"")].concat();
                vec![Step::Send(sent), Step::Close]
            })
            .await;
            let proxy = Proxy::start(&upstream.url()).await;
            for request in [post(CHAT, BODY), get("/v1/models")] {
                let answer = exchange(proxy.address, &request).await;
                assert_eq!(
                    (answer.body.as_slice(), answer.complete),
                    (&b"hello"[..], true),
                    "{}",
                    answer.head
                );
                assert_eq!(answer.header("content-length"), None);
            }
        }
    });
}

#[test]
fn an_empty_body_keeps_its_length() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::start(&upstream.url()).await;
        for path in [CHAT, "/v1/responses/r/cancel"] {
            assert_eq!(exchange(proxy.address, &post(path, "")).await.status, 200);
            // Some servers answer 411 without it.
            assert_eq!(upstream.last().header("content-length").as_deref(), Some("0"), "{path}");
        }
    });
}

#[test]
fn a_request_with_both_lengths_leaves_with_one_and_is_the_last() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::start(&upstream.url()).await;
        for both in [
            "content-length: 44\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: chunked\r\ncontent-length: 44\r\n",
        ] {
            let before = upstream.received().len();
            // To a reader of the length, the second request is the end of the body of the first.
            let request = format!(
                "POST /v1/x HTTP/1.1\r\nhost: a\r\n{both}\r\n3\r\nabc\r\n0\r\n\r\nGET /v1/hidden HTTP/1.1\r\nhost: a\r\n\r\n"
            );
            let mut client = Connection::open(proxy.address).await;
            client.send(request.as_bytes()).await;
            assert_eq!(client.answer().await.status, 200);
            let received = upstream.received().remove(before);
            assert_eq!(received.body, b"abc");
            assert_eq!(received.header("content-length"), None);
            assert_eq!(received.header("transfer-encoding").unwrap(), "chunked");
            // What follows is not read at all: the connection cannot be trusted any more.
            assert!(client.is_closed().await);
            assert_eq!(upstream.received().len(), before + 1);
        }
    });
}
