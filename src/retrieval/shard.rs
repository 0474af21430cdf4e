//! A run of items in tantivy: in memory, one segment, opened once. It finds candidates. The terms come as
//! codes, so that no character of a question is syntax and a run is indexed without reading its texts again.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::LazyLock;

use tantivy::directory::RamDirectory;
use tantivy::query::{BooleanQuery, BoostQuery, EnableScoring, Occur, Query as Clause, TermQuery, Weight};
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{TextAnalyzer, Token, TokenStream, Tokenizer, TokenizerManager};
use tantivy::{IndexSettings, Score, Searcher, TantivyDocument, TantivyError, Term};

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

/// Terms with what they count, any of which may be in an item; ready for every run, since the statistics are
/// those of all items.
pub(super) struct AnyOf(Box<dyn Weight>);

/// The best items of the runs that were looked through.
pub(super) struct Best {
    count: usize,
    /// The worst on top: the one with the least score, of equal ones the last.
    found: BinaryHeap<Reverse<Scored>>,
}

/// An item's place with its score. The better is the greater.
#[derive(PartialEq)]
struct Scored {
    score: Score,
    place: usize,
}

impl Eq for Scored {}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Scored) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scored {
    fn cmp(&self, other: &Scored) -> Ordering {
        self.score.total_cmp(&other.score).then(other.place.cmp(&self.place))
    }
}

impl Best {
    /// For so many.
    pub(super) fn of(count: usize) -> Best {
        Best { count, found: BinaryHeap::with_capacity(count + 1) }
    }

    /// What an item that comes later must exceed.
    fn threshold(&self) -> Score {
        match self.found.peek() {
            Some(Reverse(worst)) if self.found.len() >= self.count => worst.score,
            _ => Score::MIN,
        }
    }

    fn add(&mut self, score: Score, place: usize) {
        self.found.push(Reverse(Scored { score, place }));
        if self.found.len() > self.count {
            self.found.pop();
        }
    }

    /// The best of these and of others.
    pub(super) fn and(mut self, other: Best) -> Best {
        other.found.into_iter().for_each(|Reverse(Scored { score, place })| self.add(score, place));
        self
    }

    /// Their places, the best first; equal ones in the order of the items.
    pub(super) fn places(self) -> impl Iterator<Item = usize> {
        self.found.into_sorted_vec().into_iter().map(|Reverse(scored)| scored.place)
    }
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

    /// The query for any of some terms. It serves for the other runs too.
    pub(super) fn any_of(
        &self,
        terms: impl Iterator<Item = (Field, TermId, f32)>,
        statistics: &dyn Statistics,
    ) -> Result<AnyOf, TantivyError> {
        let clause = |(field, term, boost): (Field, TermId, f32)| {
            let query =
                TermQuery::new(Term::from_field_text(field, &term.code()), IndexRecordOption::WithFreqs);
            (Occur::Should, Box::new(BoostQuery::new(Box::new(query), boost)) as Box<dyn Clause>)
        };
        let scoring = EnableScoring::enabled_from_statistics_provider(statistics, &self.searcher);
        Ok(AnyOf(BooleanQuery::new(terms.map(clause).collect()).weight(scoring)?))
    }

    /// Adds those items of the run, whose first is at the place `start` among all, that are better than the best
    /// so far; those alone that are admitted. Runs come in the order of the items.
    pub(super) fn search(
        &self,
        query: &AnyOf,
        start: usize,
        among: Option<&Admitted>,
        best: &mut Best,
    ) -> Result<(), TantivyError> {
        for reader in self.searcher.segment_readers() {
            // One segment, filled in order: the document's number is the place in the run.
            query.0.for_each_pruning(best.threshold(), reader, &mut |at, score| {
                let place = start + at as usize;
                if among.is_none_or(|among| among.holds(place)) {
                    best.add(score, place);
                }
                best.threshold()
            })?;
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Best;

    proptest! {
        #[test]
        fn the_best_of_two_halves_are_the_best_of_all(
            scores in prop::collection::vec(0..5_u8, 0..40), middle in 0..40_usize, count in 1..12_usize,
        ) {
            let best = |from: usize, to: usize| {
                let mut best = Best::of(count);
                for (place, score) in scores.iter().enumerate().take(to).skip(from) {
                    best.add(f32::from(*score), place);
                }
                best
            };
            let both: Vec<usize> = best(0, middle).and(best(middle, scores.len())).places().collect();
            let all: Vec<usize> = best(0, scores.len()).places().collect();
            prop_assert_eq!(both, all);
        }
    }
}
