//! Every test that needs more than one unit: one binary, one file a feature.

mod commands;
mod faults;
mod invariants;
mod operators;
mod proxy;
mod reload;
mod support;
mod tidy;
mod wire;
