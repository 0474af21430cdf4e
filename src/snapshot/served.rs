//! One brand of a snapshot.

use std::sync::Arc;

use super::told::Tellings;
use super::veto::Veto;
use crate::inject::Prepared;
use crate::knowledge::{Disclosure, Filter, Item};
use crate::retrieval::{Calibration, Index, NameMatcher, SearchSettings};

/// One brand, ready to be searched and told.
pub struct ServedBrand {
    /// The folder's name.
    pub id: String,
    /// The canonical spelling.
    pub name: String,
    pub(super) index: Arc<Index>,
    pub(super) told: Arc<Tellings>,
    /// Every spelling of the brand, the canonical one first.
    pub(super) names: Vec<String>,
    pub(super) never: NameMatcher,
    /// Topics that it is not told into.
    pub(super) veto: Veto,
    /// Share of conversations that it wants held out.
    pub(super) holdout: Option<f64>,
    /// What answers end with.
    pub(super) disclosure: Disclosure,
}

impl ServedBrand {
    /// Whether no item may be told now.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the gate was calibrated with.
    pub fn calibration(&self) -> &Calibration {
        self.index.calibration()
    }

    /// The threshold of the gate for a question in a language that the model knows.
    pub fn threshold(&self, settings: &SearchSettings) -> f32 {
        self.index.threshold(settings)
    }

    /// Tokens of an item as the serving recipe tells it; `None` where it may not be told now.
    pub fn tokens(&self, id: &str) -> Option<u32> {
        self.prepared(id).map(|prepared| prepared.tokens)
    }

    /// Number of items that may be told now.
    pub fn len(&self) -> usize {
        self.told.len()
    }

    pub(super) fn vetoes(&self, query: &str) -> bool {
        self.never.is_in(query)
    }

    pub(super) fn prepared(&self, id: &str) -> Option<&Prepared> {
        self.told.get(id)
    }

    /// Every item that may be told now and that a filter admits, sorted by id.
    pub(super) fn items(&self, filter: &Filter) -> Vec<&Arc<Item>> {
        let items = self.told.iter().map(|told| &told.prepared.item);
        items.filter(|item| self.index.admits(filter, item)).collect()
    }

    /// Every spelling of the brand.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The pinned items that a filter admits.
    pub(super) fn pinned(&self, filter: &Filter) -> impl Iterator<Item = &Prepared> {
        let pinned = self.told.iter().map(|told| &told.prepared).filter(|prepared| prepared.item.pinned);
        pinned.filter(|prepared| self.index.admits(filter, &prepared.item))
    }
}
