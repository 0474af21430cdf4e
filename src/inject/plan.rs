//! What each turn of a conversation gets. A plan grows turn by turn and never changes what it has
//! placed, so that the messages of a continued conversation begin with those of the shorter one.

use std::mem::discriminant;
use std::sync::Arc;

use bytes::Bytes;

use super::budget::Budget;
use super::decision::{Decision, SkipReason};
use super::prepare::{Form, Prepared};
use super::recipe::{Placement, Recipe, RenderError};
use super::tokens::estimate_tokens;
use crate::knowledge::Item;

/// What one turn got.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Index of the turn.
    pub turn: usize,
    /// The inserted bytes, as the recipe renders them.
    pub bytes: Bytes,
    /// The items, in the order in which they are told.
    pub items: Arc<[Arc<Item>]>,
    /// What each scored at the gate; empty where nothing was looked up.
    pub scores: Arc<[f32]>,
    /// Their tokens.
    pub tokens: u32,
}

/// What the last turn of a plan got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnOutcome {
    /// So many items.
    Injected(usize),
    /// Nothing.
    Skipped(SkipReason),
}

/// The plan of a conversation up to and including one turn.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What was placed, in the order of turns. Shared with the plans of later turns that add nothing.
    pub placed: Arc<[Placed]>,
    /// What the last turn got.
    pub outcome: TurnOutcome,
    /// Turns that the plan covers.
    turns: usize,
    tokens: u32,
    /// The first turn of the conversation that the last turn belongs to: zero, but for lists of prompts.
    since: usize,
    /// Tokens that turns before that one got.
    tokens_before: u32,
    /// Tokens of the conversation that got most.
    most_tokens: u32,
    /// What was touched in this conversation that every later turn gets nothing after.
    silenced_by: Option<Arc<str>>,
}

impl Plan {
    /// The plan of a conversation without turns.
    pub fn empty() -> Plan {
        Plan {
            placed: Arc::new([]),
            outcome: TurnOutcome::Skipped(SkipReason::NoUserTurn),
            turns: 0,
            tokens: 0,
            since: 0,
            tokens_before: 0,
            most_tokens: 0,
            silenced_by: None,
        }
    }

    /// The plan, where the next turn begins a conversation of its own: nothing was told in it yet.
    #[must_use]
    pub fn open(&self) -> Plan {
        Plan { since: self.turns, tokens_before: self.tokens, silenced_by: None, ..self.clone() }
    }

    /// The plan, where the turns to come get nothing because of a topic.
    #[must_use]
    pub fn silence(&self, topic: &str) -> Plan {
        Plan { silenced_by: Some(topic.into()), ..self.clone() }
    }

    /// The topic because of which the next turn gets nothing.
    pub fn silenced_by(&self) -> Option<&str> {
        self.silenced_by.as_deref()
    }

    /// Whether the next turn is the first of its conversation.
    pub fn is_at_start(&self) -> bool {
        self.turns == self.since
    }

    /// The plan with one more turn, which gets nothing for this reason.
    pub fn skip(&self, reason: SkipReason) -> Plan {
        Plan { turns: self.turns + 1, outcome: TurnOutcome::Skipped(reason), ..self.clone() }
    }

    /// The plan with one more turn, to which these items are offered, best first. Under `lead` the first
    /// turn is offered the pinned items and every other turn nothing.
    pub fn offer(
        &self,
        offers: &[&Prepared],
        recipe: &Recipe,
        form: Form,
        budget: &Budget,
    ) -> Result<Plan, RenderError> {
        let (chosen, reason) = self.choose(offers, recipe, budget);
        if chosen.is_empty() {
            return Ok(self.skip(reason));
        }
        let tokens = chosen.iter().map(|prepared| prepared.tokens).sum();
        let placed = Placed {
            turn: self.turns,
            bytes: recipe.render(&chosen, form)?.into(),
            items: chosen.iter().map(|prepared| Arc::clone(&prepared.item)).collect(),
            scores: Arc::new([]),
            tokens,
        };
        Ok(Plan {
            outcome: TurnOutcome::Injected(chosen.len()),
            placed: self.placed.iter().cloned().chain([placed]).collect(),
            turns: self.turns + 1,
            tokens: self.tokens + tokens,
            most_tokens: self.most_tokens.max(self.told_tokens() + tokens),
            ..self.clone()
        })
    }

