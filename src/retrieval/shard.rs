//! A run of items in tantivy: in memory, one segment, opened once. It finds candidates. The terms come as
//! codes, so that no character of a question is syntax and a run is indexed without reading its texts again.

use std::sync::{Arc, LazyLock};

use tantivy::collector::TopDocs;
use tantivy::directory::RamDirectory;
use tantivy::query::{BooleanQuery, BoostQuery, Occur, Query as Clause, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{TextAnalyzer, Token, TokenStream, Tokenizer, TokenizerManager};
use tantivy::{DocId, IndexSettings, Score, Searcher, SegmentReader, TantivyDocument, TantivyError, Term};

pub(super) use tantivy::query::Bm25StatisticsProvider as Statistics;

use super::admitted::Admitted;
use super::lexical::ItemWords;
use super::terms::{Bag, TermId};

/// Memory that building one run may take before it writes; a run takes less.
const BUILD_MEMORY: usize = 16 << 20;
/// The name of the tokenizer that takes codes apart.
const CODES: &str = "codes";

/// The two fields of every run.
pub(super) struct Fields {
    schema: Schema,
    /// Whole words.
    pub(super) words: Field,
    /// Pieces of words.
    pub(super) grams: Field,
}

pub(super) static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    let mut schema = Schema::builder();
    let indexing =
        TextFieldIndexing::default().set_tokenizer(CODES).set_index_option(IndexRecordOption::WithFreqs);
    let options = TextOptions::default().set_indexing_options(indexing);
    let words = schema.add_text_field("words", options.clone());
    let grams = schema.add_text_field("grams", options);
    Fields { schema: schema.build(), words, grams }
});

/// A run of items.
pub(super) struct Shard {
    searcher: Searcher,
}

/// Terms with what they count, any of which may be in an item.
pub(super) type AnyOf = BooleanQuery;

/// The query for any of some terms.
pub(super) fn any_of(terms: impl Iterator<Item = (Field, TermId, f32)>) -> AnyOf {
    let clause = |(field, term, boost): (Field, TermId, f32)| {
        let query = TermQuery::new(Term::from_field_text(field, &term.code()), IndexRecordOption::WithFreqs);
        (Occur::Should, Box::new(BoostQuery::new(Box::new(query), boost)) as Box<dyn Clause>)
    };
    BooleanQuery::new(terms.map(clause).collect())
}

impl Shard {
    /// Indexes a run.
    pub(super) fn build<'a>(items: impl Iterator<Item = &'a ItemWords>) -> Result<Shard, TantivyError> {
        let tokenizers = TokenizerManager::new();
        tokenizers.register(CODES, TextAnalyzer::from(Codes::default()));
        let mut writer = tantivy::Index::builder()
            .schema(FIELDS.schema.clone())
            .settings(IndexSettings::default())
            .tokenizers(tokenizers)
            .single_segment_index_writer(RamDirectory::create(), BUILD_MEMORY)?;
        for item in items {
            let mut document = TantivyDocument::default();
            document.add_text(FIELDS.words, codes(&item.words));
            if !item.grams.counts().is_empty() {
                document.add_text(FIELDS.grams, codes(&item.grams));
            }
            writer.add_document(document)?;
        }
        Ok(Shard { searcher: writer.finalize()?.reader()?.searcher() })
    }

    /// The `count` items with the most of a query, best first, as places in the run; those alone that are
    /// admitted, where the run's first item is at a place among all.
    pub(super) fn search(
        &self,
        query: &AnyOf,
        count: usize,
        statistics: &dyn Statistics,
        among: Option<(&Admitted, usize)>,
    ) -> Result<impl Iterator<Item = (f32, usize)>, TantivyError> {
        let top = TopDocs::with_limit(count);
        let found = match among {
            None => {
                let collector = top.order_by_score();
                self.searcher.search_with_statistics_provider(query, &collector, statistics)?
            }
            Some((admitted, start)) => {
                // The collector outlives what it borrows, so that it gets the places of its own run.
                let places: Arc<[bool]> = (start..start + self.searcher.num_docs() as usize)
                    .map(|place| admitted.holds(place))
                    .collect();
                let tweak = move |_: &SegmentReader| {
                    let places = Arc::clone(&places);
                    move |at: DocId, score: Score| {
                        if places[at as usize] { score } else { Score::NEG_INFINITY }
                    }
                };
                let collector = top.tweak_score(tweak);
                let mut found =
                    self.searcher.search_with_statistics_provider(query, &collector, statistics)?;
                found.retain(|(score, _)| score.is_finite());
                found
            }
        };
        // One segment, filled in order: the document's number is the place.
        Ok(found.into_iter().map(|(score, at)| (score, at.doc_id as usize)))
    }
}

/// All terms of a text as codes, each as often as the text holds it.
fn codes(bag: &Bag) -> String {
    let counts = bag.counts().iter();
    counts.flat_map(|(id, count)| std::iter::repeat_n(id.code(), usize::from(*count))).collect()
}

/// Takes codes apart.
#[derive(Clone, Default)]
struct Codes {
    token: Token,
}

struct CodeStream<'a> {
    rest: &'a str,
    token: &'a mut Token,
}

impl Tokenizer for Codes {
    type TokenStream<'a> = CodeStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> CodeStream<'a> {
        self.token.reset();
        CodeStream { rest: text, token: &mut self.token }
    }
}

impl TokenStream for CodeStream<'_> {
    fn advance(&mut self) -> bool {
        let Some((code, rest)) = self.rest.split_at_checked(TermId::CODE) else { return false };
        self.rest = rest;
        self.token.text.clear();
        self.token.text.push_str(code);
        self.token.position = self.token.position.wrapping_add(1);
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}
