//! A query becomes ranked hits and the gate's verdict.

mod admitted;
mod calibration;
mod dense;
mod embedder;
mod gate;
mod index;
mod kept;
mod language;
mod lexical;
mod library;
mod model;
mod names;
mod passages;
mod pool;
mod query;
mod search;
mod shard;
mod store;
mod subjects;
mod terms;
mod vector;
mod words;

pub use calibration::{Calibration, cohort};
pub use embedder::{EmbedError, Embedder};
pub use gate::{Gate, Verdict, decide};
pub use index::{Index, IndexError, texts_without_vector};
pub use language::detect as language_of;
pub use library::LibraryError;
pub use model::{EmbedderSettings, ModelSource, OpenError};
pub use names::NameMatcher;
pub use pool::{Full, Pool, Slice};
pub use query::{MAX_QUERY_BYTES, MAX_SAID, Query, Said, Speaker};
pub use search::{Candidate, Hits, SearchSettings, Vectors, search, search_among};
pub use store::{Identity, TextKey, VectorStore};
pub use vector::Vector;
pub use words::TopicWords;
