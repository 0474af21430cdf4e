//! The names that are looked for: brands with their aliases, competitors and exclusions, checked and built once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::citation::AddressBook;
use super::fold::{fold_name, shape};
use super::fuzzy::FuzzyIndex;
use super::inflect::{Language, stems};
use super::names::{Alias, BrandNames, CasePolicy, LONGEST_NAME, LexiconError};
use super::script::has_case;
use super::words::{Ordinary, ordinary};

/// Names of at most this many letters are looked for as they are written: "HP" is not "hp".
const SHORT_NAME: usize = 3;

/// Letters of the shortest name that may be misspelled.
const FUZZY_LETTERS: usize = 6;

/// Why an alias may be something else than a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It can only be a name.
    None,
    /// Too short to be told from other letters in another case.
    Short,
    /// An ordinary word, or words.
    Word,
    /// A word that is written with a capital anyway.
    Capital,
    /// A given name.
    GivenName,
}

/// An alias, ready to be compared.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) text: Arc<str>,
    pub(super) brand: usize,
    pub(super) folded: String,
    /// All spellings of the alias that differ in case alone.
    pub(super) shapes: Vec<String>,
    pub(super) doubt: Doubt,
    pub(super) case: CasePolicy,
    pub(super) inflect: Vec<Language>,
    /// Folded.
    pub(super) context: Vec<String>,
    pub(super) loose: bool,
    pub(super) fuzzy: bool,
}

/// A brand of the lexicon; competitors are brands as well.
#[derive(Debug)]
pub(super) struct Brand {
    pub(super) id: Arc<str>,
    competitor: bool,
}

/// What a pattern of the automaton stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern {
    /// The alias as it is.
    Name(usize),
    /// The alias as it is before endings; it counts only with one.
    Stem(usize),
    /// A phrase that is no mention.
    Exclude,
}

impl Pattern {
    /// The alias, by the index of its entry.
    pub(super) fn entry(self) -> Option<usize> {
        match self {
            Pattern::Name(entry) | Pattern::Stem(entry) => Some(entry),
            Pattern::Exclude => None,
        }
    }
}

/// Names of brands, ready to be looked for. Immutable; share it.
#[derive(Debug)]
pub struct Lexicon {
    pub(super) brands: Vec<Brand>,
    pub(super) entries: Vec<Entry>,
    pub(super) patterns: Vec<Pattern>,
    pub(super) automaton: AhoCorasick,
    pub(super) fuzzy: FuzzyIndex,
    pub(super) addresses: AddressBook,
}

impl Lexicon {
    /// Checks names and builds the search. Competitors become brands whose id is their name, unless they are a
    /// name of a brand in the list.
    ///
    /// # Errors
    ///
    /// A [`LexiconError`] for the first name that cannot be looked for.
    pub fn new(brands: &[BrandNames]) -> Result<Lexicon, LexiconError> {
        let mut builder = Builder::default();
        for names in brands {
            builder.brand(names)?;
        }
        for names in brands {
            builder.competitors(names)?;
        }
        for names in brands {
            builder.excludes(names)?;
        }
        builder.build()
    }

    /// The ids of all brands, competitors among them.
    pub fn brands(&self) -> impl Iterator<Item = &str> {
        self.brands.iter().map(|brand| &*brand.id)
    }

    /// Whether a folded text may hold a name: one as it is written, or any that may be misspelt.
    pub(super) fn may_be_named_in(&self, folded: &str) -> bool {
        !self.fuzzy.is_empty() || self.automaton.is_match(folded)
    }

    /// Whether a brand is here only as somebody's competitor.
    pub fn is_competitor(&self, id: &str) -> bool {
        self.brands.iter().any(|brand| brand.competitor && &*brand.id == id)
    }
}

#[derive(Default)]
struct Builder {
    brands: Vec<Brand>,
    entries: Vec<Entry>,
    addresses: AddressBook,
    by_id: HashMap<Arc<str>, usize>,
    by_name: BTreeMap<String, usize>,
    excludes: BTreeSet<String>,
}

impl Builder {
    fn brand(&mut self, names: &BrandNames) -> Result<(), LexiconError> {
        if names.names.is_empty() {
            return Err(LexiconError::NoName { brand: names.id.clone() });
        }
        if self.by_id.contains_key(names.id.as_str()) {
            return Err(LexiconError::DuplicateBrand { id: names.id.clone() });
        }
        let index = self.new_brand(&names.id, false);
        names.domains.iter().for_each(|domain| self.addresses.add_domain(domain, index));
        names.names.iter().try_for_each(|alias| self.alias(index, alias))
    }

    fn new_brand(&mut self, id: &str, competitor: bool) -> usize {
        let id: Arc<str> = Arc::from(id);
        self.by_id.insert(Arc::clone(&id), self.brands.len());
        self.brands.push(Brand { id, competitor });
        self.brands.len() - 1
    }

    fn competitors(&mut self, names: &BrandNames) -> Result<(), LexiconError> {
        for alias in &names.competitors {
            let folded = checked(&names.id, &alias.text)?;
            if self.by_name.contains_key(&folded) {
                continue;
            }
            let index = match self.by_id.get(alias.text.as_str()) {
                Some(index) => *index,
                None => self.new_brand(&alias.text, true),
            };
            self.alias(index, alias)?;
        }
        Ok(())
    }

