//! "Knowledge": brands and items as they were read, and what is wrong with the files.

use std::collections::{BTreeMap, HashMap};

use http::StatusCode;
use jiff::Timestamp;
use minijinja::{Value, context};

use super::counts::{day, first_of};
use super::form::{Form, encode};
use super::overview::moment;
use super::plot::percent;
use super::reply::Reply;
use super::service::{Console, not_found};
use crate::document::{Problem, Severity};
use crate::knowledge::{Body, Brand, Item};
use crate::live::{Unanswered, unanswered};
use crate::metrics::ReloadResult;
use crate::snapshot::{LastReload, ServedBrand};

/// Questions that found nothing which are looked at, the latest.
const READ_QUESTIONS: u32 = 2_000;
/// Conversations that must have asked alike before a question is shown: what one alone has asked may tell who it was.
const FEWEST_ASKERS: usize = 2;
/// Groups of such questions that are shown.
const SHOWN_GROUPS: usize = 20;
/// What can be asked for of the use of items.
const MOST_USED: &str = "most used first";
const NEVER_USED: &str = "never used";
/// Days over which the use of items is counted.
const USED_DAYS: u32 = 30;
/// Items on one page.
const PAGE: usize = 50;
/// Problems that are shown at once.
const SHOWN_PROBLEMS: usize = 100;
/// Characters of an offending line.
const LONGEST_LINE: usize = 160;

/// Whether an item may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Valid,
    NotYet,
    Expired,
}

impl State {
    fn of(item: &Item, now: Timestamp) -> State {
        if item.validity.contains(now) {
            State::Valid
        } else if item.validity.from.is_some_and(|from| now < from) {
            State::NotYet
        } else {
            State::Expired
        }
    }

    fn word(self) -> &'static str {
        match self {
            State::Valid => "valid",
            State::NotYet => "not yet",
            State::Expired => "expired",
        }
    }
}

impl Console {
    pub(super) async fn knowledge_page(&self) -> Reply {
        let asked =
            self.counts(|store| Ok(unanswered(&store.questions(READ_QUESTIONS)?, FEWEST_ASKERS))).await;
        let (state, failure) = asked.state();
        let (groups, seldom) = asked.read().unwrap_or_default();
        let snapshot = self.planner.snapshot();
        let now = Timestamp::now();
        let brands: Vec<Value> = snapshot.knowledge.brands.iter().map(|brand| summary(brand, now)).collect();
        let last = self.reloader.last();
        let values = context! {
            brands,
            state, failure,
            keeps_questions => self.keeps_questions,
            asked => groups.iter().take(SHOWN_GROUPS).map(group_view).collect::<Vec<_>>(),
            more_asked => groups.len().saturating_sub(SHOWN_GROUPS),
            seldom,
            fewest => FEWEST_ASKERS,
            reload => last_reload(&last),
            problems => problems(&last.problems),
            more_problems => last.problems.len().saturating_sub(SHOWN_PROBLEMS),
        };
        self.show(StatusCode::OK, "knowledge.html", "knowledge", values)
    }

    pub(super) async fn brand_page(&self, id: &str, query: &Form) -> Reply {
        let used = self.counts(|store| store.items(first_of(USED_DAYS))).await.read();
        let counted = used.is_some();
        let used: HashMap<String, Used> = used
            .into_iter()
            .flatten()
            .map(|(item, told, scored, mentions)| (item, Used { told, scored, mentions }))
            .collect();
        let snapshot = self.planner.snapshot();
        let now = Timestamp::now();
        let Some(brand) = snapshot.knowledge.brands.iter().find(|brand| brand.id == id) else {
            return not_found();
        };
        let served = snapshot.brands.iter().find(|served| served.id == id);
        let choice = Choice::new(query);
        let told = |item: &Item| used.get(&item.id).map_or(0, |used| used.told);
        let mut chosen: Vec<&Item> =
            brand.items.iter().map(|item| &**item).filter(|item| choice.takes(item, now)).collect();
        match choice.used.as_str() {
            MOST_USED => chosen.sort_by_key(|item| std::cmp::Reverse(told(item))),
            // Without counts nothing is known of use.
            NEVER_USED if counted => chosen.retain(|item| told(item) == 0),
            _ => {}
        }
        let pages = chosen.len().div_ceil(PAGE).max(1);
        let number = query.number("page").unwrap_or(1).clamp(1, pages);
        let shown = chosen.iter().skip((number - 1) * PAGE).take(PAGE);
        let items: Vec<Value> = shown.map(|item| item_view(item, served, used.get(&item.id), now)).collect();
        let link = |number: usize| format!("?{}page={number}", choice.query());
        let values = context! {
            brand => summary(brand, now),
            items,
            counted,
            used_days => USED_DAYS,
            found => chosen.len(),
            all => brand.items.len(),
            page => number,
            pages,
            earlier => (number > 1).then(|| link(number - 1)),
            later => (number < pages).then(|| link(number + 1)),
            tags => tags(brand),
            languages => languages(brand),
            q => choice.words, tag => choice.tag, language => choice.language, state => choice.state, use => choice.used,
            uses => [MOST_USED, NEVER_USED],
        };
        self.show(StatusCode::OK, "brand.html", "knowledge", values)
    }
}

/// Questions that are alike, and found nothing.
fn group_view(group: &Unanswered) -> Value {
    context! {
        title => group.words.join(" · "),
        askers => group.askers,
        naming => group.naming,
        languages => group.languages.join(", "),
        last => day(group.last),
        examples => group.examples.clone(),
    }
}

