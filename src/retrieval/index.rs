//! One brand, ready to be searched.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::admitted::{Admitted, Groups};
use super::calibration::{Calibration, cohort, cohort_vectors};
use super::dense::Dense;
use super::embedder::{EmbedError, Embedder};
use super::kept::Kept;
use super::language::{ENGLISH, detect, primary};
use super::lexical::{Analyzers, Lexical, Named};
use super::names::NameMatcher;
use super::passages::texts;
use super::search::SearchSettings;
use super::store::VectorStore;
use super::subjects::Subjects;
use super::vector::Vector;
use crate::knowledge::{Brand, Filter, Item};
use crate::parallel;

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
    /// A prompt of the cohort has no vector.
    #[error("embedding the prompts that the gate is calibrated with")]
    Cohort(#[source] EmbedError),
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
    pub(super) subjects: Subjects,
    groups: Groups,
    /// The primary subtag of each item's language.
    pub(super) languages: Vec<String>,
    /// Each of these once.
    spoken: BTreeSet<String>,
    pub(super) calibration: Calibration,
    /// What it was made with: the spellings of the name, the model, the weights.
    names_of: Vec<String>,
    model: Option<String>,
    settings: SearchSettings,
}

/// The words of items and their languages.
struct Worded {
    lexical: Lexical,
    languages: Vec<String>,
}

impl Worded {
    /// Those of items that are kept are taken over.
    fn new(items: &[Arc<Item>], kept: Option<&Kept<'_>>) -> Result<Worded, IndexError> {
        let places: Vec<usize> = (0..items.len()).collect();
        let worded = parallel::map(&places, Analyzers::default, |analyzers, &item| {
            match kept.and_then(|kept| Some((kept.earlier, kept.place(item)?))) {
                Some((earlier, place)) => {
                    (earlier.languages[place].clone(), Arc::clone(earlier.lexical.words(place)))
                }
                None => {
                    let language = language(&items[item]);
                    let words = Arc::new(analyzers.words(&items[item], &language));
                    (language, words)
                }
            }
        });
        let named: Vec<Named<'_>> = items
            .iter()
            .zip(&worded)
            .map(|(item, (language, words))| Named { id: &item.id, language, words })
            .collect();
        let lexical = Lexical::build(&named, kept)?;
        drop(named);
        Ok(Worded { lexical, languages: worded.into_iter().map(|(language, _)| language).collect() })
    }
}

/// Every spelling of a brand's name.
fn names_of(brand: &Brand) -> Vec<String> {
    std::iter::once(&brand.name).chain(&brand.aliases).cloned().collect()
}

/// The items that may be told now.
fn valid(brand: &Brand, now: Timestamp) -> impl Iterator<Item = &Arc<Item>> {
    brand.items.iter().filter(move |item| item.validity.contains(now))
}

/// The texts of a brand's valid items that have no vector yet. Those that have one stay in the store.
pub fn texts_without_vector(brand: &Brand, now: Timestamp, store: &mut VectorStore) -> Vec<String> {
    valid(brand, now).flat_map(|item| texts(item)).filter(|text| !store.keep(text)).collect()
}

/// Letters from which an item's language is believed to be what it seems to be.
const TELLING_LETTERS: usize = 60;

