//! Watching a response without touching it: frames pass as they come, one ending is reported.

mod body;
mod usage;

pub use body::{Tapped, Watch};
pub use usage::{Usage, UsageReader};
