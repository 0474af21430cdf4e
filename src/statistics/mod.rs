//! Estimators for mention rates and lifts. Pure: counts go in, estimates come out. No clock, no input or
//! output, and every draw comes from a seed that the caller gives.
//!
//! | Question | Function |
//! |---|---|
//! | How often is the brand mentioned? | [`rate()`], [`rate_korn_graubard`], [`rate_of_these_questions`] |
//! | How much more often with injection? | [`lift()`], [`lift_student`], [`lift_of_these_questions`], [`relative_lift`] |
//! | Could that be chance? | [`sign_flip`], [`mcnemar`]; several at once: [`holm`], [`benjamini_hochberg`] |
//! | How sure is a metric that is not a mean of shares? | [`bca_bootstrap`] |
//! | What if the detector errs? | [`corrected_rate`], [`corrected_lift`], [`corrected_lift_per_arm`] |
//! | How much do order and wording matter? | [`spread()`], [`answer_change`] |
//! | How many questions are needed? | [`clusters_needed`], [`detectable_lift`], [`power()`] |
//! | May we stop early? | [`EProcess`], [`precision_reached`] |
//! | How do two groups of conversations differ, looked at every day? | [`arm_lift`] |
//! | Do the answers of a repeat have something in common? | [`cochran_q`] |
//! | What if answers are missing? | [`missingness`], [`worst_case_rate`], [`worst_case_lift`] |
//!
//! **The unit is the cluster.** Paraphrases of one question answer alike, and so do repeats of one prompt.
//! Answers are therefore averaged to questions and questions to families ([`clusters`], [`pairs`]), and an
//! interval knows only the families (Miller 2024, arXiv 2411.00640). All rates and lifts are shares: 0.05
//! is five percentage points.

mod arms;
mod bootstrap;
mod detector_error;
mod estimate;
mod exact;
mod lift;
mod missing;
mod moments;
mod mover;
mod multiple;
mod power;
mod quantile;
mod random;
mod rate;
mod repeats;
mod sample;
mod sequential;
mod significance;
mod spread;
mod these_questions;

pub use arms::{ArmLift, ClusterSums, arm_lift};
pub use bootstrap::{Resampling, bca_bootstrap};
pub use detector_error::{Calibration, corrected_lift, corrected_lift_per_arm, corrected_rate};
pub use estimate::{
    Confidence, ENOUGH_CLUSTERS, Estimand, Estimate, FEWEST_CLUSTERS, Interval, StatisticsError, Warning,
};
pub use exact::{fisher, mcnemar};
pub use lift::{lift, lift_student, relative_lift};
pub use missing::{
    Missingness, MissingnessVerdict, WorstCase, missingness, worst_case_lift, worst_case_rate,
};
pub use multiple::{benjamini_hochberg, holm};
pub use power::{Variances, clusters_needed, detectable_lift, power};
pub use quantile::{beta_quantile, binomial_at_most, normal_quantile, student_quantile};
pub use random::shuffled;
pub use rate::{proportion, rate, rate_korn_graubard, wilson};
pub use repeats::cochran_q;
pub use sample::{Cluster, Paired, Question, QuestionPair, Share, Tally, clusters, pairs};
pub use sequential::{Decision, EProcess, precision_reached};
pub use significance::{SignFlip, fewest_for_sign_flips, sign_flip};
pub use spread::{AnswerChange, Spread, answer_change, spread};
pub use these_questions::{lift_of_these_questions, rate_of_these_questions};
