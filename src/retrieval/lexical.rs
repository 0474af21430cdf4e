//! BM25 over tantivy, in memory, one segment, opened once. Queries are built from analysed words: no
//! character of a question is syntax.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use tantivy::collector::TopDocs;
use tantivy::directory::RamDirectory;
use tantivy::query::{BooleanQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{PreTokenizedString, Token};
use tantivy::{IndexSettings, Searcher, TantivyDocument, TantivyError, Term};

use super::words::Analyzer;
use crate::knowledge::Item;

/// Memory that building one index may take.
const BUILD_MEMORY: usize = 64 << 20;
/// How fast repetition of a word saturates: tantivy's own constant.
const BM25_K1: f32 = 1.2;
/// Different words of a query that are looked up; a question has fewer.
const MAX_QUERY_WORDS: usize = 64;
/// Few items say little about how rare a word is: it is judged as among at least so many.
const MIN_ITEMS: usize = 30;

/// One brand's words.
pub(super) struct Lexical {
    searcher: Searcher,
    title: Field,
    text: Field,
    /// One for each language of the items.
    vocabularies: Vec<Vocabulary>,
    items: Vec<ItemWords>,
}

/// The words of one language.
struct Vocabulary {
    analyzer: Analyzer,
    /// Items in the language.
    items: usize,
    /// How many of them hold a word.
    holding: BTreeMap<Box<str>, usize>,
}

struct ItemWords {
    vocabulary: usize,
    words: HashSet<Box<str>>,
}

/// A query, analysed once.
pub(super) struct QueryWords {
    /// For each vocabulary its different words and their weights, the inverse document frequencies. A word
    /// that no item holds weighs most: it says that the question is about something else.
    weighed: Vec<Vec<(String, f32)>>,
    /// The BM25 score of a text that holds every word often.
    attainable: f32,
}

/// How much of a query an item covers.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Coverage {
    /// Share of the query's weight, from 0 to 1.
    pub(super) share: f32,
    /// Different words in common.
    pub(super) words: usize,
}

impl Lexical {
    pub(super) fn build(items: &[Arc<Item>]) -> Result<Lexical, TantivyError> {
        let mut schema = Schema::builder();
        // Words come analysed, so that each item's are its language's; the named tokenizer is not used.
        let indexing =
            TextFieldIndexing::default().set_tokenizer("raw").set_index_option(IndexRecordOption::WithFreqs);
        let options = TextOptions::default().set_indexing_options(indexing);
        let title = schema.add_text_field("title", options.clone());
        let text = schema.add_text_field("text", options);
        let mut writer = tantivy::Index::builder()
            .schema(schema.build())
            .settings(IndexSettings::default())
            .single_segment_index_writer(RamDirectory::create(), BUILD_MEMORY)?;
        let mut vocabularies = Vec::new();
        let mut item_words = Vec::with_capacity(items.len());
        for item in items {
            let vocabulary = vocabulary(&mut vocabularies, item);
            let analyzer = &vocabularies[vocabulary].analyzer;
            let (of_title, of_text) = (analyzer.words(item.title()), analyzer.words(item.text()));
            let words: HashSet<Box<str>> =
                of_title.iter().chain(&of_text).map(|word| word.as_str().into()).collect();
            let mut document = TantivyDocument::default();
            document.add_pre_tokenized_text(title, tokens(of_title));
            document.add_pre_tokenized_text(text, tokens(of_text));
            writer.add_document(document)?;
            vocabularies[vocabulary].learn(&words);
            item_words.push(ItemWords { vocabulary, words });
        }
        let searcher = writer.finalize()?.reader()?.searcher();
        Ok(Lexical { searcher, title, text, vocabularies, items: item_words })
    }

    /// Analyses a query.
    pub(super) fn words(&self, query: &str) -> QueryWords {
        let words: Vec<Vec<String>> =
            self.vocabularies.iter().map(|vocabulary| vocabulary.words(query)).collect();
        let weigh = |items: usize| -> Vec<Vec<(String, f32)>> {
            let each = self.vocabularies.iter().zip(&words);
            each.map(|(vocabulary, words)| vocabulary.weigh(words, vocabulary.items.max(items))).collect()
        };
        let total = |words: &Vec<(String, f32)>| words.iter().map(|(_, weight)| weight).sum();
        let rarity = weigh(0).iter().map(total).fold(0.0, f32::max);
        QueryWords { weighed: weigh(MIN_ITEMS), attainable: (BM25_K1 + 1.0) * rarity }
    }

