//! What planning a request comes to.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::assignment::Assignment;
use super::state::Snapshot;
use crate::chat::Turn;
use crate::inject::{Decision, Placed, Placement, SkipReason};
use crate::retrieval::language_of;

/// A planned request.
#[derive(Clone)]
pub struct Planned {
    /// What was decided.
    pub decision: Decision,
    /// What leaves.
    pub body: Bytes,
    /// What each turn got.
    pub placed: Arc<[Placed]>,
    /// The snapshot that decided.
    pub snapshot: Arc<Snapshot>,
    /// The request as the live experiment sees it.
    pub observed: Option<Observed>,
    /// What the answer is to end with.
    pub disclosure: Option<Arc<str>>,
    /// Where the items went.
    pub placement: Placement,
    /// Time for the turns that were not known; `None` where all were.
    pub retrieve: Option<Duration>,
    /// The model that the request names.
    pub model: Option<String>,
}

/// A request of the live experiment.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The conversation and its arm.
    pub assignment: Assignment,
    /// Whether something was added, or would have been but for the arm: answers are compared from the first turn on
    /// that gets something.
    pub is_eligible: bool,
    /// What the user asked last.
    pub question: Box<str>,
}

/// What was decided for a request.
pub(super) struct Chosen {
    pub(super) decision: Decision,
    /// What leaves, where it is not what came.
    pub(super) body: Option<Bytes>,
    /// What was placed, or would have been.
    pub(super) placed: Arc<[Placed]>,
    pub(super) disclosure: Option<Arc<str>>,
}

/// What is known of a request also where nothing was chosen.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) observed: Option<Observed>,
    pub(super) placement: Option<Placement>,
    pub(super) retrieve: Option<Duration>,
    pub(super) model: Option<String>,
}

impl Chosen {
    pub(super) fn nothing(reason: SkipReason) -> Chosen {
        let decision = Decision::Skipped(reason);
        Chosen { decision, body: None, placed: Arc::from([]), disclosure: None }
    }
}

/// What the brand that was told of last wants answers to end with, in the language of the last question.
pub(super) fn disclosure(
    snapshot: &Snapshot,
    placed: &[Placed],
    body: &[u8],
    turns: &[Turn],
) -> Option<Arc<str>> {
    let id = &placed.last()?.items.last()?.id;
    let brand = snapshot.brands.iter().find(|brand| brand.prepared(id).is_some())?;
    brand.disclosure.in_language(None)?;
    let question = turns.last()?.text(std::str::from_utf8(body).ok()?);
    brand.disclosure.in_language(language_of(&question)).cloned()
}
