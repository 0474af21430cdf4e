//! Of measuring only the question sets.

#[path = "../../src/measure/suite/mod.rs"]
pub mod suite;
