//! Retrieval quality on labelled queries: reading collections and runs, the measures of trec_eval, the gate,
//! and the difference between two rankings. Knows nothing of requests.

mod collection;
mod compare;
mod measures;
mod report;
mod run;
mod search;

pub use collection::{Asked, Collection, read_collection, read_negatives};
pub use compare::{Difference, compare};
pub use measures::{MEASURES, Measure, Scores, score};
pub use report::{GateReport, Judged, Report};
pub use run::{Qrels, Run, read_qrels, read_run, write_run};
pub use search::{Searched, Searcher, items_of};
