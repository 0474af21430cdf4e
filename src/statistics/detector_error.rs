//! Rates and lifts corrected for the errors of the detector (S11).

use super::estimate::{Confidence, Estimate, Interval, StatisticsError, Warning, enough};
use super::lift::{self, Arms};
use super::mover::{self, Bounded};
use super::rate::{self, proportion};
use super::sample::{Cluster, Paired};

/// Below so many labelled answers a correction carries a warning.
const ENOUGH_LABELS: u32 = 100;

/// Halvings of an interval of length one until it is shorter than the rounding of a double.
const HALVINGS: u32 = 60;

/// What the detector said of answers that people labelled. The answers should be of the arm that is
/// corrected: what injection does to the wording may change the error rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calibration {
    /// Mentions that were found.
    pub true_positives: u32,
    /// Mentions that were not.
    pub false_negatives: u32,
    /// Answers without a mention, and none was found.
    pub true_negatives: u32,
    /// Answers without a mention where one was found.
    pub false_positives: u32,
}

impl Calibration {
    fn labels(&self) -> u32 {
        self.true_positives + self.false_negatives + self.true_negatives + self.false_positives
    }

    fn warning(&self) -> Option<Warning> {
        (self.labels() < ENOUGH_LABELS).then(|| Warning::FewLabels { found: self.labels() })
    }

    fn detector(&self, confidence: Confidence) -> Result<Detector, StatisticsError> {
        let (mentions, others) =
            (self.true_positives + self.false_negatives, self.true_negatives + self.false_positives);
        if mentions == 0 {
            return Err(StatisticsError::NoLabels { kind: "with a mention" });
        }
        if others == 0 {
            return Err(StatisticsError::NoLabels { kind: "without a mention" });
        }
        let detector = Detector {
            hits: bounded(proportion(self.true_positives, mentions, confidence)?),
            alarms: bounded(proportion(self.false_positives, others, confidence)?),
        };
        let lower = detector.informedness().interval.lower;
        if lower > 0.0 { Ok(detector) } else { Err(StatisticsError::DetectorNotInformative { lower }) }
    }
}

fn bounded((point, interval): (f64, Interval)) -> Bounded {
    Bounded { point, interval }
}

/// The mention rate that a faultless detector would show (Rogan and Gladen 1978, American Journal of
/// Epidemiology 107): θ = (p + Sp - 1)/(Se + Sp - 1), cut at 0 and 1. The interval carries the uncertainty
/// of the answers and of the labels (as Lee et al., arXiv 2511.21140, ask): its bounds are the θ at which
/// the MOVER bound of p - θ·Se - (1-θ)·(1-Sp) is zero, from the bounds of p as in [`super::rate()`] and Wilson's
/// of Se and Sp.
///
/// # Errors
/// [`StatisticsError::TooFewClusters`] below five families, [`StatisticsError::NoLabels`],
/// [`StatisticsError::DetectorNotInformative`] or [`StatisticsError::LabelsDisagree`] where the labels do not
/// allow a correction.
pub fn corrected_rate(
    clusters: &[Cluster],
    calibration: &Calibration,
    confidence: Confidence,
) -> Result<Estimate, StatisticsError> {
    let raw = rate::rate(clusters, confidence)?;
    let detector = calibration.detector(confidence)?;
    let corrected = detector.correct(Bounded { point: raw.point, interval: raw.interval })?;
    Ok(Estimate {
        point: corrected.point,
        standard_error: None,
        interval: corrected.interval,
        warning: raw.warning.or(calibration.warning()),
        ..raw
    })
}

/// The lift that a faultless detector would show, for a detector that errs alike in both arms:
/// Δ/(Se + Sp - 1). False alarms cancel in a difference; what is missed and mistaken shrinks it. Bounds by
/// MOVER for a ratio from those of [`super::lift()`] and of Se + Sp - 1, cut at -1 and 1.
///
/// # Errors
/// As [`corrected_rate`].
pub fn corrected_lift(
    pairs: &[Paired],
    calibration: &Calibration,
    confidence: Confidence,
) -> Result<Estimate, StatisticsError> {
    let raw = lift::lift(pairs, confidence)?;
    let informedness = calibration.detector(confidence)?.informedness();
    let point = (raw.point / informedness.point).clamp(-1.0, 1.0);
    let interval = mover::ratio(Bounded { point: raw.point, interval: raw.interval }, informedness, 0.0);
    Ok(Estimate {
        point,
        standard_error: None,
        interval: interval.clamp(-1.0, 1.0).around(point),
        warning: raw.warning.or(calibration.warning()),
        ..raw
    })
}

