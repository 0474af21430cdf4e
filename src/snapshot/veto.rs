//! Topics that nothing is told into: known by words, and by likeness of meaning to examples where there is a model. The
//! same conversation is judged in the same way however long it gets, since only what was said up to a turn counts.

use crate::document::Problem;
use crate::knowledge::Brand;
use crate::retrieval::{EmbedError, Embedder, Query, Speaker, Vector, VectorStore, language_of};
use crate::topics::{Topic, Topics, built_in};

/// Which topics hold for all brands, and how near to their examples is too near.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicSettings {
    /// Names of built-in topics.
    pub never: Vec<String>,
    /// Cosine of a turn and an example from which the turn touches the topic; above 1: words alone decide.
    pub likeness: f32,
}

impl Default for TopicSettings {
    fn default() -> TopicSettings {
        TopicSettings { never: built_in().iter().map(|topic| topic.name.clone()).collect(), likeness: 0.55 }
    }
}

impl TopicSettings {
    /// The topics of a brand: those of all, without those that are its business, and its own.
    fn of(&self, brand: &Brand) -> Vec<Topic> {
        let holds =
            |topic: &&Topic| self.never.contains(&topic.name) && !brand.topics_allowed.contains(&topic.name);
        let own = brand.topics.iter().map(|(name, phrases)| Topic::of_phrases(name, phrases));
        built_in().iter().filter(holds).cloned().chain(own).collect()
    }
}

/// Topics that a brand allows and that nobody knows.
pub(super) fn unknown_topics(brand: &Brand, folder: &std::path::Path) -> Vec<Problem> {
    let names: Vec<&str> = built_in().iter().map(|topic| &*topic.name).collect();
    let unknown = brand.topics_allowed.iter().filter(|name| !names.contains(&name.as_str()));
    unknown
        .map(|name| {
            Problem::warning(
                folder.join(&brand.id).join("brand.toml"),
                format!("there is no topic `{name}` to allow"),
            )
            .hint(format!("the topics are: {}", names.join(", ")))
        })
        .collect()
}

/// The topics of one brand, ready to be looked for.
pub(super) struct Veto {
    topics: Topics,
    /// Vectors of the examples with the position of their topic.
    examples: Vec<(usize, Vector)>,
    likeness: f32,
}

impl Veto {
    pub(super) fn new(
        settings: &TopicSettings,
        brand: &Brand,
        store: &mut VectorStore,
        embedder: Option<&Embedder>,
    ) -> Result<Veto, EmbedError> {
        let topics = Topics::new(settings.of(brand));
        let mut examples = Vec::new();
        if let Some(embedder) = embedder.filter(|_| settings.likeness <= 1.0) {
            for (number, topic) in topics.all().iter().enumerate() {
                for example in &topic.examples {
                    let vector = match store.vector(example) {
                        Some(vector) => vector,
                        None => {
                            let vector = embedder.embed(example)?;
                            store.put_vector(example, vector.clone());
                            vector
                        }
                    };
                    examples.push((number, vector));
                }
            }
        }
        Ok(Veto { topics, examples, likeness: settings.likeness })
    }

    /// The name of the topic that a turn touches by its words, or that an earlier one did where that stays.
    pub(super) fn by_words(&self, query: &Query) -> Option<&str> {
        let said = || query.before.iter().filter(|said| said.by == Speaker::User);
        let own = self.topics.touched(&query.text, |_| true);
        let touched =
            own.or_else(|| said().find_map(|said| self.topics.touched(&said.text, |topic| topic.stays)));
        touched.map(|topic| &*self.topics.all()[topic].name)
    }

    /// The name of the topic whose examples a turn is like. `known` are the languages of the model; what is in another
    /// has a vector that says little.
    pub(super) fn by_meaning(&self, query: &Query, own: &Vector, known: &[String]) -> Option<&str> {
        let nearest = self
            .examples
            .iter()
            .map(|(topic, example)| (own.cosine(example), *topic))
            .max_by(|one, other| one.0.total_cmp(&other.0))?;
        let is_known = || {
            known.is_empty()
                || language_of(&query.text).is_none_or(|language| known.iter().any(|known| known == language))
        };
        (nearest.0 >= self.likeness && is_known()).then(|| &*self.topics.all()[nearest.1].name)
    }
}
