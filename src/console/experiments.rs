//! "Experiments", and what the overview says of them: arms, rates and lifts with their bounds, and a verdict in words.

use std::collections::BTreeMap;

use http::StatusCode;
use minijinja::{Value, context};

use super::counts::{Counts, first_of, now};
use super::form::Form;
use super::plot::{Scale, Series, percent, plot, range};
use super::reply::Reply;
use super::service::Console;
use crate::inject::SkipReason;
use crate::live::{Arm, Bounded, Cost, DayRate, LiveReport, Part, live_report, money};
use crate::snapshot::{HOLDOUT, INJECTED, Snapshot};

/// Spans of time that can be chosen, in days.
const SPANS: [u32; 4] = [1, 7, 30, 90];
/// The span that is shown first.
const SPAN: u32 = 7;
/// Topics and languages that are shown.
const SHOWN_PARTS: usize = 15;
/// Names of the share of voice.
const SHOWN_NAMES: usize = 10;

/// What a page is about: a brand and a span of days.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) brand: Option<String>,
    pub(super) days: u32,
}

impl Subject {
    pub(super) fn of(query: &Form) -> Subject {
        let days = query.number("days").and_then(|days| u32::try_from(days).ok()).unwrap_or(SPAN);
        Subject { brand: query.given("brand").map(str::to_owned), days: days.clamp(1, 732) }
    }
}

/// What the store says of a subject.
pub(super) struct Told {
    /// Every brand that was told of.
    pub(super) brands: Vec<String>,
    /// Of the chosen one, or the one with most answers.
    pub(super) report: Option<LiveReport>,
}

impl Console {
    /// Reads the report of a subject.
    pub(super) async fn told(&self, subject: &Subject) -> Counts<Told> {
        let Subject { brand, days } = subject.clone();
        let prices = self.prices.clone();
        self.counts(move |store| {
            let brands = store.brands(first_of(days))?;
            let chosen = brand.or_else(|| brands.first().cloned());
            let report =
                chosen.map(|brand| live_report(store, &brand, days, now(), prices.as_ref())).transpose()?;
            Ok(Told { brands, report })
        })
        .await
    }

    pub(super) async fn experiments_page(&self, query: Form) -> Reply {
        let subject = Subject::of(&query);
        let told = self.told(&subject).await;
        let (state, failure) = told.state();
        let snapshot = self.planner.snapshot();
        let told = told.read();
        let values = context! {
            state, failure,
            running => self.running(&snapshot),
            chooser_values => told.as_ref().map(|told| chooser(&snapshot, &subject, told)),
            live => told.as_ref().and_then(|told| told.report.as_ref()).map(|report| live(&snapshot, report)),
        };
        self.show(StatusCode::OK, "experiments.html", "experiments", values)
    }
}

impl Console {
    /// How conversations are shared out.
    fn running(&self, snapshot: &Snapshot) -> Value {
        let experiment = self.planner.experiment();
        let own: Vec<Value> = snapshot
            .knowledge
            .brands
            .iter()
            .filter_map(|brand| {
                Some(context! { name => brand.name.clone(), share => percent(brand.holdout?) })
            })
            .collect();
        let arms: Vec<Value> = experiment
            .arms
            .iter()
            .map(|arm| context! { name => arm.name.to_string(), share => percent(arm.share) })
            .collect();
        context! { holdout => percent(experiment.holdout), holds_out => experiment.holdout > 0.0 || !own.is_empty(), own, arms }
    }
}

/// The canonical spelling of one of our brands; of another name, itself.
pub(super) fn name_of(snapshot: &Snapshot, id: &str) -> String {
    let found = snapshot.brands.iter().find(|brand| brand.id == id);
    found.map_or_else(|| id.to_owned(), |brand| brand.name.clone())
}

/// Brands and spans to choose from.
pub(super) fn chooser(snapshot: &Snapshot, subject: &Subject, told: &Told) -> Value {
    let chosen = told.report.as_ref().map(|report| report.brand.as_str()).unwrap_or_default();
    let brands: Vec<Value> = told
        .brands
        .iter()
        .map(|id| context! { id => id.clone(), name => name_of(snapshot, id), chosen => id == chosen })
        .collect();
    let spans: Vec<Value> = SPANS
        .into_iter()
        .map(|days| context! { days, chosen => days == subject.days, name => if days == 1 { "today".to_owned() } else { format!("{days} days") } })
        .collect();
    context! { brands, spans, brand => chosen.to_owned(), days => subject.days }
}

