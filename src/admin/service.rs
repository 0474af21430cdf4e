//! `/healthz`, `/readyz`, `/metrics`, `/receipts/ID`, and the console.

use std::convert::Infallible;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use http::header::{ALLOW, CONTENT_TYPE, LOCATION, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::sync::watch;
use tower::Service;

use super::guard::{is_local, is_own};
use super::session::Sessions;
use crate::console::{Body, Console, Reply, is_console, read_form, sign_in_page};
use crate::live::Store;
use crate::metrics::Metrics;
use crate::snapshot::Planner;

const JSON: &str = "application/json";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const SIGN_IN: &str = "/console/sign-in";
const SIGN_OUT: &str = "/console/sign-out";
const NO_CONSOLE: &str =
    "the console is off: set admin.console = true in foreword.toml, or FOREWORD_ADMIN__CONSOLE=true\n";

/// Answers operators.
#[derive(Clone)]
pub struct Admin {
    planner: Arc<Planner>,
    metrics: Arc<Metrics>,
    sessions: Option<Sessions>,
    console: Option<Arc<Console>>,
    /// The file of receipts.
    store: Option<Arc<Path>>,
    /// Whether no new requests are taken any more.
    stopping: watch::Receiver<bool>,
}

/// The service of the admin listener. `token` is the hash of what operators must show; without, requests of this
/// machine are answered. Once `stopping` is set, it is ready no more.
pub fn router(
    planner: Arc<Planner>,
    metrics: Arc<Metrics>,
    token: Option<blake3::Hash>,
    console: Option<Console>,
    store: Option<PathBuf>,
    stopping: watch::Receiver<bool>,
) -> Admin {
    let (sessions, console) = (token.map(Sessions::new), console.map(Arc::new));
    Admin { planner, metrics, sessions, console, store: store.map(Arc::from), stopping }
}

impl Service<Request<Incoming>> for Admin {
    type Response = Reply;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Reply, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let admin = self.clone();
        Box::pin(async move { Ok(admin.answer(request).await) })
    }
}

