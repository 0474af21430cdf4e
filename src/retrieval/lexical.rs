//! The words of a brand's items: tantivy, in memory, finds candidates; their scores are BM25 shares. Items
//! are indexed in runs, so that an edit indexes its run anew and not all of them; the statistics are those
//! of all items, so that the runs do not show.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tantivy::schema::Field;
use tantivy::{TantivyError, Term};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::admitted::Admitted;
use super::dense::MANY;
use super::kept::Kept;
use super::query::{Query, Speaker};
use super::shard::{Best, FIELDS, Shard, Statistics};
use super::terms::{Bag, TermId, Terms, Weighed};
use super::words::{Analyzer, is_unspaced};
use crate::knowledge::Item;
use crate::parallel;

/// Different words of a text that are looked up; a question has fewer.
const MAX_WORDS: usize = 64;
/// What a word of the user's text before counts, beside one of the turn's own.
const BEFORE_USER: f32 = 0.3;
/// What a word of the assistant's last text counts.
const BEFORE_ASSISTANT: f32 = 0.1;
/// What pieces of words weigh in finding candidates: there are several to a word.
const GRAM_BOOST: f32 = 0.25;
/// Items that a run has at least, but for the last.
const MIN_RUN: usize = 4_096;
/// Of so many items after these one ends the run, on average.
const RUN_ENDS: u64 = 4_096;

/// One brand's words.
pub(super) struct Lexical {
    runs: Vec<Run>,
    /// One for each language of the items.
    vocabularies: Vec<Vocabulary>,
    /// The words of each item and the place of its vocabulary.
    items: Vec<(Arc<ItemWords>, usize)>,
}

/// A run of items, indexed.
struct Run {
    start: usize,
    /// What tells it from every other.
    key: [u8; 32],
    shard: Arc<Shard>,
}

/// The words of one language, and their pieces.
#[derive(Clone)]
struct Vocabulary {
    analyzer: Analyzer,
    words: Terms,
    grams: Terms,
}

/// The words of one item. They do not depend on other items.
#[derive(Debug)]
pub(super) struct ItemWords {
    /// The language that they are words of, as its analyzer calls it.
    language: &'static str,
    /// What tells the text from others.
    key: [u8; 16],
    pub(super) words: Bag,
    pub(super) grams: Bag,
}

/// Analyzers, each made once.
#[derive(Default)]
pub(super) struct Analyzers(HashMap<String, Analyzer>);

impl Analyzers {
    /// The words of an item that is in a language.
    pub(super) fn words(&mut self, item: &Item, language: &str) -> ItemWords {
        if !self.0.contains_key(language) {
            self.0.insert(language.to_owned(), Analyzer::of(Some(language)));
        }
        let analyzer = &self.0[language];
        let text = format!("{}\n{}", item.title(), item.text());
        ItemWords {
            language: analyzer.language,
            key: xxh3_128(text.as_bytes()).to_le_bytes(),
            words: Bag::of(&analyzer.words(&text)),
            grams: Bag::of(&analyzer.grams(&text)),
        }
    }
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

/// What an item is indexed under.
pub(super) struct Named<'a> {
    /// Its id: items come sorted by it.
    pub(super) id: &'a str,
    /// The language that its words are of.
    pub(super) language: &'a str,
    pub(super) words: &'a Arc<ItemWords>,
}