/// A report as pages show it.
pub(super) fn live(snapshot: &Snapshot, report: &LiveReport) -> Value {
    let arm = |name: &str| report.arms.iter().find(|arm| arm.name == name);
    let injected = arm(INJECTED);
    let rates = series(report, |day| day.rate.as_ref());
    let lifts = series(report, |day| day.lift_so_far.as_ref());
    let told = report.arms.iter().any(|arm| arm.answers > 0 || arm.missing > 0);
    context! {
        brand => name_of(snapshot, &report.brand),
        since => report.since.clone(),
        until => report.until.clone(),
        // Named only where the days that are shown begin later.
        kept_since => report.kept_since.clone().filter(|first| *first < report.since),
        verdict => report.verdict.clone(),
        told,
        named => injected.and_then(|arm| arm.rate).map(figure),
        named_without => arm(HOLDOUT).and_then(|arm| arm.rate).map(figure),
        lift => injected.and_then(|arm| arm.lift_always).map(|lift| context! {
            value => format!("{:+.0}", 100.0 * lift.point),
            range => format!("{:+.0} to {:+.0}", 100.0 * lift.lower, 100.0 * lift.upper),
        }),
        arms => report.arms.iter().map(arm_view).collect::<Vec<_>>(),
        rates => plot(&rates, Scale::Percent),
        lifts => plot(&lifts, Scale::Points),
        halves => report.halves.as_ref().map(|halves| context! {
            sound => halves.is_sound,
            difference => range(&halves.difference, Scale::Points),
        }),
        topics => report.topics.iter().take(SHOWN_PARTS).map(|part| part_view(report, part)).collect::<Vec<_>>(),
        languages => report.languages.iter().take(SHOWN_PARTS).map(|part| part_view(report, part)).collect::<Vec<_>>(),
        cost => report.cost.as_ref().map(cost),
        voice => voice(snapshot, report),
        decisions => decisions(report),
        totals => totals(report),
    }
}

fn figure(rate: Bounded) -> Value {
    context! {
        value => percent(rate.point),
        range => format!("{} to {}", percent(rate.lower), percent(rate.upper)),
    }
}

/// A line for each arm, in the order of the report's arms.
fn series(report: &LiveReport, of: impl Fn(&DayRate) -> Option<&Bounded>) -> Vec<Series> {
    // The hold-out comes first, or would.
    let shift = usize::from(report.arms.first().is_none_or(|arm| arm.name != HOLDOUT));
    let lines = report.arms.iter().enumerate().map(|(place, arm)| {
        let days = report.days.iter().filter(|day| day.arm == arm.name);
        let days = days.filter_map(|day| Some((day.day.clone(), *of(day)?)));
        Series { name: arm.name.clone(), place: place + shift, days: days.collect() }
    });
    lines.filter(|series| !series.days.is_empty()).collect()
}

fn arm_view(arm: &Arm) -> Value {
    let place = |share: f64| (100.0 * share).clamp(0.0, 100.0);
    let around = |difference: f64| (50.0 + 50.0 * difference).clamp(0.0, 100.0);
    context! {
        name => arm.name.clone(),
        plain => arm.name == HOLDOUT,
        conversations => arm.conversations,
        answers => arm.answers,
        mentions => arm.mentions,
        missing => arm.missing,
        rate => arm.rate.map(|rate| context! {
            text => range(&rate, Scale::Percent),
            from => place(rate.lower), width => place(rate.upper) - place(rate.lower), at => place(rate.point),
        }),
        lift => arm.lift.map(|lift| range(&lift, Scale::Points)),
        always => arm.lift_always.map(|lift| context! {
            text => range(&lift, Scale::Points),
            from => around(lift.lower), width => around(lift.upper) - around(lift.lower), at => around(lift.point),
        }),
    }
}

/// A topic or a language: the rate of each arm, and the lift.
fn part_view(report: &LiveReport, part: &Part) -> Value {
    let arms = report.arms.iter().map(|arm| {
        let found = part.arms.iter().find(|of_part| of_part.arm == arm.name);
        let rate = found.and_then(|arm| arm.rate);
        context! {
            plain => arm.name == HOLDOUT,
            answers => found.map_or(0, |arm| arm.answers),
            rate => rate.map(|rate| range(&rate, Scale::Percent)),
            bar => rate.map_or(0.0, |rate| 100.0 * rate.point),
        }
    });
    let lift = part.arms.iter().find(|arm| arm.arm == INJECTED).and_then(|arm| arm.lift_always);
    context! {
        name => part.name.clone(),
        answers => part.answers,
        arms => arms.collect::<Vec<_>>(),
        lift => lift.map(|lift| range(&lift, Scale::Points)),
    }
}

