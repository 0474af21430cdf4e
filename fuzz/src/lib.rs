//! The rooms of foreword that read what others wrote, compiled by themselves: they are pure, so that no database, runtime
//! or TLS library has to be built with the fuzzer's instrumentation.

#![allow(dead_code, unused_imports, reason = "other rooms of foreword use what is not used here")]

#[path = "../../src/chat/mod.rs"]
pub mod chat;
#[path = "../../src/document/mod.rs"]
pub mod document;
#[path = "../../src/inject/mod.rs"]
pub mod inject;
#[path = "../../src/knowledge/mod.rs"]
pub mod knowledge;
#[path = "../../src/leaks/mod.rs"]
pub mod leaks;
#[path = "../../src/mentions/mod.rs"]
pub mod mentions;
#[path = "../../src/parallel/mod.rs"]
pub mod parallel;

pub mod measure;
