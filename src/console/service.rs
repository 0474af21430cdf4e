//! Which page answers which path.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::header::IF_NONE_MATCH;
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use minijinja::{Value, context};

use super::files::file;
use super::form::Form;
use super::reply::{Reply, read_form, see_other};
use super::templates::{message, show};
use crate::live::Prices;
use crate::mentions::Lexicon;
use crate::metrics::Metrics;
use crate::snapshot::{Planner, Reloader, Snapshot};
use crate::upstream::Upstream;

/// What the console shows and asks.
pub struct Parts {
    /// Explains requests.
    pub planner: Arc<Planner>,
    /// Knows how the files were last read.
    pub reloader: Arc<Reloader>,
    /// Counts of this process.
    pub metrics: Arc<Metrics>,
    /// Where models answer; a pool of its own, so that nobody's traffic waits for a try.
    pub upstream: Option<Upstream>,
    /// The folder of stored reports.
    pub reports: Option<PathBuf>,
    /// The file of counts and receipts, where they are kept.
    pub store: Option<PathBuf>,
    /// Whether questions that found nothing are kept there.
    pub keeps_questions: bool,
    /// What tokens cost, where it is known.
    pub prices: Option<Prices>,
    /// The embedding model's name, or why there is none.
    pub model: Result<String, String>,
    /// Whether one signs in, and so can sign out.
    pub signs_in: bool,
}

/// The console.
pub struct Console {
    pub(super) planner: Arc<Planner>,
    pub(super) reloader: Arc<Reloader>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) upstream: Option<Arc<Upstream>>,
    pub(super) reports: Option<PathBuf>,
    pub(super) store: Option<PathBuf>,
    pub(super) keeps_questions: bool,
    pub(super) prices: Option<Prices>,
    pub(super) model: Result<String, String>,
    signs_in: bool,
    /// The names of a snapshot's brands, made when they are first wanted.
    lexicon: ArcSwapOption<(Arc<str>, Arc<Lexicon>)>,
}

/// Where models answer, as a page says it.
pub(super) struct Endpoint {
    /// The base URL.
    pub(super) url: String,
    /// Whether the operator's key is sent.
    pub(super) has_key: bool,
}

/// Whether a path is one of the console's.
pub fn is_console(path: &str) -> bool {
    path == "/" || path == "/console" || path.starts_with("/console/")
}

/// The page that asks for the admin token; `wrong` after another one was given.
pub fn sign_in_page(wrong: bool) -> Reply {
    let status = if wrong { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
    show(status, "sign_in.html", "sign_in", context! { wrong })
}

impl Console {
    /// Puts the console together.
    pub fn new(parts: Parts) -> Console {
        Console {
            planner: parts.planner,
            reloader: parts.reloader,
            metrics: parts.metrics,
            upstream: parts.upstream.map(Arc::new),
            reports: parts.reports,
            store: parts.store,
            keeps_questions: parts.keeps_questions,
            prices: parts.prices,
            model: parts.model,
            signs_in: parts.signs_in,
            lexicon: ArcSwapOption::empty(),
        }
    }

    /// A file that may be had without signing in: style and script.
    pub fn file(request: &Request<Incoming>) -> Option<Reply> {
        file(request.uri().path(), request.headers().get(IF_NONE_MATCH))
    }

    /// Answers a request whose sender may see everything.
    pub async fn answer(&self, request: Request<Incoming>) -> Reply {
        let path = request.uri().path().to_owned();
        let query = Form::read(request.uri().query().unwrap_or_default());
        match *request.method() {
            Method::GET | Method::HEAD => self.get(&path, query).await,
            Method::POST => match read_form(request.into_body()).await {
                Some(form) => self.post(&path, form).await,
                None => message(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "This is too much at once",
                    &["The form did not arrive whole, or has more than 4 MB."],
                ),
            },
            _ => message(StatusCode::METHOD_NOT_ALLOWED, "This cannot be done", &["Pages are read by GET."]),
        }
    }

    async fn get(&self, path: &str, query: Form) -> Reply {
        let place = path.trim_end_matches('/');
        match place {
            "" => see_other("/console/"),
            "/console" => self.overview(query).await,
            "/console/try" => self.try_page(query).await,
            "/console/try/models" => self.models().await,
            "/console/knowledge" => self.knowledge_page().await,
            "/console/requests" => self.requests_page(query).await,
            "/console/requests/new" => self.new_requests(query).await,
            "/console/experiments" => self.experiments_page(query).await,
            "/console/measure" => self.reports_page(),
            _ => match place.strip_prefix("/console/").and_then(|place| place.split_once('/')) {
                Some(("knowledge", brand)) => self.brand_page(brand, &query).await,
                Some(("requests", receipt)) => self.receipt_page(receipt).await,
                Some(("measure", report)) => self.report_page(report),
                _ => not_found(),
            },
        }
    }

    async fn post(&self, path: &str, form: Form) -> Reply {
        match path.trim_end_matches('/') {
            "/console/try" => self.try_page(form).await,
            "/console/try/answer" => self.ask(form).await,
            "/console/knowledge/reload" => {
                let reloader = Arc::clone(&self.reloader);
                if tokio::task::spawn_blocking(move || reloader.reload()).await.is_err() {
                    tracing::error!("a reload panicked: the last good state serves on");
                }
                see_other("/console/knowledge")
            }
            _ => not_found(),
        }
    }

    /// A page made of a template. `here` names its place in the navigation.
    pub(super) fn show(&self, status: StatusCode, template: &str, here: &str, values: Value) -> Reply {
        show(status, template, here, context! { signs_in => self.signs_in, ..values })
    }

    /// The names of all brands; `None` where some cannot be told apart.
    pub(super) fn lexicon(&self, snapshot: &Snapshot) -> Option<Arc<Lexicon>> {
        if let Some(known) = self.lexicon.load_full().filter(|known| known.0 == snapshot.id) {
            return Some(Arc::clone(&known.1));
        }
        let lexicon = Arc::new(Lexicon::of_brands(&snapshot.knowledge.brands).ok()?);
        self.lexicon.store(Some(Arc::new((Arc::clone(&snapshot.id), Arc::clone(&lexicon)))));
        Some(lexicon)
    }

    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        let settings = self.upstream.as_ref()?.settings();
        Some(Endpoint { url: settings.address.to_string(), has_key: settings.authorization.is_some() })
    }
}

/// There is no such page.
pub(super) fn not_found() -> Reply {
    message(
        StatusCode::NOT_FOUND,
        "There is no such page",
        &["It may have been moved, or what it was about is gone. The pages are named above."],
    )
}
