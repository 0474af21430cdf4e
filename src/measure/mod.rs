//! Proof of effect: how often a brand is mentioned with and without injection, and how sure that is.

pub mod statistics;