/// The lift between two arms of which each has its own labels: the difference of the corrected rates, with
/// MOVER's bounds. Labels of one arm know nothing of the other's, so the correlation of the arms counts only
/// as far as an interval is due to the answers.
///
/// # Errors
/// As [`corrected_rate`].
pub fn corrected_lift_per_arm(
    pairs: &[Paired],
    baseline: &Calibration,
    treated: &Calibration,
    confidence: Confidence,
) -> Result<Estimate, StatisticsError> {
    let warning = enough(pairs.len())?;
    let arms = Arms::new(pairs, confidence)?;
    let (baseline_detector, treated_detector) =
        (baseline.detector(confidence)?, treated.detector(confidence)?);
    let from = baseline_detector.correct(arms.baseline)?;
    let to = treated_detector.correct(arms.treated)?;
    let correlation = arms.correlation
        * baseline_detector.due_to_answers(arms.baseline, from)
        * treated_detector.due_to_answers(arms.treated, to);
    let point = to.point - from.point;
    let interval = mover::difference(to, from, correlation).clamp(-1.0, 1.0).around(point);
    let warning = warning.or(baseline.warning()).or(treated.warning());
    let raw = lift::estimate(pairs, interval, confidence, warning);
    Ok(Estimate { point, standard_error: None, interval, ..raw })
}

/// The error rates with their bounds.
struct Detector {
    /// Se: the share of mentions that are found.
    hits: Bounded,
    /// 1 - Sp: the share of other answers in which one is found all the same.
    alarms: Bounded,
}

impl Detector {
    /// Se + Sp - 1, Youden's index: 1 for a faultless detector, 0 for a coin.
    fn informedness(&self) -> Bounded {
        Bounded {
            point: self.hits.point - self.alarms.point,
            interval: mover::difference(self.hits, self.alarms, 0.0),
        }
    }

    fn correct(&self, seen: Bounded) -> Result<Bounded, StatisticsError> {
        let point = ((seen.point - self.alarms.point) / self.informedness().point).clamp(0.0, 1.0);
        if self.gap(seen, point, Side::Lower) > 0.0 || self.gap(seen, point, Side::Upper) < 0.0 {
            return Err(StatisticsError::LabelsDisagree { rate: seen.point });
        }
        let lower = crossing(point, 0.0, |rate| self.gap(seen, rate, Side::Lower) <= 0.0);
        let upper = crossing(point, 1.0, |rate| self.gap(seen, rate, Side::Upper) >= 0.0);
        Ok(Bounded { point, interval: Interval { lower, upper } })
    }

    /// The MOVER bound of what was seen minus what a true `rate` would show.
    fn gap(&self, seen: Bounded, rate: f64, side: Side) -> f64 {
        let expected = rate * self.hits.point + (1.0 - rate) * self.alarms.point;
        let (from_seen, from_hits, from_alarms) = match side {
            Side::Lower => (seen.below(), self.hits.above(), self.alarms.above()),
            Side::Upper => (seen.above(), self.hits.below(), self.alarms.below()),
        };
        let distance = from_seen.hypot(rate * from_hits).hypot((1.0 - rate) * from_alarms);
        match side {
            Side::Lower => seen.point - expected - distance,
            Side::Upper => seen.point - expected + distance,
        }
    }

    /// The share of the corrected interval's width that answers alone would give, at most one.
    fn due_to_answers(&self, seen: Bounded, corrected: Bounded) -> f64 {
        let alone = seen.interval.width() / self.informedness().point;
        let all = corrected.interval.width();
        if all > alone { alone / all } else { 1.0 }
    }
}

#[derive(Clone, Copy)]
enum Side {
    Lower,
    Upper,
}

/// How far from `inside` towards `end` a condition holds that holds at `inside`, by bisection.
fn crossing(inside: f64, end: f64, holds: impl Fn(f64) -> bool) -> f64 {
    if holds(end) {
        return end;
    }
    let (mut inside, mut outside) = (inside, end);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(inside, outside);
        if holds(middle) { inside = middle } else { outside = middle }
    }
    inside
}
