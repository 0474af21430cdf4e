//! One more turn of a plan: retrieval, gate and choice. The only way in which plans grow, used for
//! requests and for explanations alike.

use std::sync::Arc;

use super::build::{ServedBrand, Snapshot};
use super::scope::Scope;
use crate::chat::Turn;
use crate::inject::{Budget, Plan, Prepared, RenderError, SkipReason, turn_query};
use crate::retrieval::{EmbedError, Embedder, Hits, Query, SearchSettings, Verdict, search};

/// What is known of a turn before anything is looked up.
#[derive(Debug, Clone)]
pub(super) struct TurnInput {
    /// The text that is looked up.
    pub(super) query: String,
    /// Why nothing may be put before this turn, whatever is found.
    pub(super) barred: Option<SkipReason>,
}

impl TurnInput {
    /// The inputs of the turns from `first` on.
    pub(super) fn of_turns(body: &str, turns: &[Turn], first: usize) -> Vec<TurnInput> {
        let mut previous = first.checked_sub(1).map(|before| turns[before].text(body));
        let mut inputs = Vec::with_capacity(turns.len() - first);
        for turn in &turns[first..] {
            let text = turn.text(body);
            let barred = match () {
                () if !turn.insertable => Some(SkipReason::OpenToolCalls),
                () if text.trim().is_empty() => Some(SkipReason::NoText),
                () => None,
            };
            inputs.push(TurnInput { query: turn_query(previous.as_deref(), &text), barred });
            previous = Some(text);
        }
        inputs
    }
}

/// What a plan is made with.
#[derive(Clone)]
pub(super) struct Kitchen {
    pub(super) embedder: Option<Arc<Embedder>>,
    pub(super) search: SearchSettings,
    pub(super) budget: Budget,
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

impl Kitchen {
    /// `plan` with one more turn, and what was found for it.
    pub(super) fn next(
        &self,
        snapshot: &Snapshot,
        scope: &Scope,
        plan: &Plan,
        turn: &TurnInput,
    ) -> Result<(Plan, Option<Hits>), TurnError> {
        if let Some(reason) = turn.barred {
            return Ok((plan.skip(reason), None));
        }
        let brands = || scope.brands.iter().map(|&brand| &snapshot.brands[brand]);
        if brands().any(|brand| brand.vetoes(&turn.query)) {
            return Ok((plan.skip(SkipReason::Vetoed), None));
        }
        if snapshot.recipe.placement.is_lead() {
            let pinned: Vec<&Prepared> =
                if plan.turns() == 0 { brands().flat_map(ServedBrand::pinned).collect() } else { Vec::new() };
            return Ok((plan.offer(&pinned, &snapshot.recipe, &self.budget)?, None));
        }
        let hits = self.look_up(snapshot, scope, &turn.query)?;
        if hits.gate.verdict != Verdict::Pass {
            return Ok((plan.skip(SkipReason::BelowThreshold), Some(hits)));
        }
        let offers: Vec<&Prepared> = hits
            .candidates
            .iter()
            .filter(|candidate| candidate.passes)
            .filter_map(|candidate| brands().find_map(|brand| brand.prepared(&candidate.item.id)))
            .collect();
        Ok((plan.offer(&offers, &snapshot.recipe, &self.budget)?, Some(hits)))
    }

    fn look_up(&self, snapshot: &Snapshot, scope: &Scope, query: &str) -> Result<Hits, TurnError> {
        let vector = match &self.embedder {
            Some(embedder) => Some(embedder.embed(query)?),
            None => None,
        };
        let indexes: Vec<_> = scope.brands.iter().map(|&brand| &snapshot.brands[brand].index).collect();
        Ok(search(&indexes, &Query { text: query.to_owned() }, vector.as_deref(), &self.search))
    }
}
