//! Vectors beside the building of snapshots: those of a first start are computed while words already serve, and what
//! was computed is kept on disk.

use jiff::Timestamp;

use super::build::Builder;
use super::state::Snapshot;
use crate::document::Problem;
use crate::retrieval::{EmbedError, texts_without_vector};

impl Builder {
    /// Computes the vectors that the brands of a snapshot wait for. `progress` is told how many of how many there are.
    pub(super) fn embed_waiting(
        &self,
        snapshot: &Snapshot,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(), EmbedError> {
        let Some(embedder) = &self.embedder else { return Ok(()) };
        let now = Timestamp::now();
        let mut texts = Vec::new();
        if let Some(store) = &mut *self.store.lock() {
            texts.extend(self.shared_texts_without_vector(store).into_iter().map(str::to_owned));
            for brand in &snapshot.knowledge.brands {
                texts.extend(texts_without_vector(brand, now, store));
            }
        }
        for (done, text) in texts.iter().enumerate() {
            // Computed without the lock: files may change meanwhile, and what they say is served at once.
            let vector = embedder.compute(text)?;
            if let Some(store) = &mut *self.store.lock() {
                store.put_vector(text, vector);
                store.checkpoint();
            }
            progress(done + 1, texts.len());
        }
        Ok(())
    }

    /// Writes what was computed to the cache on disk. What is wrong with that stops nothing.
    pub(super) fn keep(&self) -> Option<Problem> {
        let path = self.settings.cache.as_ref()?;
        let error = self.store.lock().as_mut()?.save(path).err()?;
        Some(
            Problem::warning(path, format!("the cache of vectors cannot be written: {error}"))
                .hint("make the folder writable or set knowledge.cache to another one; it serves without"),
        )
    }
}
