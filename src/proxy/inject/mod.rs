//! Chat requests get their injection here. Nothing that goes wrong here fails a request: it goes on as
//! it came, with the reason in its record.

mod admit;
mod edit;
mod read;
mod service;

pub use edit::Edited;
pub use service::{Inject, InjectLayer, InjectSettings};
