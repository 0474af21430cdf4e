//! One connection of a client, HTTP/1.1 or HTTP/2, with its limits.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::Service;

/// Limits of a connection.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionSettings {
    /// Longest time for a request head to arrive, and for a kept-alive connection to stay silent.
    pub header_timeout: Duration,
    /// Largest request head in bytes.
    pub max_header_bytes: usize,
    /// Most header fields of a request.
    pub max_headers: usize,
    /// Most requests at once on one HTTP/2 connection.
    pub max_streams: u32,
}

/// Serves one connection to its end.
pub(super) async fn serve_connection<I, S, B>(
    stream: I,
    service: S,
    settings: ConnectionSettings,
    shutdown: Watcher,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let started = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&started);
    let service = hyper::service::service_fn(move |request| {
        seen.store(true, Ordering::Relaxed);
        // Every service of the stack is ready at once: limits answer instead of making a caller wait.
        service.clone().call(request)
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_buf_size(settings.max_header_bytes.max(8 * 1024))
        .max_headers(settings.max_headers)
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(settings.max_header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(settings.max_streams)
        .keep_alive_interval(Some(settings.header_timeout))
        .adaptive_window(true);
    let connection =
        shutdown.watch(builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned());
    tokio::pin!(connection);
    // The builder tells HTTP/1.1 from HTTP/2 by the first bytes and waits for them without a limit.
    let first_request = tokio::time::sleep(settings.header_timeout);
    tokio::pin!(first_request);
    tokio::select! {
        biased;
        ended = &mut connection => return report(ended),
        () = &mut first_request => {}
    }
    if started.load(Ordering::Relaxed) {
        report(connection.await);
    } else {
        tracing::debug!("connection closed: no request arrived in time");
    }
}

fn report(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(error = &*error as &dyn std::error::Error, "connection ended early");
    }
}
