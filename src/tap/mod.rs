//! Watching a response without touching it: frames pass as they come, one ending is reported.

mod answer;
mod body;

pub use answer::{AnswerReader, Compressed, Reading, Usage};
pub use body::{Tapped, Watch};
