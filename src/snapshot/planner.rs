//! Planning requests: what is known is looked up, what is not is retrieved in the bounded pool within a
//! deadline. A request is injected whole or left alone.

use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use quick_cache::sync::Cache;
use tokio::time::Instant;
use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

use super::build::Snapshot;
use super::scope::{BrandChoice, Scope};
use super::treatment::{Telling, Treatment, TreatmentError};
use super::turns::{Kitchen, TurnError, TurnInput};
use crate::chat::{Content, Conversation, Dialect, Turn, Unreadable};
use crate::inject::{Decision, Placed, Plan, SkipReason, splice};
use crate::metrics::{Metrics, PrefixBreak};
use crate::retrieval::Pool;

/// How long retrieval may take, and what is remembered.
#[derive(Debug, Clone, Copy)]
pub struct PlannerSettings {
    /// For the new turn.
    pub deadline: Duration,
    /// Besides, for each earlier turn that is not known yet.
    pub deadline_per_past_turn: Duration,
    /// In all.
    pub deadline_cap: Duration,
    /// How long a plan that missed its deadline is worked on for the sake of the next request.
    pub background: Duration,
    /// Plans that are remembered.
    pub cache_entries: usize,
}

impl PlannerSettings {
    /// How long a request may wait whose plan lacks its new turn and so many earlier ones.
    pub fn allowed(&self, past_turns: usize) -> Duration {
        let past = u32::try_from(past_turns).unwrap_or(u32::MAX);
        let past = self.deadline_per_past_turn.saturating_mul(past);
        past.saturating_add(self.deadline).min(self.deadline_cap)
    }
}

/// A chat request to plan.
pub struct Request<'a> {
    /// The client's body.
    pub body: Bytes,
    /// Its shape.
    pub dialect: Dialect,
    /// Whose items it may see.
    pub brand: &'a BrandChoice,
    /// How it is treated in an experiment.
    pub treatment: &'a Treatment,
}

/// A planned request.
#[derive(Debug, Clone)]
pub struct Planned {
    /// What was decided.
    pub decision: Decision,
    /// What leaves.
    pub body: Bytes,
    /// What each turn got.
    pub placed: Arc<[Placed]>,
    /// The snapshot that decided.
    pub snapshot: Arc<str>,
}

/// Plans requests with the snapshot that is current when they come.
pub struct Planner {
    snapshots: Arc<ArcSwap<Snapshot>>,
    kitchen: Kitchen,
    pool: Pool,
    known: Arc<Cache<u128, Known>>,
    /// Keys cannot be guessed from outside.
    seed: u64,
    settings: PlannerSettings,
    metrics: Arc<Metrics>,
}

/// A remembered plan.
#[derive(Clone)]
struct Known {
    snapshot: Arc<str>,
    plan: Plan,
}

impl Planner {
    pub(super) fn new(
        snapshots: Arc<ArcSwap<Snapshot>>,
        kitchen: Kitchen,
        pool: Pool,
        settings: PlannerSettings,
        metrics: Arc<Metrics>,
    ) -> Planner {
        Planner {
            snapshots,
            kitchen,
            pool,
            known: Arc::new(Cache::new(settings.cache_entries)),
            seed: RandomState::new().hash_one(0_u8),
            settings,
            metrics,
        }
    }

