//! Planning requests: what is known is looked up, what is not is retrieved in the bounded pool within a
//! deadline. A request is injected whole or left alone.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use quick_cache::sync::Cache;
use tokio::time::Instant;
use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

use super::assignment::{ConversationKey, Experiment};
use super::breaker::{Breaker, BreakerSettings, Change};
use super::planned::{Chosen, Observed, Planned, Seen, disclosure};
use super::reading::{ReadTurns, read_turns};
use super::scope::{Choice, Scope};
use super::served::ServedBrand;
use super::state::Snapshot;
use super::treatment::{Telling, Treatment, TreatmentError};
use super::turns::{Kitchen, TurnError, TurnInput};
use crate::chat::{Content, Dialect, Turn};
use crate::inject::{Decision, Plan, SkipReason, splice};
use crate::knowledge::Filter;
use crate::metrics::{Metrics, PrefixBreak};
use crate::retrieval::{Pool, Slice};

/// Bytes of a question that are kept beside its request, to know it again where an answer quotes it.
const LONGEST_QUESTION: usize = 4 << 10;

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
    /// When retrieval is left alone.
    pub breaker: BreakerSettings,
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
    /// Which items it may be told.
    pub choice: &'a Choice,
    /// How `measure` asks for it to be treated; `None`: as its conversation's arm of the live experiment.
    pub treatment: Option<&'a Treatment>,
    /// What the client calls the conversation.
    pub conversation: Option<&'a [u8]>,
    /// Share of conversations that its key wants held out.
    pub holdout: Option<f64>,
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
    experiment: Experiment,
    breaker: Breaker,
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
        experiment: Experiment,
        metrics: Arc<Metrics>,
    ) -> Planner {
        Planner {
            snapshots,
            kitchen,
            pool,
            known: Arc::new(Cache::new(settings.cache_entries)),
            seed: RandomState::new().hash_one(0_u8),
            settings,
            experiment,
            breaker: Breaker::new(settings.breaker),
            metrics,
        }
    }

    /// The snapshot that serves now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots.load_full()
    }

    /// Which conversations are treated otherwise than the rest.
    pub fn experiment(&self) -> &Experiment {
        &self.experiment
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
        let mut seen = Seen::default();
        let chosen = self.try_plan(&snapshot, &request, &mut seen).await.unwrap_or_else(Chosen::nothing);
        let Chosen { decision, body, placed, disclosure } = chosen;
        let Seen { observed, placement, retrieve, model } = seen;
        let placement = placement.unwrap_or(snapshot.recipe.placement);
        let body = body.unwrap_or(request.body);
        Planned { decision, body, placed, snapshot, observed, disclosure, placement, retrieve, model }
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
        seen: &mut Seen,
    ) -> Result<Chosen, SkipReason> {
        let scope = snapshot.scope(request.choice)?;
        let mut read = read_turns(&request.body, request.dialect)?;
        seen.model = read.model.take();
        let turns = &read.turns;
        if request.treatment.is_none() {
            seen.observed = self.observe(snapshot, &scope, request, &read);
        }
        let assigned = seen.observed.as_ref().map(|observed| &observed.assignment);
        let is_held_out = assigned.is_some_and(|assigned| assigned.is_held_out);
        let treatment =
            request.treatment.or(assigned.map(|assigned| &assigned.treatment)).unwrap_or(&Treatment::Served);
        // What cannot be had is refused before; a reload in between may still take a recipe away.
        let telling = snapshot.telling(treatment).ok().flatten().ok_or(SkipReason::Passthrough)?;
        seen.placement = Some(telling.recipe.placement);
        let keys = self.keys(snapshot, &scope, &request.body, treatment, turns);
        let (first, plan) = self.recall(snapshot, &keys);
        self.metrics.plan_known(first == turns.len());
        let plan = if first == turns.len() {
            plan
        } else {
            let began = Instant::now();
            let extended = match self.breaker.admits() {
                true => {
                    self.extend(snapshot, scope, telling.clone(), request, turns, keys, first, plan).await
                }
                false => Err(SkipReason::BreakerOpen),
            };
            // Histories that were never seen may miss their deadline without anything being wrong.
            let is_new_turn = first + 1 == turns.len();
            self.note(extended.as_ref().err().copied(), is_new_turn);
            seen.retrieve = Some(began.elapsed());
            if extended.is_err() && turns.len() > 1 {
                self.metrics.prefix_broken(PrefixBreak::Deadline);
            }
            extended?
        };
        let decision = plan.decide(read.bytes, read.answer_tokens, &self.kitchen.budget);
        if matches!(decision, Decision::Skipped(_)) {
            // A first turn continues nothing.
            if plan.placed.iter().any(|placed| placed.turn + 1 < turns.len()) {
                self.metrics.prefix_broken(PrefixBreak::ContextOverflow);
            }
            return Ok(Chosen { decision, body: None, placed: Arc::from([]), disclosure: None });
        }
        if let Some(observed) = &mut seen.observed {
            observed.is_eligible = true;
        }
        if is_held_out {
            let decision = Decision::Skipped(SkipReason::Holdout);
            return Ok(Chosen { decision, body: None, placed: plan.placed, disclosure: None });
        }
        let disclosure =
            telling.discloses.then(|| disclosure(snapshot, &plan.placed, &request.body, turns)).flatten();
        let spliced = splice(&request.body, turns, telling.recipe.placement, &plan.placed);
        Ok(Chosen { decision, body: Some(spliced.body), placed: plan.placed, disclosure })
    }

    /// Tells the breaker how retrieval went.
    fn note(&self, failure: Option<SkipReason>, is_new_turn: bool) {
        let change = match failure {
            None => self.breaker.report(true),
            Some(SkipReason::RetrievalFailed) => self.breaker.report(false),
            Some(SkipReason::Deadline) => self.breaker.report(!is_new_turn),
            // Not asked, or the request's own fault.
            Some(_) => return,
        };
        match change {
            Change::None => {}
            Change::Opened => {
                self.metrics.breaker(true);
                tracing::warn!(
                    "retrieval has failed repeatedly and is left alone; requests go on without additions"
                );
            }
            Change::Closed => {
                self.metrics.breaker(false);
                tracing::info!("retrieval is well again");
            }
        }
    }

    /// The request as the live experiment sees it, before anything is known of what it gets.
    fn observe(
        &self,
        snapshot: &Snapshot,
        scope: &Scope,
        request: &Request<'_>,
        read: &ReadTurns,
    ) -> Option<Observed> {
        let text = std::str::from_utf8(&request.body).ok()?;
        let question = read.turns.last()?.text(text);
        let brands: Vec<&ServedBrand> = scope.brands.iter().map(|&brand| &snapshot.brands[brand]).collect();
        let ids: Vec<&str> = brands.iter().map(|brand| &*brand.id).collect();
        let key = match request.conversation {
            Some(name) => ConversationKey::Named(name),
            None => ConversationKey::Opening(&request.body[read.opening.clone()]),
        };
        let of_brands = || brands.iter().filter_map(|brand| brand.holdout).reduce(f64::max);
        let holdout = request.holdout.or_else(of_brands);
        Some(Observed {
            assignment: self.experiment.assign(key, &ids, holdout),
            is_eligible: false,
            question: question[..question.floor_char_boundary(LONGEST_QUESTION)].into(),
        })
    }

    /// A key for each turn, of everything that its plan depends on: what was said up to it, the brands, which of
    /// their items, and the treatment. The snapshot is compared when a plan is found.
    fn keys(
        &self,
        snapshot: &Snapshot,
        scope: &Scope,
        body: &[u8],
        treatment: &Treatment,
        turns: &[Turn],
    ) -> Vec<u128> {
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
        if scope.filter != Filter::default() {
            link(2, format!("{:?}", scope.filter).as_bytes());
        }
        if let Treatment::Varied(variation) = treatment {
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
            inputs: TurnInput::of_turns(body, turns, first, snapshot),
            keys: keys[first..].to_vec(),
            kitchen: self.kitchen.clone(),
            known: Arc::clone(&self.known),
            give_up: started + self.settings.background.max(allowed),
            next: 0,
            plan,
        };
        let answer = self.pool.try_submit_in_slices(Box::new(work), Work::run);
        let answer = answer.map_err(|_| SkipReason::Overloaded)?;
        let count =
            || self.metrics.gauges.retrievals.set(i64::try_from(self.pool.jobs()).unwrap_or(i64::MAX));
        count();
        let answered = tokio::time::timeout_at(started + allowed, answer).await;
        count();
        match answered {
            Err(_) => Err(SkipReason::Deadline),
            Ok(Ok(Ended::Planned(plan))) => Ok(plan),
            Ok(Ok(Ended::Late)) => Err(SkipReason::Deadline),
            Ok(Ok(Ended::Failed(error))) => {
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

/// How long a conversation with many turns that are not known holds a worker before others have their turn.
const SLICE: Duration = Duration::from_millis(10);

/// What planning came to.
enum Ended {
    /// Every turn is planned.
    Planned(Plan),
    /// It took too long, or there was no place to go on.
    Late,
    /// Retrieval failed.
    Failed(TurnError),
}

/// The turns that are to be planned, and how far that is.
struct Work {
    snapshot: Arc<Snapshot>,
    scope: Scope,
    telling: Telling,
    inputs: Vec<TurnInput>,
    keys: Vec<u128>,
    kitchen: Kitchen,
    known: Arc<Cache<u128, Known>>,
    give_up: Instant,
    /// The turn that comes next.
    next: usize,
    plan: Plan,
}

impl Work {
    /// A slice of it. It goes on when nobody waits any more: the next request of the conversation finds what was remembered.
    fn run(mut self: Box<Self>) -> Slice<Box<Work>, Ended> {
        let until = Instant::now() + SLICE;
        while let (Some(input), Some(key)) = (self.inputs.get(self.next), self.keys.get(self.next)) {
            // Another request of the same conversation may have come this far meanwhile.
            if let Some(known) = self.known.get(key).filter(|known| known.snapshot == self.snapshot.id) {
                self.plan = known.plan;
                self.next += 1;
                continue;
            }
            let now = Instant::now();
            if now >= self.give_up {
                return Slice::Ended(Ended::Late);
            }
            if now >= until {
                return Slice::Paused(self);
            }
            match self.kitchen.next(&self.snapshot, &self.scope, &self.telling, &self.plan, input) {
                Ok(step) => self.plan = step.plan,
                Err(error) => return Slice::Ended(Ended::Failed(error)),
            }
            let known = Known { snapshot: Arc::clone(&self.snapshot.id), plan: self.plan.clone() };
            self.known.insert(*key, known);
            self.next += 1;
        }
        Slice::Ended(Ended::Planned(self.plan))
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