impl Admin {
    async fn answer(&self, request: Request<Incoming>) -> Reply {
        let (uri, headers) = (request.uri(), request.headers());
        // The token says who asks; without one, only what names this machine is surely of it.
        if self.sessions.is_none() && !is_local(uri, headers) {
            return text(StatusCode::FORBIDDEN, "only requests of this machine are answered\n");
        }
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        if !reads && !is_own(uri, headers) {
            return text(StatusCode::FORBIDDEN, "only pages of this listener may send this\n");
        }
        let admitted = self.sessions.as_ref().is_none_or(|sessions| sessions.admits(headers));
        let path = uri.path();
        match (&self.console, &self.sessions) {
            (Some(console), _) if is_console(path) && admitted && !is_door(path) => {
                return match Console::file(&request) {
                    Some(file) => file,
                    None => console.answer(request).await,
                };
            }
            (Some(_), Some(sessions)) if is_console(path) => return door(sessions, request).await,
            (Some(_), None) if is_door(path) => return go_to("/console/"),
            (None, _) if is_console(path) => return text(StatusCode::NOT_FOUND, NO_CONSOLE),
            _ => {}
        }
        if !reads {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match path.strip_prefix("/receipts/").filter(|_| admitted) {
            Some(id) => self.receipt(id.to_owned()).await,
            None => self.read(path, admitted),
        }
    }

    /// A receipt, which holds no text of the request or the answer. Reading it waits for the disk.
    async fn receipt(&self, id: String) -> Reply {
        let Some(path) = self.store.clone() else {
            return text(StatusCode::NOT_FOUND, "no receipts are kept: set live.store in foreword.toml\n");
        };
        let read = move || Store::read(&path).and_then(|store| store.receipt(&id));
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok(Some(receipt))) => match serde_json::to_string(&receipt) {
                Ok(receipt) => answer(StatusCode::OK, JSON, receipt + "\n"),
                Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the receipt cannot be written\n"),
            },
            Ok(Ok(None)) => text(
                StatusCode::NOT_FOUND,
                "there is no such receipt: it is forgotten, not written yet, or never was\n",
            ),
            Ok(Err(error)) => answer(
                StatusCode::SERVICE_UNAVAILABLE,
                "text/plain; charset=utf-8",
                format!("the receipts cannot be read: {error}\n"),
            ),
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the receipts cannot be read\n"),
        }
    }

    fn read(&self, path: &str, admitted: bool) -> Reply {
        match path {
            "/readyz" if *self.stopping.borrow() => {
                answer(StatusCode::SERVICE_UNAVAILABLE, JSON, "{\"status\":\"stopping\"}\n".to_owned())
            }
            "/healthz" | "/readyz" => self.health(admitted),
            _ if !admitted => unauthorized(),
            "/metrics" => match self.metrics.render() {
                Ok(metrics) => answer(StatusCode::OK, OPEN_METRICS, metrics),
                Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n"),
            },
            _ => text(
                StatusCode::NOT_FOUND,
                "there are /healthz, /readyz, /metrics, /receipts/ID and /console/\n",
            ),
        }
    }

    /// Without a snapshot the process does not get as far as listening, so to answer is to be ready until it is told
    /// to stop. Who shows no
    /// token learns only that.
    fn health(&self, admitted: bool) -> Reply {
        if !admitted {
            return answer(StatusCode::OK, JSON, "{\"status\":\"ok\"}\n".to_owned());
        }
        let snapshot = self.planner.snapshot();
        let brands: Vec<_> = snapshot
            .brands
            .iter()
            .map(|brand| serde_json::json!({ "id": brand.id, "items": brand.len() }))
            .collect();
        let lexical = self.planner.is_lexical_only() || snapshot.report.waiting > 0;
        let body = serde_json::json!({
            "status": "ok",
            "version": env!("CARGO_PKG_VERSION"),
            "retrieval": if lexical { "lexical" } else { "hybrid" },
            "snapshot": {
                "id": &*snapshot.id,
                "built": snapshot.built.to_string(),
                "recipe": snapshot.recipe.name,
                "texts_waiting": snapshot.report.waiting,
                "brands": brands,
            },
        });
        answer(StatusCode::OK, JSON, format!("{body}\n"))
    }
}

fn is_door(path: &str) -> bool {
    matches!(path, SIGN_IN | SIGN_OUT)
}

/// The console to somebody who has not signed in, or who comes and goes.
async fn door(sessions: &Sessions, request: Request<Incoming>) -> Reply {
    if let Some(file) = Console::file(&request) {
        return file;
    }
    match (request.method(), request.uri().path()) {
        (&Method::POST, SIGN_IN) => {
            let form = read_form(request.into_body()).await.unwrap_or_default();
            if !sessions.is_token(form.text("token")) {
                tracing::warn!("a wrong admin token was given to the console");
                return sign_in_page(true);
            }
            with_cookie(go_to("/console/"), sessions.begin(SystemTime::now()))
        }
        (&Method::POST, SIGN_OUT) => {
            with_cookie(go_to(SIGN_IN), sessions.end(request.headers(), SystemTime::now()))
        }
        (_, SIGN_IN) => sign_in_page(false),
        (&Method::GET | &Method::HEAD, _) => go_to(SIGN_IN),
        _ => unauthorized(),
    }
}

fn with_cookie(mut reply: Reply, cookie: Option<HeaderValue>) -> Reply {
    if let Some(cookie) = cookie {
        reply.headers_mut().insert(SET_COOKIE, cookie);
    }
    reply
}

fn go_to(path: &'static str) -> Reply {
    let mut reply = text(StatusCode::SEE_OTHER, "");
    reply.headers_mut().insert(LOCATION, HeaderValue::from_static(path));
    reply
}

fn unauthorized() -> Reply {
    let mut reply =
        text(StatusCode::UNAUTHORIZED, "this wants the admin token: Authorization: Bearer TOKEN\n");
    reply.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    reply
}

fn text(status: StatusCode, line: &'static str) -> Reply {
    answer(status, "text/plain; charset=utf-8", line.to_owned())
}

fn answer(status: StatusCode, media: &'static str, body: String) -> Reply {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}
