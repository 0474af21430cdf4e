//! Sending spans to a collector: a bounded queue, batches, and a failure that costs spans alone.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

use super::otlp;
use super::span::Span;
use crate::metrics::Metrics;
use crate::upstream::{Address, RequestBody, TlsError, Upstream, UpstreamSettings};

/// Requests whose spans may wait.
const QUEUE: usize = 2_048;
/// Spans that are sent at once.
const BATCH: usize = 512;
/// How long spans wait for others to be sent with.
const TICK: Duration = Duration::from_secs(1);
/// How long a collector may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How a collector is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP with protobuf: a POST to `/v1/traces` under the endpoint.
    Http,
    /// gRPC.
    Grpc,
}

/// Where spans go.
#[derive(Debug, Clone)]
pub struct TelemetrySettings {
    /// The collector's base URL, such as `http://127.0.0.1:4318`.
    pub endpoint: String,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Header fields that it asks for, such as a key.
    pub headers: HeaderMap,
    /// What we are called.
    pub service: String,
    /// Share of traces that we begin which are recorded; those of clients say so themselves.
    pub share: f64,
}

/// Why spans cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The endpoint is no base URL.
    #[error("the collector's endpoint `{0}` is no base URL such as http://127.0.0.1:4318")]
    Endpoint(String),
    /// TLS.
    #[error("the collector's TLS cannot be set up")]
    Tls(#[from] TlsError),
    /// The gRPC channel.
    #[error("the channel to the collector cannot be set up")]
    Channel(#[from] tonic::transport::Error),
}

/// Takes spans. Cloned handles feed the same collector.
#[derive(Debug, Clone)]
pub struct Exporter {
    sender: mpsc::Sender<Vec<Span>>,
    metrics: Arc<Metrics>,
    share: f64,
}

impl Exporter {
    /// Starts sending. The task ends once every handle is gone and what was handed over is sent.
    pub fn start(
        settings: TelemetrySettings,
        metrics: Arc<Metrics>,
    ) -> Result<(Exporter, JoinHandle<()>), TelemetryError> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let share = settings.share;
        let wire = Wire::open(&settings)?;
        let task = tokio::spawn(send(receiver, wire, settings, Arc::clone(&metrics)));
        Ok((Exporter { sender, metrics, share }, task))
    }

    /// Share of traces that begin here which are recorded.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// Hands over the spans of a request. Never waits.
    pub fn export(&self, spans: Vec<Span>) {
        let count = spans.len();
        if self.sender.try_send(spans).is_err() {
            self.metrics.spans_lost(count as u64);
        }
    }
}

async fn send(
    mut receiver: mpsc::Receiver<Vec<Span>>,
    mut wire: Wire,
    settings: TelemetrySettings,
    metrics: Arc<Metrics>,
) {
    let mut is_failing = false;
    let mut is_over = false;
    while !is_over {
        let batch;
        (batch, is_over) = next_batch(&mut receiver).await;
        if batch.is_empty() {
            continue;
        }
        let count = batch.len() as u64;
        let request = otlp::request(&settings.service, batch);
        let sent = tokio::time::timeout(TIMEOUT, wire.send(request, &settings.headers)).await;
        match sent.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
            Ok(()) => is_failing = false,
            Err(error) => {
                metrics.spans_lost(count);
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::warn!(
                        endpoint = settings.endpoint,
                        error,
                        "traces cannot be sent; requests go on"
                    );
                }
            }
        }
    }
}

/// What comes within a tick, and whether nothing will come any more.
async fn next_batch(receiver: &mut mpsc::Receiver<Vec<Span>>) -> (Vec<Span>, bool) {
    let Some(mut batch) = receiver.recv().await else { return (Vec::new(), true) };
    let until = tokio::time::Instant::now() + TICK;
    while batch.len() < BATCH {
        match tokio::time::timeout_at(until, receiver.recv()).await {
            Ok(Some(spans)) => batch.extend(spans),
            Ok(None) => return (batch, true),
            Err(_) => break,
        }
    }
    (batch, false)
}

/// The way to a collector.
enum Wire {
    Http(Box<Upstream>),
    Grpc(TraceServiceClient<Channel>),
}

impl Wire {
    fn open(settings: &TelemetrySettings) -> Result<Wire, TelemetryError> {
        let wrong = || TelemetryError::Endpoint(settings.endpoint.clone());
        match settings.protocol {
            Protocol::Http => {
                let address = Address::parse(&settings.endpoint).map_err(|_| wrong())?;
                Ok(Wire::Http(Box::new(Upstream::new(UpstreamSettings {
                    address,
                    authorization: None,
                    ca_file: None,
                    http2_prior_knowledge: false,
                    connect_timeout: TIMEOUT,
                    first_byte_timeout: TIMEOUT,
                    idle_timeout: TIMEOUT,
                    pool_idle_timeout: TIMEOUT,
                })?)))
            }
            Protocol::Grpc => {
                let mut endpoint = Endpoint::from_shared(settings.endpoint.clone()).map_err(|_| wrong())?;
                if settings.endpoint.starts_with("https:") {
                    endpoint = endpoint.tls_config(ClientTlsConfig::new().with_webpki_roots())?;
                }
                Ok(Wire::Grpc(TraceServiceClient::new(endpoint.connect_lazy())))
            }
        }
    }

    async fn send(&mut self, request: ExportTraceServiceRequest, fields: &HeaderMap) -> Result<(), String> {
        match self {
            Wire::Http(collector) => {
                let mut head = Request::new(());
                *head.method_mut() = Method::POST;
                head.headers_mut().extend(fields.clone());
                head.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
                let (parts, ()) = head.into_parts();
                let body = RequestBody::whole(Bytes::from(request.encode_to_vec()), None);
                let answer =
                    collector.send(parts, "/v1/traces", body).await.map_err(|error| error.to_string())?;
                match answer.status() {
                    status if status.is_success() => Ok(()),
                    status => Err(format!("the collector answered {status}")),
                }
            }
            Wire::Grpc(collector) => {
                let mut request = tonic::Request::new(request);
                *request.metadata_mut() = MetadataMap::from_headers(fields.clone());
                collector.export(request).await.map(|_| ()).map_err(|status| status.to_string())
            }
        }
    }
}
