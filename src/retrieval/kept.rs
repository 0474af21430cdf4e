//! Which items of an earlier index are still there: what depends on one item alone is taken over from it.

use std::sync::Arc;

use super::index::Index;
use crate::knowledge::Item;

/// The items that an index and an earlier one have in common.
pub(super) struct Kept<'a> {
    pub(super) earlier: &'a Index,
    /// For each item the place in the earlier index of the one that says the same under the same id.
    places: Vec<Option<usize>>,
}

impl<'a> Kept<'a> {
    /// Both are sorted by id.
    pub(super) fn new(items: &[Arc<Item>], earlier: &'a Index) -> Kept<'a> {
        let mut before = earlier.items.iter().enumerate().peekable();
        let place = |item: &Arc<Item>| {
            while before.next_if(|(_, known)| known.id < item.id).is_some() {}
            let (place, known) = before.peek()?;
            says_the_same(known, item).then_some(*place)
        };
        Kept { earlier, places: items.iter().map(place).collect() }
    }

    /// Where an item was.
    pub(super) fn place(&self, item: usize) -> Option<usize> {
        self.places[item]
    }

    /// The places of the items that were not there.
    pub(super) fn new_items(&self) -> Vec<usize> {
        (0..self.places.len()).filter(|item| self.places[*item].is_none()).collect()
    }

    /// Where each item of the earlier index is now, if it is.
    pub(super) fn now(&self) -> Vec<Option<usize>> {
        let mut now = vec![None; self.earlier.items.len()];
        for (item, place) in self.places.iter().enumerate() {
            if let Some(place) = place {
                now[*place] = Some(item);
            }
        }
        now
    }
}

fn says_the_same(known: &Arc<Item>, item: &Arc<Item>) -> bool {
    Arc::ptr_eq(known, item)
        || (&known.id, &known.body, &known.language) == (&item.id, &item.body, &item.language)
}
