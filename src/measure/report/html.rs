//! The report as one HTML file: nothing is fetched, nothing runs, all text of questions and answers is escaped.

use std::collections::BTreeMap;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};
use similar::{ChangeTag, TextDiff};

use super::analyse::Judged;
use super::gate::{Gate, Status};
use super::results::{Figure, QuestionResults, Results};
use super::words::{lift, listed, moved, of, p_value, percent, points, rate, verdict};
use crate::measure::experiment::Design;
use crate::measure::judge::Material;
use crate::measure::suite::Kind;
use crate::mentions::Polarity;

const TEMPLATE: &str = include_str!("report.html");

/// Answers that are shown in full to each question and arm.
const SHOWN_REPEATS: u32 = 5;

/// The results with every question and its answers.
///
/// # Errors
///
/// The template fails, which tests exclude.
pub fn html(
    results: &Results,
    gates: &[(&Gate, Status, String)],
    design: &Design,
    material: &Material,
    judged: &[Judged<'_>],
) -> Result<String, minijinja::Error> {
    let mut templates = Environment::new();
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    templates.add_filter("percent", |share: f64| percent(share));
    let gates: Vec<Value> = gates
        .iter()
        .map(|(gate, status, shown)| context! { text => gate.text.clone(), status => status.to_string(), shown })
        .collect();
    let mut answers: BTreeMap<usize, Vec<&Judged<'_>>> = BTreeMap::new();
    for judged in judged {
        answers.entry(judged.cell.question).or_default().push(judged);
    }
    let questions: Vec<Value> = results
        .questions
        .iter()
        .enumerate()
        .filter_map(|(index, question)| {
            let answers = answers.get(&index)?;
            Some(question_view(results, question, design, material, answers))
        })
        .collect();
    templates.template_from_str(TEMPLATE)?.render(context! {
        results => Serde(results),
        verdict => verdict(results),
        shown_repeats => SHOWN_REPEATS,
        headline => headline(results),
        kinds => kinds(results),
        lifts => lifts(results),
        changes => changes(results),
        models => listed(&results.models),
        gates,
        questions,
    })
}

/// The figures that are read first.
fn headline(results: &Results) -> Vec<Value> {
    let mut shown = Vec::new();
    let mut push = |name: &str, value: String, range: String| shown.push(context! { name, value, range });
    let range = |figure: &Figure| format!("{} to {}", percent(figure.lower), percent(figure.upper));
    let organic = |arm: &Option<String>| results.arm(arm.as_deref()?)?.kind(Kind::Organic)?.rate;
    if let Some(figure) = organic(&results.treatment) {
        push("named with foreword", percent(figure.estimate), range(&figure));
    }
    if let Some(figure) = organic(&results.baseline) {
        push("named without", percent(figure.estimate), range(&figure));
    }
    let treatment = results.treatment.as_deref().unwrap_or_default();
    if let Some(figure) = results.comparison(treatment, Kind::Organic).and_then(|found| found.lift) {
        push(
            "lift, in points",
            points(figure.estimate),
            format!("{} to {}", points(figure.lower), points(figure.upper)),
        );
    }
    if let Some(controls) = results.arm(treatment).and_then(|arm| arm.kind(Kind::NegativeControl)) {
        let figure = format!("{} of {}", controls.mentions, controls.answered);
        push("named where it does not belong", figure, controls.rate.as_ref().map(range).unwrap_or_default());
    }
    shown
}

fn kinds(results: &Results) -> Vec<Value> {
    Kind::ALL
        .into_iter()
        .filter_map(|kind| {
            let rows: Vec<Value> = results
                .arms
                .iter()
                .filter_map(|arm| {
                    let found = arm.kind(kind)?;
                    let place = |share: f64| 100.0 * share;
                    Some(context! {
                        arm => arm.arm.clone(),
                        plain => is_plain(&arm.arm),
                        bar => found.rate.map(|rate| bar(&rate, place)),
                        dot => found.rate.map(|rate| place(rate.estimate)),
                        shown => found.rate.as_ref().map(rate).unwrap_or_default(),
                        counts => format!("{} of {}", found.mentions, found.answered),
                    })
                })
                .collect();
            let questions =
                results.arms.iter().find_map(|arm| arm.kind(kind)).map_or(0, |found| found.questions);
            (!rows.is_empty()).then(|| context! { name => kind.name(), questions, rows })
        })
        .collect()
}

fn lifts(results: &Results) -> Vec<Value> {
    let organic = results.comparisons.iter().filter(|comparison| comparison.kind == Kind::Organic);
    organic
        .filter_map(|comparison| {
            let found = comparison.lift?;
            let place = |difference: f64| 50.0 + 50.0 * difference;
            Some(context! {
                arm => comparison.arm.clone(),
                plain => is_plain(&comparison.arm),
                bar => bar(&found, place),
                dot => place(found.estimate),
                shown => lift(&found),
                counts => comparison.p_adjusted.or(comparison.p_value).map(p_value).unwrap_or_default(),
            })
        })
        .collect()
}

fn changes(results: &Results) -> Vec<Value> {
    let rows = results.changes.iter().map(|change| {
        context! {
            arm => change.arm.clone(),
            kind => change.kind.name(),
            questions => change.questions,
            before => of(change.before),
            after => of(change.after),
            difference => change.lift.as_ref().map(lift).unwrap_or_default(),
            p => change.p_value.map(p_value).unwrap_or_default(),
            moved => moved(change),
        }
    });
    rows.collect()
}

fn is_plain(arm: &str) -> bool {
    matches!(arm, "direct" | "passthrough") || arm.starts_with("placebo")
}

fn bar(figure: &Figure, place: impl Fn(f64) -> f64) -> (f64, f64) {
    (place(figure.lower), place(figure.upper) - place(figure.lower))
}

fn question_view(
    results: &Results,
    question: &QuestionResults,
    design: &Design,
    material: &Material,
    answers: &[&Judged<'_>],
) -> Value {
    let arms: Vec<Value> = results
        .arms
        .iter()
        .filter_map(|arm| {
            let counts = question.arms.get(&arm.arm)?;
            Some(context! { arm => arm.arm.clone(), mentions => counts.mentions, answered => counts.mentions + counts.silent })
        })
        .collect();
    let shown: Vec<Value> = answers
        .iter()
        .filter(|judged| judged.cell.repeat < SHOWN_REPEATS)
        .map(|judged| answer_view(design, material, judged))
        .collect();
    context! {
        id => question.id.clone(),
        kind => question.kind.name(),
        text => question.text.clone(),
        arms,
        answers => shown,
        diff => difference(results, answers),
    }
}

fn answer_view(design: &Design, material: &Material, judged: &Judged<'_>) -> Value {
    let record = judged.record;
    let parts: Vec<Value> = match &record.reply {
        None => Vec::new(),
        Some(reply) => {
            let found = material.find(design.question(&judged.cell), reply);
            let mut parts = Vec::new();
            let mut at = 0;
            for mention in &found.mentions {
                if mention.range.start < at {
                    continue;
                }
                let own = design.question(&judged.cell).brand.as_deref().unwrap_or(&material.brand);
                let class = match (*mention.brand == *own, mention.polarity) {
                    (false, _) => "other",
                    (true, Polarity::Negated | Polarity::WarnedAgainst | Polarity::InsteadOf) => {
                        "own turned-down"
                    }
                    (true, _) => "own",
                };
                parts.push(context! { text => &reply.text[at..mention.range.start] });
                parts.push(context! { text => &reply.text[mention.range.clone()], class });
                at = mention.range.end;
            }
            parts.push(context! { text => &reply.text[at..] });
            parts
        }
    };
    context! {
        arm => record.arm.clone(),
        repeat => record.repeat,
        items => record.reply.as_ref().map(|reply| reply.items.join(", ")).unwrap_or_default(),
        missing => record.why_missing(),
        parts,
    }
}

/// What differs word by word between the first answers of baseline and treatment.
fn difference(results: &Results, answers: &[&Judged<'_>]) -> Option<Vec<Value>> {
    let first = |arm: &Option<String>| {
        let arm = arm.as_deref()?;
        let found = answers.iter().find(|judged| judged.record.arm == arm && judged.cell.repeat == 0)?;
        Some(found.record.reply.as_ref()?.text.as_str())
    };
    let (before, after) = (first(&results.baseline)?, first(&results.treatment)?);
    let mut parts: Vec<(&str, String)> = Vec::new();
    for change in TextDiff::from_words(before, after).iter_all_changes() {
        let tag = match change.tag() {
            ChangeTag::Equal => "same",
            ChangeTag::Insert => "new",
            ChangeTag::Delete => "old",
        };
        match parts.last_mut() {
            Some((last, text)) if *last == tag => text.push_str(change.value()),
            _ => parts.push((tag, change.value().to_owned())),
        }
    }
    Some(parts.into_iter().map(|(tag, text)| context! { tag, text }).collect())
}
