//! BM25 over tantivy, in memory, one segment, opened once. Queries are built from analysed words: no
//! character of a question is syntax.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use tantivy::collector::TopDocs;
use tantivy::directory::RamDirectory;
use tantivy::query::{BooleanQuery, BoostQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{
    AsciiFoldingFilter, Language, LowerCaser, SimpleTokenizer, Stemmer, StopWordFilter, TextAnalyzer,
    TokenStream, TokenizerManager,
};
use tantivy::{IndexSettings, Searcher, TantivyDocument, TantivyError, Term};

use crate::knowledge::Item;

/// Memory that building one index may take.
const BUILD_MEMORY: usize = 64 << 20;
/// Words of a query that are looked up; a question has fewer.
const MAX_QUERY_TERMS: usize = 64;
/// A word in a title or question counts more than one in the text.
const TITLE_BOOST: f32 = 2.0;

/// Few items say nothing about which words are rare: fewer than this count as so many.
const LEAST_ITEMS: usize = 20;

const ENGLISH: &str = "english";
const NEUTRAL: &str = "neutral";

/// The two fields of an analyzer.
#[derive(Debug, Clone, Copy)]
struct Fields {
    title: Field,
    text: Field,
}

/// One brand's words.
pub(super) struct Lexical {
    searcher: Searcher,
    english: Fields,
    neutral: Fields,
    tokenizers: TokenizerManager,
    /// Words of each item, as the analyzer of its language gives them.
    item_terms: Vec<HashSet<Box<str>>>,
    /// Items that hold a word.
    document_frequency: BTreeMap<Box<str>, usize>,
}

/// How much of a query's weight an item covers.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Coverage {
    /// Share of the query's inverse document frequencies, from 0 to 1.
    pub(super) share: f32,
    /// Different words in common.
    pub(super) terms: usize,
}

impl Lexical {
    pub(super) fn build(items: &[Arc<Item>]) -> Result<Lexical, TantivyError> {
        let mut schema = Schema::builder();
        let mut fields = |analyzer: &str| {
            let indexing = TextFieldIndexing::default()
                .set_tokenizer(analyzer)
                .set_index_option(IndexRecordOption::WithFreqs);
            let options = TextOptions::default().set_indexing_options(indexing);
            Fields {
                title: schema.add_text_field(&format!("title_{analyzer}"), options.clone()),
                text: schema.add_text_field(&format!("text_{analyzer}"), options),
            }
        };
        let (english, neutral) = (fields(ENGLISH), fields(NEUTRAL));
        let tokenizers = tokenizers();
        let mut writer = tantivy::Index::builder()
            .schema(schema.build())
            .tokenizers(tokenizers.clone())
            .settings(IndexSettings::default())
            .single_segment_index_writer(RamDirectory::create(), BUILD_MEMORY)?;
        let mut item_terms = Vec::with_capacity(items.len());
        let mut document_frequency: BTreeMap<Box<str>, usize> = BTreeMap::new();
        for item in items {
            let (fields, analyzer) = if is_english(item) { (english, ENGLISH) } else { (neutral, NEUTRAL) };
            let mut document = TantivyDocument::default();
            document.add_text(fields.title, item.title());
            document.add_text(fields.text, item.text());
            writer.add_document(document)?;
            let both = format!("{} {}", item.title(), item.text());
            let terms: HashSet<Box<str>> =
                analyse(&tokenizers, analyzer, &both).into_iter().map(String::into_boxed_str).collect();
            for term in &terms {
                *document_frequency.entry(term.clone()).or_default() += 1;
            }
            item_terms.push(terms);
        }
        let searcher = writer.finalize()?.reader()?.searcher();
        Ok(Lexical { searcher, english, neutral, tokenizers, item_terms, document_frequency })
    }

    /// The `count` best items with their BM25 scores, best first; equal ones in the order of the items.
    pub(super) fn search(&self, query: &str, count: usize) -> Vec<(usize, f32)> {
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        for (fields, analyzer) in [(self.english, ENGLISH), (self.neutral, NEUTRAL)] {
            for word in self.words(analyzer, query) {
                let term = |field| -> Box<dyn Query> {
                    let term = Term::from_field_text(field, &word);
                    Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs))
                };
                let title = BoostQuery::new(term(fields.title), TITLE_BOOST);
                clauses.push((Occur::Should, Box::new(title)));
                clauses.push((Occur::Should, term(fields.text)));
            }
        }
        if clauses.is_empty() || count == 0 {
            return Vec::new();
        }
        let collector = TopDocs::with_limit(count).order_by_score();
        match self.searcher.search(&BooleanQuery::new(clauses), &collector) {
            // One segment, filled in order: the document's number is the item's.
            Ok(found) => found.into_iter().map(|(score, at)| (at.doc_id as usize, score)).collect(),
            Err(error) => {
                tracing::warn!(%error, "lexical search failed");
                Vec::new()
            }
        }
    }

    /// How much of the query's weight `item` covers. A word that no item holds weighs most: it says that
    /// the question is about something else.
    pub(super) fn coverage(&self, query: &str, item: usize) -> Coverage {
        let mut best = Coverage::default();
        for analyzer in [ENGLISH, NEUTRAL] {
            let words = self.words(analyzer, query);
            let weight = |word: &String| {
                let holding = self.document_frequency.get(word.as_str()).copied().unwrap_or(0) as f32;
                let all = self.item_terms.len().max(LEAST_ITEMS) as f32;
                (1.0 + (all - holding + 0.5) / (holding + 0.5)).ln()
            };
            let total: f32 = words.iter().map(weight).sum();
            let common: Vec<&String> =
                words.iter().filter(|word| self.item_terms[item].contains(word.as_str())).collect();
            let share = common.iter().map(|word| weight(word)).sum::<f32>() / total.max(f32::MIN_POSITIVE);
            if share > best.share {
                best = Coverage { share, terms: common.len() };
            }
        }
        best
    }

    fn words(&self, analyzer: &str, query: &str) -> Vec<String> {
        let mut words = analyse(&self.tokenizers, analyzer, query);
        words.sort();
        words.dedup();
        words.truncate(MAX_QUERY_TERMS);
        words
    }
}

fn is_english(item: &Item) -> bool {
    item.language.as_deref().is_none_or(|language| {
        language.split(['-', '_']).next().is_some_and(|primary| primary.eq_ignore_ascii_case("en"))
    })
}

fn tokenizers() -> TokenizerManager {
    let manager = TokenizerManager::new();
    let plain =
        || TextAnalyzer::builder(SimpleTokenizer::default()).filter(LowerCaser).filter(AsciiFoldingFilter);
    manager.register(NEUTRAL, plain().build());
    let english = plain().filter_dynamic(Stemmer::new(Language::English));
    let stop_words = StopWordFilter::new(Language::English);
    let english = match stop_words {
        // Before stemming, so that the list's own forms are met.
        Some(stop_words) => {
            plain().filter_dynamic(stop_words).filter_dynamic(Stemmer::new(Language::English)).build()
        }
        None => english.build(),
    };
    manager.register(ENGLISH, english);
    manager
}

fn analyse(tokenizers: &TokenizerManager, analyzer: &str, text: &str) -> Vec<String> {
    let Some(mut analyzer) = tokenizers.get(analyzer) else { return Vec::new() };
    let mut stream = analyzer.token_stream(text);
    let mut words = Vec::new();
    while stream.advance() {
        words.push(stream.token().text.clone());
    }
    words
}
