//! A value of a file with its place.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::problem::{Place, Problem};

/// A value and where it stands, in bytes of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Byte range in the file.
    pub span: Range<usize>,
    /// The value.
    pub value: Value,
}

/// A value of TOML, YAML or JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Another number.
    Float(f64),
    /// A text; dates of TOML are texts as they were written.
    String(String),
    /// Values in order.
    List(Vec<Node>),
    /// Values by key, in the order of the file.
    Table(Vec<(Key, Node)>),
}

impl Value {
    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Bool(_) => "a truth value",
            Value::Integer(_) | Value::Float(_) => "a number",
            Value::String(_) => "a text",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

/// The key of a table's entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The key.
    pub name: String,
    /// Byte range in the file.
    pub span: Range<usize>,
}

/// Why a text does not parse, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Byte range in the file.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: &'static str,
}

impl Fault {
    /// The fault as an error in `file`, whose text is `text`.
    pub fn into_problem(self, file: &Path, text: &Arc<str>) -> Problem {
        Problem::error(file, self.message)
            .at(Place { text: Arc::clone(text), span: self.span })
            .hint(self.hint)
    }
}
