//! The pooled client.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::header::{EXPECT, HOST};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::address::Address;
use super::body::RequestBody;
use super::connector::BoundedConnector;
use super::headers::{
    asks_for_websocket, join_cookies, strip_hop_by_hop, switch_to_websocket, switches_to_websocket,
};
use super::timed::{BodyError, TimedBody};

/// How the upstream is called.
#[derive(Debug, Clone)]
pub struct UpstreamSettings {
    /// Base URL.
    pub address: Address,
    /// The operator's key as the value of `Authorization`; `None` passes the client's own on.
    pub authorization: Option<HeaderValue>,
    /// A PEM file of certificate authorities to trust besides Mozilla's.
    pub ca_file: Option<PathBuf>,
    /// Speak HTTP/2 without asking, as some internal services want over plain TCP.
    pub http2_prior_knowledge: bool,
    /// Longest time for TCP and TLS to be set up.
    pub connect_timeout: Duration,
    /// Longest time from the request to the response head. Models think for minutes.
    pub first_byte_timeout: Duration,
    /// Longest silence within a response.
    pub idle_timeout: Duration,
    /// How long an unused connection is kept.
    pub pool_idle_timeout: Duration,
}

/// The certificate authorities cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read or is not PEM.
    #[error("the certificate authorities in {file} cannot be read")]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// The file holds no certificate.
    #[error("{0} holds no certificate")]
    Empty(PathBuf),
    /// A certificate is not valid.
    #[error("a certificate in {file} cannot be trusted")]
    Certificate {
        /// The file.
        file: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The TLS library refused its own settings.
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
}

/// Why the upstream gave no response.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The path cannot be joined to the base URL.
    #[error("the path cannot be joined to the upstream's base URL")]
    Target(#[from] http::Error),
    /// No connection.
    #[error("the upstream cannot be reached")]
    Connect(#[source] hyper_util::client::legacy::Error),
    /// The connection broke before a response head.
    #[error("the upstream broke the connection before it answered")]
    Broken(#[source] hyper_util::client::legacy::Error),
    /// The client's body failed while it was sent on: not the upstream's fault.
    #[error("the request body failed while it was sent on")]
    ClientBody {
        /// Whether it did not come in time; otherwise it broke off.
        late: bool,
        /// What the connection to the upstream made of it.
        source: hyper_util::client::legacy::Error,
    },
    /// No response head in time.
    #[error("the upstream did not answer within {0:?}")]
    Timeout(Duration),
    /// A change of protocol that nobody asked for.
    #[error("the upstream switched to a protocol that it was not asked for")]
    Switched,
}

type PooledClient = Client<BoundedConnector<HttpsConnector<HttpConnector>>, RequestBody>;

/// The one upstream.
#[derive(Debug)]
pub struct Upstream {
    client: PooledClient,
    /// For requests whose connection is to become a WebSocket, which HTTP/2 connections cannot.
    switching: PooledClient,
    settings: UpstreamSettings,
}

impl Upstream {
    /// Sets up the pool; connects to nothing yet.
    pub fn new(settings: UpstreamSettings) -> Result<Upstream, TlsError> {
        let tls = tls_config(settings.ca_file.as_deref())?;
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(settings.pool_idle_timeout)
            .http2_only(settings.http2_prior_knowledge)
            .http2_adaptive_window(true)
            .build(BoundedConnector::new(
                connector.enable_all_versions().wrap_connector(tcp()),
                settings.connect_timeout,
            ));
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let switching = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(settings.pool_idle_timeout)
            .build(BoundedConnector::new(
                connector.enable_http1().wrap_connector(tcp()),
                settings.connect_timeout,
            ));
        Ok(Upstream { client, switching, settings })
    }

    /// The settings in force.
    pub fn settings(&self) -> &UpstreamSettings {
        &self.settings
    }

    /// Sends a request. `path_and_query` is the client's own, `parts` its head; header fields of the
    /// connection are taken off here. A connection of the pool that turns out to be dead is replaced
    /// once, and only when nothing of the request was sent on it.
    pub async fn send(
        &self,
        mut parts: Parts,
        path_and_query: &str,
        body: RequestBody,
    ) -> Result<Response<TimedBody>, UpstreamError> {
        parts.uri = self.settings.address.join(path_and_query)?;
        let switches = asks_for_websocket(&parts);
        if parts.version == Version::HTTP_2 {
            join_cookies(&mut parts.headers);
        }
        parts.version = Version::HTTP_11;
        strip_hop_by_hop(&mut parts.headers);
        if switches {
            switch_to_websocket(&mut parts.headers);
        }
        parts.headers.remove(HOST);
        // Answered here already: the client was told to go on when its body was first asked for.
        parts.headers.remove(EXPECT);
        if let Some(authorization) = &self.settings.authorization {
            parts.headers.insert(http::header::AUTHORIZATION, authorization.clone());
            // Whose account is charged is the operator's to say, as the key is.
            for name in ["openai-organization", "openai-project"] {
                parts.headers.remove(name);
            }
        }
        let request = Request::from_parts(parts, body);
        let client = if switches { &self.switching } else { &self.client };
        let limit = self.settings.first_byte_timeout;
        let response = match tokio::time::timeout(limit, client.request(request)).await {
            Err(_) => return Err(UpstreamError::Timeout(limit)),
            Ok(Err(error)) if error.is_connect() => return Err(UpstreamError::Connect(error)),
            Ok(Err(error)) => return Err(broken(error)),
            Ok(Ok(response)) => response,
        };
        let (mut parts, body) = response.into_parts();
        // The version is of one connection, too: an old upstream does not make old answers of ours.
        parts.version = Version::HTTP_11;
        let switched = parts.status == StatusCode::SWITCHING_PROTOCOLS;
        if switched && !(switches && switches_to_websocket(&parts.headers)) {
            return Err(UpstreamError::Switched);
        }
        strip_hop_by_hop(&mut parts.headers);
        if switched {
            switch_to_websocket(&mut parts.headers);
        }
        Ok(Response::from_parts(parts, TimedBody::new(body, self.settings.idle_timeout)))
    }
}

/// Which side broke an exchange: a body that fails is an error of the client's connection, found among the sources.
fn broken(error: hyper_util::client::legacy::Error) -> UpstreamError {
    let first: &(dyn std::error::Error + 'static) = &error;
    let body = std::iter::successors(Some(first), |&error| error.source())
        .find_map(|error| error.downcast_ref::<BodyError>());
    match body {
        Some(body) => {
            let late = !matches!(body, BodyError::Broken(_));
            UpstreamError::ClientBody { late, source: error }
        }
        None => UpstreamError::Broken(error),
    }
}

fn tcp() -> HttpConnector {
    let mut http = HttpConnector::new();
    // Small requests and events must not wait for an acknowledgement.
    http.set_nodelay(true);
    http.enforce_http(false);
    http.set_keepalive(Some(Duration::from_secs(60)));
    http
}

fn tls_config(ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = ca_file {
        let read = |source| TlsError::Read { file: file.to_owned(), source };
        let before = roots.len();
        for certificate in CertificateDer::pem_file_iter(file).map_err(read)? {
            roots
                .add(certificate.map_err(read)?)
                .map_err(|source| TlsError::Certificate { file: file.to_owned(), source })?;
        }
        if roots.len() == before {
            return Err(TlsError::Empty(file.to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
