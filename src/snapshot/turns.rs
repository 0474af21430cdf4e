//! One more turn of a plan: retrieval, gate and choice. The only way in which plans grow, used for
//! requests and for explanations alike.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use xxhash_rust::xxh3::xxh3_64;

use super::scope::Scope;
use super::served::ServedBrand;
use super::state::Snapshot;
use super::treatment::Telling;
use crate::chat::{Content, Turn};
use crate::inject::{Budget, Form, Plan, Prepared, RenderError, SkipReason, estimate_tokens, marked};
use crate::knowledge::Item;
use crate::metrics::Metrics;
use crate::retrieval::{
    EmbedError, Embedder, Hits, MAX_SAID, Query, SearchSettings, Speaker, Vectors, Verdict, search_among,
};
use crate::topics::Topic;

/// What is known of a turn before anything is looked up.
#[derive(Debug, Clone)]
pub(super) struct TurnInput {
    /// What is looked up.
    pub(super) query: Query,
    /// Why nothing may be put before this turn, whatever is found.
    pub(super) barred: Option<SkipReason>,
    /// What the turn is made of.
    form: Form,
    /// Whether it begins a conversation of its own.
    pub(super) opens: bool,
}

impl TurnInput {
    /// The inputs of the turns from `first` on.
    pub(super) fn of_turns(body: &str, turns: &[Turn], first: usize, snapshot: &Snapshot) -> Vec<TurnInput> {
        let mut said = said_before(body, &turns[..first], snapshot);
        let mut inputs = Vec::with_capacity(turns.len() - first);
        for turn in &turns[first..] {
            if turn.opens {
                said.clear();
            }
            said.extend(answers(body, turn, snapshot));
            let text = turn.text(body);
            let barred = match () {
                () if !turn.insertable => Some(SkipReason::OpenToolCalls),
                () if text.trim().is_empty() => Some(SkipReason::NoText),
                () => None,
            };
            let query = Query::after(said.iter().map(|(by, text)| (*by, &**text)), &text);
            let form = match turn.content {
                Content::Prompt(_) => Form::Text,
                _ => Form::Messages,
            };
            inputs.push(TurnInput { query, barred, form, opens: turn.opens });
            said.push((Speaker::User, text));
        }
        inputs
    }
}

/// What was said in turns, oldest first: all that a query of the next one looks at, and no less where many texts are
/// empty. What lies further back need not be decoded.
fn said_before<'a>(body: &'a str, turns: &'a [Turn], snapshot: &'a Snapshot) -> Vec<(Speaker, Cow<'a, str>)> {
    let mut said = Vec::new();
    for turn in turns.iter().rev() {
        let texts =
            std::iter::once((Speaker::User, turn.text(body))).chain(answers(body, turn, snapshot).rev());
        said.extend(texts.filter(|(_, text)| !text.trim().is_empty()));
        if turn.opens || said.len() >= MAX_SAID {
            break;
        }
    }
    said.reverse();
    said
}

/// What the assistant said between the turn before and this one.
fn answers<'a>(
    body: &'a str,
    turn: &'a Turn,
    snapshot: &'a Snapshot,
) -> impl DoubleEndedIterator<Item = (Speaker, Cow<'a, str>)> {
    let texts = turn.answers.iter().map(move |answer| snapshot.without_disclosure(answer.text(body)));
    texts.map(|text| (Speaker::Assistant, text))
}

/// What a plan is made with.
#[derive(Clone)]
pub(super) struct Kitchen {
    pub(super) embedder: Option<Arc<Embedder>>,
    pub(super) search: SearchSettings,
    pub(super) budget: Budget,
    pub(super) metrics: Arc<Metrics>,
}

