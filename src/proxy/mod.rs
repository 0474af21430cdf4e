//! The request path, from the client's request to the upstream's answer: a stack of layers.
//!
//! Read [`stack`] first: it is the list.

mod announce;
mod authenticate;
mod body;
mod call;
mod error;
mod exchange;
mod forward;
mod guard;
mod inject;
mod limit;
mod observe;
mod refuse;
mod route;
mod stack;

pub use body::AnswerBody;
pub use error::ProxyError;
pub use forward::Tunnels;
pub use route::RouteSettings;
pub use stack::{ProxySettings, Stack, stack};
