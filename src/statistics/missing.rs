//! What missing answers could hide (S15). An error is not an answer without a mention: missing answers are
//! left out of every share, counted, and beyond 2 % bounded by their worst case.

use super::estimate::{Confidence, Interval, StatisticsError};
use super::exact::fisher;
use super::lift::lift;
use super::rate::rate;
use super::sample::{Question, QuestionPair, Tally, clusters, pairs};

/// Up to this share of missing answers in each arm nothing is asked for.
const NEGLIGIBLE: f64 = 0.02;

/// Below this p-value the arms lose answers at different rates.
const UNEQUAL: f64 = 0.01;

/// What to make of the missing answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingnessVerdict {
    /// At most 2 % in each arm: show the count.
    Negligible,
    /// More: show the worst case beside the interval.
    ShowWorstCase,
    /// The arms differ: what is missing may be the effect itself. The comparison fails.
    Unequal,
}

/// Missing answers of two arms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Missingness {
    /// Missing and all requests of the baseline.
    pub baseline: (u64, u64),
    /// Missing and all requests of the treated arm.
    pub treated: (u64, u64),
    /// Fisher's exact two-sided p-value of equal shares, see [`fisher`].
    pub p_value: f64,
    /// What follows.
    pub verdict: MissingnessVerdict,
}

/// Counts the missing answers of both arms and compares them: unequal at Fisher's p < 0.01, to be bounded
/// above 2 % in either arm.
#[must_use]
pub fn missingness(questions: &[QuestionPair]) -> Missingness {
    let total = |arm: fn(&QuestionPair) -> Tally| {
        questions.iter().map(arm).fold((0, 0), |(missing, answered): (u64, u64), tally| {
            (missing + u64::from(tally.missing), answered + u64::from(tally.answered()))
        })
    };
    let (baseline, treated) = (total(|question| question.baseline), total(|question| question.treated));
    let p_value = fisher(baseline, treated);
    let many = |(missing, answered): (u64, u64)| missing as f64 > NEGLIGIBLE * (missing + answered) as f64;
    let verdict = if p_value < UNEQUAL {
        MissingnessVerdict::Unequal
    } else if many(baseline) || many(treated) {
        MissingnessVerdict::ShowWorstCase
    } else {
        MissingnessVerdict::Negligible
    };
    let of_all = |(missing, answered): (u64, u64)| (missing, missing + answered);
    Missingness { baseline: of_all(baseline), treated: of_all(treated), p_value, verdict }
}

/// Bounds over everything that the missing answers could have been (Horowitz and Manski 2000, JASA 95).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WorstCase {
    /// The least and the greatest point estimate.
    pub points: Interval,
    /// From the lower bound of the least to the upper bound of the greatest.
    pub interval: Interval,
}

/// The worst case of [`rate()`]: all missing answers are silent, or all mention.
///
/// # Errors
/// [`StatisticsError::TooFewClusters`] below five families.
pub fn worst_case_rate(questions: &[Question], confidence: Confidence) -> Result<WorstCase, StatisticsError> {
    let with = |missing: Missing| {
        let filled: Vec<Question> = questions
            .iter()
            .map(|question| Question { tally: filled(question.tally, missing), ..question.clone() })
            .collect();
        rate(&clusters(&filled), confidence)
    };
    let (least, greatest) = (with(Missing::Silent)?, with(Missing::Mention)?);
    Ok(WorstCase {
        points: Interval { lower: least.point, upper: greatest.point },
        interval: Interval { lower: least.interval.lower, upper: greatest.interval.upper },
    })
}

/// The worst case of [`lift()`]: missing answers of the treated arm are silent and those of the baseline
/// mention, or the other way round.
///
/// # Errors
/// [`StatisticsError::TooFewClusters`] below five families.
pub fn worst_case_lift(
    questions: &[QuestionPair],
    confidence: Confidence,
) -> Result<WorstCase, StatisticsError> {
    let with = |baseline: Missing, treated: Missing| {
        let filled: Vec<QuestionPair> = questions
            .iter()
            .map(|question| QuestionPair {
                family: question.family.clone(),
                baseline: filled(question.baseline, baseline),
                treated: filled(question.treated, treated),
            })
            .collect();
        lift(&pairs(&filled), confidence)
    };
    let (least, greatest) =
        (with(Missing::Mention, Missing::Silent)?, with(Missing::Silent, Missing::Mention)?);
    Ok(WorstCase {
        points: Interval { lower: least.point, upper: greatest.point },
        interval: Interval { lower: least.interval.lower, upper: greatest.interval.upper },
    })
}

#[derive(Clone, Copy)]
enum Missing {
    Mention,
    Silent,
}

fn filled(tally: Tally, missing: Missing) -> Tally {
    match missing {
        Missing::Mention => Tally { mentions: tally.mentions + tally.missing, missing: 0, ..tally },
        Missing::Silent => Tally { silent: tally.silent + tally.missing, missing: 0, ..tally },
    }
}
