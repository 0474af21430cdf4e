//! Topics that nothing is told into: known by words, and by likeness of meaning to examples where there is a model. The
//! same conversation is judged in the same way however long it gets, since only what was said up to a turn counts.

use std::sync::Arc;

use super::meaning::Meaning;
use crate::document::Problem;
use crate::knowledge::Brand;
use crate::retrieval::{EmbedError, Embedder, Vector, VectorStore, language_of};
use crate::topics::{Topic, Topics, built_in};

/// By how much more a turn must be nearer to a topic where the model does not know its language.
const FOREIGN_MARGIN: f32 = 1.6;

/// Which topics hold for all brands, and how near to their examples is too near.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicSettings {
    /// Names of built-in topics.
    pub never: Vec<String>,
    /// Cosine of a turn and a phrase of a brand's own topic from which the turn touches it; above 1: words alone decide,
    /// about every topic.
    pub likeness: f32,
    /// By how much a turn must be nearer to a built-in topic than to what is harmless: a difference of logarithms.
    pub margin: f32,
}

impl Default for TopicSettings {
    fn default() -> TopicSettings {
        let never = built_in().iter().map(|topic| topic.name.clone()).collect();
        TopicSettings { never, likeness: 0.55, margin: 2.0 }
    }
}

impl TopicSettings {
    /// Whether meaning decides beside words.
    pub(super) fn compare_meaning(&self) -> bool {
        self.likeness <= 1.0
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
    /// The built-in ones that hold, then the brand's own.
    topics: Topics,
    /// The positions of the built-in topics that hold.
    holding: Vec<usize>,
    /// Vectors of the phrases of the brand's own topics, with the position of their topic.
    phrases: Vec<(usize, Vector)>,
    /// `None`: words alone decide.
    meaning: Option<Arc<Meaning>>,
    settings: TopicSettings,
}

impl Veto {
    /// The topics of a brand: those of all, without those that are its business, and its own.
    pub(super) fn new(
        settings: &TopicSettings,
        brand: &Brand,
        meaning: Option<Arc<Meaning>>,
        store: &mut VectorStore,
        embedder: Option<&Embedder>,
    ) -> Result<Veto, EmbedError> {
        let holds = |topic: &Topic| {
            settings.never.contains(&topic.name) && !brand.topics_allowed.contains(&topic.name)
        };
        let holding: Vec<usize> = (0..built_in().len()).filter(|topic| holds(&built_in()[*topic])).collect();
        let own: Vec<Topic> =
            brand.topics.iter().map(|(name, phrases)| Topic::of_phrases(name, phrases)).collect();
        let all: Vec<Topic> = holding.iter().map(|topic| &built_in()[*topic]).chain(&own).cloned().collect();
        let mut phrases = Vec::new();
        if let Some(embedder) = embedder.filter(|_| settings.compare_meaning()) {
            for (number, topic) in own.iter().enumerate() {
                for example in &topic.examples {
                    let vector = match store.vector(example) {
                        Some(vector) => vector,
                        None => {
                            let vector = embedder.compute(example)?;
                            store.put_vector(example, vector.clone());
                            vector
                        }
                    };
                    phrases.push((holding.len() + number, vector));
                }
            }
        }
        Ok(Veto { topics: Topics::new(all), holding, phrases, meaning, settings: settings.clone() })
    }

    /// The topic that a turn touches by its words.
    pub(super) fn by_words(&self, text: &str) -> Option<&Topic> {
        self.topics.touched(text, |_| true).map(|topic| &self.topics.all()[topic])
    }

    /// The same, where words are enough: of a brand's own topics always, of others where meaning says nothing. `known`
    /// are the languages of the model; what is in another has a vector that says little.
    pub(super) fn by_words_alone(&self, text: &str, known: &[String]) -> Option<&Topic> {
        let enough = self.meaning.is_none() || !is_known(text, known);
        let touched = self.topics.touched(text, |topic| enough || topic >= self.holding.len());
        touched.map(|topic| &self.topics.all()[topic])
    }

    /// The topic that a turn is about by its meaning, of which its words are one sign.
    pub(super) fn by_meaning(&self, text: &str, own: &Vector, known: &[String]) -> Option<&Topic> {
        let words = self.topics.touched(text, |topic| topic < self.holding.len());
        let words = words.map(|topic| self.holding[topic]);
        let known = is_known(text, known);
        let margin = self.settings.margin + if known { 0.0 } else { FOREIGN_MARGIN };
        let touched = self.meaning.as_ref().and_then(|meaning| meaning.touched(own, words, margin));
        // A turn that is nearest to what is the brand's business is its business.
        let built_in = touched.filter(|topic| self.holding.contains(topic)).map(|topic| &built_in()[topic]);
        built_in.or_else(|| {
            let likeness = |(topic, phrase): &(usize, Vector)| (own.cosine(phrase), *topic);
            let nearest = self.phrases.iter().map(likeness).max_by(|one, other| one.0.total_cmp(&other.0))?;
            (known && nearest.0 >= self.settings.likeness).then(|| &self.topics.all()[nearest.1])
        })
    }
}

/// Whether a text is in one of these languages, or none can be told; of none all count.
fn is_known(text: &str, known: &[String]) -> bool {
    known.is_empty() || language_of(text).is_none_or(|language| known.iter().any(|known| known == language))
}
