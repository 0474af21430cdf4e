//! The layers of the request path, outermost first.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use tower::ServiceBuilder;

use super::announce::{Announce, AnnounceLayer};
use super::authenticate::{Authenticate, AuthenticateLayer};
use super::forward::{Forward, Tunnels};
use super::guard::GuardLayer;
use super::inject::{Inject, InjectLayer, InjectSettings};
use super::limit::{Limit, LimitLayer};
use super::observe::{Observe, ObserveLayer};
use super::refuse::{Refuse, RefuseLayer};
use super::route::{Route, RouteLayer, RouteSettings};
use crate::keys::KeyRing;
use crate::live::Recorder;
use crate::metrics::Metrics;
use crate::proxy::guard::Guard;
use crate::snapshot::Planner;
use crate::upstream::Upstream;

/// What the stack needs to know.
#[derive(Debug, Clone)]
pub struct ProxySettings {
    /// Most requests at once; one more is answered 503.
    pub max_requests: usize,
    /// Longest silence within a request body.
    pub body_timeout: Duration,
    /// Largest chat body that is read whole; a longer one streams on as it comes.
    pub max_body_bytes: usize,
    /// Whether chat responses say what was added.
    pub headers: bool,
    /// Whether an answer ends before it gives away what only the model was to see.
    pub cut_leaks: bool,
    /// Share of requests that ended well which leave a line in the log.
    pub log_share: f64,
    /// Who may call, as it is now; `None`: everybody.
    pub keys: Option<Arc<ArcSwap<KeyRing>>>,
    /// Paths and brands.
    pub route: RouteSettings,
}

/// The whole request path as one service.
pub type Stack = Observe<Announce<Refuse<Guard<Authenticate<Limit<Route<Inject<Forward>>>>>>>>;

/// Builds the request path.
pub fn stack(
    settings: &ProxySettings,
    upstream: Upstream,
    planner: Arc<Planner>,
    metrics: Arc<Metrics>,
    recorder: Recorder,
    tunnels: Tunnels,
) -> Stack {
    let inject = InjectSettings { max_body_bytes: settings.max_body_bytes, cut_leaks: settings.cut_leaks };
    ServiceBuilder::new()
        // Outermost, so that every request has one log line and one count, however it ends.
        .layer(ObserveLayer::new(Arc::clone(&metrics), recorder, settings.log_share, settings.body_timeout))
        // Outside of errors, which say what was decided as answers do.
        .layer(AnnounceLayer::new(settings.headers))
        // Errors become answers in one place.
        .layer(RefuseLayer::new(Arc::clone(&metrics)))
        // Targets that could mean another host or path to the upstream are refused before anything reads them.
        .layer(GuardLayer)
        // Before anything is spent on it.
        .layer(AuthenticateLayer::new(settings.keys.clone()))
        // Inside of observing, so that what it turns away is counted.
        .layer(LimitLayer::new(settings.max_requests))
        // Path to brand, dialect and upstream path.
        .layer(RouteLayer::new(settings.route.clone()))
        // Reads and splices chat bodies; everything else goes by.
        .layer(InjectLayer::new(planner, Arc::clone(&metrics), inject))
        .service(Forward::new(upstream, metrics, tunnels))
}
