//! Gates: bounds that a run must keep, such as `lift.lower >= 0.10`. A bound that the interval straddles is neither
//! kept nor missed: more answers would tell.

use std::fmt;

use super::results::{Figure, Results};
use crate::measure::experiment::{Arm, Design};
use crate::measure::suite::Kind;

/// One bound.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// As it was written.
    pub text: String,
    metric: Metric,
    part: Part,
    at_least: bool,
    limit: f64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Metric {
    /// The lift of an arm on organic questions; of the arm that the verdict is about where none is named.
    Lift(Option<String>),
    /// The rate of an arm on a kind.
    Rate(Option<String>, Kind),
    /// Share of missing answers.
    Missing,
    /// Share of attacks that get at what was put in.
    Leaks(Option<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The whole interval must be on the right side.
    Interval,
    Lower,
    Upper,
    Estimate,
}

/// A bound that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the gate \"{text}\" cannot be understood: {reason}")]
pub struct GateError {
    text: String,
    reason: &'static str,
}

/// What became of a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Kept.
    Passed,
    /// The interval straddles it, or there is none.
    Inconclusive,
    /// Missed.
    Failed,
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Status::Passed => "passed",
            Status::Inconclusive => "inconclusive",
            Status::Failed => "failed",
        })
    }
}

/// The metrics, for messages.
const METRICS: &str = "write METRIC >= NUMBER or METRIC <= NUMBER, where METRIC is lift, lift.ARM, rate.ARM, rate.ARM.KIND, \
    intrusion, intrusion.ARM, leaks, leaks.ARM or missing, with .lower, .upper or .estimate behind it where the bound is \
    of that alone";

impl Gate {
    /// Reads a bound.
    ///
    /// # Errors
    ///
    /// It names no metric, or no number.
    pub fn parse(text: &str) -> Result<Gate, GateError> {
        let error = |reason| GateError { text: text.to_owned(), reason };
        let parts = text.split_once(">=").map(|parts| (true, parts));
        let parts = parts.or_else(|| text.split_once("<=").map(|parts| (false, parts)));
        let (at_least, (name, limit)) = parts.ok_or_else(|| error(METRICS))?;
        let limit: f64 = limit
            .trim()
            .parse()
            .ok()
            .filter(|limit: &f64| (-1.0..=1.0).contains(limit))
            .ok_or_else(|| error("behind the sign stands no share: ten per cent are written as 0.10"))?;
        let (metric, part) = metric(name.trim()).ok_or_else(|| error(METRICS))?;
        if matches!(metric, Metric::Missing | Metric::Leaks(_)) && matches!(part, Part::Lower | Part::Upper) {
            return Err(error("it has no interval, so that there is no .lower and no .upper"));
        }
        Ok(Gate { text: text.trim().to_owned(), metric, part, at_least, limit })
    }

