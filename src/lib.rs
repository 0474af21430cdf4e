//! foreword: a reverse proxy that makes a model know a brand. The rooms, in reading order.

pub mod metrics;

pub mod document;

pub mod parallel;

pub mod chat;

pub mod knowledge;

pub mod retrieval;

pub mod evaluate;

pub mod leaks;

pub mod inject;

pub mod mentions;

pub mod lint;

pub mod topics;

pub mod snapshot;

pub mod statistics;

pub mod tap;

pub mod keys;

pub mod upstream;

pub mod telemetry;

pub mod live;

pub mod measure;

pub mod server;

pub mod proxy;

pub mod config;

pub mod console;

pub mod admin;

pub mod app;

pub mod cli;

#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