    /// The snapshot that serves now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots.load_full()
    }

    /// Whether there is no embedding model.
    pub fn is_lexical_only(&self) -> bool {
        self.kitchen.embedder.is_none()
    }

    pub(super) fn kitchen(&self) -> &Kitchen {
        &self.kitchen
    }

    /// Decides about a request. Never fails: what goes wrong is a reason to leave the body alone.
    pub async fn plan(&self, request: Request<'_>) -> Planned {
        let snapshot = self.snapshot();
        let planned = self.try_plan(&snapshot, &request).await;
        let snapshot = Arc::clone(&snapshot.id);
        match planned {
            Ok((decision, Some((body, placed)))) => Planned { decision, body, placed, snapshot },
            Ok((decision, None)) => Planned { decision, body: request.body, placed: Arc::new([]), snapshot },
            Err(reason) => {
                let decision = Decision::Skipped(reason);
                Planned { decision, body: request.body, placed: Arc::new([]), snapshot }
            }
        }
    }

    /// Whether the snapshot that serves now can treat requests so.
    ///
    /// # Errors
    ///
    /// What is missing for it.
    pub fn can_treat(&self, treatment: &Treatment) -> Result<(), TreatmentError> {
        self.snapshot().telling(treatment).map(|_| ())
    }

    async fn try_plan(
        &self,
        snapshot: &Arc<Snapshot>,
        request: &Request<'_>,
    ) -> Result<(Decision, Option<(Bytes, Arc<[Placed]>)>), SkipReason> {
        // What cannot be had is refused before; a reload in between may still take a recipe away.
        let telling = snapshot.telling(request.treatment).ok().flatten().ok_or(SkipReason::Passthrough)?;
        let scope = snapshot.scope(request.brand)?;
        let (turns, bytes) = read_turns(&request.body, request.dialect)?;
        let keys = self.keys(snapshot, &scope, request, &turns);
        let (first, plan) = self.recall(snapshot, &keys);
        self.metrics.plan_known(first == turns.len());
        let plan = if first == turns.len() {
            plan
        } else {
            let extended =
                self.extend(snapshot, scope, telling.clone(), request, &turns, keys, first, plan).await;
            if extended.is_err() && turns.len() > 1 {
                self.metrics.prefix_broken(PrefixBreak::Deadline);
            }
            extended?
        };
        let decision = plan.decide(bytes, &self.kitchen.budget);
        if matches!(decision, Decision::Skipped(_)) {
            // A first turn continues nothing.
            if plan.placed.iter().any(|placed| placed.turn + 1 < turns.len()) {
                self.metrics.prefix_broken(PrefixBreak::ContextOverflow);
            }
            return Ok((decision, None));
        }
        let spliced = splice(&request.body, &turns, telling.recipe.placement, &plan.placed);
        Ok((decision, Some((spliced.body, plan.placed))))
    }

    /// A key for each turn, of everything that its plan depends on: what was said up to it, the brands and
    /// the treatment. The snapshot is compared when a plan is found.
    fn keys(&self, snapshot: &Snapshot, scope: &Scope, request: &Request<'_>, turns: &[Turn]) -> Vec<u128> {
        let body = &request.body;
        let mut key = u128::from(self.seed);
        // What a text is goes into its hash, so that the same bytes as another thing give another key.
        let mut link = |what: u64, bytes: &[u8]| {
            let mut both = [0; 32];
            both[..16].copy_from_slice(&key.to_le_bytes());
            both[16..].copy_from_slice(&xxh3_128_with_seed(bytes, self.seed ^ what).to_le_bytes());
            key = xxh3_128(&both);
            key
        };
        for &brand in &scope.brands {
            link(0, snapshot.brands[brand].id.as_bytes());
        }
        if let Treatment::Varied(variation) = request.treatment {
            link(1, variation.words.as_bytes());
        }
        turns
            .iter()
            .map(|turn| {
                for answer in &turn.answers {
                    link(8 | kind(answer), &body[answer.raw()]);
                }
                let place = u64::from(turn.insertable) << 4 | u64::from(turn.opens) << 5;
                link(64 | place | kind(&turn.content), &body[turn.raw()])
            })
            .collect()
    }

    /// The longest plan that is known, and how many turns it covers.
    fn recall(&self, snapshot: &Snapshot, keys: &[u128]) -> (usize, Plan) {
        for (turn, key) in keys.iter().enumerate().rev() {
            let Some(known) = self.known.get(key) else { continue };
            if known.snapshot == snapshot.id {
                return (turn + 1, known.plan);
            }
            if !known.plan.placed.is_empty() && keys.len() > 1 {
                self.metrics.prefix_broken(PrefixBreak::Reload);
            }
            break;
        }
        (0, Plan::empty())
    }

    /// Plans the turns from `first` on.
    #[expect(clippy::too_many_arguments, reason = "one call, and each is a different thing")]
    async fn extend(
        &self,
        snapshot: &Arc<Snapshot>,
        scope: Scope,
        telling: Telling,
        request: &Request<'_>,
        turns: &[Turn],
        keys: Vec<u128>,
        first: usize,
        plan: Plan,
    ) -> Result<Plan, SkipReason> {
        let started = Instant::now();
        let body = std::str::from_utf8(&request.body).map_err(|_| SkipReason::NotJson)?;
        let allowed = self.settings.allowed(turns.len() - first - 1);
        let work = Work {
            snapshot: Arc::clone(snapshot),
            scope,
            telling,
            inputs: TurnInput::of_turns(body, turns, first),
            keys: keys[first..].to_vec(),
            kitchen: self.kitchen.clone(),
            known: Arc::clone(&self.known),
            give_up: started + self.settings.background.max(allowed),
        };
        let answer = self.pool.try_submit(move || work.run(plan)).map_err(|_| SkipReason::Overloaded)?;
        match tokio::time::timeout_at(started + allowed, answer).await {
            Err(_) => Err(SkipReason::Deadline),
            Ok(Ok(Ok(Some(plan)))) => Ok(plan),
            Ok(Ok(Ok(None))) => Err(SkipReason::Deadline),
            Ok(Ok(Err(error))) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "retrieval failed");
                Err(SkipReason::RetrievalFailed)
            }
            Ok(Err(_)) => {
                tracing::error!("retrieval panicked");
                Err(SkipReason::RetrievalFailed)
            }
        }
    }
}

