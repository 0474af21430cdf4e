//! The console: pages for the person who edits knowledge, made on the server, with a little script of our own. It
//! works offline, stores nothing, and shows prompts and items, so it is off unless the configuration asks for it.

mod answer;
mod ask;
mod attempt;
mod conversation;
mod counts;
mod experiments;
mod files;
mod form;
mod knowledge;
mod messages;
mod overview;
mod plot;
mod reply;
mod reports;
mod requests;
mod service;
mod templates;

pub use form::Form;
pub use reply::{Body, Reply, read_form};
pub use service::{Console, Parts, is_console, sign_in_page};
