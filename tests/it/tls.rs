//! TLS towards clients: both protocols, renewal while running, bad files.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use foreword::server::{Tls, TlsSettings};
use http::{Request, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::proxy::{Proxy, Site};
use crate::support::upstream::Upstream;
use crate::support::{PATIENCE, run, until};

const BODY: &str =
    "{\"messages\":[{\"role\":\"user\",\"content\":\"Which anvil is the lightest to carry?\"}]}";

struct Certificate {
    chain: String,
    key: String,
    der: CertificateDer<'static>,
}

fn certificate() -> Certificate {
    certificate_until(2100)
}

/// One that ends with the beginning of a year.
fn certificate_until(year: i32) -> Certificate {
    let mut params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(year, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let made = params.self_signed(&key).unwrap();
    Certificate { chain: made.pem(), key: key.serialize_pem(), der: made.der().clone() }
}

fn install(site: &Site, certificate: &Certificate) {
    site.write("chain.pem", &certificate.chain);
    site.write("key.pem", &certificate.key);
}

async fn serve(site: Site, upstream: &Upstream) -> Proxy {
    let config = [("server.tls_certificate", "chain.pem"), ("server.tls_key", "key.pem")];
    Proxy::of(site, &upstream.url(), &config).await
}

/// Asks over a new connection that trusts `trusted` alone; the version and the decision.
async fn ask(proxy: &Proxy, trusted: &Certificate, http2: bool) -> Result<(Version, String), String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(config).https_only();
    let connector = if http2 { connector.enable_http2().build() } else { connector.enable_http1().build() };
    let client: Client<_, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).http2_only(http2).build(connector);
    let request = Request::post(format!("https://{}/v1/chat/completions", proxy.address))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(BODY.as_bytes())))
        .unwrap();
    let response = client.request(request).await.map_err(|error| format!("{error:?}"))?;
    let version = response.version();
    let decision = response.headers()["x-foreword-decision"].to_str().unwrap().to_owned();
    response.into_body().collect().await.map_err(|error| error.to_string())?;
    Ok((version, decision))
}

/// Waits until new connections are served with this certificate.
async fn until_served(proxy: &Proxy, certificate: &Certificate) {
    let served = async {
        while ask(proxy, certificate, false).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, served).await.is_ok(), "the certificate is not taken up");
}

#[test]
fn clients_are_served_over_tls_and_a_renewed_certificate_is_taken_up() {
    run(async {
        let (first, second) = (certificate(), certificate());
        let site = Site::new();
        install(&site, &first);
        let upstream = Upstream::answering("{}").await;
        let proxy = serve(site, &upstream).await;
        assert_eq!(ask(&proxy, &first, false).await, Ok((Version::HTTP_11, "injected".to_owned())));
        assert_eq!(ask(&proxy, &first, true).await, Ok((Version::HTTP_2, "injected".to_owned())));
        assert!(ask(&proxy, &second, false).await.unwrap_err().contains("InvalidCertificate"));
        // What is no TLS gets no answer, and holds up nobody.
        let mut plain = tokio::net::TcpStream::connect(proxy.address).await.unwrap();
        plain.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        let _reset = plain.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
        let _silent = tokio::net::TcpStream::connect(proxy.address).await.unwrap();
        install(&proxy.site, &second);
        until_served(&proxy, &second).await;
        assert!(ask(&proxy, &first, false).await.is_err());
        // Rubbish, and a key that is another's: the last good one serves on, and the next good one is taken up.
        proxy.site.write("chain.pem", "no certificate");
        proxy.site.write("key.pem", &first.key);
        assert!(ask(&proxy, &second, false).await.is_ok());
        install(&proxy.site, &first);
        until_served(&proxy, &first).await;
    });
}

#[test]
fn the_end_of_the_certificate_is_a_metric_and_follows_a_renewal() {
    run(async {
        let site = Site::new();
        install(&site, &certificate_until(2090));
        let upstream = Upstream::answering("{}").await;
        let proxy = serve(site, &upstream).await;
        let end = || proxy.metric("foreword_tls_certificate_expiry_timestamp");
        let first_of = |year: u16| format!("{year}-01-01T00:00:00Z").parse::<jiff::Timestamp>().unwrap();
        let seconds = |year| first_of(year).as_second() as f64;
        until("the end is known", || end() == seconds(2090)).await;
        // Of a chain the first that ends counts.
        let renewed = certificate_until(2095);
        proxy.site.write("chain.pem", &format!("{}{}", renewed.chain, certificate_until(2080).chain));
        proxy.site.write("key.pem", &renewed.key);
        until("the renewed one's end is known", || end() == seconds(2080)).await;
    });
}

#[test]
fn certificates_that_cannot_serve_say_why() {
    let site = Site::new();
    let (one, other) = (certificate(), certificate());
    let open = || {
        let settings = TlsSettings { certificate: site.path("chain.pem"), key: site.path("key.pem") };
        let Err(error) = Tls::open(&settings) else { return String::new() };
        error.to_string()
    };
    assert!(open().contains("chain.pem cannot be used"), "{}", open());
    install(&site, &one);
    assert_eq!(open(), "");
    site.write("key.pem", &other.key);
    assert!(open().contains("cannot serve together"), "{}", open());
    site.write("key.pem", "rubbish");
    assert!(open().contains("key.pem cannot be used: it must hold a private key"), "{}", open());
    site.write("chain.pem", &one.key);
    assert!(open().contains("holds no certificate"), "{}", open());
}
