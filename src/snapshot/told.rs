//! The items of a brand as the serving recipe tells them. What has not changed since the last snapshot is taken over.

use std::sync::Arc;

use super::count::Counter;
use crate::inject::{Prepared, Recipe, RenderError};
use crate::knowledge::Item;
use crate::retrieval::{TextKey, VectorStore};

/// An item that may be told, with all that depends on it and the recipe alone.
pub(super) struct Told {
    pub(super) prepared: Prepared,
    /// Hash of all of the item that decisions depend on.
    pub(super) hash: blake3::Hash,
    /// The texts whose tokens were counted, as the store calls them.
    counted: Vec<TextKey>,
}

/// A brand's items that may be told now, sorted by id.
pub(super) struct Tellings {
    items: Vec<Arc<Told>>,
    /// What they were made with: the recipe's hash and the brand's name.
    recipe: blake3::Hash,
    brand: Arc<str>,
}

/// The item that the recipe cannot tell, and why.
pub(super) struct Untellable<'a> {
    pub(super) item: &'a Item,
    pub(super) source: RenderError,
}

impl Tellings {
    /// Renders and counts items, which come sorted by id. Those of `earlier` that say the same are taken from it.
    pub(super) fn new<'a>(
        items: impl Iterator<Item = &'a Arc<Item>>,
        (recipe, brand): (&Recipe, &str),
        earlier: Option<&Tellings>,
        counter: &mut Counter,
        store: &mut VectorStore,
    ) -> Result<Tellings, Untellable<'a>> {
        let brand: Arc<str> = brand.into();
        let earlier = earlier.filter(|earlier| (&earlier.recipe, &earlier.brand) == (&recipe.hash, &brand));
        let mut before = earlier.into_iter().flat_map(|earlier| &earlier.items).peekable();
        let told = items
            .map(|item| {
                while before.next_if(|told| told.prepared.item.id < item.id).is_some() {}
                let same = |told: &&&Arc<Told>| {
                    Arc::ptr_eq(&told.prepared.item, item) || told.prepared.item == *item
                };
                if let Some(told) = before.peek().filter(same) {
                    told.counted.iter().for_each(|text| store.keep_tokens(text));
                    return Ok(Arc::clone(told));
                }
                let mut counted = Vec::new();
                let count = |text: &str| {
                    let (tokens, key) = counter.count(store, text);
                    counted.push(key);
                    tokens
                };
                let prepared = Prepared::new(recipe, Arc::clone(item), Arc::clone(&brand), count)
                    .map_err(|source| Untellable { item, source })?;
                Ok(Arc::new(Told { prepared, hash: hash(item), counted }))
            })
            .collect::<Result<_, _>>()?;
        Ok(Tellings { items: told, recipe: recipe.hash, brand })
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Told> {
        self.items.iter().map(|told| &**told)
    }

    /// The item with this id.
    pub(super) fn get(&self, id: &str) -> Option<&Prepared> {
        let place = self.items.binary_search_by(|told| told.prepared.item.id.as_str().cmp(id)).ok()?;
        Some(&self.items[place].prepared)
    }
}

fn hash(item: &Item) -> blake3::Hash {
    let Item { id, body, tags, audience, source, language, pinned, .. } = item;
    let all = (id, body, tags, audience, source, language, pinned);
    blake3::hash(format!("{all:?}").as_bytes())
}
