//! Brands made of a few lines, the repository's own knowledge, and the real embedding model, which is
//! opened once for all tests.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use foreword::knowledge::{Body, Brand, Item, Limits, Origin, Validity, load};
use foreword::retrieval::{
    Embedder, EmbedderSettings, Hits, Index, ModelSource, Query, SearchSettings, Speaker, VectorStore, search,
};
use foreword::topics::{built_in, harmless};
use jiff::Timestamp;

/// The folder that holds the embedding model.
pub fn model_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".foreword/models/all-minilm-l6-v2-int8")
}

/// Settings for the model in `folder`.
pub fn model(folder: &Path) -> EmbedderSettings {
    EmbedderSettings { model: ModelSource::Folder(folder.to_owned()), ..EmbedderSettings::default() }
}

/// The embedding model.
pub fn embedder() -> &'static Embedder {
    static EMBEDDER: OnceLock<Embedder> = OnceLock::new();
    EMBEDDER.get_or_init(|| {
        Embedder::open(&model(&model_folder())).unwrap_or_else(|error| {
            panic!("the embedding model cannot be opened ({error}): run scripts/setup")
        })
    })
}

/// A fact of `brand`.
pub fn fact(brand: &str, id: &str, title: &str, text: &str) -> Arc<Item> {
    item(brand, id, Body::Fact { title: title.to_owned(), context: Vec::new(), text: text.to_owned() })
}

/// An example of `brand`.
pub fn example(brand: &str, id: &str, question: &str, answer: &str) -> Arc<Item> {
    item(brand, id, Body::Example { question: question.to_owned(), answer: answer.to_owned() })
}

fn item(brand: &str, id: &str, body: Body) -> Arc<Item> {
    Arc::new(Item {
        id: format!("{brand}/{id}"),
        body,
        tags: Vec::new(),
        source: None,
        language: None,
        validity: Validity::default(),
        pinned: false,
        audience: Vec::new(),
        origin: Origin { file: PathBuf::from(format!("{brand}/items.md")), line: 1 },
    })
}

/// The same item in another language.
pub fn in_language(language: &str, item: &Arc<Item>) -> Arc<Item> {
    Arc::new(Item { language: Some(language.to_owned()), ..Item::clone(item) })
}

/// A brand that is called by its id.
pub fn brand(id: &str, items: Vec<Arc<Item>>) -> Brand {
    Brand { id: id.to_owned(), name: id.to_owned(), items, ..Brand::default() }
}

/// Makes a cache of vectors, unless there is one, that holds those of what gates are calibrated with and topics are known by.
/// They take far longer than the items of a test, and so are computed once for all.
pub fn warm(file: &Path) {
    static WARM: OnceLock<Vec<u8>> = OnceLock::new();
    if file.exists() {
        return;
    }
    let bytes = WARM.get_or_init(|| {
        let mut store = VectorStore::empty(Some(embedder().identity()));
        index_with(
            &brand("warm", vec![fact("warm", "a", "Anvil", "An anvil.")]),
            &mut store,
            Some(embedder()),
        );
        let examples = built_in().iter().flat_map(|topic| topic.examples.iter().map(String::as_str));
        for text in examples.chain(harmless().iter().copied()) {
            store.put_vector(text, embedder().compute(text).unwrap());
        }
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("vectors.bin");
        store.save(&made).unwrap();
        std::fs::read(made).unwrap()
    });
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, bytes).unwrap();
}

/// Indexes a brand, with vectors or without.
pub fn index(brand: &Brand, embedder: Option<&Embedder>) -> Index {
    let mut store = VectorStore::empty(embedder.map(Embedder::identity));
    index_with(brand, &mut store, embedder).0
}

/// Indexes a brand with what `store` knows; also returns how many items had to be embedded.
pub fn index_with(brand: &Brand, store: &mut VectorStore, embedder: Option<&Embedder>) -> (Index, usize) {
    Index::build(brand, Timestamp::UNIX_EPOCH, store, embedder, &SearchSettings::default(), &mut |_, _| {})
        .unwrap()
}

/// The repository's own knowledge, indexed with vectors and without.
pub struct Repository {
    pub dense: Vec<Index>,
    pub lexical: Vec<Index>,
}

/// Indexes the repository's own knowledge once for all tests.
pub fn repository() -> &'static Repository {
    static REPOSITORY: OnceLock<Repository> = OnceLock::new();
    REPOSITORY.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("knowledge");
        let loaded = load(&folder, &Limits::default(), Timestamp::UNIX_EPOCH);
        let brands = loaded.knowledge.brands;
        assert!(brands.len() > 1, "the repository's knowledge was not found: {:?}", loaded.problems);
        Repository {
            dense: brands.iter().map(|brand| index(brand, Some(embedder()))).collect(),
            lexical: brands.iter().map(|brand| index(brand, None)).collect(),
        }
    })
}

/// Searches with the thresholds that serve by default; with vectors where `embedder` is there.
pub fn find(indexes: &[Index], embedder: Option<&Embedder>, text: &str) -> Hits {
    find_after(indexes, embedder, &[], text)
}

/// The same after what was said before.
pub fn find_after(
    indexes: &[Index],
    embedder: Option<&Embedder>,
    said: &[(Speaker, &str)],
    text: &str,
) -> Hits {
    let query = Query::after(said.iter().copied(), text);
    let vectors = embedder.map(|embedder| embedder.vectors(&query, "").unwrap());
    let indexes: Vec<&Index> = indexes.iter().collect();
    search(&indexes, &query, vectors.as_ref(), &SearchSettings::default())
}

/// Ids and exact scores: what must be the same each time.
pub fn ranking(hits: &Hits) -> Vec<(String, u32, bool)> {
    hits.candidates
        .iter()
        .map(|candidate| (candidate.item.id.clone(), candidate.fused.to_bits(), candidate.passes))
        .collect()
}
