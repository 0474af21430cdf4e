//! The verdict in plain words, the same in every report.

use super::results::{Change, Comparison, Counts, Figure, Results};
use crate::measure::suite::Kind;
use crate::statistics::Tally;

/// A share as a percentage: whole numbers, with a decimal near the ends.
pub(super) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if (percent > 0.0 && percent < 3.0) || (percent > 97.0 && percent < 100.0) {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}

/// A difference of shares in percentage points.
pub(super) fn points(difference: f64) -> String {
    let points = 100.0 * difference;
    if points.abs() < 3.0 { format!("{points:+.1}") } else { format!("{points:+.0}") }
}

/// `88 % (74 to 95)`.
pub(super) fn rate(figure: &Figure) -> String {
    let bare = |share| percent(share).trim_end_matches(" %").to_owned();
    format!("{} ({} to {})", percent(figure.estimate), bare(figure.lower), bare(figure.upper))
}

/// `+83 points (74 to 89)`.
pub(super) fn lift(figure: &Figure) -> String {
    format!("{} points ({} to {})", points(figure.estimate), points(figure.lower), points(figure.upper))
}

pub(super) fn p_value(p: f64) -> String {
    if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") }
}

/// `28 of 40`.
pub(super) fn of(counts: Counts) -> String {
    format!("{} of {}", counts.mentions, Tally::from(counts).answered())
}

/// Names, of very many the first.
pub(super) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

/// Questions that are shown of those that have moved.
const MOVED_SHOWN: usize = 8;

/// Which questions have moved, those that lost most first: `light-1 3 of 3 → 0 of 3`.
pub(super) fn moved(change: &Change) -> String {
    let shown = change.moved.iter().take(MOVED_SHOWN);
    let mut texts: Vec<String> =
        shown.map(|moved| format!("{} {} → {}", moved.question, of(moved.before), of(moved.after))).collect();
    if change.moved.len() > MOVED_SHOWN {
        texts.push(format!("{} more (results.json)", change.moved.len() - MOVED_SHOWN));
    }
    texts.join(", ")
}

/// What the run says, a sentence a line: the effect, what it is owed to, what it spills over to, and what is not known.
pub fn verdict(results: &Results) -> Vec<String> {
    let mut lines: Vec<String> = results.failed.iter().cloned().collect();
    let Some(arm) = results.treatment.as_deref() else {
        lines.push("No arm adds anything: there is no effect to tell of.".to_owned());
        return lines;
    };
    let main = results.comparison(arm, Kind::Organic);
    match main {
        Some(comparison) => lines.push(effect(results, comparison)),
        None if results.baseline.is_some() => {
            lines.push("No organic question was asked: no effect can be told.".to_owned());
        }
        None => {
            lines.push("There is no baseline to compare with: add the arm passthrough or direct.".to_owned());
        }
    }
    lines.extend(not_there(results, main));
    lines.extend(placebo(results));
    lines.extend(intrusion(results, arm));
    lines.extend(same_twice(results));
    lines.extend(results.compared.iter().cloned());
    lines
}

fn effect(results: &Results, comparison: &Comparison) -> String {
    let brand = &results.brand;
    let rates = |name: &str| results.arm(name).and_then(|arm| arm.kind(Kind::Organic)?.rate);
    let (Some(lift_found), Some(before), Some(after)) =
        (comparison.lift, rates(&comparison.baseline), rates(&comparison.arm))
    else {
        let reason = comparison.no_interval.as_deref().unwrap_or("there is no answer to compare");
        return format!("No effect can be stated: {reason}.");
    };
    let p = comparison.p_adjusted.or(comparison.p_value);
    let test = p.map(p_value).unwrap_or_default();
    let is_sure = p.is_none_or(|p| p < 0.05);
    let corrected = match &comparison.lift_corrected {
        Some(figure) => {
            format!(" Corrected for the detector's errors on labelled answers: {}.", lift(figure))
        }
        None => String::new(),
    };
    let excludes_zero = lift_found.lower > 0.0 || lift_found.upper < 0.0;
    let sure = match (excludes_zero && is_sure, lift_found.lower > 0.0) {
        (true, true) => "It works",
        (true, false) => "It does harm",
        (false, _) => "Not proven",
    };
    let unlike = match excludes_zero && !is_sure {
        true => " The interval excludes zero and the test does not: ask more families of questions.",
        false => "",
    };
    format!(
        "{sure}: answers to organic questions name {brand} in {} of cases with foreword and {} without: {}, {test}.{unlike}{corrected}",
        rate(&after),
        rate(&before),
        lift(&lift_found),
    )
}

/// What the answers that are not there could have made of it.
fn not_there(results: &Results, comparison: Option<&Comparison>) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some((least, most)) = comparison.and_then(|comparison| comparison.worst_case) {
        lines.push(format!(
            "{} of the answers are missing: whatever they would have been, the lift on these questions is from {} to {} points.",
            percent(results.missing_share()),
            points(least),
            points(most)
        ));
    }
    if results.planned > results.requests {
        lines.push(format!(
            "{} of {} answers were not asked for: the arms may not have the same questions.",
            results.planned - results.requests,
            results.planned
        ));
    }
    lines
}

/// Whether a placebo does it, too.
fn placebo(results: &Results) -> Option<String> {
    let comparison = results.comparison("placebo-fictional", Kind::Organic)?;
    let found = comparison.lift?;
    Some(if found.lower > 0.0 {
        format!(
            "The same examples about a brand that does not exist raise it as well, by {}: part of the effect is the form.",
            lift(&found)
        )
    } else {
        format!(
            "The same examples about a brand that does not exist change nothing that could be seen: {}.",
            lift(&found)
        )
    })
}

fn intrusion(results: &Results, arm: &str) -> Option<String> {
    let controls = results.arm(arm)?.kind(Kind::NegativeControl)?;
    let rate_found = match &controls.rate {
        Some(figure) => rate(figure),
        None => "an unknown share".to_owned(),
    };
    Some(format!(
        "Where the brand does not belong, {} of {} answers name it ({rate_found}); {} of these requests had something put in.",
        controls.mentions, controls.answered, controls.injected
    ))
}

/// The A/A check: the proxy without an injection against none at all.
fn same_twice(results: &Results) -> Option<String> {
    let comparison = results.comparison("direct", Kind::Organic)?;
    let found = comparison.lift?;
    let covers = found.lower <= 0.0 && found.upper >= 0.0;
    Some(format!(
        "The proxy without an injection {}: past it the rate differs by {}.",
        if covers { "changes nothing, as it must" } else { "CHANGES ANSWERS, which it must not" },
        lift(&found)
    ))
}
