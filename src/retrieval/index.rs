//! One brand, ready to be searched.

use std::sync::Arc;

use jiff::Timestamp;

use super::dense::Dense;
use super::embedder::{EmbedError, Embedder};
use super::lexical::Lexical;
use super::names::NameMatcher;
use super::store::VectorStore;
use crate::knowledge::{Body, Brand, Item};

/// Why a brand cannot be indexed.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// An item has no vector.
    #[error("embedding the item `{item}`")]
    Embed {
        /// Its id.
        item: String,
        /// Why.
        source: EmbedError,
    },
    /// The words cannot be indexed.
    #[error("indexing the words")]
    Lexical(#[from] tantivy::TantivyError),
}

/// The items of one brand that are valid at one instant. Immutable.
pub struct Index {
    /// The brand's id.
    pub(super) brand: Arc<str>,
    pub(super) items: Vec<Arc<Item>>,
    pub(super) lexical: Lexical,
    /// Without a model there are no vectors.
    pub(super) dense: Option<Dense>,
    pub(super) names: NameMatcher,
}

impl Index {
    /// Indexes the items of `brand` that are valid at `now`; also returns how many had to be embedded.
    /// `progress` is told how many items of how many have a vector.
    pub fn build(
        brand: &Brand,
        now: Timestamp,
        store: &mut VectorStore,
        embedder: Option<&Embedder>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(Index, usize), IndexError> {
        let items: Vec<Arc<Item>> =
            brand.items.iter().filter(|item| item.validity.contains(now)).cloned().collect();
        let mut embedded = 0;
        let dense = match embedder {
            None => None,
            Some(embedder) => {
                let mut vectors = Vec::with_capacity(items.len());
                for (done, item) in items.iter().enumerate() {
                    let (vector, computed) = vector(item, store, embedder)?;
                    vectors.push(vector);
                    embedded += usize::from(computed);
                    if computed {
                        progress(done + 1, items.len());
                    }
                }
                Some(Dense::new(&vectors))
            }
        };
        let names = std::iter::once(&brand.name).chain(&brand.aliases).map(String::as_str);
        let index = Index {
            brand: brand.id.as_str().into(),
            lexical: Lexical::build(&items)?,
            names: NameMatcher::new(names),
            items,
            dense,
        };
        Ok((index, embedded))
    }
}

fn vector(
    item: &Item,
    store: &mut VectorStore,
    embedder: &Embedder,
) -> Result<(Arc<[f32]>, bool), IndexError> {
    let text = embedded_text(item);
    if let Some(vector) = store.vector(&text) {
        return Ok((vector, false));
    }
    let vector =
        embedder.compute(&text).map_err(|source| IndexError::Embed { item: item.id.clone(), source })?;
    store.put_vector(&text, Arc::clone(&vector));
    Ok((vector, true))
}

/// What stands for an item among vectors: a fact's headings and text; of an example the question alone,
/// since a question is what it is compared with.
fn embedded_text(item: &Item) -> String {
    match &item.body {
        Body::Fact { title, context, text } => {
            let headings: Vec<&str> =
                context.iter().map(String::as_str).chain(std::iter::once(title.as_str())).collect();
            format!("{}. {text}", headings.join(", "))
        }
        Body::Example { question, .. } => question.clone(),
    }
}
