//! Sockets, connections, shutdown. It hands requests to a service and knows nothing of what they ask.

mod connection;
mod listen;
mod tls;

pub use connection::ConnectionSettings;
pub use listen::{Drained, serve};
pub use tls::{CertificateError, Tls, TlsSettings};
