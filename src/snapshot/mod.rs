//! One immutable, fully built state of knowledge, indexes and recipe: building it, keeping it current,
//! and planning requests with it.

mod assignment;
mod build;
mod explain;
mod memory;
mod planner;
mod reading;
mod reload;
mod scope;
mod treatment;
mod turns;

pub use assignment::{Assignment, ConversationKey, Experiment, HOLDOUT, INJECTED, LiveArm};
pub use build::{BuildReport, Builder, Snapshot, SnapshotSettings};
pub use explain::{ExplainedTurn, Explanation};
pub use planner::{Observed, Planned, Planner, PlannerSettings, Request};
pub use reload::{Reloader, WatchMode, watch};
pub use scope::{BrandChoice, Scope};
pub use treatment::{Treatment, TreatmentError, Variation};
