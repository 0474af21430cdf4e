//! Looks at a knowledge folder with every lint that is not allowed. Messages hold no text of an item: a reload logs
//! them. `check` shows the place.

use std::collections::HashSet;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use regex::Regex;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::catalog::{Level, Levels, Lint};
use super::characters::{invisible, look_alike};
use super::concealment::concealment;
use super::finding::{Files, Finding};
use super::numbers::contradictions;
use super::orders::{markup, order};
use super::personal::personal;
use super::praise::{disparagement, rivals, superlative};
use super::similar::duplicates;
use crate::chat::{MarkerKind, marker};
use crate::document::Problem;
use crate::knowledge::{Brand, Item, Knowledge};
use crate::mentions::Lexicon;
use crate::parallel;

/// How long before its end an item's validity is spoken of.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Findings of one lint that are reported; the rest is counted.
const MOST: usize = 50;

/// What is looked at, and how.
pub struct Linted<'a> {
    /// The knowledge folder, to say where in it things stand.
    pub root: &'a Path,
    /// What was read from it.
    pub knowledge: &'a Knowledge,
    /// The level of each lint.
    pub levels: &'a Levels,
    /// The present.
    pub now: Timestamp,
}

/// The texts in which nothing was found, by their hashes. When a folder is looked at again, with the same levels, they
/// need not be read once more.
#[derive(Debug, Default)]
pub struct Clean(HashSet<u128>);

/// What the lints find that decides whether the knowledge may serve, and all that is found in each item by itself:
/// warnings and errors, as the levels say. `clean` is what is known from the last time.
pub fn lint(linted: &Linted<'_>, clean: &mut Clean) -> Vec<Problem> {
    let known = std::mem::take(&mut clean.0);
    let mut look = Look::new(linted);
    for brand in &linted.knowledge.brands {
        let items = look.told(brand);
        clean.0.extend(look.each(brand, &items, &known));
        look.pairs(brand, &items, Level::Deny);
    }
    let mut problems = look.problems(linted);
    problems.extend(names(linted));
    problems
}

/// Warnings about items that do not go with each other. With many items this takes much longer than all the rest, and
/// nothing depends on it: what serves need not wait for it.
pub fn lint_pairs(linted: &Linted<'_>) -> Vec<Problem> {
    let mut look = Look::new(linted);
    for brand in &linted.knowledge.brands {
        let items = look.told(brand);
        look.pairs(brand, &items, Level::Warn);
    }
    look.problems(linted)
}

/// Names by which mentions could not be told apart. They serve all the same, and cannot be measured.
fn names(linted: &Linted<'_>) -> Option<Problem> {
    let level = linted.levels.of(Lint::AmbiguousNames);
    let error = Lexicon::of_brands(&linted.knowledge.brands).err().filter(|_| level != Level::Allow)?;
    let message = format!("{}: mentions cannot be counted: {error}", Lint::AmbiguousNames.name());
    let problem = match level {
        Level::Deny => Problem::error(linted.root, message),
        Level::Warn | Level::Allow => Problem::warning(linted.root, message),
    };
    Some(problem.hint("mend `name`, `aliases`, `competitors` or `excludes` in brand.toml"))
}

struct Look<'a> {
    levels: &'a Levels,
    now: Timestamp,
    findings: Vec<Finding<'a>>,
}