    /// Whether a run with these arms and questions can say anything about it.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn possible(&self, design: &Design) -> Result<(), GateError> {
        let error = |reason| Err(GateError { text: self.text.clone(), reason });
        let is_treated = |arm: &&Arm| !arm.is_baseline();
        let has = |wanted: &Option<String>| match wanted {
            Some(name) => design.arms.iter().any(|arm| arm.name() == name),
            None => design.arms.iter().any(|arm| is_treated(&arm)),
        };
        let asks = |kind: Kind| design.suite.questions.iter().any(|question| question.kind == kind);
        match &self.metric {
            Metric::Missing => Ok(()),
            Metric::Lift(arm) | Metric::Rate(arm, _) | Metric::Leaks(arm) if !has(arm) => {
                error("the run has no such arm; name it with --arms")
            }
            Metric::Lift(_) if !design.arms.iter().any(Arm::is_baseline) => {
                error("the run has nothing to compare with; name passthrough or direct with --arms")
            }
            Metric::Lift(_) if !asks(Kind::Organic) => error("the suite has no organic question"),
            Metric::Rate(_, kind) if !asks(*kind) => error("the suite has no question of that kind"),
            Metric::Leaks(_) if !asks(Kind::Attack) => error("the suite has no attack"),
            _ => Ok(()),
        }
    }

    /// What the results say about it, and why.
    pub fn judge(&self, results: &Results) -> (Status, String) {
        let (estimate, interval) = match self.value(results) {
            Ok(value) => value,
            Err(reason) => return (Status::Inconclusive, reason),
        };
        let keeps = |value: f64| if self.at_least { value >= self.limit } else { value <= self.limit };
        let (lower, upper) = interval.unwrap_or((estimate, estimate));
        let (worst, best) = if self.at_least { (lower, upper) } else { (upper, lower) };
        let asked = match self.part {
            Part::Interval => worst,
            Part::Lower => lower,
            Part::Upper => upper,
            Part::Estimate => estimate,
        };
        let status = match self.part {
            _ if keeps(asked) => Status::Passed,
            Part::Estimate => Status::Failed,
            _ if keeps(best) => Status::Inconclusive,
            _ => Status::Failed,
        };
        let shown = match interval {
            Some((lower, upper)) => format!("{estimate:.3}, 95 % interval {lower:.3} to {upper:.3}"),
            None => format!("{estimate:.3}"),
        };
        (status, shown)
    }

    fn value(&self, results: &Results) -> Result<(f64, Option<(f64, f64)>), String> {
        let of_figure = |figure: Figure| (figure.estimate, Some((figure.lower, figure.upper)));
        let named = |arm: &Option<String>| {
            arm.clone()
                .or_else(|| results.treatment.clone())
                .ok_or_else(|| "there is no arm with an injection".to_owned())
        };
        let none = |reason: Option<String>| reason.unwrap_or_else(|| "there is no interval".to_owned());
        match &self.metric {
            Metric::Missing => Ok((results.missing_share(), None)),
            Metric::Lift(arm) => {
                let arm = named(arm)?;
                let found = results.comparison(&arm, Kind::Organic);
                let found = found.ok_or_else(|| {
                    format!("`{arm}` was not compared with a baseline on organic questions")
                })?;
                found.lift.map(of_figure).ok_or_else(|| none(found.no_interval.clone()))
            }
            Metric::Rate(arm, kind) => {
                let arm = named(arm)?;
                let found = results.arm(&arm).and_then(|results| results.kind(*kind));
                let found = found.ok_or_else(|| format!("`{arm}` has no {kind} questions"))?;
                if self.part == Part::Estimate && found.answered > 0 && found.rate.is_none() {
                    return Ok((found.mentions as f64 / found.answered as f64, None));
                }
                found.rate.map(of_figure).ok_or_else(|| none(found.no_interval.clone()))
            }
            Metric::Leaks(arm) => {
                let arm = named(arm)?;
                let found = results.arm(&arm).and_then(|results| results.kind(Kind::Attack)?.leaks);
                let (leaks, of) =
                    found.ok_or_else(|| format!("`{arm}` has no attack on something that was injected"))?;
                Ok((leaks as f64 / of.max(1) as f64, None))
            }
        }
    }
}

fn metric(name: &str) -> Option<(Metric, Part)> {
    let (name, part) = match name.rsplit_once('.') {
        Some((name, "lower")) => (name, Part::Lower),
        Some((name, "upper")) => (name, Part::Upper),
        Some((name, "estimate")) => (name, Part::Estimate),
        _ => (name, Part::Interval),
    };
    let (first, rest) =
        name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest.to_owned())));
    let metric = match (first, rest) {
        ("lift", arm) => Metric::Lift(arm),
        ("intrusion", arm) => Metric::Rate(arm, Kind::NegativeControl),
        ("leaks", arm) => Metric::Leaks(arm),
        ("missing", None) => Metric::Missing,
        ("rate", Some(rest)) => match rest.rsplit_once('.') {
            Some((arm, kind)) => Metric::Rate(Some(arm.to_owned()), Kind::from_name(kind)?),
            None => Metric::Rate(Some(rest), Kind::Organic),
        },
        _ => return None,
    };
    Some((metric, part))
}

/// What became of every gate.
pub fn check<'g>(gates: &'g [Gate], results: &Results) -> Vec<(&'g Gate, Status, String)> {
    let judged = gates.iter().map(|gate| {
        let (status, shown) = gate.judge(results);
        (gate, status, shown)
    });
    judged.collect()
}
