//! Topics that no brand is told into, known by words in several languages. Which of them hold is configured; the
//! comparison by meaning is made where vectors are. Pure.

mod list;
mod matcher;
mod rule;
mod softmax;

pub use list::{Topic, built_in, harmless};
pub use matcher::Topics;
pub use softmax::{MOST_CLASSES, Softmax};
