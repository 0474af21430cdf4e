//! Text becomes a vector.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use fastembed::TextEmbedding;
use parking_lot::FairMutex;
use quick_cache::sync::Cache;

use super::model::{EmbedderSettings, OpenError, open};
use super::query::{Query, Speaker};
use super::search::Vectors;
use super::store::Identity;
use super::vector::Vector;

/// How much of what the user said before is blended into the vector of a turn.
const BLENDED: f32 = 0.4;

/// Words of a text that are given to the model, at least: each is a token or more, and what comes behind the last
/// token that a model reads only costs.
const MIN_WORDS: usize = 512;
/// Bytes of each of them, at most in the mean: more than a token has in any script, also where no spaces divide words.
const WORD_BYTES: usize = 64;

/// How long a text waits for those before it. One takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a text has no vector.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The model failed.
    #[error("the embedding model failed: {0}")]
    Failed(String),
    /// Another text has been computed for too long.
    #[error("the embedding model has not come to an end with another text")]
    Hangs,
    /// The model gave numbers that are no direction: NaN, infinity or zero.
    #[error("the embedding model gave a vector that is no direction")]
    NoDirection,
}

/// One model session. One text is computed at a time; those that wait are served in order, so that a
/// rebuild of many texts lets single questions in between.
pub struct Embedder {
    session: FairMutex<TextEmbedding>,
    /// By [`remembered_as`].
    cache: Cache<[u8; 16], Vector>,
    identity: Identity,
    /// Words of a text that are given to the model.
    words: usize,
}

impl Embedder {
    /// Loads the model and tries it out.
    pub fn open(settings: &EmbedderSettings) -> Result<Embedder, OpenError> {
        let opened = open(settings)?;
        let mut embedder = Embedder {
            session: FairMutex::new(opened.session),
            cache: Cache::new(settings.cache_entries),
            identity: Identity { model: opened.id, dimension: 0 },
            words: settings.max_length.max(MIN_WORDS),
        };
        let sample = embedder.compute("sample").map_err(|error| OpenError::Broken {
            model: embedder.identity.model.clone(),
            reason: error.to_string(),
        })?;
        embedder.identity.dimension = sample.dimension();
        Ok(embedder)
    }

    /// The model's name and the hash of its files.
    pub fn id(&self) -> &str {
        &self.identity.model
    }

    /// What vectors of this model are kept under.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The vector of a query, of length 1, remembered for those who see the same brands: who sees others must not be able
    /// to tell by the time that it takes whether somebody has asked it.
    pub fn embed(&self, text: &str, brands: &str) -> Result<Vector, EmbedError> {
        let key = remembered_as(text, brands);
        if let Some(vector) = self.cache.get(&key) {
            return Ok(vector);
        }
        let vector = self.compute(text)?;
        self.cache.insert(key, vector.clone());
        Ok(vector)
    }

    /// The vectors of a query, remembered as those of [`Embedder::embed`].
    pub fn vectors(&self, query: &Query, brands: &str) -> Result<Vectors, EmbedError> {
        let own = self.embed(&query.text, brands)?;
        let blended = match query.last(Speaker::User) {
            None => None,
            Some(before) => Some(normalise(own.plus(BLENDED, &self.embed(before, brands)?))?),
        };
        Ok(Vectors { own, blended })
    }

    /// The vector of a text, of length 1, computed anew and not remembered.
    pub fn compute(&self, text: &str) -> Result<Vector, EmbedError> {
        let text = beginning(text, self.words);
        let mut session = self.session.try_lock_for(PATIENCE).ok_or(EmbedError::Hangs)?;
        let computed = catch_unwind(AssertUnwindSafe(|| session.embed([text], None)));
        drop(session);
        let mut vectors = match computed {
            Ok(Ok(vectors)) => vectors,
            Ok(Err(error)) => return Err(EmbedError::Failed(error.to_string())),
            Err(_) => return Err(EmbedError::Failed("it panicked".to_owned())),
        };
        normalise(vectors.pop().unwrap_or_default())
    }
}

/// What a text is remembered as: a hash that nobody can find another text for.
fn remembered_as(text: &str, brands: &str) -> [u8; 16] {
    let mut hash = blake3::Hasher::new();
    hash.update(&(brands.len() as u64).to_le_bytes()).update(brands.as_bytes()).update(text.as_bytes());
    let mut key = [0; 16];
    hash.finalize_xof().fill(&mut key);
    key
}

/// The first words of a text, with what stands between them.
fn beginning(text: &str, words: usize) -> &str {
    let text = &text[..text.floor_char_boundary(words.saturating_mul(WORD_BYTES))];
    let mut end = 0;
    let mut left = words;
    for word in text.split_inclusive(char::is_whitespace) {
        if left == 0 {
            return &text[..end];
        }
        end += word.len();
        left -= usize::from(word.contains(char::is_alphanumeric));
    }
    text
}

fn normalise(mut vector: Vec<f32>) -> Result<Vector, EmbedError> {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if !length.is_finite() || length < f32::MIN_POSITIVE {
        return Err(EmbedError::NoDirection);
    }
    vector.iter_mut().for_each(|value| *value /= length);
    Ok(Vector::of(&vector))
}

#[cfg(test)]
mod tests {
    use super::{Vector, beginning, normalise};

    #[test]
    fn the_beginning_holds_so_many_words() {
        let text = "  one - two\u{3000}\nthree, four ";
        for (words, expected) in
            [(0, ""), (1, "  one "), (3, "  one - two\u{3000}\nthree, "), (4, text), (9, text)]
        {
            assert_eq!(beginning(text, words), expected, "{words}");
        }
        assert_eq!(beginning("", 3), "");
        // Where no spaces divide words, as much as they would be.
        let unspaced = "\u{6f22}".repeat(1_000);
        assert_eq!(beginning(&unspaced, 3).len(), 192);
    }

    #[test]
    fn only_directions_are_vectors() {
        assert!(normalise(vec![f32::NAN, 1.0]).is_err());
        assert!(normalise(vec![f32::INFINITY, 1.0]).is_err());
        assert!(normalise(vec![0.0, 0.0]).is_err());
        assert!(normalise(Vec::new()).is_err());
        assert_eq!(normalise(vec![3.0, 4.0]).unwrap(), Vector::of(&[0.6, 0.8]));
    }
}
