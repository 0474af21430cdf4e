//! Accepting connections until told to stop, then letting the running ones end.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::{Bytes, Incoming};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tower::Service;

use super::connection::{ConnectionSettings, serve_connection};
use super::tls::Tls;
use crate::metrics::Gauges;

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Requests that were still running when the time to end was over.
    pub cut: usize,
}

/// Serves connections of `listener` until `shutdown` is done, then accepts no more and gives the running
/// requests `drain` to end.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    tls: Option<Tls>,
    settings: ConnectionSettings,
    gauges: Gauges,
    shutdown: impl Future<Output = ()>,
    drain: Duration,
) -> Drained
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let graceful = GracefulShutdown::new();
    tokio::pin!(shutdown);
    loop {
        let stream = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener) => accepted,
        };
        let service = service.clone();
        let watcher = graceful.watcher();
        let open = gauges.connections.clone();
        open.inc();
        let tls = tls.clone();
        tokio::spawn(async move {
            match tls {
                None => serve_connection(stream, service, settings, watcher).await,
                // A client that never shakes hands is like one that never sends a request.
                Some(tls) => match tokio::time::timeout(settings.header_timeout, tls.accept(stream)).await {
                    Ok(Ok(stream)) => serve_connection(stream, service, settings, watcher).await,
                    Ok(Err(error)) => tracing::debug!(%error, "the TLS handshake failed"),
                    Err(_) => tracing::debug!("connection closed: no TLS handshake in time"),
                },
            }
            open.dec();
        });
    }
    drop(listener);
    match tokio::time::timeout(drain, graceful.shutdown()).await {
        Ok(()) => Drained { cut: 0 },
        Err(_) => Drained { cut: usize::try_from(gauges.in_flight.get()).unwrap_or(0) },
    }
}

/// The next connection. Running out of file descriptors is waited out, since other connections end.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Streamed events must leave at once. A socket that refuses is dead anyway.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY refused");
                }
                return stream;
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}
