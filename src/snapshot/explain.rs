//! What would be decided for a request, turn by turn, with everything that led to it.

use std::time::{Duration, Instant};

use super::planner::Planner;
use super::reading::reason;
use super::scope::Choice;
use super::treatment::Treatment;
use super::turns::TurnInput;
use crate::chat::{Conversation, Dialect};
use crate::inject::{Decision, Placed, Plan, SkipReason, Spliced, TurnOutcome, splice};
use crate::retrieval::{Hits, Query};

/// A decision laid open.
pub struct Explanation {
    /// The turns in order.
    pub turns: Vec<ExplainedTurn>,
    /// What was decided for the request.
    pub decision: Decision,
    /// The outbound body; the client's own where nothing is added.
    pub spliced: Spliced,
    /// What items were told by; `None` where nothing is told.
    pub limits: Option<TellingLimits>,
}

/// The recipe of an explanation and the budgets that held.
pub struct TellingLimits {
    /// The recipe's name.
    pub recipe: String,
    /// Most items a turn.
    pub max_items: usize,
    /// Most tokens a turn.
    pub max_tokens: u32,
    /// Most tokens a conversation.
    pub conversation_tokens: u32,
    /// The model's context window, where it is known.
    pub context_tokens: Option<u32>,
}

/// One turn of it.
pub struct ExplainedTurn {
    /// What was looked up.
    pub query: Query,
    /// Whether it begins a conversation of its own.
    pub opens: bool,
    /// What was found; `None` where nothing was looked up.
    pub hits: Option<Hits>,
    /// The topic that it touches, where that is why it gets nothing.
    pub topic: Option<String>,
    /// What the turn gets.
    pub outcome: TurnOutcome,
    /// The inserted bytes and items.
    pub placed: Option<Placed>,
    /// Time for this turn.
    pub took: Duration,
}

impl Planner {
    /// Explains a request. Uses the same steps as serving it, without pool, deadline and memory.
    pub fn explain(
        &self,
        body: &[u8],
        dialect: Dialect,
        choice: &Choice,
        treatment: &Treatment,
    ) -> Result<Explanation, Box<dyn std::error::Error + Send + Sync>> {
        let snapshot = self.snapshot();
        let untouched = |reason| Explanation {
            turns: Vec::new(),
            decision: Decision::Skipped(reason),
            spliced: Spliced { body: body.to_vec().into(), inserted: Vec::new() },
            limits: None,
        };
        let Some(telling) = snapshot.telling(treatment)? else {
            return Ok(untouched(SkipReason::Passthrough));
        };
        let scope = match snapshot.scope(choice) {
            Ok(scope) => scope,
            Err(reason) => return Ok(untouched(reason)),
        };
        let conversation = match Conversation::read(body, dialect) {
            Ok(conversation) => conversation,
            Err(unreadable) => return Ok(untouched(reason(unreadable))),
        };
        let (turns, bytes, answer_tokens) =
            (conversation.turns(), conversation.bytes, conversation.answer_tokens);
        if turns.is_empty() {
            return Ok(untouched(SkipReason::NoUserTurn));
        }
        let mut plan = Plan::empty();
        let mut explained = Vec::new();
        for (turn, input) in
            TurnInput::of_turns(std::str::from_utf8(body)?, &turns, 0, &snapshot).into_iter().enumerate()
        {
            let started = Instant::now();
            let step = self.kitchen().next(&snapshot, &scope, &telling, &plan, &input)?;
            plan = step.plan;
            explained.push(ExplainedTurn {
                query: input.query,
                opens: input.opens,
                hits: step.hits,
                topic: step.topic,
                outcome: plan.outcome,
                placed: plan.placed.last().filter(|placed| placed.turn == turn).cloned(),
                took: started.elapsed(),
            });
        }
        let decision = plan.decide(bytes, answer_tokens, &self.kitchen().budget);
        let placed = if matches!(decision, Decision::Injected { .. }) { &*plan.placed } else { &[] };
        let spliced = splice(body, &turns, telling.recipe.placement, placed);
        let budget = &self.kitchen().budget;
        let limits = TellingLimits {
            recipe: telling.recipe.name.clone(),
            max_items: telling.recipe.max_items,
            max_tokens: telling.recipe.max_tokens,
            conversation_tokens: budget.conversation_tokens,
            context_tokens: budget.context_tokens,
        };
        Ok(Explanation { turns: explained, decision, spliced, limits: Some(limits) })
    }
}
