//! What an estimator returns, and why it may refuse.

use thiserror::Error;

/// Below so many clusters no interval is given: nothing that few questions say carries over to others.
pub const FEWEST_CLUSTERS: usize = 5;

/// Below so many clusters an interval carries a warning.
pub const ENOUGH_CLUSTERS: usize = 20;

/// Why there is no estimate.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum StatisticsError {
    /// Too few clusters for an interval.
    #[error("an interval needs at least {FEWEST_CLUSTERS} question families, here are {found}")]
    TooFewClusters {
        /// How many there are.
        found: usize,
    },
    /// A number is outside of what the formula is defined for.
    #[error("{what} must be {allowed}, not {value}")]
    OutOfRange {
        /// The name of the number.
        what: &'static str,
        /// The range in words.
        allowed: &'static str,
        /// What was given.
        value: f64,
    },
    /// The estimate needs to see how answers to one prompt vary.
    #[error("the family {cluster} has a question with one answer only: at least two repeats are needed")]
    NeedsRepeats {
        /// The family.
        cluster: String,
    },
    /// McNemar's test takes one answer for each prompt and arm.
    #[error("the family {cluster} has more than one answer in an arm: McNemar's test takes exactly one")]
    NeedsSingleAnswers {
        /// The family.
        cluster: String,
    },
    /// The statistic does not vary, so its interval cannot be told from the sample.
    #[error("the statistic is the same in every resample: its interval is not known")]
    NoVariation,
    /// The statistic has no value on this sample, or on too many of its resamples.
    #[error("the statistic is undefined on {undefined} of {of} samples")]
    Undefined {
        /// Samples without a value.
        undefined: usize,
        /// All samples.
        of: usize,
    },
    /// No labelled answer of one kind.
    #[error("the labels hold no answer {kind}: the detector's error rates cannot be estimated")]
    NoLabels {
        /// Which kind is missing.
        kind: &'static str,
    },
    /// The detector may be no better than a coin.
    #[error(
        "sensitivity + specificity - 1 may be as low as {lower:.3}: \
         the detector is not known to be better than chance, label more answers"
    )]
    DetectorNotInformative {
        /// The lower bound of Youden's index.
        lower: f64,
    },
    /// The rate is not one that a detector with these error rates would show.
    #[error(
        "a rate of {rate:.3} does not go with the labelled error rates of the detector: \
         the labelled answers are of another kind than the measured ones"
    )]
    LabelsDisagree {
        /// The rate that the detector showed.
        rate: f64,
    },
    /// Fewer than two variants.
    #[error("a spread needs at least two variants, here are {found}")]
    TooFewVariants {
        /// How many there are.
        found: usize,
    },
}

/// Something to tell beside an estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warning {
    /// Fewer than [`ENOUGH_CLUSTERS`] clusters.
    FewClusters {
        /// How many there are.
        found: usize,
    },
    /// Fewer than 100 labelled answers behind an error correction.
    FewLabels {
        /// How many there are.
        found: u32,
    },
}

/// What an interval is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Estimand {
    /// Questions of the kind that was asked: the families are draws from a larger population.
    QuestionsLikeThese,
    /// Exactly the questions that were asked: only the model's answers vary.
    TheseQuestions,
}

/// How often an interval made this way holds the truth, as a share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Confidence(f64);

impl Confidence {
    /// 95 %.
    pub const NINETY_FIVE: Confidence = Confidence(0.95);

    /// A level between 0.5 and 1, both excluded.
    ///
    /// # Errors
    /// [`StatisticsError::OutOfRange`] for every other number.
    pub fn new(level: f64) -> Result<Confidence, StatisticsError> {
        if level > 0.5 && level < 1.0 {
            return Ok(Confidence(level));
        }
        Err(StatisticsError::OutOfRange { what: "a confidence", allowed: "between 0.5 and 1", value: level })
    }

    /// The level, for example 0.95.
    #[must_use]
    pub fn level(self) -> f64 {
        self.0
    }

    /// The share of intervals that may miss, both sides together: α.
    #[must_use]
    pub fn alpha(self) -> f64 {
        1.0 - self.0
    }

    /// The probability whose quantile is the two-sided critical value: 1 - α/2.
    pub(super) fn upper_probability(self) -> f64 {
        1.0 - self.alpha() / 2.0
    }
}

/// Two bounds in the units of what is estimated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The smaller bound.
    pub lower: f64,
    /// The greater bound.
    pub upper: f64,
}

impl Interval {
    /// Whether `value` lies between the bounds, or on one.
    #[must_use]
    pub fn contains(self, value: f64) -> bool {
        self.lower <= value && value <= self.upper
    }

    /// The distance between the bounds.
    #[must_use]
    pub fn width(self) -> f64 {
        self.upper - self.lower
    }

    /// Both bounds brought into `lowest..=highest`.
    pub(super) fn clamp(self, lowest: f64, highest: f64) -> Interval {
        Interval { lower: self.lower.clamp(lowest, highest), upper: self.upper.clamp(lowest, highest) }
    }

    /// Bounds that rounding has put on the wrong side of `point` are brought back to it.
    pub(super) fn around(self, point: f64) -> Interval {
        Interval { lower: self.lower.min(point), upper: self.upper.max(point) }
    }
}

/// A number with its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The best single value. It lies within `interval`.
    pub point: f64,
    /// The standard error of `point`, in its units, where the method has one.
    pub standard_error: Option<f64>,
    /// The bounds.
    pub interval: Interval,
    /// How often such bounds hold the truth.
    pub confidence: Confidence,
    /// What the bounds are about.
    pub estimand: Estimand,
    /// The number of clusters behind it.
    pub clusters: usize,
    /// What to tell beside it.
    pub warning: Option<Warning>,
}

/// The warning that goes with so many clusters, or the refusal.
pub(super) fn enough(found: usize) -> Result<Option<Warning>, StatisticsError> {
    if found < FEWEST_CLUSTERS {
        return Err(StatisticsError::TooFewClusters { found });
    }
    Ok((found < ENOUGH_CLUSTERS).then_some(Warning::FewClusters { found }))
}
