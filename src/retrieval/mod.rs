//! A query becomes ranked hits and the gate's verdict.

mod dense;
mod embedder;
mod gate;
mod index;
mod lexical;
mod library;
mod model;
mod names;
mod pool;
mod search;
mod store;
mod words;

pub use embedder::{EmbedError, Embedder, EmbedderSettings};
pub use gate::{Gate, Verdict};
pub use index::{Index, IndexError};
pub use library::LibraryError;
pub use model::{ModelSource, OpenError};
pub use names::NameMatcher;
pub use pool::{Full, Pool};
pub use search::{Candidate, Hits, Query, SearchSettings, search};
pub use store::{Identity, VectorStore};
