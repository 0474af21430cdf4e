//! Building a snapshot: knowledge and recipes are read, items embedded, indexed, rendered and counted.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use parking_lot::Mutex;

use super::count::Counter;
use super::meaning::Meaning;
use super::served::ServedBrand;
use super::state::{BuildReport, Snapshot};
use super::told::{Tellings, Untellable};
use super::veto::{TopicSettings, Veto, unknown_topics};
use crate::document::{Problem, chain};
use crate::inject::{Placement, Recipe, Tokenizer, load_recipes};
use crate::knowledge::{Brand, Item, Knowledge, Limits, Loaded, Reader};
use crate::lint::{Clean, Levels, Linted, lint, lint_pairs};
use crate::mentions::Lexicon;
use crate::retrieval::{
    EmbedError, Embedder, Index, IndexError, NameMatcher, SearchSettings, VectorStore, cohort,
    texts_without_vector,
};

/// Where a snapshot is built from.
#[derive(Debug, Clone)]
pub struct SnapshotSettings {
    /// The knowledge folder.
    pub knowledge: PathBuf,
    /// The folder of recipes.
    pub prompts: PathBuf,
    /// Where vectors and token counts are kept; `None` keeps none.
    pub cache: Option<PathBuf>,
    /// Bounds of files and items.
    pub limits: Limits,
    /// The recipe that serves.
    pub recipe: String,
    /// Brands that a request without a brand of its own sees; empty means the only one.
    pub default_brands: Vec<String>,
    /// Tokens that items are counted in.
    pub tokenizer: Tokenizer,
    /// Whether the upstream takes system messages anywhere.
    pub lenient: bool,
    /// What becomes of what lints find in the knowledge.
    pub lints: Levels,
    /// Topics that nothing is told into.
    pub topics: TopicSettings,
    /// Where more texts than this have no vector at the first build, words alone serve until they do.
    pub lexical_first: usize,
}

/// A brand's index and its items as they are told.
type Newest = (Arc<Index>, Arc<Tellings>);

/// Builds snapshots.
pub struct Builder {
    pub(super) settings: SnapshotSettings,
    pub(super) embedder: Option<Arc<Embedder>>,
    search: SearchSettings,
    /// The files as they were last read.
    reader: Mutex<Reader>,
    /// The newest of each brand: what has not changed since is not made again.
    newest: Mutex<HashMap<String, Newest>>,
    /// What topics mean, once it was learned.
    meaning: Mutex<Option<Arc<Meaning>>>,
    /// Texts of items in which no lint found anything.
    clean: Mutex<Clean>,
    /// What the cache on disk holds, once it was read.
    pub(super) store: Mutex<Option<VectorStore>>,
}

impl Builder {
    /// Builds from `settings`; without an embedder, for lexical retrieval alone.
    pub fn new(
        settings: SnapshotSettings,
        embedder: Option<Arc<Embedder>>,
        search: SearchSettings,
    ) -> Builder {
        let reader = Mutex::new(Reader::new(settings.limits));
        let (newest, meaning, clean, store) = Default::default();
        Builder { settings, embedder, search, reader, newest, meaning, clean, store }
    }

    /// The folders that snapshots are built from.
    pub(super) fn roots(&self) -> [PathBuf; 2] {
        [self.settings.knowledge.clone(), self.settings.prompts.clone()]
    }

    /// Reads and checks everything without building: all problems at once.
    pub fn check(&self, now: Timestamp) -> Vec<Problem> {
        let Loaded { knowledge, mut problems } = self.load(now);
        let (recipes, recipe_problems) = load_recipes(&self.settings.prompts);
        problems.extend(recipe_problems);
        let brands: Vec<&str> = knowledge.brands.iter().map(|brand| &*brand.id).collect();
        self.default_brands(&brands, &mut problems);
        self.serving_recipe(&recipes, &mut problems);
        problems.extend(self.compare(&knowledge, now));
        problems
    }

