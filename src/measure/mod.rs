//! Proof of effect: how often a brand is mentioned with and without injection, and how sure that is. This room sees
//! what a client sees: it asks over HTTP and knows nothing of how the proxy decides.

pub mod experiment;
pub mod judge;
pub mod report;
pub mod suite;
