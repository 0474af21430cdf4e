//! Tokens of texts, counted once and kept with the vectors.

use crate::inject::{TokenCounter, Tokenizer};
use crate::retrieval::{TextKey, VectorStore};

/// Counts tokens, remembering counts in the store so that a restart reads no vocabulary.
pub(super) struct Counter {
    tokenizer: Tokenizer,
    counter: TokenCounter,
}

impl Counter {
    pub(super) fn new(tokenizer: Tokenizer) -> Counter {
        Counter { counter: TokenCounter::new(tokenizer.clone()), tokenizer }
    }

    /// The number, and what the store calls the text.
    pub(super) fn count(&mut self, store: &mut VectorStore, text: &str) -> (u32, TextKey) {
        let counter = &mut self.counter;
        store.tokens(self.tokenizer.name(), text, || counter.count(text))
    }
}