/// The turns that a job of the pool plans. It goes on when nobody waits any more: the next request of the
/// conversation finds what it has remembered.
struct Work {
    snapshot: Arc<Snapshot>,
    scope: Scope,
    telling: Telling,
    inputs: Vec<TurnInput>,
    keys: Vec<u128>,
    kitchen: Kitchen,
    known: Arc<Cache<u128, Known>>,
    give_up: Instant,
}

impl Work {
    /// `None`: out of time.
    fn run(self, mut plan: Plan) -> Result<Option<Plan>, TurnError> {
        for (input, key) in self.inputs.iter().zip(&self.keys) {
            // Another request of the same conversation may have come this far meanwhile.
            if let Some(known) = self.known.get(key).filter(|known| known.snapshot == self.snapshot.id) {
                plan = known.plan;
                continue;
            }
            if Instant::now() >= self.give_up {
                return Ok(None);
            }
            (plan, _) = self.kitchen.next(&self.snapshot, &self.scope, &self.telling, &plan, input)?;
            let known = Known { snapshot: Arc::clone(&self.snapshot.id), plan: plan.clone() };
            self.known.insert(*key, known);
        }
        Ok(Some(plan))
    }
}

/// A number below eight for each kind of content. A text that stands for the whole list is one like any other.
fn kind(content: &Content) -> u64 {
    match content {
        Content::Absent => 0,
        Content::Text(_) | Content::Bare(_) => 1,
        Content::Parts(_) => 2,
        Content::Prompt(_) => 3,
        Content::Other => 4,
    }
}

/// The turns of a body, and how many bytes a model reads at once. A panic in reading it, which no test has
/// produced, is a body not understood.
fn read_turns(body: &[u8], dialect: Dialect) -> Result<(Vec<Turn>, usize), SkipReason> {
    let read = catch_unwind(AssertUnwindSafe(|| {
        Conversation::read(body, dialect).map(|conversation| (conversation.turns(), conversation.bytes))
    }));
    match read {
        Err(_) => Err(SkipReason::Ambiguous),
        Ok(Err(unreadable)) => Err(reason(unreadable)),
        Ok(Ok((turns, _))) if turns.is_empty() => Err(SkipReason::NoUserTurn),
        Ok(Ok(read)) => Ok(read),
    }
}

pub(super) fn reason(unreadable: Unreadable) -> SkipReason {
    match unreadable {
        Unreadable::NotJson => SkipReason::NotJson,
        Unreadable::TooDeep => SkipReason::TooDeep,
        Unreadable::NoMessages => SkipReason::NotChat,
        Unreadable::Stateful => SkipReason::StatefulUpstream,
        Unreadable::Echo => SkipReason::Echo,
        Unreadable::Tokens => SkipReason::TokenPrompt,
        Unreadable::Ambiguous => SkipReason::Ambiguous,
    }
}
