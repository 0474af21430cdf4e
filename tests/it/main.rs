//! Every test that needs more than one unit: one binary, one file a feature.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails is told so by a panic"
)]

mod arms;
mod breakout;
mod budgets;
mod commands;
mod conformance;
mod console;
mod dialects;
mod dialogue;
mod disclosure;
mod embedding;
mod evaluate;
mod faults;
mod fidelity;
mod filters;
mod first_embedding;
mod golden;
mod http_itself;
mod invariants;
mod keys;
mod knowledge;
mod labelled;
mod leak_policy;
mod leaks;
mod legality;
mod lints;
mod live;
mod live_bounds;
mod live_parts;
mod measure;
mod measure_compare;
mod measure_input;
mod measure_resume;
mod mention_limits;
mod mentions;
mod operators;
mod prefix;
mod protocols;
mod proxy;
mod reload;
mod retrieval;
mod retrieval_pool;
mod scale;
mod secrets;
mod statistics;
mod streams;
mod suites;
mod support;
mod taken_over;
mod tidy;
mod tls;
mod tokenizers;
mod topics;
mod traces;
mod tunnel;
mod unanswered;
mod vector_store;
mod wire;
