//! What the proxy hands over when a chat request has ended.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::spans::Timing;
use crate::inject::{Decision, Placed, Placement, Recipe};
use crate::leaks::Leak;
use crate::mentions::Lexicon;
use crate::snapshot::{Observed, Planned};
use crate::tap::Reading;
use crate::telemetry::TraceContext;

/// A chat request that has ended.
#[derive(Debug)]
pub struct Finished {
    /// The receipt's id.
    pub id: Uuid,
    /// When it began.
    pub began: Timestamp,
    /// The name of the client's key.
    pub client: Option<String>,
    /// What was decided.
    pub decision: Decision,
    /// What is known of it once its body was read; `None` where it was not.
    pub spoken: Option<Spoken>,
    /// What the answer would have given away, and was ended for.
    pub cut: Option<Leak>,
    /// The answer's status.
    pub status: u16,
    /// How the answer ended.
    pub ending: &'static str,
    /// The trace that it belongs to, where traces are kept.
    pub trace: Option<TraceContext>,
    /// Where the time went.
    pub timing: Timing,
    /// Time that the decision took.
    pub planning: Duration,
    /// Time to the head of the upstream's answer.
    pub first_byte: Option<Duration>,
    /// Time to the end of it.
    pub total: Duration,
    /// What was read of the answer.
    pub reading: Option<Reading>,
}

/// What was said, and what was added.
#[derive(Debug, Clone)]
pub struct Spoken {
    /// Conversation, arm and question; `None` for the requests of `measure`.
    pub observed: Option<Observed>,
    /// What each turn got, or would have got.
    pub placed: Arc<[Placed]>,
    /// Where the items went.
    pub placement: Placement,
    /// Id of the snapshot that decided.
    pub snapshot: Arc<str>,
    /// Its recipe.
    pub recipe: Arc<Recipe>,
    /// What the answer ends with, which is not its own.
    pub disclosure: Option<Arc<str>>,
    /// The names to look for.
    pub lexicon: Option<Arc<Lexicon>>,
}

impl Spoken {
    /// As a snapshot has decided.
    pub fn new(planned: &Planned, disclosure: Option<Arc<str>>) -> Spoken {
        let snapshot = &planned.snapshot;
        Spoken {
            disclosure,
            observed: planned.observed.clone(),
            placed: Arc::clone(&planned.placed),
            placement: planned.placement,
            snapshot: Arc::clone(&snapshot.id),
            recipe: Arc::clone(&snapshot.recipe),
            lexicon: snapshot.lexicon.clone(),
        }
    }
}
