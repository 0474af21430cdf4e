//! The run: as many requests at once as the endpoint bears, each finished answer in the journal before anything else
//! happens with it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::answer::{MissingReason, Record};
use super::design::{Cell, Design};
use super::journal::{Journal, JournalError};
use super::pace::{LONGEST_PAUSE, Pace, backoff};
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
    /// What the answers have cost that were there before.
    pub spent: f64,
    /// Cost at which no further request is sent.
    pub max_cost: Option<f64>,
}

/// How a run is coming along.
#[derive(Debug, Clone, Default)]
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
    /// Cost of all answers.
    pub cost: f64,
    /// Whether the endpoint has asked to wait.
    pub paused: bool,
    /// Why the last attempt that failed did, and how many have.
    pub trouble: Option<(MissingReason, usize)>,
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
    /// It was told to end.
    Stopped,
}

/// Who follows a run, and may end it.
pub struct Follow<'a> {
    /// Told after each answer.
    pub progress: &'a mut dyn FnMut(&Event),
    /// Asked with each answer whether the run may end.
    pub enough: &'a mut dyn FnMut(&Record) -> bool,
    /// Ends the run: what is on its way is waited for.
    pub stop: &'a Notify,
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
    /// The endpoint wants to be left alone for longer than a run waits.
    #[error("{url} asks to be left alone for {} s (Retry-After): go on after that", wait.as_secs())]
    AskedToWait {
        /// The endpoint.
        url: String,
        /// For so long.
        wait: Duration,
    },
    /// The cost is to be bounded and cannot be known.
    #[error(
        "{0} does not say how many tokens an answer took (usage), so that --max-cost cannot be kept: leave it out"
    )]
    NoUsage(String),
    /// An arm has no endpoint.
    #[error("the arm `{0}` needs {1}")]
    NoEndpoint(String, &'static str),
}