/// How often an item was used, and how answers did that used it.
struct Used {
    told: u64,
    scored: u64,
    mentions: u64,
}

/// Which items are wanted.
struct Choice {
    words: String,
    tag: String,
    language: String,
    state: String,
    used: String,
}

impl Choice {
    fn new(query: &Form) -> Choice {
        let field = |name| query.text(name).to_owned();
        Choice {
            words: field("q"),
            tag: field("tag"),
            language: field("language"),
            state: field("state"),
            used: field("use"),
        }
    }

    fn takes(&self, item: &Item, now: Timestamp) -> bool {
        let words = self.words.to_lowercase();
        let holds = |text: &str| text.to_lowercase().contains(&words);
        (words.is_empty() || [item.title(), item.text(), &item.id].into_iter().any(holds))
            && (self.tag.is_empty() || item.tags.contains(&self.tag))
            && (self.language.is_empty() || item.language.as_deref() == Some(&self.language))
            && (self.state.is_empty() || State::of(item, now).word() == self.state)
    }

    fn query(&self) -> String {
        let fields = [
            ("q", &self.words),
            ("tag", &self.tag),
            ("language", &self.language),
            ("state", &self.state),
            ("use", &self.used),
        ];
        let given = fields.into_iter().filter(|(_, value)| !value.is_empty());
        given.map(|(name, value)| format!("{name}={}&", encode(value))).collect()
    }
}

fn summary(brand: &Brand, now: Timestamp) -> Value {
    let count = |state| brand.items.iter().filter(|item| State::of(item, now) == state).count();
    let examples = brand.items.iter().filter(|item| matches!(item.body, Body::Example { .. })).count();
    context! {
        id => brand.id.clone(),
        name => brand.name.clone(),
        aliases => brand.aliases.clone(),
        competitors => brand.competitors.clone(),
        never => brand.never.clone(),
        speaks => brand.languages.clone(),
        disclosure => brand.disclosure.texts().collect::<Vec<_>>().join(" · "),
        items => brand.items.len(),
        facts => brand.items.len() - examples,
        examples,
        valid => count(State::Valid),
        not_yet => count(State::NotYet),
        expired => count(State::Expired),
        unsourced => brand.items.iter().filter(|item| item.source.is_none()).count(),
    }
}

fn tags(brand: &Brand) -> Vec<Value> {
    counted(brand.items.iter().flat_map(|item| item.tags.iter()))
}

fn languages(brand: &Brand) -> Vec<Value> {
    counted(brand.items.iter().filter_map(|item| item.language.as_ref()))
}

fn counted<'a>(names: impl Iterator<Item = &'a String>) -> Vec<Value> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    counts.into_iter().map(|(name, count)| context! { name, count }).collect()
}

fn item_view(item: &Item, served: Option<&ServedBrand>, used: Option<&Used>, now: Timestamp) -> Value {
    let state = State::of(item, now);
    let (kind, above) = match &item.body {
        Body::Fact { context, .. } => ("fact", context.join(" › ")),
        Body::Example { .. } => ("example", String::new()),
    };
    // Only what is a web address may be followed.
    let link =
        item.source.as_ref().filter(|source| source.starts_with("https://") || source.starts_with("http://"));
    context! {
        id => item.id.clone(),
        kind,
        above,
        title => item.title(),
        text => item.text(),
        tags => item.tags.clone(),
        source => item.source.clone(),
        link,
        language => item.language.clone(),
        from => item.validity.from.map(moment),
        until => item.validity.until.map(moment),
        state => state.word(),
        is_valid => state == State::Valid,
        pinned => item.pinned,
        audience => item.audience.clone(),
        file => item.origin.file.to_string_lossy().into_owned(),
        line => item.origin.line,
        used => used.map(|used| context! {
            told => used.told, scored => used.scored, mentions => used.mentions,
            share => (used.scored > 0).then(|| percent(used.mentions as f64 / used.scored as f64)),
        }),
        tokens => served.and_then(|served| served.tokens(&item.id)),
    }
}

/// When the files were last read, and what came of it.
pub(super) fn last_reload(last: &LastReload) -> Value {
    let count = |severity| last.problems.iter().filter(|problem| problem.severity == severity).count();
    context! {
        at => moment(last.at),
        rejected => last.result == ReloadResult::Rejected,
        errors => count(Severity::Error),
        warnings => count(Severity::Warning),
        notes => count(Severity::Note),
    }
}

/// What is wrong with the files, worst first.
pub(super) fn problems(problems: &[Problem]) -> Vec<Value> {
    let mut sorted: Vec<&Problem> = problems.iter().collect();
    sorted.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    sorted.into_iter().take(SHOWN_PROBLEMS).map(problem_view).collect()
}

fn problem_view(problem: &Problem) -> Value {
    let place = problem.line_column();
    let line =
        problem.place.as_ref().zip(place).and_then(|(found, (line, _))| found.text.lines().nth(line - 1));
    context! {
        severity => match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        },
        file => problem.file.to_string_lossy().into_owned(),
        line => place.map(|(line, _)| line),
        column => place.map(|(_, column)| column),
        message => problem.message.clone(),
        hint => problem.hint.clone(),
        text => line.map(|line| line.chars().take(LONGEST_LINE).collect::<String>()).filter(|line| !line.trim().is_empty()),
    }
}