    fn alias(&mut self, brand: usize, alias: &Alias) -> Result<(), LexiconError> {
        let folded = checked(&self.brands[brand].id, &alias.text)?;
        let written = shape(&alias.text);
        if let Some(&known) = self.by_name.get(&folded) {
            let entry = &mut self.entries[known];
            if entry.brand != brand {
                return Err(LexiconError::Ambiguous {
                    name: alias.text.clone(),
                    first: self.brands[entry.brand].id.to_string(),
                    second: self.brands[brand].id.to_string(),
                });
            }
            entry.shapes.push(written);
            return Ok(());
        }
        self.addresses.add_name(&alias.text, brand);
        self.by_name.insert(folded.clone(), self.entries.len());
        self.entries.push(Entry {
            text: Arc::from(alias.text.as_str()),
            brand,
            doubt: doubt_of(&folded),
            shapes: vec![written],
            case: alias.case,
            inflect: with_korean(&folded, &alias.inflect),
            context: alias
                .require_any
                .iter()
                .map(|word| fold_name(word))
                .filter(|word| !word.is_empty())
                .collect(),
            loose: alias.loose_separators,
            fuzzy: alias.fuzzy
                && folded.chars().filter(|letter| letter.is_alphabetic()).count() >= FUZZY_LETTERS,
            folded,
        });
        Ok(())
    }

    fn excludes(&mut self, names: &BrandNames) -> Result<(), LexiconError> {
        for phrase in &names.excludes {
            let folded = checked(&names.id, phrase)?;
            if self.by_name.contains_key(&folded) {
                return Err(LexiconError::ExcludedName { phrase: phrase.clone(), brand: names.id.clone() });
            }
            self.excludes.insert(folded);
        }
        Ok(())
    }

    fn build(self) -> Result<Lexicon, LexiconError> {
        let mut texts: Vec<String> = Vec::new();
        let mut patterns = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            texts.push(entry.folded.clone());
            patterns.push(Pattern::Name(index));
            if let Some(joined) =
                without_separators(&entry.folded).filter(|name| !self.by_name.contains_key(name))
            {
                texts.push(joined);
                patterns.push(Pattern::Name(index));
            }
            for stem in stems(&entry.folded, &entry.inflect) {
                texts.push(stem);
                patterns.push(Pattern::Stem(index));
            }
        }
        for phrase in self.excludes {
            texts.push(phrase);
            patterns.push(Pattern::Exclude);
        }
        // All overlapping matches are wanted, since the longest may fail at its edges where a shorter one does
        // not; the longest of those that hold is chosen afterwards.
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind((texts.len() <= 1_000).then_some(AhoCorasickKind::DFA))
            .build(&texts)
            .map_err(|error| LexiconError::TooMany { reason: error.to_string() })?;
        let fuzzy = FuzzyIndex::new(
            self.entries
                .iter()
                .enumerate()
                .filter(|(_, entry)| entry.fuzzy)
                .map(|(index, entry)| (index, &*entry.folded)),
        );
        Ok(Lexicon {
            brands: self.brands,
            entries: self.entries,
            patterns,
            automaton,
            fuzzy,
            addresses: self.addresses,
        })
    }
}

fn checked(brand: &str, name: &str) -> Result<String, LexiconError> {
    if name.len() > LONGEST_NAME {
        let start = name.chars().take(40).collect();
        return Err(LexiconError::TooLong { brand: brand.to_owned(), start });
    }
    let folded = fold_name(name);
    if folded.contains(char::is_alphanumeric) {
        return Ok(folded);
    }
    Err(LexiconError::Empty { brand: brand.to_owned(), name: name.to_owned() })
}

/// Korean writes its particles onto every name, so a name in Hangul always takes them.
fn with_korean(folded: &str, inflect: &[Language]) -> Vec<Language> {
    let mut inflect = inflect.to_vec();
    let hangul = folded.chars().next_back().is_some_and(|letter| matches!(letter, '\u{AC00}'..='\u{D7A3}'));
    if hangul && !inflect.contains(&Language::Ko) {
        inflect.push(Language::Ko);
    }
    inflect
}

/// Katakana names are written with a dot between their words, or without.
fn without_separators(folded: &str) -> Option<String> {
    let katakana = folded.chars().all(|letter| letter == ' ' || matches!(letter, '\u{30A1}'..='\u{30FC}'));
    (katakana && folded.contains(' ')).then(|| folded.replace(' ', ""))
}

fn doubt_of(folded: &str) -> Doubt {
    if !has_case(folded) {
        return Doubt::None;
    }
    let words: Vec<&str> =
        folded.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if let [word] = words.as_slice() {
        return match ordinary(word) {
            Some(Ordinary::Word) => Doubt::Word,
            Some(Ordinary::Capital) => Doubt::Capital,
            Some(Ordinary::GivenName) => Doubt::GivenName,
            None if word.chars().count() <= SHORT_NAME => Doubt::Short,
            None => Doubt::None,
        };
    }
    if words.iter().all(|word| ordinary(word).is_some() || word.chars().all(char::is_numeric)) {
        return Doubt::Word;
    }
    if folded.chars().filter(|letter| letter.is_alphanumeric()).count() <= SHORT_NAME {
        return Doubt::Short;
    }
    Doubt::None
}
