//! The words of a brand's items: tantivy, in memory, one segment, opened once, finds candidates; their
//! scores are BM25 shares. Queries are built from analysed words: no character of a question is syntax.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tantivy::collector::TopDocs;
use tantivy::directory::RamDirectory;
use tantivy::query::{BooleanQuery, BoostQuery, Occur, Query as Clause, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{PreTokenizedString, Token};
use tantivy::{IndexSettings, Searcher, TantivyDocument, TantivyError, Term};

use super::query::{Query, Speaker};
use super::terms::{Bag, Terms, Weighed};
use super::words::{Analyzer, is_unspaced};
use crate::knowledge::Item;

/// Memory that building one index may take.
const BUILD_MEMORY: usize = 64 << 20;
/// Different words of a text that are looked up; a question has fewer.
const MAX_WORDS: usize = 64;
/// What a word of the user's text before counts, beside one of the turn's own.
const BEFORE_USER: f32 = 0.3;
/// What a word of the assistant's last text counts.
const BEFORE_ASSISTANT: f32 = 0.1;
/// What pieces of words weigh in finding candidates: there are several to a word.
const GRAM_BOOST: f32 = 0.25;

/// One brand's words.
pub(super) struct Lexical {
    searcher: Searcher,
    words: Field,
    grams: Field,
    /// One for each language of the items.
    vocabularies: Vec<Vocabulary>,
    items: Vec<ItemWords>,
}

/// The words of one language, and their pieces.
struct Vocabulary {
    analyzer: Analyzer,
    words: Terms,
    grams: Terms,
}

struct ItemWords {
    vocabulary: usize,
    words: Bag,
    grams: Bag,
}

/// A query, analysed once.
pub(super) struct QueryWords {
    /// For each vocabulary.
    each: Vec<Analysed>,
    /// Whether it is written without spaces.
    unspaced: bool,
}

struct Analysed {
    /// Words and pieces with what they count, first those of the turn.
    words: Factors,
    grams: Factors,
    own: View,
    all: View,
}

type Factors = BTreeMap<String, f32>;

/// The terms of the turn alone, or of the conversation too.
struct View {
    words: Weighed,
    grams: Weighed,
}

/// How much an item has in common with the query, from 0 to about 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Shares {
    /// By whole words.
    pub(super) words: f32,
    /// By pieces of words, where the item's language has them.
    pub(super) grams: Option<f32>,
}

impl Lexical {
    /// Indexes items, each with the language that it is in.
    pub(super) fn build(items: &[Arc<Item>], languages: &[&str]) -> Result<Lexical, TantivyError> {
        let mut schema = Schema::builder();
        // Words come analysed, so that each item's are its language's; the named tokenizer is not used.
        let indexing =
            TextFieldIndexing::default().set_tokenizer("raw").set_index_option(IndexRecordOption::WithFreqs);
        let options = TextOptions::default().set_indexing_options(indexing);
        let words = schema.add_text_field("words", options.clone());
        let grams = schema.add_text_field("grams", options);
        let mut writer = tantivy::Index::builder()
            .schema(schema.build())
            .settings(IndexSettings::default())
            .single_segment_index_writer(RamDirectory::create(), BUILD_MEMORY)?;
        let mut vocabularies = Vec::new();
        let mut item_words = Vec::with_capacity(items.len());
        for (item, language) in items.iter().zip(languages) {
            let vocabulary = vocabulary(&mut vocabularies, language);
            let Vocabulary { analyzer, words: word_terms, grams: gram_terms } = &mut vocabularies[vocabulary];
            let text = format!("{}\n{}", item.title(), item.text());
            let (of_words, of_grams) = (analyzer.words(&text), analyzer.grams(&text));
            item_words.push(ItemWords {
                vocabulary,
                words: word_terms.learn(&of_words),
                grams: gram_terms.learn(&of_grams),
            });
            let mut document = TantivyDocument::default();
            document.add_pre_tokenized_text(words, tokens(of_words));
            document.add_pre_tokenized_text(grams, tokens(of_grams));
            writer.add_document(document)?;
        }
        let searcher = writer.finalize()?.reader()?.searcher();
        Ok(Lexical { searcher, words, grams, vocabularies, items: item_words })
    }

    /// Analyses a query.
    pub(super) fn analyse(&self, query: &Query) -> QueryWords {
        QueryWords {
            each: self.vocabularies.iter().map(|vocabulary| vocabulary.analyse(query)).collect(),
            unspaced: query.text.chars().any(is_unspaced),
        }
    }