impl<'a> Look<'a> {
    fn new(linted: &Linted<'a>) -> Look<'a> {
        Look { levels: linted.levels, now: linted.now, findings: Vec::new() }
    }

    /// The items that are told to somebody: not those that have ended.
    fn told(&self, brand: &'a Brand) -> Vec<&'a Item> {
        let told = |item: &&Item| item.validity.until.is_none_or(|until| self.now < until);
        brand.items.iter().map(|item| &**item).filter(told).collect()
    }

    /// Looks at each item by itself. The hashes of those texts in which nothing was found.
    fn each(&mut self, brand: &Brand, items: &[&'a Item], known: &HashSet<u128>) -> Vec<u128> {
        let rivals = rivals(&brand.competitors);
        let seed = xxh3_64(rivals.as_ref().map_or("", Regex::as_str).as_bytes());
        let (levels, now) = (self.levels, self.now);
        let looked = parallel::map(
            items,
            || (),
            |(), item| {
                let hash = hash(item, seed);
                let mut look = Look { levels, now, findings: Vec::new() };
                if !known.contains(&hash) {
                    look.characters(item);
                    look.orders(item);
                    look.claims(item, rivals.as_ref());
                }
                let clean = look.findings.is_empty().then_some(hash);
                look.metadata(item);
                (clean, look.findings)
            },
        );
        let mut clean = Vec::with_capacity(items.len());
        for (hash, findings) in looked {
            clean.extend(hash);
            self.findings.extend(findings);
        }
        clean
    }

    /// The findings with their places, lint by lint.
    fn problems(self, linted: &Linted<'_>) -> Vec<Problem> {
        let mut files = Files::new(linted.root);
        let mut problems = Vec::new();
        for &lint in Lint::ALL {
            let level = self.levels.of(lint);
            let of_this = || self.findings.iter().filter(|finding| finding.lint == lint);
            problems.extend(of_this().take(MOST).map(|finding| files.problem(finding, level)));
            if let Some(more) = of_this().count().checked_sub(MOST).filter(|more| *more > 0) {
                let message = format!("{}: {more} more are not shown", lint.name());
                problems.push(Problem::note(linted.root, message));
            }
        }
        problems
    }

    fn is_on(&self, lint: Lint) -> bool {
        self.levels.of(lint) != Level::Allow
    }

    fn add(&mut self, lint: Lint, item: &'a Item, snippet: &str, message: String, remedy: &'static str) {
        if self.is_on(lint) {
            self.findings.push(Finding { lint, item, snippet: snippet.to_owned(), message, remedy });
        }
    }

    /// Once for each text of an item that is told.
    fn characters(&mut self, item: &'a Item) {
        for text in [item.title(), item.text()] {
            if let Some((what, word)) = invisible(text) {
                let message = format!("the text holds {what}");
                self.add(Lint::InvisibleCharacters, item, &word, message, "delete it and type the word anew");
            }
            if let Some(word) = look_alike(text) {
                let message = "a word is written with letters that look like others".to_owned();
                self.add(Lint::LookAlikeLetters, item, word, message, "type the word anew");
            }
            match marker(text) {
                Some((MarkerKind::Token, range)) => {
                    let token = &text[range];
                    let message = "the text holds a special token of chat templates".to_owned();
                    self.add(
                        Lint::ChatTemplateToken,
                        item,
                        token,
                        message,
                        "take it out, or say it in words",
                    );
                }
                Some((MarkerKind::Role, range)) => {
                    let label = &text[range];
                    let message = "a line begins as if somebody else spoke".to_owned();
                    self.add(Lint::RoleMarker, item, label, message, "begin the line with another word");
                }
                None => {}
            }
        }
    }

    fn orders(&mut self, item: &'a Item) {
        for text in [item.title(), item.text()] {
            if let Some(hidden) = concealment(text) {
                let message = "the text tells the model to hide something".to_owned();
                self.add(
                    Lint::Concealment,
                    item,
                    &hidden,
                    message,
                    "take the sentence out: foreword never hides what it does",
                );
            }
            if let Some(range) = order(text) {
                let order = &text[range];
                let message = "the text gives the model an order".to_owned();
                self.add(Lint::InstructionLikeText, item, order, message, "state what is true of the brand");
            }
            if let Some((range, what)) = markup(text) {
                let message = format!("the markup would run on in a recipe: {what}");
                self.add(Lint::RecipeMarkup, item, &text[range], message, "close it, or leave it out");
            }
        }
    }

    fn claims(&mut self, item: &'a Item, rivals: Option<&Regex>) {
        for text in [item.title(), item.text()] {
            if item.source.is_none()
                && let Some(range) = superlative(text)
            {
                let claim = &text[range];
                let message = "this is a claim, and no source supports it".to_owned();
                self.add(
                    Lint::UnsourcedSuperlative,
                    item,
                    claim,
                    message,
                    "add a line `Source:` with a page that does, or say what can be counted",
                );
            }
            if let Some((sentence, name)) = rivals.and_then(|rivals| disparagement(text, rivals)) {
                let message = format!("the sentence speaks ill of {name}, a competitor");
                self.add(
                    Lint::Disparagement,
                    item,
                    sentence,
                    message,
                    "say what the brand does, and leave others out",
                );
            }
            if let Some((range, what)) = personal(text) {
                let message = format!("this looks like {what}");
                self.add(
                    Lint::PersonalData,
                    item,
                    &text[range],
                    message,
                    "take it out, or name an office instead",
                );
            }
        }
    }

    fn metadata(&mut self, item: &'a Item) {
        if item.source.is_none() {
            let message = "nothing says where the statement comes from".to_owned();
            self.add(
                Lint::MissingSource,
                item,
                "",
                message,
                "add `source:` to the front matter or the entry, or a line `Source:` under the text",
            );
        }
        if let Some(until) = item.validity.until
            && until > self.now
            && until.duration_since(self.now) <= SOON
        {
            let message = format!("the item is told until {until} only");
            self.add(Lint::ExpiresSoon, item, "", message, "renew `valid_until`, or let it end");
        }
    }

    /// Looks for pairs that do not go together, with the lints of this level.
    fn pairs(&mut self, brand: &'a Brand, items: &[&'a Item], level: Level) {
        if self.levels.of(Lint::NearDuplicate) == level {
            for (first, second) in duplicates(items) {
                let message = format!("this says the same as {}", place(items[first]));
                self.add(Lint::NearDuplicate, items[second], "", message, "keep one of the two");
            }
        }
        if self.levels.of(Lint::ContradictoryNumbers) == level {
            let names: Vec<&str> =
                std::iter::once(&brand.name).chain(&brand.aliases).map(String::as_str).collect();
            for found in contradictions(items, &names) {
                let message = format!("a number does not go with the one in {}", place(items[found.items.0]));
                self.add(
                    Lint::ContradictoryNumbers,
                    items[found.items.1],
                    found.sentence,
                    message,
                    "correct one, or say in both what is counted",
                );
            }
        }
    }
}

/// A hash of what is looked at in an item; `seed` stands for its brand's competitors.
fn hash(item: &Item, seed: u64) -> u128 {
    let mut hash = Xxh3::with_seed(seed);
    hash.update(&[u8::from(item.source.is_some())]);
    hash.update(item.title().as_bytes());
    hash.update(&[0]);
    hash.update(item.text().as_bytes());
    hash.digest128()
}

/// Where an item stands, for messages about another.
fn place(item: &Item) -> String {
    format!("{}:{}", item.origin.file.display(), item.origin.line)
}
