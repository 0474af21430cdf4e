//! Asking the queries of a collection as a turn of a request would be, and each half alone.

use std::path::PathBuf;
use std::sync::Arc;

use super::collection::{Asked, Collection};
use crate::knowledge::{Body, Brand, Item, Origin, Validity};
use crate::retrieval::{Candidate, EmbedError, Embedder, Hits, Index, SearchSettings, Verdict, search};

/// Looks up queries in some brands.
pub struct Searcher<'a> {
    /// The brands.
    pub indexes: Vec<&'a Index>,
    /// For vectors.
    pub embedder: Option<&'a Embedder>,
    /// As they serve; the depth is what rankings are cut at.
    pub settings: SearchSettings,
}

/// What was found for one query.
#[derive(Debug, Clone)]
pub struct Searched {
    /// Ids by words alone, best first.
    pub lexical: Vec<String>,
    /// Ids by meaning alone; empty without vectors.
    pub dense: Vec<String>,
    /// Ids as they serve.
    pub fused: Vec<String>,
    /// Whether the gate lets the turn have something.
    pub passes: bool,
    /// The gate's score.
    pub score: f32,
    /// What it was held against.
    pub threshold: f32,
}

/// The documents of a collection as the facts of one brand.
pub fn items_of(collection: &Collection) -> Brand {
    let mut items: Vec<Arc<Item>> = collection
        .documents
        .iter()
        .enumerate()
        .map(|(number, document)| {
            Arc::new(Item {
                id: document.id.clone(),
                body: Body::Fact {
                    title: document.title.clone(),
                    context: Vec::new(),
                    text: document.text.clone(),
                },
                tags: Vec::new(),
                source: None,
                language: document.language.clone(),
                validity: Validity::default(),
                pinned: false,
                audience: Vec::new(),
                origin: Origin { file: PathBuf::from("corpus.jsonl"), line: number + 1 },
            })
        })
        .collect();
    items.sort_by(|a, b| a.id.cmp(&b.id));
    Brand { id: collection.name.clone(), items, ..Brand::default() }
}

impl Searcher<'_> {
    /// Looks up one query.
    pub fn search(&self, asked: &Asked) -> Result<Searched, EmbedError> {
        let vectors = match self.embedder {
            Some(embedder) => Some(embedder.vectors(&asked.query, "")?),
            None => None,
        };
        let hits = search(&self.indexes, &asked.query, vectors.as_ref(), &self.settings);
        Ok(Searched {
            lexical: self.half(&hits, |candidate| Some(candidate.lexical).filter(|value| *value > 0.0)),
            dense: self.half(&hits, |candidate| candidate.likeness),
            fused: hits.candidates.iter().take(self.settings.depth).map(id).collect(),
            passes: hits.gate.verdict == Verdict::Pass,
            score: hits.gate.score,
            threshold: hits.gate.threshold,
        })
    }

    fn half(&self, hits: &Hits, value: impl Fn(&Candidate) -> Option<f32>) -> Vec<String> {
        let mut valued: Vec<(f32, &Candidate)> =
            hits.candidates.iter().filter_map(|candidate| Some((value(candidate)?, candidate))).collect();
        valued.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.item.id.cmp(&b.1.item.id)));
        valued.into_iter().take(self.settings.depth).map(|(_, candidate)| id(candidate)).collect()
    }
}

fn id(candidate: &Candidate) -> String {
    candidate.item.id.clone()
}
