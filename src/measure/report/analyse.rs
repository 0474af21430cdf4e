//! From judged answers to results.

use std::collections::BTreeSet;

use super::labels::Labels;
use super::results::{Results, SCHEMA};
use super::table::Table;
use super::words::{listed, p_value};
use crate::measure::experiment::{Cell, Design, Record, Reply, Seeds};
use crate::measure::judge::{Material, Verdict};
use crate::measure::suite::Kind;

/// An answer with its verdict; a missing one has none.
pub struct Judged<'a> {
    /// Where it belongs.
    pub cell: Cell,
    /// What came back.
    pub record: &'a Record,
    /// What it says.
    pub verdict: Option<Verdict>,
}

/// Judges every record.
pub fn judge<'a>(design: &Design, material: &Material, records: Vec<(Cell, &'a Record)>) -> Vec<Judged<'a>> {
    records
        .into_iter()
        .map(|(cell, record)| {
            let question = design.question(&cell);
            let verdict = record.reply.as_ref().map(|reply| material.judge(question, reply));
            Judged { cell, record, verdict }
        })
        .collect()
}

/// What a run was, besides its answers.
pub struct Context {
    /// The brand's canonical name.
    pub brand: String,
    /// When it began.
    pub started: String,
    /// What people say of some of the answers.
    pub labels: Option<Labels>,
}

/// The results of judged answers.
pub fn analyse(design: &Design, judged: &[Judged<'_>], context: &Context) -> Results {
    let table = Table { design, judged, labels: context.labels.as_ref() };
    let baseline = table.baseline();
    let treatment = design
        .arms
        .iter()
        .position(|arm| arm.name() == "injected")
        .or_else(|| design.arms.iter().position(|arm| !arm.is_baseline()));
    let mut comparisons = Vec::new();
    if let Some(baseline) = baseline {
        for kind in [Kind::Organic, Kind::NegativeControl] {
            comparisons.extend(table.comparisons(baseline, kind));
        }
    }
    let name = |index: usize| design.arms[index].to_string();
    let mut results = Results {
        schema: SCHEMA,
        foreword: env!("CARGO_PKG_VERSION").to_owned(),
        suite: design.suite.name.clone(),
        description: design.suite.description.clone(),
        brand: context.brand.clone(),
        sampling: design.sampling.clone(),
        repeats: design.repeats,
        seed: design.seed,
        started: context.started.clone(),
        snapshots: snapshots(judged.iter()),
        models: distinct(judged.iter(), model),
        baseline: baseline.map(name),
        treatment: treatment.map(name),
        arms: (0..design.arms.len()).map(|arm| table.arm(arm)).collect(),
        comparisons,
        sweeps: table.sweeps(),
        questions: table.questions(),
        missing: table.missing(),
        requests: judged.len(),
        planned: design.cells().len(),
        failed: None,
        compared: Vec::new(),
        changes: Vec::new(),
        unsupported: table.unsupported(),
        warnings: Vec::new(),
    };
    results.warnings = warnings(design, &results, judged, context.labels.as_ref());
    results.warnings.extend(unlike_repeats(&table, design.sampling.seeds));
    results
}

/// Ids of the snapshots behind answers.
pub(super) fn snapshots<'a>(judged: impl Iterator<Item = &'a Judged<'a>>) -> Vec<String> {
    distinct(judged, |reply| reply.snapshot.clone())
}

/// What an answer says by whom it was made.
fn model(reply: &Reply) -> String {
    match (&*reply.model, &*reply.fingerprint) {
        (model, "") => model.to_owned(),
        (model, fingerprint) => format!("{model} ({fingerprint})"),
    }
}

/// What the answers say, each once, in order.
fn distinct<'a>(
    judged: impl Iterator<Item = &'a Judged<'a>>,
    said: impl Fn(&Reply) -> String,
) -> Vec<String> {
    let replies = judged.filter_map(|judged| judged.record.reply.as_ref());
    let said: BTreeSet<String> = replies.map(said).filter(|text| !text.is_empty()).collect();
    said.into_iter().collect()
}

/// What repeats that differ too much say of the intervals.
fn unlike_repeats(table: &Table<'_>, seeds: Seeds) -> Vec<String> {
    let remedy = match seeds {
        Seeds::Repeat => {
            "all questions of a repeat share a seed, and the endpoint seems to draw alike for them: ask with --seeds question"
        }
        Seeds::Question => "something has changed while it ran",
    };
    let warn = |(arm, mentions, p): (String, Vec<usize>, f64)| {
        let mentions = mentions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        format!(
            "the repeats of {arm} have {mentions} mentions, more apart than chance would let them be (Cochran's Q, {}), so that its \
             interval is too narrow; {remedy}",
            p_value(p)
        )
    };
    table.unlike_repeats().into_iter().map(warn).collect()
}

fn warnings(
    design: &Design,
    results: &Results,
    judged: &[Judged<'_>],
    labels: Option<&Labels>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let (wanted, answered) = (results.planned, judged.len());
    if answered < wanted {
        warnings.push(format!("{answered} of {wanted} answers have been asked for: go on with --resume"));
    }
    if results.snapshots.len() > 1 {
        warnings.push(format!(
            "the answers come from {} snapshots of knowledge and recipe: something was edited while it ran",
            results.snapshots.len()
        ));
    }
    if results.models.len() > 1 {
        warnings.push(format!(
            "the answers say that they come from {} models or versions ({}): what serves the model was changed while it ran, \
             or is not the same for every request",
            results.models.len(),
            listed(&results.models)
        ));
    }
    if design.sampling.temperature == 0.0 && design.repeats > 1 {
        warnings.push("at temperature 0 repeats are the same answer again and tell nothing new".to_owned());
    }
    for comparison in results.comparisons.iter().filter(|comparison| comparison.unequal_missingness) {
        warnings.push(format!(
            "{} and {} lose answers at different rates on {} questions: what is missing may be the effect itself",
            comparison.arm, comparison.baseline, comparison.kind
        ));
    }
    for kind in Kind::ALL {
        let of_kind = results.arms.iter().filter_map(|arm| arm.kind(kind)?.rate);
        if let Some(few) = of_kind.filter(|rate| rate.few).map(|rate| rate.families).min() {
            warnings.push(format!(
                "only {few} families of {kind} questions: twenty or more make intervals that can be relied upon"
            ));
        }
    }
    if let Some(labels) = labels {
        let unknown = labels.unknown(judged);
        if unknown > 0 {
            warnings.push(format!("{unknown} of {} labels belong to no answer of this run", labels.len()));
        }
    }
    warnings
}
