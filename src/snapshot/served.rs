//! One brand of a snapshot.

use std::collections::HashMap;
use std::sync::Arc;

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
    pub(super) prepared: HashMap<String, Prepared>,
    /// Every spelling of the brand, the canonical one first.
    pub(super) names: Vec<String>,
    /// Ids of the pinned items, sorted.
    pub(super) pinned: Vec<String>,
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
        self.prepared.is_empty()
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
        self.prepared.get(id).map(|prepared| prepared.tokens)
    }

    /// Number of items that may be told now.
    pub fn len(&self) -> usize {
        self.prepared.len()
    }

    pub(super) fn vetoes(&self, query: &str) -> bool {
        self.never.is_in(query)
    }

    pub(super) fn prepared(&self, id: &str) -> Option<&Prepared> {
        self.prepared.get(id)
    }

    /// Every item that may be told now and that a filter admits, sorted by id.
    pub(super) fn items(&self, filter: &Filter) -> Vec<&Arc<Item>> {
        let items = self.prepared.values().map(|prepared| &prepared.item);
        let mut items: Vec<&Arc<Item>> = items.filter(|item| self.index.admits(filter, item)).collect();
        items.sort_by(|a, b| a.id.cmp(&b.id));
        items
    }

    /// Every spelling of the brand.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The pinned items that a filter admits.
    pub(super) fn pinned(&self, filter: &Filter) -> impl Iterator<Item = &Prepared> {
        let pinned = self.pinned.iter().filter_map(|id| self.prepared.get(id));
        pinned.filter(|prepared| self.index.admits(filter, &prepared.item))
    }
}
