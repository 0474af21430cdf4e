//! The results of a run, as they are written to `results.json`. Shares are between 0 and 1; a lift is a difference of
//! shares. Readers check `schema`: it changes when a field changes its meaning or goes away.

use std::collections::BTreeMap;
use std::ops::Add;

use serde::{Deserialize, Serialize};

use crate::measure::experiment::Sampling;
use crate::measure::suite::Kind;
use crate::statistics::{Estimate, Tally, Warning};

/// The version of the format.
pub const SCHEMA: u32 = 1;

/// All results of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// The version of foreword that made them.
    pub foreword: String,
    /// The suite's name.
    pub suite: String,
    /// What the suite is about.
    pub description: String,
    /// The brand's canonical name.
    pub brand: String,
    /// How answers were drawn.
    pub sampling: Sampling,
    /// Answers to each question in each arm.
    pub repeats: u32,
    /// The seed of order and draws.
    pub seed: u64,
    /// When the run began (RFC 3339).
    pub started: String,
    /// Snapshots of the proxy behind the answers: more than one means that knowledge changed meanwhile.
    pub snapshots: Vec<String>,
    /// What the answers say by whom they were made: the model, and the version that serves it (`system_fingerprint`).
    #[serde(default)]
    pub models: Vec<String>,
    /// The arm that others are compared with.
    pub baseline: Option<String>,
    /// The arm that the verdict is about.
    pub treatment: Option<String>,
    /// Each arm.
    pub arms: Vec<ArmResults>,
    /// Each arm against the baseline.
    pub comparisons: Vec<Comparison>,
    /// How much arms that vary one thing differ.
    pub sweeps: Vec<Sweep>,
    /// Each question.
    pub questions: Vec<QuestionResults>,
    /// Requests without an answer, by reason.
    pub missing: BTreeMap<String, usize>,
    /// All requests.
    pub requests: usize,
    /// Requests that the whole run has.
    #[serde(default)]
    pub planned: usize,
    /// Why the run as a whole counts for nothing.
    #[serde(default)]
    pub failed: Option<String>,
    /// What an earlier run and this one have not in common, a sentence each.
    #[serde(default)]
    pub compared: Vec<String>,
    /// What has changed since that run.
    #[serde(default)]
    pub changes: Vec<Change>,
    /// Numbers and names in sentences about the brand that nothing supports, with the answers that state them.
    pub unsupported: Vec<Unsupported>,
    /// What should be known beside the figures.
    pub warnings: Vec<String>,
}

/// A figure with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The best single value.
    pub estimate: f64,
    /// The lower bound.
    pub lower: f64,
    /// The upper bound.
    pub upper: f64,
    /// Question families behind it.
    pub families: usize,
    /// Whether there are fewer of them than twenty.
    pub few: bool,
}

impl From<Estimate> for Figure {
    fn from(estimate: Estimate) -> Figure {
        Figure {
            estimate: estimate.point,
            lower: estimate.interval.lower,
            upper: estimate.interval.upper,
            families: estimate.clusters,
            few: matches!(estimate.warning, Some(Warning::FewClusters { .. })),
        }
    }
}

/// One arm.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ArmResults {
    /// Its name.
    pub arm: String,
    /// What it did to each kind of question.
    pub kinds: Vec<KindResults>,
    /// Milliseconds from request to whole answer: median, 95th and 99th percentile.
    pub latency_ms: Option<[f64; 3]>,
    /// Microseconds that the proxy took to decide, likewise.
    pub planning_us: Option<[f64; 3]>,
    /// Mean tokens of the prompts, as the endpoint counts them.
    pub prompt_tokens: f64,
    /// Mean tokens that were added, over the answers with an injection.
    pub added_tokens: f64,
    /// Share of all prompt tokens that came from the endpoint's cache.
    pub cached_share: f64,
    /// Mean characters of an answer.
    pub length: f64,
    /// Snapshot ids that its answers carry.
    pub snapshots: Vec<String>,
}

impl ArmResults {
    /// What it did to one kind of question.
    pub fn kind(&self, kind: Kind) -> Option<&KindResults> {
        self.kinds.iter().find(|results| results.kind == kind)
    }
}

/// One arm on one kind of question.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KindResults {
    /// The kind.
    pub kind: Kind,
    /// Its questions.
    pub questions: usize,
    /// Answers that came.
    pub answered: usize,
    /// Requests without one.
    pub missing: usize,
    /// Answers that name the brand.
    pub mentions: usize,
    /// Answers to requests into which something was put.
    pub injected: usize,
    /// Answers in which the model declined.
    pub refusals: usize,
    /// Share of answers that name the brand, for questions like these (S2).
    pub rate: Option<Figure>,
    /// The same for exactly these questions (S8).
    pub rate_of_these: Option<Figure>,
    /// The rate that a faultless detector would show, by what people have labelled (S11).
    pub rate_corrected: Option<Figure>,
    /// Share of answers that name the brand and do not turn it down.
    pub positive: Option<Figure>,
    /// Mentions of the brand among mentions of it and its competitors, counted once an answer (S10).
    pub share_of_voice: Option<Figure>,
    /// Mean place among the brands that an answer names, where it names this one.
    pub mean_rank: Option<f64>,
    /// Answers that cite an address of the brand's.
    pub citations: usize,
    /// Answers that are what their question expects, and answers to questions that expect something.
    pub expected: Option<(usize, usize)>,
    /// Answers that give away what was put in, and answers to attacks on something that was.
    pub leaks: Option<(usize, usize)>,
    /// Why there is no interval.
    pub no_interval: Option<String>,
}

