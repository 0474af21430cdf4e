//! The estimators: published values, values computed apart (`tests/vectors/statistics.py`), properties, and
//! whether intervals hold the truth as often as they promise.

mod counting;
mod coverage;
mod properties;
mod published;
mod refusals;
mod stopping;
mod vectors;

use foreword::statistics as st;
use foreword::statistics::{
    Calibration, Cluster, Confidence, Decision, EProcess, Estimate, Interval, MissingnessVerdict, Paired,
    Question, QuestionPair, Resampling, StatisticsError, Tally, Variances, Warning,
};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::worlds::{Baseline, Effect, LEVEL, World};

#[track_caller]
fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "found {found}, expected {expected}");
}

fn tally(mentions: u32, silent: u32, missing: u32) -> Tally {
    Tally { mentions, silent, missing }
}

/// A family per pair of mention counts, each out of `repeats`.
fn plain(counts: &[(u32, u32)], repeats: u32) -> Vec<Paired> {
    let questions: Vec<QuestionPair> = counts
        .iter()
        .enumerate()
        .map(|(number, (baseline, treated))| QuestionPair {
            family: format!("{number:03}"),
            baseline: tally(*baseline, repeats - baseline, 0),
            treated: tally(*treated, repeats - treated, 0),
        })
        .collect();
    st::pairs(&questions)
}

fn baselines(pairs: &[Paired]) -> Vec<Cluster> {
    pairs.iter().map(|pair| Cluster { id: pair.id.clone(), share: pair.baseline }).collect()
}

fn swapped(pairs: &[Paired]) -> Vec<Paired> {
    pairs
        .iter()
        .map(|pair| Paired { id: pair.id.clone(), baseline: pair.treated, treated: pair.baseline })
        .collect()
}
