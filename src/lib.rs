//! foreword: a reverse proxy that makes a model know a brand. The rooms, in reading order.

pub mod document;
pub mod knowledge;
pub mod retrieval;
