//! Path and header fields become a brand, a dialect and the path for the upstream.

mod about;
mod path;

use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::HeaderName;
use http::{HeaderMap, Method, Response};
use tower::{Layer, Service};

use super::body::Answer;
use super::call::{Answering, Call, Routed};
use super::error::ProxyError;
use crate::chat::Paths;
use crate::knowledge::Filter;
use crate::metrics::Route as RouteLabel;
use crate::snapshot::{BrandChoice, Choice, Treatment};
use about::about;
pub(super) use about::is_about;
use path::{is_allowed, split_brand};

const BRAND: HeaderName = HeaderName::from_static("x-foreword-brand");
/// How a request of an experiment is treated, and the token that it needs.
const ARM: HeaderName = HeaderName::from_static("x-foreword-arm");
const TOKEN: HeaderName = HeaderName::from_static("x-foreword-token");
/// Which items may be told.
const TAGS: HeaderName = HeaderName::from_static("x-foreword-tags");
const AUDIENCE: HeaderName = HeaderName::from_static("x-foreword-audience");
const LANGUAGE: HeaderName = HeaderName::from_static("x-foreword-language");
const CONTEXT: HeaderName = HeaderName::from_static("x-foreword-context");
/// Global Privacy Control: a browser's word for its user, where a page calls the proxy itself.
const PRIVACY: HeaderName = HeaderName::from_static("sec-gpc");

/// How requests are routed.
#[derive(Debug, Clone)]
pub struct RouteSettings {
    /// Whether clients may name a brand by header.
    pub brand_header: bool,
    /// Whether clients may say by header which items they may be told.
    pub filter_headers: bool,
    /// Paths that may be reached, each with what is under it; `None` allows all. Set wherever the
    /// operator's own key is used.
    pub allowed_paths: Option<Vec<String>>,
    /// Paths whose requests injection knows.
    pub paths: Paths,
    /// The hash of the token with which experiments choose how their requests are treated; `None`: nobody does.
    pub experiment_token: Option<blake3::Hash>,
    /// The field in which clients name a conversation.
    pub conversation_header: HeaderName,
    /// Whether questions that found nothing are kept, which whoever asks is told.
    pub keeps_questions: bool,
}

/// Makes [`Route`].
#[derive(Clone)]
pub struct RouteLayer {
    settings: Arc<RouteSettings>,
}

impl RouteLayer {
    /// Routes by `settings`.
    pub fn new(settings: RouteSettings) -> Self {
        RouteLayer { settings: Arc::new(settings) }
    }
}

impl<S> Layer<S> for RouteLayer {
    type Service = Route<S>;

    fn layer(&self, inner: S) -> Route<S> {
        Route { inner, settings: Arc::clone(&self.settings) }
    }
}

/// Settles path and brand.
#[derive(Clone)]
pub struct Route<S> {
    inner: S,
    settings: Arc<RouteSettings>,
}

impl<S> Service<Call> for Route<S>
where
    S: Service<Routed, Response = Response<Answer>, Error = ProxyError, Future = Answering>,
{
    type Response = Response<Answer>;
    type Error = ProxyError;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut call: Call) -> Answering {
        if let Some(answer) = about(&call.parts.method, call.parts.uri.path(), self.settings.keeps_questions)
        {
            return Box::pin(std::future::ready(Ok(answer)));
        }
        let (path_brand, path) = split_brand(call.parts.uri.path());
        let method = &call.parts.method;
        let allowed =
            self.settings.allowed_paths.as_deref().is_none_or(|allowed| is_allowed(method, path, allowed));
        if !allowed {
            return Box::pin(std::future::ready(Err(ProxyError::PathNotAllowed)));
        }
        let dialect = self.settings.paths.dialect_of(path).filter(|_| call.parts.method == Method::POST);
        let target = match call.parts.uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        let header_brand = || {
            let named = call.parts.headers.get(&BRAND).filter(|_| self.settings.brand_header)?;
            Some(String::from_utf8_lossy(named.as_bytes()).into_owned())
        };
        let brand = path_brand
            .map(str::to_owned)
            .or_else(header_brand)
            .map_or(BrandChoice::Default, BrandChoice::Named);
        let filter = match self.settings.filter_headers {
            true => filter(&call.parts.headers),
            false => Filter::default(),
        };
        let choice = match call.exchange.client.get() {
            Some(client) => Choice {
                brand: if client.brands.is_empty() { brand } else { brand.within(&client.brands) },
                filter: filter.within(&client.tags, &client.audience),
            },
            None => Choice { brand, filter },
        };
        let says = |name: &HeaderName, word: &[u8]| {
            let mut values = call.parts.headers.get_all(name).iter();
            values.any(|value| value.as_bytes().eq_ignore_ascii_case(word))
        };
        let opted_out = says(&CONTEXT, b"off") || says(&PRIVACY, b"1");
        let treatment = match self.arm(&call.parts.headers).map(str::parse::<Treatment>).transpose() {
            Ok(treatment) => treatment,
            Err(error) => return Box::pin(std::future::ready(Err(ProxyError::Arm(error)))),
        };
        let conversation = call.parts.headers.get(&self.settings.conversation_header).cloned();
        strip_own_headers(&mut call.parts.headers);
        let route = if dialect.is_some() { RouteLabel::Chat } else { RouteLabel::Passthrough };
        call.exchange.route.get_or_init(|| route);
        self.inner.call(Routed { call, target, dialect, choice, opted_out, treatment, conversation })
    }
}

impl<S> Route<S> {
    /// The arm that an experiment names. Without the right token the field is as if it were not there.
    fn arm<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let token = headers.get(&TOKEN)?;
        // Hashes are compared in a time that does not depend on where they differ.
        let known = self.settings.experiment_token? == blake3::hash(token.as_bytes());
        headers.get(&ARM).filter(|_| known)?.to_str().ok()
    }
}

/// Which items a request asks for: words separated by commas.
fn filter(headers: &HeaderMap) -> Filter {
    let words = |name: &HeaderName| -> Vec<String> {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let words = values.flat_map(|value| value.split(',')).map(str::trim);
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    Filter::new(words(&TAGS), words(&AUDIENCE), words(&LANGUAGE).first().map(String::as_str))
}

/// Header fields that speak to the proxy are never forwarded.
fn strip_own_headers(headers: &mut HeaderMap) {
    let own: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("x-foreword-")).cloned().collect();
    for name in own {
        headers.remove(name);
    }
}