    /// Warnings about items that do not go with each other: [`Builder::build`] does not wait for them.
    pub(super) fn compare(&self, knowledge: &Knowledge, now: Timestamp) -> Vec<Problem> {
        lint_pairs(&self.linted(knowledge, now))
    }

    fn linted<'a>(&'a self, knowledge: &'a Knowledge, now: Timestamp) -> Linted<'a> {
        Linted { root: &self.settings.knowledge, knowledge, levels: &self.settings.lints, now }
    }

    /// The knowledge and all that is wrong with it.
    fn load(&self, now: Timestamp) -> Loaded {
        let mut loaded = self.reader.lock().load(&self.settings.knowledge, now);
        loaded.problems.extend(lint(&self.linted(&loaded.knowledge, now), &mut self.clean.lock()));
        for brand in &loaded.knowledge.brands {
            loaded.problems.extend(unknown_topics(brand, &self.settings.knowledge));
        }
        loaded
    }

    /// Builds the snapshot of `now`. `Err`: at least one of the problems is an error. `progress` is told
    /// how many items of how many have a vector.
    pub fn build(
        &self,
        now: Timestamp,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(Snapshot, Vec<Problem>), Vec<Problem>> {
        let started = Instant::now();
        let Loaded { knowledge, mut problems } = self.load(now);
        let (recipes, recipe_problems) = load_recipes(&self.settings.prompts);
        problems.extend(recipe_problems);
        let ids: Vec<&str> = knowledge.brands.iter().map(|brand| &*brand.id).collect();
        let default_brands = self.default_brands(&ids, &mut problems);
        let recipe = self.serving_recipe(&recipes, &mut problems);
        let Some(recipe) = recipe.filter(|_| !problems.iter().any(Problem::is_error)) else {
            return Err(problems);
        };
        let mut store = self.store.lock();
        let store = store.get_or_insert_with(|| self.open_store(&mut problems));
        let mut counter = Counter::new(self.settings.tokenizer.clone());
        let mut brands = Vec::new();
        let mut report = BuildReport::default();
        let shared = self.shared_texts_without_vector(store).len();
        for brand in &knowledge.brands {
            match self.serve(brand, (now, shared), &recipe, store, &mut counter, progress) {
                Ok((brand, of_brand)) => {
                    report.items += brand.len();
                    report.embedded += of_brand.embedded;
                    // What brands share waits once.
                    report.waiting += match report.waiting {
                        0 => of_brand.waiting,
                        _ => of_brand.waiting.saturating_sub(shared),
                    };
                    brands.push(brand);
                }
                Err(problem) => problems.push(problem),
            }
        }
        if problems.iter().any(Problem::is_error) {
            return Err(problems);
        }
        self.newest.lock().retain(|id, _| knowledge.brands.iter().any(|brand| brand.id == *id));
        report.took = started.elapsed();
        let id = self.id(&knowledge.brands, &brands, &recipe);
        let next_boundary = next_boundary(&knowledge.brands, now);
        let snapshot = Snapshot {
            id,
            brands,
            recipes,
            recipe,
            lexicon: Lexicon::of_brands(&knowledge.brands).ok().map(Arc::new),
            built: now,
            next_boundary,
            report,
            knowledge: Arc::new(knowledge),
            default_brands,
            lenient: self.settings.lenient,
        };
        Ok((snapshot, problems))
    }

    /// `shared`: how many texts that every brand needs have no vector.
    fn serve(
        &self,
        brand: &Brand,
        (now, shared): (Timestamp, usize),
        recipe: &Recipe,
        store: &mut VectorStore,
        counter: &mut Counter,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(ServedBrand, BuildReport), Problem> {
        let folder = || self.settings.knowledge.join(&brand.id);
        let earlier = self.newest.lock().get(&brand.id).cloned();
        let (earlier_index, earlier_told) = earlier.unzip();
        let (index, report) =
            self.index(brand, (now, shared), earlier_index.as_ref(), store, progress).map_err(|error| {
                Problem::error(folder(), format!("the brand cannot be indexed: {}", chain(&error)))
                    .hint("check the embedding model named by retrieval.model")
            })?;
        let telling = (recipe, &*brand.name);
        let told = Tellings::new(valid(brand, now), telling, earlier_told.as_deref(), counter, store)
            .map_err(|Untellable { item, source }| {
                Problem::error(self.settings.knowledge.join(&item.origin.file), chain(&source))
                    .hint("mend the recipe's template so that it tells every item")
            })?;
        let told = Arc::new(told);
        self.newest.lock().insert(brand.id.clone(), (Arc::clone(&index), Arc::clone(&told)));
        let names = std::iter::once(&brand.name).chain(&brand.aliases).cloned().collect();
        let veto = self.veto(brand, report.waiting > 0, store, progress).map_err(|error| {
            Problem::error(folder(), format!("the topics have no vectors: {error}"))
                .hint("check the embedding model named by retrieval.model")
        })?;
        let never = NameMatcher::new(brand.never.iter().map(String::as_str));
        let served = ServedBrand {
            id: brand.id.clone(),
            name: brand.name.clone(),
            index,
            told,
            names,
            never,
            veto,
            holdout: brand.holdout,
            disclosure: brand.disclosure.clone(),
        };
        Ok((served, report))
    }

    fn index(
        &self,
        brand: &Brand,
        (now, shared): (Timestamp, usize),
        earlier: Option<&Arc<Index>>,
        store: &mut VectorStore,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(Arc<Index>, BuildReport), IndexError> {
        let waiting = match &self.embedder {
            Some(_) if earlier.is_none_or(|earlier| !earlier.has_vectors()) => {
                Some(texts_without_vector(brand, now, store).len() + shared)
            }
            _ => None,
        };
        let waiting = waiting.filter(|waiting| *waiting > self.settings.lexical_first);
        let embedder = self.embedder.as_deref().filter(|_| waiting.is_none());
        let (index, embedded) = Index::rebuild(brand, now, store, embedder, &self.search, earlier, progress)?;
        let waiting = waiting.unwrap_or(0);
        Ok((index, BuildReport { embedded, waiting, ..BuildReport::default() }))
    }

    /// The brand's topics. While its texts wait for vectors, words alone decide, so that it is served at once.
    fn veto(
        &self,
        brand: &Brand,
        waiting: bool,
        store: &mut VectorStore,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Veto, EmbedError> {
        let topics = &self.settings.topics;
        let embedder = self.embedder.as_deref().filter(|_| !waiting);
        let mut learned = self.meaning.lock();
        let meaning = match (embedder.filter(|_| topics.compare_meaning()), &*learned) {
            (None, _) => None,
            (Some(_), Some(meaning)) => Some(Arc::clone(meaning)),
            (Some(embedder), None) => {
                *learned = Meaning::learn(store, embedder, progress)?;
                learned.clone()
            }
        };
        Veto::new(topics, brand, meaning, store, embedder)
    }

    /// The texts that no brand is searched by meaning without, and that have no vector yet: the cohort's prompts, and
    /// what topics are learned from. Those that have one stay in the store, also while words alone decide.
    pub(super) fn shared_texts_without_vector(&self, store: &mut VectorStore) -> Vec<&'static str> {
        if self.embedder.is_none() {
            return Vec::new();
        }
        let mut texts: Vec<&str> = cohort().filter(|prompt| !store.keep(prompt)).collect();
        if self.settings.topics.compare_meaning() {
            texts.extend(Meaning::keep(store));
        }
        texts.sort_unstable();
        texts.dedup();
        texts
    }

    fn open_store(&self, problems: &mut Vec<Problem>) -> VectorStore {
        let model = self.embedder.as_ref().map(|embedder| embedder.identity());
        let Some(path) = &self.settings.cache else { return VectorStore::empty(model) };
        let (store, ignored) = VectorStore::open(path, model);
        if let Some(reason) = ignored {
            problems.push(
                Problem::note(path, format!("the cache of vectors is built anew: {reason}"))
                    .hint("nothing to do: it is written again"),
            );
        }
        store
    }

    fn default_brands(&self, ids: &[&str], problems: &mut Vec<Problem>) -> Vec<usize> {
        let named = &self.settings.default_brands;
        if named.is_empty() {
            if ids.len() > 1 {
                problems.push(
                    Problem::error(&self.settings.knowledge, "several brands, and none is the default")
                        .hint(format!("set knowledge.default_brands, for instance to [\"{}\"]", ids[0])),
                );
            }
            return (0..ids.len()).collect();
        }
        let mut positions = Vec::new();
        for name in named {
            match ids.iter().position(|id| id == name) {
                Some(position) => positions.push(position),
                None => problems.push(
                    Problem::error(
                        &self.settings.knowledge,
                        format!("knowledge.default_brands names `{name}`, which is not there"),
                    )
                    .hint(format!("the brands are: {}", ids.join(", "))),
                ),
            }
        }
        positions.sort_unstable();
        positions.dedup();
        positions
    }

    fn serving_recipe(
        &self,
        recipes: &BTreeMap<String, Arc<Recipe>>,
        problems: &mut Vec<Problem>,
    ) -> Option<Arc<Recipe>> {
        let name = &self.settings.recipe;
        let Some(recipe) = recipes.get(name) else {
            let known: Vec<&str> = recipes.keys().map(String::as_str).collect();
            problems.push(
                Problem::error(&self.settings.prompts, format!("there is no sound recipe `{name}`"))
                    .hint(format!("set injection.recipe to one of: {}", known.join(", "))),
            );
            return None;
        };
        if recipe.placement == Placement::Message && !self.settings.lenient {
            problems.push(
                Problem::error(
                    &self.settings.prompts,
                    format!("recipe `{name}` puts system messages inside a conversation, which strict providers refuse"),
                )
                .hint("use a recipe with the placement `pairs`, or set upstream.profile = \"lenient\""),
            );
            return None;
        }
        Some(Arc::clone(recipe))
    }

    fn id(&self, brands: &[Brand], served: &[ServedBrand], recipe: &Recipe) -> Arc<str> {
        let mut hash = blake3::Hasher::new();
        let mut part = |bytes: &[u8]| {
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        part(recipe.name.as_bytes());
        part(recipe.hash.as_bytes());
        part(self.settings.tokenizer.name().as_bytes());
        part(self.settings.default_brands.join(",").as_bytes());
        part(format!("{:?}", self.search).as_bytes());
        part(format!("{:?}", self.settings.topics).as_bytes());
        part(self.embedder.as_ref().map_or("lexical", |embedder| embedder.id()).as_bytes());
        for (brand, served) in brands.iter().zip(served) {
            part(brand.id.as_bytes());
            part(&[u8::from(served.index.has_vectors())]);
            part(
                format!(
                    "{:?}",
                    (
                        &brand.name,
                        &brand.aliases,
                        &brand.languages,
                        &brand.never,
                        &brand.topics,
                        &brand.topics_allowed,
                        &brand.disclosure
                    )
                )
                .as_bytes(),
            );
            served.told.iter().for_each(|told| part(told.hash.as_bytes()));
        }
        hash.finalize().to_hex()[..16].into()
    }
}

fn valid(brand: &Brand, now: Timestamp) -> impl Iterator<Item = &Arc<Item>> {
    brand.items.iter().filter(move |item| item.validity.contains(now))
}

fn next_boundary(brands: &[Brand], now: Timestamp) -> Option<Timestamp> {
    brands
        .iter()
        .flat_map(|brand| &brand.items)
        .flat_map(|item| [item.validity.from, item.validity.until])
        .flatten()
        .filter(|boundary| *boundary > now)
        .min()
}
