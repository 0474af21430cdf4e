//! A span, as far as we use them.

/// Something that took time.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The trace.
    pub trace: [u8; 16],
    /// Its id.
    pub id: [u8; 8],
    /// The span that it is part of.
    pub parent: Option<[u8; 8]>,
    /// What it is.
    pub name: String,
    /// Its side.
    pub kind: Kind,
    /// Nanoseconds since 1970 at which it began.
    pub began: u64,
    /// Nanoseconds since 1970 at which it ended.
    pub ended: u64,
    /// What is known of it.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// Whether it failed.
    pub is_error: bool,
}

/// The side of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A request that is answered.
    Server,
    /// A request that is made.
    Client,
    /// Work between them.
    Internal,
}

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    /// A text.
    Text(String),
    /// A whole number.
    Number(u64),
    /// A truth value.
    Truth(bool),
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Attribute {
        Attribute::Text(text.to_owned())
    }
}

impl From<u64> for Attribute {
    fn from(number: u64) -> Attribute {
        Attribute::Number(number)
    }
}

impl From<bool> for Attribute {
    fn from(truth: bool) -> Attribute {
        Attribute::Truth(truth)
    }
}
