//! Turns, hits and a recipe become a decision and bytes. Pure: hits come in as data, this room does not
//! know how they were found.

mod budget;
mod decision;
mod hidden;
mod placebo;
mod plan;
mod prepare;
mod recipe;
mod splice;
mod tokens;

pub use budget::Budget;
pub use decision::{Decision, SkipReason};
pub use hidden::inserted;
pub use placebo::{Placebo, marked};
pub use plan::{Placed, Plan, TurnOutcome};
pub use prepare::{Form, Prepared};
pub use recipe::{Order, Placement, Recipe, RenderError, load_recipes};
pub use splice::{Spliced, splice};
pub use tokens::{TokenCounter, Tokenizer, estimate_tokens};
