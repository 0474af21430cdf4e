//! The run: as many requests at once as the endpoint bears, each finished answer in the journal before anything else
//! happens with it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::answer::{MissingReason, Record};
use super::design::{Cell, Design};
use super::journal::{Journal, JournalError};
use super::pace::{Pace, backoff};
use super::wire::{Attempt, Endpoint, Failure};

/// Where requests go.
#[derive(Clone)]
pub struct Endpoints {
    /// The proxy, for all arms but `direct`.
    pub proxy: Option<Endpoint>,
    /// The endpoint behind it, for `direct`.
    pub direct: Option<Endpoint>,
}

/// Bounds of a run.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most requests at once.
    pub concurrency: usize,
    /// Longest time for one attempt.
    pub timeout: Duration,
    /// Attempts for each answer. Only connections, overload and failing servers are tried again.
    pub attempts: u32,
    /// Price of a million prompt tokens and of a million answer tokens.
    pub prices: (f64, f64),
    /// Cost at which no further request is sent.
    pub max_cost: Option<f64>,
}

/// How a run is coming along.
#[derive(Debug, Clone, Copy, Default)]
pub struct Event {
    /// Answers that are there, those of an earlier run among them.
    pub done: usize,
    /// Answers that are wanted.
    pub all: usize,
    /// Requests on their way.
    pub in_flight: usize,
    /// Answers that are missing.
    pub missing: usize,
    /// Tokens of prompts and answers in this run.
    pub tokens: u64,
    /// Cost of this run.
    pub cost: f64,
    /// Whether the endpoint has asked to wait.
    pub paused: bool,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every cell has been asked.
    Complete,
    /// The cost has reached its limit.
    CostReached,
    /// The estimate is precise enough.
    Precise,
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The first answer of an arm says that all others would fail as well.
    #[error("the arm `{arm}` gets no answers from {url}: {}{}", reason.explain(), detail.as_deref().map(|detail| format!(" ({detail})")).unwrap_or_default())]
    Endpoint {
        /// The arm.
        arm: String,
        /// The endpoint.
        url: String,
        /// Why.
        reason: MissingReason,
        /// What it said.
        detail: Option<String>,
    },
    /// An arm has no endpoint.
    #[error("the arm `{0}` needs {1}")]
    NoEndpoint(String, &'static str),
}

/// Runs what is not in `known` yet. `progress` is told after each answer; `enough` is asked with it whether the run
/// may end.
///
/// # Errors
///
/// The journal cannot be written, or an arm cannot be asked at all. What was answered before is in the journal.
pub async fn run(
    design: &Design,
    endpoints: &Endpoints,
    limits: &Limits,
    known: &HashSet<String>,
    journal: &mut Journal,
    progress: &mut dyn FnMut(&Event),
    enough: &mut dyn FnMut(&Record) -> bool,
) -> Result<Outcome, RunError> {
    let mut state = Run::new(design, endpoints, limits, known)?;
    progress(&state.event);
    loop {
        state.launch();
        let Some(finished) = state.next().await else { break };
        let Some(record) = state.settle(finished)? else { continue };
        journal.append(&record)?;
        progress(&state.event);
        if record.reply.is_some() && enough(&record) {
            return Ok(Outcome::Precise);
        }
    }
    Ok(if state.cost_reached() && !state.queue.is_empty() { Outcome::CostReached } else { Outcome::Complete })
}

/// A cell with the attempts that it has had.
#[derive(Debug)]
struct Job {
    cell: Cell,
    attempts: u32,
    not_before: Option<Instant>,
}

struct Finished {
    job: Job,
    attempt: Attempt,
}

struct Run<'a> {
    design: &'a Design,
    endpoints: Vec<&'a Endpoint>,
    limits: &'a Limits,
    queue: VecDeque<Job>,
    flying: JoinSet<Finished>,
    pace: Pace,
    event: Event,
    /// Arms that have had an answer.
    alive: HashSet<usize>,
}

