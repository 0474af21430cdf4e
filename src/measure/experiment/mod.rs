//! Asking every question of a suite in every arm, so many times, over HTTP: what is sent, in which order, how fast, and
//! the journal in which every finished answer stands before the next is asked for.

mod answer;
mod arm;
mod design;
mod journal;
mod pace;
mod run;
mod wire;

pub use answer::{MissingReason, Record, Reply};
pub use arm::{Arm, arms};
pub use design::{Cell, Design, Sampling, Seeds};
pub use journal::{Heading, Journal, JournalError, Kept, read_journal};
pub use run::{Endpoints, Event, Follow, Limits, Outcome, RunError, of_design, run};
pub use wire::Endpoint;
