//! One immutable, fully built state of knowledge, indexes and recipe: building it, keeping it current,
//! and planning requests with it.

mod assignment;
mod breaker;
mod build;
mod count;
mod embedding;
mod explain;
mod explain_json;
mod meaning;
mod planned;
mod planner;
mod reading;
mod reload;
mod scope;
mod served;
mod state;
mod told;
mod treatment;
mod turns;
mod veto;
mod watch;

pub use assignment::{Assignment, ConversationKey, Experiment, HOLDOUT, INJECTED, LiveArm};
pub use breaker::BreakerSettings;
pub use build::{Builder, SnapshotSettings};
pub use explain::{ExplainedTurn, Explanation, TellingLimits};
pub use planned::{Observed, Planned};
pub use planner::{Planner, PlannerSettings, Request};
pub use reload::{LastReload, Reloader};
pub use scope::{BrandChoice, Choice, Scope};
pub use served::ServedBrand;
pub use state::{BuildReport, Snapshot};
pub use treatment::{Treatment, TreatmentError, Variation};
pub use veto::TopicSettings;
pub use watch::{WatchMode, watch};