    /// The `count` best items with their BM25 scores, best first; equal ones in the order of the items.
    pub(super) fn search(&self, query: &QueryWords, count: usize) -> Vec<(usize, f32)> {
        let mut words: Vec<&str> = query.weighed.iter().flatten().map(|(word, _)| word.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        if words.is_empty() || count == 0 {
            return Vec::new();
        }
        // A title is short, so that a word in it scores high without a weight of its own; one was measured
        // to do harm.
        let clauses = words.iter().flat_map(|word| [self.title, self.text].map(|field| term(field, word)));
        let collector = TopDocs::with_limit(count).order_by_score();
        match self.searcher.search(&BooleanQuery::new(clauses.collect()), &collector) {
            // One segment, filled in order: the document's number is the item's.
            Ok(found) => found.into_iter().map(|(score, at)| (at.doc_id as usize, score)).collect(),
            Err(error) => {
                tracing::warn!(%error, "lexical search failed");
                Vec::new()
            }
        }
    }

    /// How much of the query `item` covers.
    pub(super) fn coverage(&self, query: &QueryWords, item: usize) -> Coverage {
        let item = &self.items[item];
        let words = &query.weighed[item.vocabulary];
        let total: f32 = words.iter().map(|(_, weight)| weight).sum();
        let common = || words.iter().filter(|(word, _)| item.words.contains(word.as_str()));
        let covered: f32 = common().map(|(_, weight)| weight).sum();
        Coverage { share: covered / total.max(f32::MIN_POSITIVE), words: common().count() }
    }
}

impl Vocabulary {
    fn learn(&mut self, words: &HashSet<Box<str>>) {
        self.items += 1;
        for word in words {
            *self.holding.entry(word.clone()).or_default() += 1;
        }
    }

    /// The first different words of a text.
    fn words(&self, text: &str) -> Vec<String> {
        let mut seen = HashSet::new();
        let mut words = self.analyzer.words(text);
        words.retain(|word| seen.insert(word.clone()));
        words.truncate(MAX_QUERY_WORDS);
        words
    }

    /// Words with their inverse document frequencies among `items` items.
    fn weigh(&self, words: &[String], items: usize) -> Vec<(String, f32)> {
        let weigh = |word: &String| {
            let holding = self.holding.get(word.as_str()).copied().unwrap_or(0) as f32;
            let weight = (1.0 + (items as f32 - holding + 0.5) / (holding + 0.5)).ln();
            (word.clone(), weight)
        };
        words.iter().map(weigh).collect()
    }
}

impl QueryWords {
    /// A BM25 score as a share of what a text could reach. Unlike the score itself it can be compared between
    /// indexes, and it stays low where the best item has little in common with the query.
    pub(super) fn share(&self, bm25: f32) -> f32 {
        bm25 / self.attainable.max(f32::MIN_POSITIVE)
    }
}

/// The place of the vocabulary of an item's language, which is added where it is the first.
fn vocabulary(vocabularies: &mut Vec<Vocabulary>, item: &Item) -> usize {
    let analyzer = Analyzer::of(item.language.as_deref());
    let known = vocabularies.iter().position(|known| known.analyzer.language == analyzer.language);
    known.unwrap_or_else(|| {
        vocabularies.push(Vocabulary { analyzer, items: 0, holding: BTreeMap::new() });
        vocabularies.len() - 1
    })
}

fn term(field: Field, word: &str) -> (Occur, Box<dyn Query>) {
    let query = TermQuery::new(Term::from_field_text(field, word), IndexRecordOption::WithFreqs);
    (Occur::Should, Box::new(query))
}

fn tokens(words: Vec<String>) -> PreTokenizedString {
    let token = |(position, text)| Token { position, text, ..Token::default() };
    let tokens = words.into_iter().enumerate().map(token).collect();
    PreTokenizedString { text: String::new(), tokens }
}
