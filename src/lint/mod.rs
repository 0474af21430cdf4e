//! Lints of knowledge: what is well-formed and should not be told all the same. Each has a name, a level that the
//! configuration may change, and an explanation. Pure but for one thing: a file is read again to say where in it a
//! finding stands.

mod catalog;
mod characters;
mod concealment;
mod finding;
mod look;
mod numbers;
mod orders;
mod personal;
mod praise;
mod similar;
mod text;

pub use catalog::{Level, Levels, Lint};
pub use look::{Clean, Linted, lint, lint_pairs};
