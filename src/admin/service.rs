//! `/healthz`, `/readyz`, `/metrics`.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::Service;

use super::guard::is_local;
use crate::metrics::Metrics;
use crate::snapshot::Planner;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers operators.
#[derive(Clone)]
pub struct Admin {
    planner: Arc<Planner>,
    metrics: Arc<Metrics>,
}

/// The service of the admin listener.
pub fn router(planner: Arc<Planner>, metrics: Arc<Metrics>) -> Admin {
    Admin { planner, metrics }
}

impl Service<Request<Incoming>> for Admin {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        ready(Ok(self.answer(&request)))
    }
}

impl Admin {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if !is_local(request.uri(), request.headers()) {
            return text(StatusCode::FORBIDDEN, "only requests of this machine are answered\n");
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match request.uri().path() {
            "/healthz" | "/readyz" => self.health(),
            "/metrics" => match self.metrics.render() {
                Ok(metrics) => answer(StatusCode::OK, OPEN_METRICS, metrics),
                Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n"),
            },
            _ => text(StatusCode::NOT_FOUND, "there are /healthz, /readyz and /metrics\n"),
        }
    }

    /// Without a snapshot the process does not get as far as listening, so to answer is to be ready.
    fn health(&self) -> Response<Full<Bytes>> {
        let snapshot = self.planner.snapshot();
        let brands: Vec<_> = snapshot
            .brands
            .iter()
            .map(|brand| serde_json::json!({ "id": brand.id, "items": brand.len() }))
            .collect();
        let body = serde_json::json!({
            "status": "ok",
            "version": env!("CARGO_PKG_VERSION"),
            "retrieval": if self.planner.is_lexical_only() { "lexical" } else { "hybrid" },
            "snapshot": {
                "id": &*snapshot.id,
                "built": snapshot.built.to_string(),
                "recipe": snapshot.recipe.name,
                "brands": brands,
            },
        });
        answer(StatusCode::OK, "application/json", format!("{body}\n"))
    }
}

fn text(status: StatusCode, line: &'static str) -> Response<Full<Bytes>> {
    answer(status, "text/plain; charset=utf-8", line.to_owned())
}

fn answer(status: StatusCode, media: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}
