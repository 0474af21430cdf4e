//! One count and one log line a request, however it ends.

mod report;
mod service;

pub use report::Report;
pub use service::{Observe, ObserveLayer};
