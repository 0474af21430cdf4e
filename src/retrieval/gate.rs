//! Decides whether a turn gets anything: relevant or nothing.

/// What the gate decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Items that pass may be told.
    Pass,
    /// Nothing fits well enough.
    BelowThreshold,
}

/// A verdict and what led to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// The verdict.
    pub verdict: Verdict,
    /// The best cosine, where there are vectors.
    pub best_cosine: Option<f32>,
    /// What it was held against.
    pub threshold: f32,
    /// Whether the query names a brand.
    pub name_match: bool,
    /// The reason in words.
    pub reason: String,
}
