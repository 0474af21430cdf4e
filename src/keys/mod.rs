//! The keys of clients: who may call, for which brands, how often. Keys are kept as salted hashes; the
//! key itself is shown once, when it is made.

mod file;
mod ring;
mod secret;

pub use file::{entry, read_keys};
pub use ring::{Client, KeyRing, Refusal};
pub use secret::NewKey;