/// What was spent.
fn cost(cost: &Cost) -> Value {
    let say = |amount| money(amount, &cost.currency);
    context! {
        added => say(cost.added),
        at_most => say(cost.added_at_most),
        per_thousand => cost.added_per_thousand.map(say),
        prompts => cost.prompts.map(say),
        completions => cost.completions.map(say),
        share => cost.prompts.filter(|prompts| *prompts > 0.0).map(|prompts| percent(cost.added / prompts)),
        extra => cost.per_extra_mention.map(|each| context! {
            value => say(each.point),
            range => format!("{} to {}", say(each.lower), say(each.upper)),
        }),
    }
}

/// How many answers of each arm name us and others.
fn voice(snapshot: &Snapshot, report: &LiveReport) -> Vec<Value> {
    let mut names: BTreeMap<&str, u64> = BTreeMap::new();
    for named in &report.names {
        *names.entry(&named.name).or_default() += named.answers;
    }
    let mut sorted: Vec<(&str, u64)> = names.into_iter().collect();
    sorted.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(other.0)));
    let is_own = |name: &str| snapshot.brands.iter().any(|brand| brand.id == name);
    let of_arm = |arm: &Arm, name: &str| {
        let found = report.names.iter().find(|named| named.arm == arm.name && named.name == name);
        let answers = found.map_or(0, |named| named.answers);
        let share = if arm.answers == 0 { 0.0 } else { 100.0 * answers as f64 / arm.answers as f64 };
        context! { arm => arm.name.clone(), plain => arm.name == HOLDOUT, answers, share => percent(share / 100.0), bar => share.min(100.0) }
    };
    sorted
        .into_iter()
        .take(SHOWN_NAMES)
        .map(|(name, _)| {
            let arms: Vec<Value> = report.arms.iter().map(|arm| of_arm(arm, name)).collect();
            context! { name => name_of(snapshot, name), own => is_own(name), arms }
        })
        .collect()
}

fn decisions(report: &LiveReport) -> Vec<Value> {
    let all: u64 = report.decisions.iter().map(|decided| decided.requests).sum();
    report.decisions.iter().map(|decided| decision_row(&decided.decision, decided.requests, all)).collect()
}

/// One row of "what was decided".
pub(super) fn decision_row(decision: &str, requests: u64, all: u64) -> Value {
    let share = if all == 0 { 0.0 } else { 100.0 * requests as f64 / all as f64 };
    context! {
        id => decision.to_owned(),
        name => decision.replace('_', " "),
        why => SkipReason::of(decision).map(SkipReason::explain),
        count => requests,
        share => percent(share / 100.0),
        bar => share,
        injected => decision == "injected",
    }
}

fn totals(report: &LiveReport) -> Option<Value> {
    let totals = &report.totals;
    let share = |part: u64, all: u64| (all > 0).then(|| percent(part as f64 / all as f64));
    let each = |sum: u64, number: u64| (number > 0).then(|| (sum as f64 / number as f64).round() as u64);
    (totals.requests > 0).then(|| {
        context! {
            requests => totals.requests,
            injected => share(totals.injected, totals.requests),
            tokens => totals.tokens_added,
            tokens_each => each(totals.tokens_added, totals.injected),
            tokens_share => share(totals.tokens_added, totals.prompt_tokens),
            cached => share(totals.cached_tokens, totals.prompt_tokens),
            prompt => totals.prompt_tokens,
            completion => totals.completion_tokens,
            planning => each(totals.planning_us, totals.requests).map(milliseconds),
            total => each(totals.total_us, totals.requests).map(milliseconds),
        }
    })
}

/// Microseconds, as people read them.
pub(super) fn milliseconds(microseconds: u64) -> String {
    match microseconds {
        0..10_000 => format!("{:.1} ms", microseconds as f64 / 1e3),
        10_000..1_000_000 => format!("{} ms", microseconds / 1_000),
        _ => format!("{:.1} s", microseconds as f64 / 1e6),
    }
}
