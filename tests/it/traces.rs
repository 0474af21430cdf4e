//! Traces: spans reach a collector over both protocols, continue the client's trace, hold no text, and cost no request
//! where the collector is gone.

use std::sync::{Arc, Mutex};

use foreword::telemetry::{Protocol, TelemetrySettings};
use http::{HeaderMap, HeaderValue};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tonic::{Request, Response, Status};

use crate::support::client::{exchange, post_with};
use crate::support::proxy::{Proxy, Site};
use crate::support::upstream::{Received, Step, Upstream, json_answer};
use crate::support::{run, until};

const CHAT: &str = "/v1/chat/completions";
const BODY: &str = "{\"model\":\"m1\",\"messages\":[{\"role\":\"user\",\"content\":\"Which anvil is the lightest to carry?\"}]}";
const ANSWER: &str = "{\"choices\":[{\"message\":{\"content\":\"Ten.\"}}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn settings(endpoint: String, protocol: Protocol) -> TelemetrySettings {
    let mut headers = HeaderMap::new();
    headers.insert("x-collector-key", HeaderValue::from_static("k1"));
    TelemetrySettings { endpoint, protocol, headers, service: "shop".to_owned(), share: 1.0 }
}

async fn proxy(upstream: &Upstream, telemetry: TelemetrySettings) -> Proxy {
    Proxy::with(Site::new(), &upstream.url(), &[], |settings| settings.telemetry = Some(telemetry)).await
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn spans(requests: &[ExportTraceServiceRequest]) -> Vec<Span> {
    let scopes = requests.iter().flat_map(|request| &request.resource_spans).flat_map(|of| &of.scope_spans);
    scopes.flat_map(|scope| scope.spans.clone()).collect()
}

fn text(span: &Span, key: &str) -> Option<String> {
    let value = span.attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value?;
    match value {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Sends a request with a trace, and checks all that leaves.
async fn traced(proxy: Proxy, upstream: &Upstream, received: impl Fn() -> Vec<ExportTraceServiceRequest>) {
    let headers = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\ntracestate: vendor=1\r\n");
    for _ in 0..2 {
        assert_eq!(exchange(proxy.address, &post_with(CHAT, &headers, BODY)).await.status, 200);
    }
    let handed_on = upstream.last().header("traceparent").unwrap();
    assert_eq!(upstream.last().header("tracestate").as_deref(), Some("vendor=1"));
    let unsampled = headers.replace("-01\r", "-00\r");
    exchange(proxy.address, &post_with(CHAT, &unsampled, BODY)).await;
    proxy.stop().await.unwrap();
    let requests = received();
    let resource = format!("{:?}", requests[0].resource_spans[0].resource);
    assert!(resource.contains("shop"), "{resource}");
    let spans = spans(&requests);
    assert!(spans.iter().all(|span| hex(&span.trace_id) == TRACE));
    let names: Vec<&str> = spans.iter().map(|span| &*span.name).collect();
    // The second request's turns were known, and the third was not to be recorded.
    assert_eq!(
        names,
        ["chat m1", "read", "retrieve", "render", "chat m1", "chat m1", "read", "render", "chat m1"]
    );
    let (whole, call) = (&spans[5], &spans[8]);
    assert_eq!(hex(&whole.parent_span_id), PARENT);
    assert_eq!(call.parent_span_id, whole.span_id);
    assert_eq!(handed_on, format!("00-{TRACE}-{}-01", hex(&call.span_id)));
    for span in &spans {
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{span:?}");
        assert!(whole.start_time_unix_nano > 1_500_000_000_000_000_000);
    }
    for (key, value) in [
        ("gen_ai.request.model", "m1"),
        ("gen_ai.usage.input_tokens", "9"),
        ("foreword.decision", "injected"),
        ("foreword.arm", "injected"),
        ("http.response.status_code", "200"),
    ] {
        assert_eq!(text(whole, key).as_deref(), Some(value), "{key}");
    }
    let all = format!("{requests:?}");
    assert!(!all.contains("lightest to carry") && !all.contains("Ten."), "spans hold text");
}

#[test]
fn spans_reach_a_collector_over_http() {
    run(async {
        let upstream = Upstream::answering(ANSWER).await;
        let collector = Upstream::start(|_: &Received| vec![Step::Send(json_answer("{}"))]).await;
        let endpoint = format!("http://{}", collector.address);
        let proxy = proxy(&upstream, settings(endpoint, Protocol::Http)).await;
        let received = || {
            let requests = collector.received();
            assert!(requests.iter().all(|request| {
                request.request_line().starts_with("POST /v1/traces ")
                    && request.header("content-type").as_deref() == Some("application/x-protobuf")
                    && request.header("x-collector-key").as_deref() == Some("k1")
            }));
            requests
                .iter()
                .map(|request| ExportTraceServiceRequest::decode(&*request.body).unwrap())
                .collect()
        };
        traced(proxy, &upstream, received).await;
    });
}

#[derive(Clone, Default)]
struct Collector {
    received: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        assert_eq!(request.metadata().get("x-collector-key").unwrap(), "k1");
        self.received.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[test]
fn spans_reach_a_collector_over_grpc() {
    run(async {
        let upstream = Upstream::answering(ANSWER).await;
        let collector = Collector::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        let service = TraceServiceServer::new(collector.clone());
        tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
        let proxy = proxy(&upstream, settings(endpoint, Protocol::Grpc)).await;
        traced(proxy, &upstream, || collector.received.lock().unwrap().clone()).await;
    });
}

#[test]
fn a_collector_that_is_gone_costs_spans_alone() {
    run(async {
        let upstream = Upstream::answering(ANSWER).await;
        let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        for protocol in [Protocol::Http, Protocol::Grpc] {
            let proxy = proxy(&upstream, settings(format!("http://{gone}"), protocol)).await;
            for _ in 0..3 {
                assert_eq!(exchange(proxy.address, &post_with(CHAT, "", BODY)).await.status, 200);
            }
            until("lost spans are counted", || proxy.metric("foreword_spans_lost_total") > 0.0).await;
        }
        // Without a collector the client's field goes by as it is.
        let plain = Proxy::start(&upstream.url()).await;
        let headers = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n");
        exchange(plain.address, &post_with(CHAT, &headers, BODY)).await;
        assert_eq!(upstream.last().header("traceparent").unwrap(), format!("00-{TRACE}-{PARENT}-01"));
    });
}