    /// The `count` items that have most in common with the query, best first; equal ones in the order of
    /// the items.
    pub(super) fn search(&self, query: &QueryWords, count: usize) -> Vec<usize> {
        let clauses: Vec<(Occur, Box<dyn Clause>)> = [(self.words, 1.0), (self.grams, GRAM_BOOST)]
            .into_iter()
            .flat_map(|(field, boost)| {
                let terms: BTreeSet<(&str, u32)> =
                    query.each.iter().flat_map(|analysed| analysed.of(field == self.words)).collect();
                terms
                    .into_iter()
                    .map(move |(term, factor)| clause(field, term, boost * f32::from_bits(factor)))
            })
            .collect();
        if clauses.is_empty() || count == 0 {
            return Vec::new();
        }
        let collector = TopDocs::with_limit(count).order_by_score();
        match self.searcher.search(&BooleanQuery::new(clauses), &collector) {
            // One segment, filled in order: the document's number is the item's.
            Ok(found) => found.into_iter().map(|(_, at)| at.doc_id as usize).collect(),
            Err(error) => {
                tracing::warn!(%error, "lexical search failed");
                Vec::new()
            }
        }
    }

    /// What an item has in common with the turn's own text.
    pub(super) fn own(&self, query: &QueryWords, item: usize) -> Shares {
        self.shares(item, &query.each[self.items[item].vocabulary].own)
    }

    /// What an item has in common with the turn and what was said before.
    pub(super) fn all(&self, query: &QueryWords, item: usize) -> Shares {
        self.shares(item, &query.each[self.items[item].vocabulary].all)
    }

    fn shares(&self, item: usize, view: &View) -> Shares {
        let item = &self.items[item];
        let vocabulary = &self.vocabularies[item.vocabulary];
        Shares {
            words: vocabulary.words.share(&view.words, &item.words),
            grams: vocabulary.has_grams().then(|| vocabulary.grams.share(&view.grams, &item.grams)),
        }
    }

    /// Whether an item and the turn's own text have more in common than chance brings: two words, or three
    /// characters of a script that is written without spaces.
    pub(super) fn more_than_chance(&self, query: &QueryWords, item: usize) -> bool {
        let item = &self.items[item];
        let own = &query.each[item.vocabulary].own;
        let words = Terms::common(&own.words, &item.words);
        words >= 2 || (words == 1 && query.unspaced && Terms::common(&own.grams, &item.grams) >= 3)
    }
}

impl Vocabulary {
    fn has_grams(&self) -> bool {
        self.analyzer.has_grams()
    }

    fn analyse(&self, query: &Query) -> Analysed {
        let words = |text: &str| self.analyzer.words(text);
        let grams = |text: &str| self.analyzer.grams(text);
        let (own_words, own_grams) = (factors(query, &words, false), factors(query, &grams, false));
        let (all_words, all_grams) = (factors(query, &words, true), factors(query, &grams, true));
        Analysed {
            own: View { words: weigh(&self.words, &own_words), grams: weigh(&self.grams, &own_grams) },
            all: View { words: weigh(&self.words, &all_words), grams: weigh(&self.grams, &all_grams) },
            words: all_words,
            grams: all_grams,
        }
    }
}

impl Analysed {
    /// Words or pieces with their factors, which sort as their bits.
    fn of(&self, words: bool) -> impl Iterator<Item = (&str, u32)> {
        let factors = if words { &self.words } else { &self.grams };
        factors.iter().map(|(term, factor)| (term.as_str(), factor.to_bits()))
    }
}

fn weigh(terms: &Terms, factors: &Factors) -> Weighed {
    terms.weigh(factors.iter().map(|(term, factor)| (term.as_str(), *factor)))
}

/// The first different terms of each text, with what they count: those of the turn all, those of what was
/// said before less. A term counts as where it counts most.
fn factors(query: &Query, terms: &dyn Fn(&str) -> Vec<String>, with_before: bool) -> Factors {
    let mut factors = Factors::new();
    let mut add = |text: &str, factor: f32| {
        let mut room = MAX_WORDS;
        for term in terms(text) {
            if room == 0 {
                break;
            }
            if let std::collections::btree_map::Entry::Vacant(entry) = factors.entry(term) {
                entry.insert(factor);
                room -= 1;
            }
        }
    };
    add(&query.text, 1.0);
    if with_before {
        for (speaker, factor) in [(Speaker::User, BEFORE_USER), (Speaker::Assistant, BEFORE_ASSISTANT)] {
            if let Some(text) = query.last(speaker) {
                add(text, factor);
            }
        }
    }
    factors
}

/// The place of the vocabulary of a language, which is added where it is the first.
fn vocabulary(vocabularies: &mut Vec<Vocabulary>, language: &str) -> usize {
    let analyzer = Analyzer::of(Some(language));
    let known = vocabularies.iter().position(|known| known.analyzer.language == analyzer.language);
    known.unwrap_or_else(|| {
        vocabularies.push(Vocabulary { analyzer, words: Terms::default(), grams: Terms::default() });
        vocabularies.len() - 1
    })
}

fn clause(field: Field, term: &str, boost: f32) -> (Occur, Box<dyn Clause>) {
    let query = TermQuery::new(Term::from_field_text(field, term), IndexRecordOption::WithFreqs);
    (Occur::Should, Box::new(BoostQuery::new(Box::new(query), boost)))
}

fn tokens(words: Vec<String>) -> PreTokenizedString {
    let token = |(position, text)| Token { position, text, ..Token::default() };
    let tokens = words.into_iter().enumerate().map(token).collect();
    PreTokenizedString { text: String::new(), tokens }
}
