//! Files that people write (TOML, YAML, JSON): a tree of values that know their place, and problems
//! that say file, line, column and remedy. It knows no key of any file.

mod problem;

pub use problem::{Place, Problem, Severity};