/// Why a turn could not be planned.
#[derive(Debug, thiserror::Error)]
pub(super) enum TurnError {
    /// The query has no vector.
    #[error("embedding a query")]
    Embed(#[from] EmbedError),
    /// The recipe failed.
    #[error("rendering the chosen items")]
    Render(#[from] RenderError),
}

/// One more turn.
pub(super) struct Step {
    /// The plan with it.
    pub(super) plan: Plan,
    /// What was found; `None` where nothing was looked up.
    pub(super) hits: Option<Hits>,
    /// The topic that it touches, where that is why it gets nothing.
    pub(super) topic: Option<String>,
}

impl Step {
    fn of(plan: Plan) -> Step {
        Step { plan, hits: None, topic: None }
    }
}

impl Kitchen {
    /// `plan` with one more turn, and what led to it.
    pub(super) fn next(
        &self,
        snapshot: &Snapshot,
        scope: &Scope,
        telling: &Telling,
        plan: &Plan,
        turn: &TurnInput,
    ) -> Result<Step, TurnError> {
        let opened = turn.opens.then(|| plan.open());
        let plan = opened.as_ref().unwrap_or(plan);
        let brands = || scope.brands.iter().map(|&brand| &snapshot.brands[brand]);
        let text = &*turn.query.text;
        let never = || brands().any(|brand| brand.vetoes(text)).then_some(SkipReason::Vetoed);
        if let Some(reason) = turn.barred.or_else(never) {
            // It gets nothing anyway; what it says may silence what follows all the same.
            let touched = brands().find_map(|brand| brand.veto.by_words(text)).filter(|topic| topic.stays);
            let silenced = touched.map(|topic| plan.silence(&topic.name));
            return Ok(Step::of(silenced.as_ref().unwrap_or(plan).skip(reason)));
        }
        let silent = |topic: &str, plan: &Plan| Step {
            topic: Some(topic.to_owned()),
            ..Step::of(plan.skip(SkipReason::SensitiveTopic))
        };
        let vetoed = |topic: &Topic| match topic.stays {
            true => silent(&topic.name, &plan.silence(&topic.name)),
            false => silent(&topic.name, plan),
        };
        if let Some(topic) = plan.silenced_by() {
            return Ok(silent(topic, plan));
        }
        let known = &self.search.model_languages;
        // Where a model can tell, another topic that stays may be touched beside it.
        let by_words = brands().find_map(|brand| brand.veto.by_words_alone(text, known));
        if let Some(topic) = by_words.filter(|topic| topic.stays || self.embedder.is_none()) {
            return Ok(vetoed(topic));
        }
        let started = Instant::now();
        let vectors = match &self.embedder {
            Some(embedder) => {
                let ids: Vec<&str> = brands().map(|brand| &*brand.id).collect();
                match (embedder.vectors(&turn.query, &ids.join(",")), by_words) {
                    (Err(_), Some(topic)) => return Ok(vetoed(topic)),
                    (vectors, _) => Some(vectors?),
                }
            }
            None => None,
        };
        let embedding = started.elapsed();
        let like =
            |vectors: &Vectors| brands().find_map(|brand| brand.veto.by_meaning(text, vectors.own(), known));
        let by_meaning = vectors.as_ref().and_then(like);
        if let Some(topic) = by_meaning.filter(|topic| topic.stays).or(by_words).or(by_meaning) {
            return Ok(vetoed(topic));
        }
        let recipe = &telling.recipe;
        if recipe.placement.is_lead() {
            let pinned: Vec<&Prepared> = if plan.is_at_start() {
                brands().flat_map(|brand| brand.pinned(&scope.filter)).collect()
            } else {
                Vec::new()
            };
            let pinned = telling.prepare(snapshot, scope, &turn.query, pinned)?;
            return Ok(Step::of(plan.offer(&refs(&pinned), recipe, turn.form, &self.budget)?));
        }
        let hits = self.look_up(snapshot, scope, telling, &turn.query, vectors.as_ref(), embedding);
        if hits.gate.verdict != Verdict::Pass {
            return Ok(Step { hits: Some(hits), ..Step::of(plan.skip(SkipReason::BelowThreshold)) });
        }
        let fitting = hits.candidates.iter().filter(|it| it.passes && it.duplicate_of.is_none());
        let mut leading = fitting.clone().filter(|it| it.leads).peekable();
        if leading.peek().is_some() && leading.all(|it| plan.has_told(&it.item)) {
            // Company for nothing new would only be less and less to the point.
            return Ok(Step { hits: Some(hits), ..Step::of(plan.skip(SkipReason::AlreadyTold)) });
        }
        // A model follows several examples, wherever in the conversation they stand: where earlier turns have brought as many
        // as a turn may get, what fits by itself is enough.
        let alone = plan.told() >= recipe.max_items;
        let offers: Vec<&Prepared> = fitting
            .filter(|it| it.leads || !alone)
            .filter_map(|candidate| brands().find_map(|brand| brand.prepared(&candidate.item.id)))
            .collect();
        let offers = telling.prepare(snapshot, scope, &turn.query, offers)?;
        let score = |item: &Item| {
            let found = hits.candidates.iter().find(|candidate| candidate.item.id == item.id);
            found.map_or(0.0, |candidate| candidate.score)
        };
        let next = plan.offer(&refs(&offers), recipe, turn.form, &self.budget)?.scored(score);
        Ok(Step { hits: Some(hits), ..Step::of(next) })
    }

    fn look_up(
        &self,
        snapshot: &Snapshot,
        scope: &Scope,
        telling: &Telling,
        query: &Query,
        vectors: Option<&Vectors>,
        embedding: Duration,
    ) -> Hits {
        let indexes: Vec<_> = scope.brands.iter().map(|&brand| &*snapshot.brands[brand].index).collect();
        let settings = match telling.threshold {
            None => Cow::Borrowed(&self.search),
            threshold => Cow::Owned(SearchSettings { threshold, ..self.search.clone() }),
        };
        let embedded = Instant::now();
        let hits = search_among(&indexes, query, vectors, &settings, &scope.filter);
        self.metrics.looked_up(embedding, embedded.elapsed());
        hits
    }
}

impl Snapshot {
    /// An answer of an earlier turn without the disclosure that we have put behind it: what names the brand there is
    /// not what the conversation is about.
    fn without_disclosure<'a>(&self, answer: Cow<'a, str>) -> Cow<'a, str> {
        let texts = || self.brands.iter().flat_map(|brand| brand.disclosure.texts());
        match texts().find_map(|text| answer.trim_end().strip_suffix(text)) {
            Some(own) => Cow::Owned(own.trim_end().to_owned()),
            None => answer,
        }
    }
}