    /// The plan, where what was just offered had these scores.
    #[must_use]
    pub fn scored(mut self, score: impl Fn(&Item) -> f32) -> Plan {
        let is_new = matches!(self.outcome, TurnOutcome::Injected(_));
        if let Some(last) =
            Arc::get_mut(&mut self.placed).and_then(|placed| placed.last_mut()).filter(|_| is_new)
        {
            last.scores = last.items.iter().map(|item| score(item)).collect();
        }
        self
    }

    /// The items that the next turn gets, in the order in which they are told, and why there are none.
    fn choose<'a>(
        &self,
        offers: &[&'a Prepared],
        recipe: &Recipe,
        budget: &Budget,
    ) -> (Vec<&'a Prepared>, SkipReason) {
        let mut room = recipe.max_tokens.min(budget.conversation_tokens.saturating_sub(self.told_tokens()));
        let mut chosen = Vec::new();
        let mut reason = SkipReason::BelowThreshold;
        for offer in varied(offers, recipe) {
            if chosen.len() == recipe.max_items {
                break;
            }
            if self.has_told(&offer.item) {
                reason = SkipReason::AlreadyTold;
            } else if offer.tokens > room {
                // Whole items are dropped, never cut; a shorter one further down may still fit.
                reason = SkipReason::OverBudget;
            } else {
                room -= offer.tokens;
                chosen.push(offer);
            }
        }
        (recipe.order.arrange(chosen), reason)
    }

    /// Whether the conversation of the next turn has got this item.
    pub fn has_told(&self, item: &Item) -> bool {
        self.of_conversation().any(|told| told.id == item.id)
    }

    /// How many items the conversation of the next turn has got.
    pub fn told(&self) -> usize {
        self.of_conversation().count()
    }

    /// The items that the conversation of the next turn has got.
    fn of_conversation(&self) -> impl Iterator<Item = &Arc<Item>> {
        let of_this = self.placed.iter().rev().take_while(|placed| placed.turn >= self.since);
        of_this.flat_map(|placed| placed.items.iter())
    }

    /// Tokens that the conversation of the last turn got.
    fn told_tokens(&self) -> u32 {
        self.tokens - self.tokens_before
    }

    /// Items over all turns.
    pub fn items(&self) -> usize {
        self.placed.iter().map(|placed| placed.items.len()).sum()
    }

    /// Turns that the plan covers.
    pub fn turns(&self) -> usize {
        self.turns
    }

    /// Tokens over all turns.
    pub fn tokens(&self) -> u32 {
        self.tokens
    }

    /// The decision for a request with this plan, of which a model reads at most `bytes` at once, and whose answer
    /// may take so many tokens.
    pub fn decide(&self, bytes: usize, answer_tokens: u32, budget: &Budget) -> Decision {
        if self.placed.is_empty() {
            return Decision::Skipped(match self.outcome {
                TurnOutcome::Skipped(reason) => reason,
                TurnOutcome::Injected(_) => SkipReason::NoUserTurn,
            });
        }
        let needed = estimate_tokens(bytes).saturating_add(self.most_tokens).saturating_add(answer_tokens);
        match budget.context_tokens {
            Some(context) if needed > context => Decision::Skipped(SkipReason::OverBudget),
            _ => Decision::Injected { items: self.items(), tokens: self.tokens },
        }
    }
}

/// The offers, best first, but that those come last of which there are enough alike before them: of the same
/// source, or of the same kind.
fn varied<'a>(offers: &[&'a Prepared], recipe: &Recipe) -> Vec<&'a Prepared> {
    let (mut first, mut last): (Vec<&Prepared>, Vec<&Prepared>) = (Vec::new(), Vec::new());
    for &offer in offers {
        let alike = |is_alike: &dyn Fn(&Item, &Item) -> bool| {
            first.iter().filter(|other| is_alike(&other.item, &offer.item)).count()
        };
        let same_source = alike(&|a, b| a.source.is_some() && a.source == b.source);
        let same_kind = alike(&|a, b| discriminant(&a.body) == discriminant(&b.body));
        let enough = same_source >= recipe.max_per_source || same_kind >= recipe.max_per_kind;
        if enough { last.push(offer) } else { first.push(offer) }
    }
    first.append(&mut last);
    first
}

impl Placement {
    /// Whether only pinned items are told, at the start of the conversation.
    pub fn is_lead(self) -> bool {
        self == Placement::Lead
    }
}