/// Runs what is not in `known` yet.
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
    follow: Follow<'_>,
) -> Result<Outcome, RunError> {
    let mut state = Run::new(design, endpoints, limits, known)?;
    state.launch();
    (follow.progress)(&state.event);
    let ended = loop {
        state.launch();
        let finished = tokio::select! {
            finished = state.next() => finished,
            () = follow.stop.notified() => break Ok(Outcome::Stopped),
        };
        let Some(finished) = finished else {
            break Ok(if state.queue.is_empty() { Outcome::Complete } else { Outcome::CostReached });
        };
        let arm = finished.job.cell.arm;
        match state.settle(finished) {
            Err(error) => break Err(error),
            Ok(None) => (follow.progress)(&state.event),
            Ok(Some(record)) => {
                journal.append(&record)?;
                (follow.progress)(&state.event);
                let Some(reply) = &record.reply else { continue };
                if limits.max_cost.is_some() && reply.prompt_tokens + reply.completion_tokens == 0 {
                    break Err(RunError::NoUsage(state.endpoints[arm].url.clone()));
                }
                if (follow.enough)(&record) {
                    break Ok(Outcome::Precise);
                }
            }
        }
    };
    // What is on its way is paid for.
    while let Some(finished) = state.flying.join_next().await {
        let Ok(Finished { mut job, attempt: Attempt { result: Ok(reply), took } }) = finished else {
            continue;
        };
        job.attempts += 1;
        journal.append(&Record { reply: Some(reply), ..state.record(&job, took) })?;
    }
    ended
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
    /// Answers in this run.
    answered: usize,
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
        let (answered, open): (Vec<Cell>, Vec<Cell>) =
            cells.into_iter().partition(|cell| known.contains(&design.key(cell)));
        let queue: VecDeque<Job> =
            open.into_iter().map(|cell| Job { cell, attempts: 0, not_before: None }).collect();
        let event = Event { all, done: all - queue.len(), cost: limits.spent, ..Event::default() };
        Ok(Run {
            design,
            endpoints: of_arms,
            limits,
            queue,
            flying: JoinSet::new(),
            pace: Pace::new(limits.concurrency),
            event,
            alive: answered.iter().map(|cell| cell.arm).collect(),
            answered: 0,
        })
    }

    /// Whether one more answer could cost more than is allowed: those on their way count as the mean of this run's.
    fn cost_reached(&self) -> bool {
        let mean = (self.event.cost - self.limits.spent) / self.answered.max(1) as f64;
        let expected = self.event.cost + mean * self.flying.len() as f64;
        self.limits.max_cost.is_some_and(|most| expected >= most)
    }

    /// Sends as many requests as may be on their way now. Those that have to wait do so in the queue.
    fn launch(&mut self) {
        let now = Instant::now();
        self.event.paused = self.pace.paused_until().is_some_and(|until| until > now);
        while !self.event.paused && self.has_room(now) && !self.cost_reached() {
            let due = self.queue.iter().position(|job| job.not_before.is_none_or(|until| until <= now));
            let Some(job) = due.and_then(|due| self.queue.remove(due)) else { break };
            let arm = &self.design.arms[job.cell.arm];
            let named = (!arm.is_direct()).then(|| arm.name().to_owned());
            let endpoint = self.endpoints[job.cell.arm].clone();
            let body = Bytes::from(self.design.request(&job.cell).to_string());
            let timeout = self.limits.timeout;
            self.flying.spawn(async move {
                let attempt = endpoint.ask(named.as_deref(), body, timeout).await;
                Finished { job, attempt }
            });
        }
        self.event.in_flight = self.flying.len();
    }

    /// Whether another cell may be begun. One that waits for its next attempt counts as one that is on its way, so that an
    /// endpoint that is down is found out by few requests.
    fn has_room(&self, now: Instant) -> bool {
        self.flying.len() + self.waiting(now).count() < self.pace.limit()
    }

    /// When those may be tried again that cannot be now.
    fn waiting(&self, now: Instant) -> impl Iterator<Item = Instant> {
        self.queue.iter().filter_map(move |job| job.not_before.filter(|until| *until > now))
    }

    /// When there may be something to send, where that is a matter of time alone.
    fn wake(&self) -> Option<Instant> {
        if self.queue.is_empty() || self.cost_reached() {
            return None;
        }
        let now = Instant::now();
        let is_due = self.queue.iter().any(|job| job.not_before.is_none_or(|until| until <= now));
        let paused = self.pace.paused_until().filter(|until| *until > now);
        match (self.has_room(now) && is_due, self.waiting(now).min()) {
            (true, _) => Some(paused.unwrap_or(now)),
            (false, Some(until)) => Some(paused.map_or(until, |paused| paused.max(until))),
            (false, None) => None,
        }
    }

    async fn next(&mut self) -> Option<Finished> {
        loop {
            let wake = self.wake();
            if self.flying.is_empty() && wake.is_none() {
                return None;
            }
            tokio::select! {
                joined = self.flying.join_next(), if !self.flying.is_empty() => match joined {
                    Some(Ok(finished)) => return Some(finished),
                    // A task that panicked is a cell without an answer, which --resume asks again.
                    Some(Err(_)) => self.event.missing += 1,
                    None => {}
                },
                () = tokio::time::sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => self.launch(),
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
                self.answered += 1;
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
        let failed = self.event.trouble.map_or(0, |(_, failed)| failed);
        self.event.trouble = Some((failure.reason, failed + 1));
        self.event.in_flight = self.flying.len();
        if let Some(wait) = failure.retry_after.filter(|wait| *wait > LONGEST_PAUSE) {
            let url = self.endpoints[job.cell.arm].url.clone();
            return Err(RunError::AskedToWait { url, wait });
        }
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
                | MissingReason::Timeout
                | MissingReason::RateLimited
        );
        if failure.reason == MissingReason::NoArm || hopeless && !self.alive.contains(&arm) {
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