impl Lexical {
    /// Indexes items. Runs that an earlier state has indexed are taken from it, and of the vocabularies what has
    /// not changed.
    pub(super) fn build(items: &[Named<'_>], kept: Option<&Kept<'_>>) -> Result<Lexical, TantivyError> {
        let vocabularies = vocabularies(items, kept);
        let languages: Vec<&str> = vocabularies.keys().copied().collect();
        let place = |words: &ItemWords| languages.iter().position(|language| *language == words.language);
        Ok(Lexical {
            runs: runs(items, kept.map(|kept| &kept.earlier.lexical))?,
            items: items
                .iter()
                .map(|item| (Arc::clone(item.words), place(item.words).unwrap_or_default()))
                .collect(),
            vocabularies: vocabularies.into_values().collect(),
        })
    }

    /// The words of an item.
    pub(super) fn words(&self, item: usize) -> &Arc<ItemWords> {
        &self.items[item].0
    }

    /// Analyses a query.
    pub(super) fn analyse(&self, query: &Query) -> QueryWords {
        QueryWords {
            each: self.vocabularies.iter().map(|vocabulary| vocabulary.analyse(query)).collect(),
            unspaced: query.text.chars().any(is_unspaced),
        }
    }

    /// The `count` items that have most in common with the query, best first; equal ones in the order of
    /// the items. `among` is where they are looked for; `None`: among all.
    pub(super) fn search(&self, query: &QueryWords, count: usize, among: Option<&Admitted>) -> Vec<usize> {
        let terms: BTreeSet<(Field, &str, u32)> = query
            .each
            .iter()
            .flat_map(|analysed| analysed.of(FIELDS.words).chain(analysed.of(FIELDS.grams)))
            .collect();
        if terms.is_empty() || count == 0 {
            return Vec::new();
        }
        let boost = |field: Field| if field == FIELDS.words { 1.0 } else { GRAM_BOOST };
        let terms = terms
            .into_iter()
            .map(|(field, term, factor)| (field, TermId::of(term), boost(field) * f32::from_bits(factor)));
        match self.best(terms, count, among) {
            Ok(best) => best.places().collect(),
            Err(error) => {
                tracing::warn!(%error, "lexical search failed");
                Vec::new()
            }
        }
    }

    fn best(
        &self,
        terms: impl Iterator<Item = (Field, TermId, f32)>,
        count: usize,
        among: Option<&Admitted>,
    ) -> Result<Best, TantivyError> {
        let Some(first) = self.runs.first() else { return Ok(Best::of(count)) };
        let any = first.shard.any_of(terms, self)?;
        let search = |runs: &[Run]| -> Result<Best, TantivyError> {
            let mut best = Best::of(count);
            for run in runs {
                run.shard.search(&any, run.start, among, &mut best)?;
            }
            Ok(best)
        };
        match self.items.len() {
            MANY.. => {
                let (one, other) = self.runs.split_at(self.runs.len() / 2);
                let (one, other) = parallel::both(|| search(one), || search(other));
                Ok(one?.and(other?))
            }
            _ => search(&self.runs),
        }
    }

    /// What an item has in common with the turn's own text.
    pub(super) fn own(&self, query: &QueryWords, item: usize) -> Shares {
        self.shares(item, &query.each[self.items[item].1].own)
    }

    /// What an item has in common with the turn and what was said before.
    pub(super) fn all(&self, query: &QueryWords, item: usize) -> Shares {
        self.shares(item, &query.each[self.items[item].1].all)
    }

    fn shares(&self, item: usize, view: &View) -> Shares {
        let (item, vocabulary) = &self.items[item];
        let vocabulary = &self.vocabularies[*vocabulary];
        Shares {
            words: vocabulary.words.share(&view.words, &item.words),
            grams: vocabulary.has_grams().then(|| vocabulary.grams.share(&view.grams, &item.grams)),
        }
    }

    /// Whether an item and the turn's own text have more in common than chance brings: two words, or three
    /// characters of a script that is written without spaces.
    pub(super) fn more_than_chance(&self, query: &QueryWords, item: usize) -> bool {
        let (item, vocabulary) = &self.items[item];
        let own = &query.each[*vocabulary].own;
        let words = Terms::common(&own.words, &item.words);
        words >= 2 || (words == 1 && query.unspaced && Terms::common(&own.grams, &item.grams) >= 3)
    }
}

/// The vocabularies of all items, by their language.
fn vocabularies(items: &[Named<'_>], kept: Option<&Kept<'_>>) -> BTreeMap<&'static str, Vocabulary> {
    let mut all: BTreeMap<&'static str, Vocabulary> = BTreeMap::new();
    if let Some(kept) = kept {
        let earlier = &kept.earlier.lexical;
        all = earlier.vocabularies.iter().map(|known| (known.analyzer.language, known.clone())).collect();
        for (place, _) in kept.now().iter().enumerate().filter(|(_, now)| now.is_none()) {
            let gone = earlier.words(place);
            if let Some(vocabulary) = all.get_mut(gone.language) {
                vocabulary.words.forget(&gone.words);
                vocabulary.grams.forget(&gone.grams);
            }
        }
    }
    for (place, item) in items.iter().enumerate() {
        if kept.is_some_and(|kept| kept.place(place).is_some()) {
            continue;
        }
        let vocabulary = all.entry(item.words.language).or_insert_with(|| Vocabulary {
            analyzer: Analyzer::of(Some(item.words.language)),
            words: Terms::default(),
            grams: Terms::default(),
        });
        vocabulary.words.learn(&item.words.words);
        vocabulary.grams.learn(&item.words.grams);
    }
    all.retain(|_, vocabulary| !vocabulary.words.is_empty());
    all
}

impl Vocabulary {
    fn of(&self, field: Field) -> &Terms {
        if field == FIELDS.words { &self.words } else { &self.grams }
    }

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
    fn of(&self, field: Field) -> impl Iterator<Item = (Field, &str, u32)> {
        let factors = if field == FIELDS.words { &self.words } else { &self.grams };
        factors.iter().map(move |(term, factor)| (field, term.as_str(), factor.to_bits()))
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

/// The statistics of all items, whichever run they are in.
impl Statistics for Lexical {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        Ok(self.vocabularies.iter().map(|vocabulary| vocabulary.of(field).length()).sum())
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        Ok(self.items.len() as u64)
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        let id = TermId::of_code(term.value().as_str().unwrap_or_default());
        let holding = |vocabulary: &Vocabulary| u64::from(vocabulary.of(term.field()).holding(id));
        Ok(self.vocabularies.iter().map(holding).sum())
    }
}

/// Cuts the items into runs and indexes those that `earlier` does not have. Where a run ends is decided by
/// the ids around, so that an item more or less moves no more than the ends near it.
fn runs(items: &[Named<'_>], earlier: Option<&Lexical>) -> Result<Vec<Run>, TantivyError> {
    let mut cuts: Vec<(usize, &[Named<'_>], [u8; 32])> = Vec::new();
    let mut start = 0;
    for (place, item) in items.iter().enumerate() {
        let full = place + 1 - start >= MIN_RUN && xxh3_64(item.id.as_bytes()).is_multiple_of(RUN_ENDS);
        if full || place + 1 == items.len() {
            let run = &items[start..=place];
            let mut key = blake3::Hasher::new();
            for item in run {
                key.update(&item.words.key).update(item.language.as_bytes()).update(&[0]);
            }
            cuts.push((start, run, *key.finalize().as_bytes()));
            start = place + 1;
        }
    }
    let known: HashMap<&[u8; 32], &Arc<Shard>> =
        earlier.iter().flat_map(|earlier| &earlier.runs).map(|run| (&run.key, &run.shard)).collect();
    parallel::each(&cuts, |(start, run, key)| {
        let shard = match known.get(key) {
            Some(shard) => Arc::clone(shard),
            None => Arc::new(Shard::build(run.iter().map(|item| &**item.words))?),
        };
        Ok(Run { start: *start, key: *key, shard })
    })
    .into_iter()
    .collect()
}