impl<'a> Run<'a> {
    fn new(
        design: &'a Design,
        endpoints: &'a Endpoints,
        limits: &'a Limits,
        known: &HashSet<String>,
    ) -> Result<Run<'a>, RunError> {
        let mut of_arms = Vec::new();
        for arm in &design.arms {
            let (endpoint, needs) = if arm.is_direct() {
                (&endpoints.direct, "the endpoint behind the proxy: pass --direct URL")
            } else {
                (&endpoints.proxy, "a proxy: pass --proxy URL")
            };
            let endpoint = endpoint.as_ref();
            of_arms.push(endpoint.ok_or_else(|| RunError::NoEndpoint(arm.to_string(), needs))?);
        }
        let cells = design.cells();
        let all = cells.len();
        let queue: VecDeque<Job> = cells
            .into_iter()
            .filter(|cell| !known.contains(&design.key(cell)))
            .map(|cell| Job { cell, attempts: 0, not_before: None })
            .collect();
        let event = Event { all, done: all - queue.len(), ..Event::default() };
        Ok(Run {
            design,
            endpoints: of_arms,
            limits,
            queue,
            flying: JoinSet::new(),
            pace: Pace::new(limits.concurrency),
            event,
            alive: HashSet::new(),
        })
    }

    fn cost_reached(&self) -> bool {
        self.limits.max_cost.is_some_and(|most| self.event.cost >= most)
    }

    /// Sends as many requests as may be on their way. Those of a paused run wait in their tasks.
    fn launch(&mut self) {
        while self.flying.len() < self.pace.limit() && !self.cost_reached() {
            let Some(job) = self.queue.pop_front() else { break };
            let arm = &self.design.arms[job.cell.arm];
            let named = (!arm.is_direct()).then(|| arm.name().to_owned());
            let endpoint = self.endpoints[job.cell.arm].clone();
            let body = Bytes::from(self.design.request(&job.cell).to_string());
            let timeout = self.limits.timeout;
            let wait = self.pace.paused_until().max(job.not_before);
            self.flying.spawn(async move {
                if let Some(until) = wait {
                    tokio::time::sleep_until(until).await;
                }
                let attempt = endpoint.ask(named.as_deref(), body, timeout).await;
                Finished { job, attempt }
            });
        }
        self.event.in_flight = self.flying.len();
        self.event.paused = self.pace.paused_until().is_some_and(|until| until > Instant::now());
    }

    async fn next(&mut self) -> Option<Finished> {
        loop {
            match self.flying.join_next().await {
                None => return None,
                Some(Ok(finished)) => return Some(finished),
                // A task that panicked is a cell without an answer, which --resume asks again.
                Some(Err(_)) => self.event.missing += 1,
            }
        }
    }

    /// The record of a finished cell; nothing where it is tried again.
    fn settle(&mut self, finished: Finished) -> Result<Option<Record>, RunError> {
        let Finished { mut job, attempt } = finished;
        job.attempts += 1;
        let failure = match attempt.result {
            Ok(reply) => {
                self.pace.answered();
                self.alive.insert(job.cell.arm);
                self.event.done += 1;
                self.event.tokens += reply.prompt_tokens + reply.completion_tokens;
                let (prompt, answer) = self.limits.prices;
                self.event.cost +=
                    (reply.prompt_tokens as f64 * prompt + reply.completion_tokens as f64 * answer) / 1e6;
                self.event.in_flight = self.flying.len();
                return Ok(Some(Record { reply: Some(reply), ..self.record(&job, attempt.took) }));
            }
            Err(failure) => failure,
        };
        let pause = self.pause(&job, &failure);
        if matches!(
            failure.reason,
            MissingReason::RateLimited | MissingReason::ServerError | MissingReason::Timeout
        ) {
            self.pace.overloaded(failure.retry_after.unwrap_or(Duration::ZERO));
        }
        if failure.transient && job.attempts < self.limits.attempts {
            job.not_before = Some(Instant::now() + pause);
            // Before the others: an endpoint that is down is found out by few requests.
            self.queue.push_front(job);
            return Ok(None);
        }
        let arm = job.cell.arm;
        let hopeless = matches!(
            failure.reason,
            MissingReason::Connection
                | MissingReason::Refused
                | MissingReason::NotJson
                | MissingReason::ServerError
        );
        if hopeless && !self.alive.contains(&arm) {
            return Err(RunError::Endpoint {
                arm: self.design.arms[arm].to_string(),
                url: self.endpoints[arm].url.clone(),
                reason: failure.reason,
                detail: failure.detail,
            });
        }
        self.event.done += 1;
        self.event.missing += 1;
        self.event.in_flight = self.flying.len();
        let record = self.record(&job, attempt.took);
        Ok(Some(Record { missing: Some(failure.reason), detail: failure.detail, ..record }))
    }

    /// The time before the next attempt: what the endpoint asks for, or a random one that doubles.
    fn pause(&self, job: &Job, failure: &Failure) -> Duration {
        let spread = f64::from(blake3::hash(self.design.key(&job.cell).as_bytes()).as_bytes()[0]) / 255.0;
        failure.retry_after.unwrap_or_else(|| backoff(job.attempts, spread))
    }

    fn record(&self, job: &Job, took: Duration) -> Record {
        Record {
            key: self.design.key(&job.cell),
            question: self.design.question(&job.cell).id.clone(),
            arm: self.design.arms[job.cell.arm].to_string(),
            repeat: job.cell.repeat,
            ms: (took.as_secs_f64() * 1e6).round() / 1e3,
            attempts: job.attempts,
            reply: None,
            missing: None,
            detail: None,
        }
    }
}

/// The records that belong to a design, by cell; others are of questions that have changed since.
pub fn of_design<'r>(design: &Design, records: &'r HashMap<String, Record>) -> Vec<(Cell, &'r Record)> {
    let mut found: Vec<(Cell, &Record)> = design
        .cells()
        .into_iter()
        .filter_map(|cell| records.get(&design.key(&cell)).map(|record| (cell, record)))
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}
