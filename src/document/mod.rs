//! Files that people write (TOML, YAML, JSON): a tree of values that know their place, and problems
//! that say file, line, column and remedy. It knows no key of any file.

mod node;
mod parse;
mod problem;
mod table;

pub use node::{Fault, Key, Node, Value};
pub use parse::{FrontMatter, parse_json, parse_toml, parse_yaml, split_front_matter};
pub use problem::{Place, Problem, Severity, chain};
pub use table::{Table, nearest};
