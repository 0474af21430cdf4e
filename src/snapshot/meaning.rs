//! Which built-in topic a turn is about by its meaning. What the examples of the topics have in common, against harmless
//! sentences, is learned when the first snapshot is built: a linear classifier sees what is usual for a topic, and the
//! nearest examples what is peculiar. `docs/guarding.md` says what each is good for.

use std::sync::{Arc, LazyLock};

use crate::retrieval::{EmbedError, Embedder, Vector, VectorStore, cohort};
use crate::topics::{Softmax, Topics, built_in, harmless};

/// What a cosine of 1 weighs beside the classifier's scores.
const COSINE_WEIGHT: f32 = 15.0;
/// What it weighs that words of a turn are a topic's.
const WORDS_WEIGHT: f32 = 5.0;
/// A topic that the classifier deems less likely than this is not looked at closer: no nearness makes up for it.
const HOPELESS: f32 = -6.0;

/// What is known of the built-in topics by meaning.
pub(super) struct Meaning {
    /// The examples of each topic, in the topics' order.
    topics: Vec<Vec<Vector>>,
    harmless: Vec<Vector>,
    classes: Softmax,
}

impl Meaning {
    /// Learns from all examples. Their vectors come from the store, or are made and put there. `None`: the vectors cannot be
    /// learned from.
    pub(super) fn learn(
        store: &mut VectorStore,
        embedder: &Embedder,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Option<Arc<Meaning>>, EmbedError> {
        let texts = &*TEXTS;
        let mut topics = vec![Vec::new(); built_in().len() + 1];
        let mut numbers = Vec::with_capacity(texts.len());
        for (done, (class, text)) in texts.iter().enumerate() {
            let vector = match store.vector(text) {
                Some(vector) => vector,
                None => {
                    let vector = embedder.compute(text)?;
                    store.put_vector(text, vector.clone());
                    progress(done + 1, texts.len());
                    vector
                }
            };
            numbers.push((*class, vector.numbers().collect()));
            topics[*class].push(vector);
        }
        let harmless = topics.pop().unwrap_or_default();
        let learned = Softmax::learn(&numbers);
        Ok(learned.map(|classes| Arc::new(Meaning { topics, harmless, classes })))
    }

    /// Keeps the vectors in the store that are learned from. The texts that have none yet.
    pub(super) fn keep(store: &mut VectorStore) -> Vec<&'static str> {
        TEXTS.iter().map(|(_, text)| *text).filter(|text| !store.keep(text)).collect()
    }

    /// The built-in topic that a turn is nearest to, where it is nearer than what is harmless by at least `margin`; the one
    /// that it touches by its `words`, where that is as near as this.
    pub(super) fn touched(&self, own: &Vector, words: Option<usize>, margin: f32) -> Option<usize> {
        let scores = self.classes.scores(&own.numbers().collect::<Vec<_>>());
        let beside_harmless = |topic: usize| {
            let by_words = if words == Some(topic) { WORDS_WEIGHT } else { 0.0 };
            scores[topic] - scores[self.topics.len()] + by_words
        };
        let hopeful: Vec<usize> =
            (0..self.topics.len()).filter(|topic| beside_harmless(*topic) >= HOPELESS).collect();
        if hopeful.is_empty() {
            return None;
        }
        let harmless = nearest(own, &self.harmless);
        let nearness = |topic: &usize| {
            beside_harmless(*topic) + COSINE_WEIGHT * (nearest(own, &self.topics[*topic]) - harmless)
        };
        let near: Vec<(f32, usize)> = hopeful
            .iter()
            .map(|topic| (nearness(topic), *topic))
            .filter(|(nearness, _)| *nearness >= margin)
            .collect();
        let nearest = near.iter().max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, topic)| *topic);
        words.filter(|words| near.iter().any(|(_, topic)| topic == words)).or(nearest)
    }
}

/// The cosine of the nearest of some vectors.
fn nearest(own: &Vector, vectors: &[Vector]) -> f32 {
    vectors.iter().map(|vector| own.cosine(vector)).fold(0.0, f32::max)
}

/// What is learned from, with its class: the position of a topic, or behind all of them for what is harmless. Prompts
/// about no brand are harmless too, unless their words say otherwise.
static TEXTS: LazyLock<Vec<(usize, &str)>> = LazyLock::new(|| {
    let of_topics = built_in()
        .iter()
        .enumerate()
        .flat_map(|(class, topic)| topic.examples.iter().map(move |text| (class, text.as_str())));
    let words = Topics::new(built_in().to_vec());
    let about_nothing = cohort().filter(|prompt| words.touched(prompt, |_| true).is_none());
    let harmless = harmless().iter().copied().chain(about_nothing);
    of_topics.chain(harmless.map(|text| (built_in().len(), text))).collect()
});
