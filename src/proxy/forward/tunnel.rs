//! Tunnels: connections that have become something else than HTTP (WebSocket, for realtime interfaces). What one side
//! sends goes to the other as it comes, unread, until both have ended, one has broken off, both have been silent for too
//! long, or the process ends.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::metrics::{Metrics, TunnelEnd};
use crate::proxy::exchange::Exchange;

/// What is read of a side before it goes to the other.
const BUFFER_BYTES: usize = 16 << 10;

/// The tunnels of a process.
#[derive(Clone)]
pub struct Tunnels {
    metrics: Arc<Metrics>,
    /// How many there are.
    open: watch::Sender<usize>,
    /// Whether they are to end now.
    closing: watch::Sender<bool>,
}

impl Tunnels {
    /// None yet; they are counted in `metrics`.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Tunnels { metrics, open: watch::Sender::new(0), closing: watch::Sender::new(false) }
    }

    /// Joins two connections as soon as both have been switched over. The record of the request stays with them, and so
    /// does its place under the limit of requests at once.
    pub(super) fn open(
        &self,
        client: OnUpgrade,
        upstream: OnUpgrade,
        idle_timeout: Duration,
        exchange: Arc<Exchange>,
    ) {
        let counted = Counted::new(self);
        let mut closing = self.closing.subscribe();
        tokio::spawn(async move {
            let passed = Passed::new();
            let end = tokio::select! {
                end = join(client, upstream, &passed) => end,
                () = passed.silence(idle_timeout) => TunnelEnd::Silent,
                _ = closing.wait_for(|closing| *closing) => TunnelEnd::Shutdown,
            };
            counted.tunnels.metrics.tunnel_ended(end);
            tracing::info!(
                target: "foreword::access",
                receipt = %exchange.receipt,
                client = exchange.client.get().map(|client| &*client.name),
                bytes_up = passed.up.load(Ordering::Relaxed),
                bytes_down = passed.down.load(Ordering::Relaxed),
                total_us = exchange.started.elapsed().as_micros() as u64,
                ending = end.as_str(),
                "tunnel"
            );
        });
    }

    /// Gives the tunnels until `deadline` to end by themselves, then ends them; the number of those.
    pub async fn drain(&self, deadline: Instant) -> usize {
        let mut open = self.open.subscribe();
        if tokio::time::timeout_at(deadline, open.wait_for(|open| *open == 0)).await.is_ok() {
            return 0;
        }
        let cut = *self.open.borrow();
        self.closing.send_replace(true);
        // They wait for nothing any more.
        let _all_gone = open.wait_for(|open| *open == 0).await.is_ok();
        cut
    }
}

/// One tunnel, for as long as it is open.
struct Counted {
    tunnels: Tunnels,
}

impl Counted {
    fn new(tunnels: &Tunnels) -> Self {
        tunnels.open.send_modify(|open| *open += 1);
        tunnels.metrics.gauges.tunnels.inc();
        Counted { tunnels: tunnels.clone() }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.tunnels.metrics.gauges.tunnels.dec();
        self.tunnels.open.send_modify(|open| *open -= 1);
    }
}

/// What has gone through a tunnel, and when it last did.
struct Passed {
    up: AtomicU64,
    down: AtomicU64,
    began: Instant,
    /// In milliseconds since the beginning.
    last: AtomicU64,
}

impl Passed {
    fn new() -> Self {
        Passed {
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            began: Instant::now(),
            last: AtomicU64::new(0),
        }
    }

    fn note(&self, direction: &AtomicU64, bytes: usize) {
        direction.fetch_add(bytes as u64, Ordering::Relaxed);
        self.last.store(self.began.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// Waits until nothing has gone either way for `limit`.
    async fn silence(&self, limit: Duration) {
        loop {
            let over = self.began + Duration::from_millis(self.last.load(Ordering::Relaxed)) + limit;
            if Instant::now() >= over {
                return;
            }
            sleep_until(over).await;
        }
    }
}

async fn join(client: OnUpgrade, upstream: OnUpgrade, passed: &Passed) -> TunnelEnd {
    let Ok((client, upstream)) = tokio::try_join!(client, upstream) else { return TunnelEnd::Broken };
    let (from_client, to_client) = split(TokioIo::new(client));
    let (from_upstream, to_upstream) = split(TokioIo::new(upstream));
    let both = tokio::try_join!(
        pass(from_client, to_upstream, passed, &passed.up),
        pass(from_upstream, to_client, passed, &passed.down),
    );
    both.map_or(TunnelEnd::Broken, |_| TunnelEnd::Closed)
}

/// Passes on what comes until it ends, and then the end.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    passed: &Passed,
    direction: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
        to.flush().await?;
        passed.note(direction, read);
    }
}