impl Index {
    /// Indexes the items of `brand` that are valid at `now` and calibrates the gate on them; also returns how
    /// many items had to be embedded. `progress` is told how many texts of how many have a vector.
    pub fn build(
        brand: &Brand,
        now: Timestamp,
        store: &mut VectorStore,
        embedder: Option<&Embedder>,
        settings: &SearchSettings,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(Index, usize), IndexError> {
        Self::anew(brand, now, (store, embedder), settings, None, progress)
    }

    /// As [`Index::build`], from what has changed since `earlier`: where nothing has, `earlier` itself, with its
    /// calibration. The result is the same as without it.
    pub fn rebuild(
        brand: &Brand,
        now: Timestamp,
        store: &mut VectorStore,
        embedder: Option<&Embedder>,
        settings: &SearchSettings,
        earlier: Option<&Arc<Index>>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(Arc<Index>, usize), IndexError> {
        let model = embedder.map(Embedder::id);
        let comparable = |earlier: &&Arc<Index>| {
            (earlier.model.as_deref(), &earlier.settings) == (model, settings) && *earlier.brand == *brand.id
        };
        let earlier = earlier.filter(comparable);
        if let Some(earlier) = earlier
            && earlier.names_of == names_of(brand)
            && earlier.items.iter().eq(valid(brand, now))
        {
            // What the cache on disk is not asked for, it does not keep.
            if embedder.is_some() {
                for text in earlier.items.iter().flat_map(|item| texts(item)) {
                    store.keep(&text);
                }
                for prompt in cohort() {
                    store.keep(prompt);
                }
            }
            return Ok((Arc::clone(earlier), 0));
        }
        let earlier = earlier.map(|earlier| &**earlier);
        let (index, embedded) = Self::anew(brand, now, (store, embedder), settings, earlier, progress)?;
        Ok((Arc::new(index), embedded))
    }

    fn anew(
        brand: &Brand,
        now: Timestamp,
        (store, embedder): (&mut VectorStore, Option<&Embedder>),
        settings: &SearchSettings,
        earlier: Option<&Index>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(Index, usize), IndexError> {
        let items: Vec<Arc<Item>> = valid(brand, now).cloned().collect();
        let kept = earlier.map(|earlier| Kept::new(&items, earlier));
        let kept = kept.as_ref();
        let mut embedded = 0;
        let mut dense = None;
        let mut cohort = Vec::new();
        if let Some(embedder) = embedder {
            let mut vectors = Vec::with_capacity(items.len());
            for (done, item) in items.iter().enumerate() {
                let known = kept.and_then(|kept| kept.earlier.vectors_of(kept.place(done)?, store));
                let (of_item, computed) = match known {
                    Some(of_item) => (of_item, false),
                    None => item_vectors(item, store, embedder)?,
                };
                vectors.push(of_item);
                embedded += usize::from(computed);
                if computed {
                    store.checkpoint();
                    progress(done + 1, items.len());
                }
            }
            dense = Some(Dense::new(vectors, kept));
            cohort = cohort_vectors(store, embedder, progress).map_err(IndexError::Cohort)?;
        }
        let names_of = names_of(brand);
        let Worded { lexical, languages } = Worded::new(&items, kept)?;
        let mut index = Index {
            brand: brand.id.as_str().into(),
            model: embedder.map(|embedder| embedder.id().to_owned()),
            settings: settings.clone(),
            lexical,
            names: NameMatcher::new(names_of.iter().map(String::as_str)),
            names_of,
            subjects: Subjects::new(&items),
            groups: Groups::new(&items),
            items,
            dense,
            spoken: languages.iter().cloned().collect(),
            languages,
            calibration: Calibration::default(),
        };
        index.calibration = Calibration::measure(&index, &cohort, settings, kept);
        Ok((index, embedded))
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether an item with this id is there.
    pub fn holds(&self, id: &str) -> bool {
        self.place(id).is_some()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// What the gate was calibrated with.
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// The threshold of the gate for a question in a language that the model knows.
    pub fn threshold(&self, settings: &SearchSettings) -> f32 {
        self.calibration.threshold(false, self.dense.is_some(), settings)
    }

    /// Whether its items are compared by meaning too.
    pub fn has_vectors(&self) -> bool {
        self.dense.is_some()
    }

    /// Vectors over all items.
    pub(super) fn vectors(&self) -> usize {
        self.dense.as_ref().map_or(0, Dense::len)
    }

    /// A language, if the brand has items in it.
    pub(super) fn language(&self, language: Option<&'static str>) -> Option<&'static str> {
        language.filter(|language| self.spoken.contains(*language))
    }

    /// Whether some items are in a language that is none of `known`; with none known, all are.
    pub(super) fn has_foreign_items(&self, known: &[String]) -> bool {
        !known.is_empty() && self.spoken.iter().any(|language| !known.contains(language))
    }

    /// The items that a filter admits; `None`: all.
    pub(super) fn admitted(&self, filter: &Filter) -> Option<Admitted> {
        self.groups.admitted(filter, &self.items, &self.languages)
    }

    /// Whether a filter admits an item.
    pub fn admits(&self, filter: &Filter, item: &Item) -> bool {
        self.place(&item.id).is_some_and(|place| filter.admits(item, &self.languages[place]))
    }

    /// The place of an item among the items, which are sorted by id.
    pub(super) fn place(&self, id: &str) -> Option<usize> {
        self.items.binary_search_by(|item| item.id.as_str().cmp(id)).ok()
    }

    /// The vectors of the item at a place, where the store has them too.
    fn vectors_of(&self, place: usize, store: &mut VectorStore) -> Option<Arc<[Vector]>> {
        let vectors = self.dense.as_ref()?.of_item(place);
        let kept = texts(&self.items[place]).iter().filter(|text| store.keep(text)).count();
        (kept == vectors.len()).then(|| Arc::clone(vectors))
    }

    /// Whether two items say the same: they have the same text, or vectors of at least this likeness.
    pub(super) fn say_the_same(&self, one: usize, other: usize, likeness: f32) -> bool {
        self.items[one].text() == self.items[other].text()
            || self.dense.as_ref().is_some_and(|dense| dense.likeness(one, other) >= likeness)
    }
}

/// The language of an item: what it states, else what it seems to be in, else English.
fn language(item: &Item) -> String {
    if let Some(tag) = &item.language {
        return primary(tag).to_ascii_lowercase();
    }
    let text = format!("{} {}", item.title(), item.text());
    let letters = text.chars().filter(|letter| letter.is_alphabetic()).count();
    let latin = text.chars().all(|letter| letter < '\u{0370}' || !letter.is_alphabetic());
    let seems = detect(&text).filter(|_| letters >= TELLING_LETTERS || !latin);
    seems.unwrap_or(ENGLISH).to_owned()
}

/// The whole first.
type ItemVectors = Arc<[Vector]>;

/// The vectors of an item's texts, and whether any had to be computed.
fn item_vectors(
    item: &Item,
    store: &mut VectorStore,
    embedder: &Embedder,
) -> Result<(ItemVectors, bool), IndexError> {
    let mut computed = false;
    let mut vector = |text: &str| {
        if let Some(vector) = store.vector(text) {
            return Ok(vector);
        }
        computed = true;
        let vector =
            embedder.compute(text).map_err(|source| IndexError::Embed { item: item.id.clone(), source })?;
        store.put_vector(text, vector.clone());
        Ok(vector)
    };
    let vectors = texts(item).iter().map(|text| vector(text)).collect::<Result<Vec<_>, IndexError>>()?;
    Ok((vectors.into(), computed))
}
