//! `foreword measure plan`

use std::fmt::Write as _;

use crate::cli::Exit;
use crate::cli::arguments::PlanArguments;
use crate::cli::print::{err, out};
use crate::measure::report::Results;
use crate::measure::suite::Kind;
use crate::statistics::{
    Confidence, QuestionPair, Tally, Variances, clusters_needed, fewest_for_sign_flips, pairs,
};

/// Share of the variance of single answers that is due to differences between questions, where nothing is known.
const BETWEEN: f64 = 0.3;

/// Repeats that are shown.
const REPEATS: [u32; 4] = [1, 3, 5, 10];

/// Wordings in a family that are shown.
const WORDINGS: [u32; 2] = [1, 2];

/// Refuses rates and lifts that no brand can have.
fn possible(arguments: &PlanArguments) -> Result<(), Exit> {
    let PlanArguments { baseline, lift, pilot, .. } = arguments;
    let treated = baseline + lift;
    let wrong = if !(0.0..=1.0).contains(baseline) {
        format!("--baseline is a share from 0 to 1, not {baseline}")
    } else if lift.abs() > 1.0 {
        format!("--lift is a share from -1 to 1, not {lift}: write ten points as 0.10")
    } else if pilot.is_none() && !(-1e-9..=1.0 + 1e-9).contains(&treated) {
        format!(
            "a rate of {baseline} cannot rise by {lift}: --baseline and --lift together must be from 0 to 1"
        )
    } else {
        return Ok(());
    };
    err(&format!("foreword: {wrong}\n"));
    Err(Exit::BadInput)
}

pub(super) fn run(arguments: &PlanArguments) -> Result<Exit, Exit> {
    possible(arguments)?;
    let (variances, source) = match &arguments.pilot {
        None => {
            let treated = (arguments.baseline + arguments.lift).clamp(0.0, 1.0);
            let assumed = Variances::assumed(arguments.baseline, treated, BETWEEN, arguments.spread);
            let source = format!(
                "Assumed: {:.0} % without, {:.0} % with, and lifts that differ between families by a standard deviation of {:.0} points.",
                100.0 * arguments.baseline,
                100.0 * treated,
                100.0 * arguments.spread.sqrt()
            );
            (assumed, source)
        }
        Some(folder) => {
            let results = super::write::read_results(folder)?;
            let (found, rate) = of_pilot(&results)?;
            let source = format!(
                "From the pilot: lifts differ between families by a standard deviation of {:.0} points.",
                100.0 * found.lift.sqrt()
            );
            let treated = (rate + arguments.lift).clamp(0.0, 1.0);
            let assumed = Variances::assumed(rate, treated, BETWEEN, arguments.spread);
            completed(found, assumed, source)
        }
    };
    let mut text = format!(
        "{source}\nFamilies of questions that show a lift of {:.0} points with a chance of {:.0} %, two-sided 5 %:\n\n{:<10}",
        100.0 * arguments.lift,
        100.0 * arguments.power,
        "repeats"
    );
    for wordings in WORDINGS {
        let _infallible = write!(
            text,
            "{:>24}",
            format!("{wordings} wording{} a family", if wordings == 1 { "" } else { "s" })
        );
    }
    text.push('\n');
    for repeats in REPEATS {
        let _infallible = write!(text, "{repeats:<10}");
        for wordings in WORDINGS {
            let needed = clusters_needed(
                &variances,
                repeats * wordings,
                arguments.lift,
                Confidence::NINETY_FIVE,
                arguments.power,
            )
            .map_err(|error| {
                err(&format!("foreword: {error}\n"));
                Exit::BadInput
            })?;
            // Of fewer no order of signs is rare enough.
            let needed = needed.max(fewest_for_sign_flips(Confidence::NINETY_FIVE));
            let _infallible = write!(text, "{needed:>24}");
        }
        text.push('\n');
    }
    text.push_str("\nMore families help more than more repeats: what differs between questions does not average out over repeats.\n");
    out(&text);
    Ok(Exit::Success)
}

/// What a pilot shows, where it shows any of it: that few answers were alike does not say that all will be. What is missing
/// is assumed.
fn completed(found: Variances, assumed: Variances, source: String) -> (Variances, String) {
    let or = |found: f64, assumed: f64| if found > 0.0 { found } else { assumed };
    let completed = Variances {
        lift: or(found.lift, assumed.lift),
        baseline: or(found.baseline, assumed.baseline),
        treated: or(found.treated, assumed.treated),
    };
    if completed == found {
        return (found, source);
    }
    let lift = 100.0 * completed.lift.sqrt();
    (
        completed,
        format!(
            "{source} It shows too little variation to plan by: some is assumed, for lifts {lift:.0} points."
        ),
    )
}

/// The variances of a pilot, and the rate of its baseline.
fn of_pilot(results: &Results) -> Result<(Variances, f64), Exit> {
    let refuse = |reason: &str| {
        err(&format!("foreword: the pilot tells nothing: {reason}\n"));
        Exit::BadInput
    };
    let (Some(baseline), Some(treatment)) = (&results.baseline, &results.treatment) else {
        return Err(refuse("it has no baseline and treatment to compare"));
    };
    let questions: Vec<QuestionPair> = results
        .questions
        .iter()
        .filter(|question| question.kind == Kind::Organic)
        .filter_map(|question| {
            Some(QuestionPair {
                family: question.family.clone(),
                baseline: Tally::from(*question.arms.get(baseline)?),
                treated: Tally::from(*question.arms.get(treatment)?),
            })
        })
        .collect();
    let pairs = pairs(&questions);
    let variances = Variances::from_pilot(&pairs).map_err(|error| refuse(&error.to_string()))?;
    let rate = pairs.iter().map(|pair| pair.baseline.rate).sum::<f64>() / pairs.len() as f64;
    Ok((variances, rate))
}
