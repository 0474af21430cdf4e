//! What an answer says: whether it names the brand and how, whether it repeats what was put into the conversation, and
//! which numbers it states that nothing supports. Rules only; no answer is judged by a model.

mod claims;
mod verdict;

pub use claims::{Known, unsupported};
pub use verdict::{Material, Verdict};
