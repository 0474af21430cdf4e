//! One call out: the address, the pool, TLS, headers, timeouts. It knows nothing of chat.

mod address;
mod body;
mod client;
mod connector;
mod headers;
mod timed;

pub use address::{Address, AddressError};
pub use body::RequestBody;
pub use client::{TlsError, Upstream, UpstreamError, UpstreamSettings};
pub use headers::strip_hop_by_hop;
pub use timed::{BodyError, TimedBody};