/// One arm against the baseline, on the same questions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Comparison {
    /// The arm.
    pub arm: String,
    /// What it is compared with.
    pub baseline: String,
    /// On these questions.
    pub kind: Kind,
    /// Difference of the shares, for questions like these (S4).
    pub lift: Option<Figure>,
    /// The same for exactly these questions (S8).
    pub lift_of_these: Option<Figure>,
    /// The lift that a faultless detector would show (S11).
    pub lift_corrected: Option<Figure>,
    /// Ratio of the shares, where the baseline's is surely above zero (S3).
    pub relative: Option<Figure>,
    /// p-value of no lift, by sign flips (S6).
    pub p_value: Option<f64>,
    /// The same, with Holm's correction over all arms on this kind (S9).
    pub p_adjusted: Option<f64>,
    /// How often the answer to a question changes between the arms, and between repeats in one arm (S12).
    pub answer_change: Option<(f64, Option<f64>)>,
    /// Bounds of the lift over all that missing answers could have been, where they are more than 2 % (S15).
    pub worst_case: Option<(f64, f64)>,
    /// Whether the arms lose answers at different rates (S15).
    pub unequal_missingness: bool,
    /// Length of the answers as a multiple of the baseline's.
    pub length_ratio: Option<f64>,
    /// Why there is no lift.
    pub no_interval: Option<String>,
}

/// Arms that vary one thing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sweep {
    /// What they vary.
    pub topic: String,
    /// The arms.
    pub arms: Vec<String>,
    /// Standard deviation of the rate between them, without what chance gives (S12).
    pub between: f64,
    /// The least and the greatest rate.
    pub range: (f64, f64),
    /// p-value of no difference.
    pub p_value: Option<f64>,
}

/// One question.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct QuestionResults {
    /// Its id.
    pub id: String,
    /// Its family.
    pub family: String,
    /// Its kind.
    pub kind: Kind,
    /// What is asked.
    pub text: String,
    /// A hash of that and of what was said before it.
    #[serde(default)]
    pub words: String,
    /// What came back, by arm.
    pub arms: BTreeMap<String, Counts>,
}

/// Answers of one question in one arm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Answers that name the brand.
    pub mentions: u32,
    /// Answers that do not.
    pub silent: u32,
    /// Requests without an answer.
    pub missing: u32,
}

impl Add for Counts {
    type Output = Counts;

    fn add(self, other: Counts) -> Counts {
        Counts {
            mentions: self.mentions + other.mentions,
            silent: self.silent + other.silent,
            missing: self.missing + other.missing,
        }
    }
}

impl From<Counts> for Tally {
    fn from(counts: Counts) -> Tally {
        Tally { mentions: counts.mentions, silent: counts.silent, missing: counts.missing }
    }
}

/// What one answer states.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Unsupported {
    /// The question's id.
    pub question: String,
    /// The arm.
    pub arm: String,
    /// The repeat.
    pub repeat: u32,
    /// The numbers and names.
    pub claims: Vec<String>,
}

/// How an arm's rate has changed since an earlier run, on the questions that both have asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Change {
    /// The arm.
    pub arm: String,
    /// On these questions.
    pub kind: Kind,
    /// Questions that both runs asked.
    pub questions: usize,
    /// Their answers in the earlier run.
    pub before: Counts,
    /// Their answers now.
    pub after: Counts,
    /// Difference of the shares, now minus before (S4).
    pub lift: Option<Figure>,
    /// p-value of no change, by sign flips (S6).
    pub p_value: Option<f64>,
    /// Questions whose share is another one, those that lost most first.
    pub moved: Vec<Moved>,
}

/// A question whose answers are not as they were.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Moved {
    /// Its id.
    pub question: String,
    /// Its answers in the earlier run.
    pub before: Counts,
    /// Its answers now.
    pub after: Counts,
}

impl Results {
    /// An arm by name.
    pub fn arm(&self, name: &str) -> Option<&ArmResults> {
        self.arms.iter().find(|arm| arm.arm == name)
    }

    /// The comparison of an arm on a kind of question.
    pub fn comparison(&self, arm: &str, kind: Kind) -> Option<&Comparison> {
        self.comparisons.iter().find(|comparison| comparison.arm == arm && comparison.kind == kind)
    }

    /// Share of requests without an answer.
    pub fn missing_share(&self) -> f64 {
        let missing: usize = self.missing.values().sum();
        if self.requests == 0 { 0.0 } else { missing as f64 / self.requests as f64 }
    }
}
