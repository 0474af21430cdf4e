//! From answers to what a person or a pipeline reads: results, gates, and the forms they are written in.

mod analyse;
mod compare;
mod csv;
mod gate;
mod html;
mod junit;
mod labels;
mod markdown;
mod results;
mod table;
mod terminal;
mod words;

pub use self::csv::csv;
pub use analyse::{Context, Judged, analyse, judge};
pub use compare::{compare, differing};
pub use gate::{Gate, GateError, Status, check};
pub use html::html;
pub use junit::junit;
pub use labels::{Labels, LabelsError};
pub use markdown::markdown;
pub use results::{
    ArmResults, Change, Comparison, Counts, Figure, KindResults, Moved, QuestionResults, Results, SCHEMA,
    Sweep, Unsupported,
};
pub use terminal::terminal;
pub use words::verdict;
