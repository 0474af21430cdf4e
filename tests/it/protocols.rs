//! HTTP/2 and TLS on either side, with a real client and real certificates.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::client::{exchange, post};
use crate::support::proxy::{Proxy, Site};
use crate::support::run;
use crate::support::upstream::{Step, Upstream};

const CHAT: &str = "/v1/chat/completions";
const BODY: &str = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Which anvil is the lightest to carry?\"}]}";

#[test]
fn http_2_clients_are_served_many_at_once_on_one_connection() {
    run(async {
        let upstream = Upstream::answering("{\"id\":\"a\"}").await;
        let proxy = Proxy::start(&upstream.url()).await;
        let client: Client<_, Full<Bytes>> =
            Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        let ask = || {
            let request = Request::post(format!("http://{}{CHAT}", proxy.address))
                .header("content-type", "application/json")
                .body(Full::new(Bytes::from_static(BODY.as_bytes())))
                .unwrap();
            let client = client.clone();
            tokio::spawn(async move {
                let response = client.request(request).await.unwrap();
                assert_eq!(response.version(), Version::HTTP_2);
                let decision = response.headers()["x-foreword-decision"].to_str().unwrap().to_owned();
                let body = response.into_body().collect().await.unwrap().to_bytes();
                (decision, body)
            })
        };
        let asked: Vec<_> = (0..20).map(|_| ask()).collect();
        for answer in asked {
            let (decision, body) = answer.await.unwrap();
            assert_eq!((decision.as_str(), &body[..]), ("injected", &b"{\"id\":\"a\"}"[..]));
        }
        assert_eq!(proxy.metric("foreword_open_connections"), 1.0);
    });
}

#[test]
fn cookies_that_come_in_pieces_leave_as_one_field() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::start(&upstream.url()).await;
        let client: Client<_, Full<Bytes>> =
            Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        let request = Request::post(format!("http://{}{CHAT}", proxy.address))
            .header("content-type", "application/json")
            .header("cookie", "a=1")
            .header("cookie", "b=\"2; 3\"")
            .body(Full::new(Bytes::from_static(BODY.as_bytes())))
            .unwrap();
        assert_eq!(client.request(request).await.unwrap().status(), 200);
        let head = upstream.last().head;
        assert_eq!(head.matches("cookie: ").count(), 1, "{head}");
        assert!(head.contains("cookie: a=1; b=\"2; 3\"\r\n"), "{head}");
    });
}

/// An upstream with a certificate of its own authority, which speaks what the client offers first.
async fn encrypted_upstream(protocols: &[&str]) -> (String, String) {
    let authority = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(authority.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![authority.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust the certificate hangs up here.
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service =
                    hyper::service::service_fn(|request: Request<hyper::body::Incoming>| async move {
                        let version = format!("{:?}", request.version());
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        let told = String::from_utf8_lossy(&body).contains("twelve kilograms");
                        let answer = format!("{version} {told}");
                        Ok::<_, hyper::Error>(http::Response::new(Full::new(Bytes::from(answer))))
                    });
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                let _closed = server.serve_connection(hyper_util::rt::TokioIo::new(stream), service).await;
            });
        }
    });
    (url, authority.cert.pem())
}

#[test]
fn tls_upstreams_are_trusted_by_the_named_authority_only() {
    run(async {
        for (protocols, answered) in
            [(vec!["h2", "http/1.1"], "HTTP/2.0 true"), (vec!["http/1.1"], "HTTP/1.1 true")]
        {
            let (url, certificate) = encrypted_upstream(&protocols).await;
            let site = Site::new();
            site.write("ca.pem", &certificate);
            let proxy = Proxy::of(site, &url, &[("upstream.ca_file", "ca.pem")]).await;
            let answer = exchange(proxy.address, &post(CHAT, BODY)).await;
            assert_eq!((answer.status, answer.text().as_str()), (200, answered));
            let proxy = Proxy::start(&url).await;
            let answer = exchange(proxy.address, &post(CHAT, BODY)).await;
            assert_eq!(
                (answer.status, answer.header("x-foreword-error").unwrap().as_str()),
                (502, "upstream_unreachable")
            );
        }
    });
}

#[test]
fn http_2_upstreams_over_plain_tcp_are_spoken_to_by_prior_knowledge() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service =
                    hyper::service::service_fn(|request: Request<hyper::body::Incoming>| async move {
                        let answer = format!("{:?} {}", request.version(), request.uri().path());
                        Ok::<_, hyper::Error>(http::Response::new(Full::new(Bytes::from(answer))))
                    });
                tokio::spawn(async move {
                    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    let _closed =
                        server.serve_connection(hyper_util::rt::TokioIo::new(stream), service).await;
                });
            }
        });
        let proxy = Proxy::of(Site::new(), &url, &[("upstream.http2_prior_knowledge", "true")]).await;
        let answer = exchange(proxy.address, &post(CHAT, BODY)).await;
        assert_eq!(answer.text(), format!("HTTP/2.0 {CHAT}"));
    });
}

#[test]
fn compressed_answers_pass_as_they_are() {
    run(async {
        let bytes = [0x1f, 0x8b, 8, 0, 0xff, 0, 0xfe];
        let upstream = Upstream::start(move |_| {
            let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", bytes.len()).into_bytes();
            answer.extend_from_slice(&bytes);
            vec![Step::Send(answer)]
        })
        .await;
        let proxy = Proxy::start(&upstream.url()).await;
        let answer = exchange(proxy.address, &post(CHAT, BODY)).await;
        assert_eq!(answer.body, bytes);
        assert_eq!(answer.header("content-encoding").unwrap(), "gzip");
    });
}
