//! The record of one request. It lives exactly as long as the request does: what it holds is free again
//! when the last byte of the answer has left or the client has gone.

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Duration, Instant};
use uuid::Uuid;

use crate::inject::{Decision, Placed};
use crate::keys::Client;
use crate::leaks::Leak;
use crate::live::{Spoken, Timing};
use crate::metrics::Route;
use crate::telemetry::TraceContext;

/// What a request of an experiment got, which its response says in full.
#[derive(Debug)]
pub struct Told {
    /// The snapshot that decided.
    pub snapshot: Arc<str>,
    /// What each turn got.
    pub placed: Arc<[Placed]>,
    /// The mark in its items, where the experiment asked for one.
    pub canary: Option<String>,
}

/// What is known of a request so far. Each layer writes its own field once.
#[derive(Debug)]
pub struct Exchange {
    /// The receipt's id.
    pub receipt: Uuid,
    /// When the request head had been read.
    pub started: Instant,
    /// The same by the clock.
    pub began: Timestamp,
    /// The place that the request takes under the limit of requests at once.
    pub permit: OnceLock<OwnedSemaphorePermit>,
    /// Whose key it came with.
    pub client: OnceLock<Arc<Client>>,
    /// Chat or not.
    pub route: OnceLock<Route>,
    /// The decision about a chat request.
    pub decision: OnceLock<Decision>,
    /// What a request of an experiment got.
    pub told: OnceLock<Told>,
    /// What was said and added, for the receipt.
    pub spoken: OnceLock<Spoken>,
    /// What the answer would have given away, and was ended for.
    pub cut: OnceLock<Leak>,
    /// The trace that the request belongs to.
    pub trace: OnceLock<TraceContext>,
    /// Where the time went.
    pub timing: OnceLock<Timing>,
    /// Time that the decision took.
    pub planning: OnceLock<Duration>,
    /// Time from the request to the upstream's response head.
    pub first_byte: OnceLock<Duration>,
}

impl Exchange {
    /// A new record.
    pub fn new() -> Exchange {
        Exchange {
            receipt: Uuid::now_v7(),
            started: Instant::now(),
            began: Timestamp::now(),
            permit: OnceLock::new(),
            client: OnceLock::new(),
            route: OnceLock::new(),
            decision: OnceLock::new(),
            told: OnceLock::new(),
            spoken: OnceLock::new(),
            cut: OnceLock::new(),
            trace: OnceLock::new(),
            timing: OnceLock::new(),
            planning: OnceLock::new(),
            first_byte: OnceLock::new(),
        }
    }
}
