//! The items that a filter admits, found without looking at each item.

use std::collections::HashMap;
use std::sync::Arc;

use crate::knowledge::{Filter, Item};

/// What filters ask of one brand's items.
#[derive(Debug, Default)]
pub(super) struct Groups {
    count: usize,
    by_tag: HashMap<Box<str>, Vec<u32>>,
    /// Those that are not for everybody.
    restricted: Vec<u32>,
}

/// Items by their place: whether each is admitted.
#[derive(Debug)]
pub(super) struct Admitted {
    each: Vec<bool>,
    count: usize,
}

impl Groups {
    pub(super) fn new(items: &[Arc<Item>]) -> Groups {
        let mut groups = Groups { count: items.len(), ..Groups::default() };
        for (place, item) in (0_u32..).zip(items) {
            for tag in &item.tags {
                match groups.by_tag.get_mut(&**tag) {
                    Some(places) => places.push(place),
                    None => {
                        groups.by_tag.insert(tag.as_str().into(), vec![place]);
                    }
                }
            }
            if !item.audience.is_empty() {
                groups.restricted.push(place);
            }
        }
        groups
    }

    /// The items that a filter admits; `None`: all.
    pub(super) fn admitted(
        &self,
        filter: &Filter,
        items: &[Arc<Item>],
        languages: &[String],
    ) -> Option<Admitted> {
        if filter.tags.is_empty() && filter.language.is_none() && self.restricted.is_empty() {
            return None;
        }
        let mut each = vec![true; self.count];
        for any in &filter.tags {
            let mut tagged = vec![false; self.count];
            for place in any.iter().filter_map(|tag| self.by_tag.get(&**tag)).flatten() {
                tagged[*place as usize] = true;
            }
            each.iter_mut().zip(tagged).for_each(|(admitted, tagged)| *admitted &= tagged);
        }
        for &place in &self.restricted {
            each[place as usize] &= filter.admits_audience(&items[place as usize]);
        }
        if let Some(only) = &filter.language {
            each.iter_mut().zip(languages).for_each(|(admitted, language)| *admitted &= language == only);
        }
        Some(Admitted::new(each))
    }
}

impl Admitted {
    /// From whether each item is.
    pub(super) fn new(each: Vec<bool>) -> Admitted {
        let count = each.iter().filter(|admitted| **admitted).count();
        Admitted { each, count }
    }

    /// Whether the item at a place is.
    pub(super) fn holds(&self, place: usize) -> bool {
        self.each[place]
    }

    /// How many are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Their places.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.each.len()).filter(|place| self.each[*place])
    }
}
