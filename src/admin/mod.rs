//! Health, metrics and the console for operators, on a listener of its own. Without a token it answers only requests
//! that name this machine, so that no web page can read it through a visitor's browser; with one, whoever has it.

mod guard;
mod service;
mod session;

pub use service::{Admin, router};