fn refs<'a>(prepared: &'a [Cow<'_, Prepared>]) -> Vec<&'a Prepared> {
    prepared.iter().map(|prepared| &**prepared).collect()
}

impl Telling {
    /// The offers as this telling has them: the snapshot's own, or rendered anew with what an experiment changes.
    fn prepare<'a>(
        &self,
        snapshot: &'a Snapshot,
        scope: &Scope,
        query: &Query,
        offers: Vec<&'a Prepared>,
    ) -> Result<Vec<Cow<'a, Prepared>>, RenderError> {
        if self.as_prepared && !self.random_items {
            return Ok(offers.into_iter().map(Cow::Borrowed).collect());
        }
        let brands = || scope.brands.iter().map(|&brand| &snapshot.brands[brand]);
        let all: Vec<&Arc<Item>> = brands().flat_map(|brand| brand.items(&scope.filter)).collect();
        let name_of = |id: &str| {
            let name = brands().find(|brand| brand.prepared(id).is_some()).map_or("", |brand| &*brand.name);
            Arc::from(self.placebo.map_or(name, |placebo| placebo.brand(name)))
        };
        let names: Vec<&str> = brands().flat_map(ServedBrand::names).collect();
        let mut random = fastrand::Rng::with_seed(xxh3_64(query.text.as_bytes()));
        let mut told: Vec<&Arc<Item>> = offers.iter().map(|offer| &offer.item).collect();
        if self.random_items {
            told = random
                .choose_multiple(&all, told.len().max(self.recipe.max_items))
                .into_iter()
                .copied()
                .collect();
        }
        let tell = |item: &Arc<Item>, other: &Item| {
            let name: Arc<str> = name_of(&item.id);
            let item = match self.placebo {
                None => Arc::clone(item),
                Some(placebo) => Arc::new(placebo.apply(item, &names, other)),
            };
            let item = match &self.canary {
                None => item,
                Some(mark) => Arc::new(marked(&item, mark)),
            };
            // Counting needs the vocabulary, which is gone once the snapshot is built.
            let count = |text: &str| estimate_tokens(text.len());
            Prepared::new(&self.recipe, item, name, count).map(Cow::Owned)
        };
        told.into_iter()
            .map(|item| {
                let other = random.choice(&all).map_or(item, |other| *other);
                tell(item, other)
            })
            .collect()
    }
}
