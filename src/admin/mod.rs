//! Health and metrics for operators, on a listener of its own. It answers only requests that name this
//! machine, so that no web page can read it through a visitor's browser.

mod guard;
mod service;

pub use service::{Admin, router};
