//! TLS towards clients. The certificate is read again when its files change: a renewed one serves new
//! connections without a restart, and a bad one leaves the last good one in service.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::metrics::Metrics;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long before its end a certificate is warned of, and how often: whoever renews certificates by itself does so
/// well before.
const SOON: i64 = 14 * DAY;
const DAY: i64 = 24 * 60 * 60;

/// Where certificate and key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// PEM: the certificate, then those that sign it.
    pub certificate: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
}

/// Why a certificate cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read or holds no such thing.
    #[error("{file} cannot be used: it must hold {what} in PEM")]
    File {
        /// The file.
        file: PathBuf,
        /// What it must hold.
        what: &'static str,
        /// Why.
        source: pem::Error,
    },
    /// The certificate file holds none.
    #[error("{0} holds no certificate")]
    Empty(PathBuf),
    /// Certificate and key do not belong together, or the key is of an unknown kind.
    #[error("the certificate and its private key cannot serve together")]
    Mismatch(#[source] rustls::Error),
}

/// Accepts TLS on connections.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    current: Arc<Current>,
    settings: Arc<TlsSettings>,
}

/// The certificate that serves now.
#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl Tls {
    /// Reads certificate and key.
    pub fn open(settings: &TlsSettings) -> Result<Tls, CertificateError> {
        let provider = Arc::new(default_provider());
        let certified = read(settings, &provider)?;
        let current = Arc::new(Current(ArcSwap::from_pointee(certified)));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(CertificateError::Mismatch)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Current>::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Tls {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            current,
            settings: Arc::new(settings.clone()),
        })
    }

    /// Shakes hands.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }

    /// Reads the files again whenever they change, and warns of a certificate that ends soon, for ever.
    pub async fn follow(self, metrics: Arc<Metrics>) {
        let mut seen = stamps(&self.settings);
        let mut warned = None;
        let mut tick = tokio::time::interval(LOOK_EVERY);
        loop {
            tick.tick().await;
            let now = stamps(&self.settings);
            if now != seen {
                // Half a renewal (a new certificate beside the old key) does not fit together; the other half
                // changes the stamps again.
                seen = now;
                self.renew();
                warned = None;
            }
            let end = end(&self.current.0.load().cert);
            metrics.gauges.certificate_end.set(end.unwrap_or_default());
            let now = jiff::Timestamp::now().as_second();
            if warned.is_none_or(|warned: i64| (now - warned).abs() >= DAY) {
                warned = end.and_then(|end| warn(end, now));
            }
        }
    }

    fn renew(&self) {
        match read(&self.settings, &Arc::new(default_provider())) {
            Ok(certified) => {
                self.current.0.store(Arc::new(certified));
                tracing::info!("the TLS certificate was read again");
            }
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the TLS certificate has changed and cannot be used: the last good one serves on"
            ),
        }
    }
}

/// When the first of a chain's certificates ends (RFC 5280, `notAfter`), in seconds since 1970; `None` where none says so
/// in a way that is understood.
fn end(chain: &[CertificateDer<'_>]) -> Option<i64> {
    let end = |certificate: &CertificateDer<'_>| {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        Some(certificate.validity().not_after.timestamp())
    };
    chain.iter().filter_map(end).min()
}

/// Says that a certificate has ended or soon will; `Some(now)` if so.
fn warn(end: i64, now: i64) -> Option<i64> {
    match end - now {
        SOON.. => return None,
        left @ 1.. => tracing::warn!(
            days = left / DAY,
            "the TLS certificate, or one that signs it, ends soon: renew it"
        ),
        _ => tracing::error!(
            "the TLS certificate, or one that signs it, has ended: clients refuse it until it is renewed"
        ),
    }
    Some(now)
}

fn read(settings: &TlsSettings, provider: &CryptoProvider) -> Result<CertifiedKey, CertificateError> {
    let file_error = |file: &Path, what| {
        let file = file.to_owned();
        move |source| CertificateError::File { file, what, source }
    };
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&settings.certificate)
        .map_err(file_error(&settings.certificate, "a certificate"))?
        .collect::<Result<_, _>>()
        .map_err(file_error(&settings.certificate, "a certificate"))?;
    if certificates.is_empty() {
        return Err(CertificateError::Empty(settings.certificate.clone()));
    }
    let key =
        PrivateKeyDer::from_pem_file(&settings.key).map_err(file_error(&settings.key, "a private key"))?;
    let certified =
        CertifiedKey::from_der(certificates, key, provider).map_err(CertificateError::Mismatch)?;
    Ok(certified)
}

/// When the files were written; a file that is not there has no time.
fn stamps(settings: &TlsSettings) -> [Option<(SystemTime, u64)>; 2] {
    [&settings.certificate, &settings.key].map(|file| {
        let data = std::fs::metadata(file).ok()?;
        Some((data.modified().ok()?, data.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::{DAY, SOON, warn};

    #[test]
    fn a_certificate_is_warned_of_from_two_weeks_before_its_end() {
        let end = 1_000 * DAY;
        assert_eq!(warn(end, end - SOON), None);
        for now in [end - SOON + 1, end - 1, end, end + 7 * DAY] {
            assert_eq!(warn(end, now), Some(now));
        }
    }
}
