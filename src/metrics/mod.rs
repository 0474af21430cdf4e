//! What can happen, and under which name it is counted. No other room names a metric.

mod labels;
mod registry;
mod samples;

pub use labels::{Disclosing, Ending, LiveLoss, PrefixBreak, ReloadResult, Route, TunnelEnd};
pub use registry::{Gauges, Metrics};
pub use samples::{Sample, Samples};
