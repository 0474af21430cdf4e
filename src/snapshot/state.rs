//! One state of everything that requests are decided with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::served::ServedBrand;
use crate::inject::Recipe;
use crate::knowledge::Knowledge;
use crate::mentions::Lexicon;

/// What building took.
#[derive(Debug, Clone, Copy, Default)]
pub struct BuildReport {
    /// Items over all brands.
    pub items: usize,
    /// Items that had to be embedded.
    pub embedded: usize,
    /// Texts that have no vector yet: the words alone of the brands that they belong to are searched.
    pub waiting: usize,
    /// Wall time.
    pub took: Duration,
}

/// Everything that requests are decided with. Immutable.
pub struct Snapshot {
    /// Hash of everything that decisions depend on: two processes with the same files have the same.
    pub id: Arc<str>,
    /// The brands, sorted by id.
    pub brands: Vec<ServedBrand>,
    /// Every recipe by name.
    pub recipes: BTreeMap<String, Arc<Recipe>>,
    /// The one that serves.
    pub recipe: Arc<Recipe>,
    /// The names of all brands and their competitors; `None` where some cannot be told apart, which `check` reports.
    pub lexicon: Option<Arc<Lexicon>>,
    /// When it was built.
    pub built: Timestamp,
    /// The next instant at which an item becomes or ceases to be valid.
    pub next_boundary: Option<Timestamp>,
    /// What building took.
    pub report: BuildReport,
    /// Everything that was read, also what is not valid now.
    pub knowledge: Arc<Knowledge>,
    pub(super) default_brands: Vec<usize>,
    /// Whether the upstream takes system messages anywhere.
    pub(super) lenient: bool,
}
