//! A decision laid open, as JSON: what `foreword explain --json` prints and the console shows.

use serde_json::{Value, json};

use super::explain::{ExplainedTurn, Explanation};
use crate::inject::{Decision, TurnOutcome};
use crate::knowledge::Body;
use crate::retrieval::{Candidate, Hits, Verdict};

/// Characters of an item's title that are shown.
const LONGEST_TITLE: usize = 120;

impl Explanation {
    /// The whole explanation, with at most `limit` candidates a turn. Ranges are byte ranges of `body`.
    pub fn document(&self, limit: usize) -> Value {
        let inserted: Vec<Value> =
            self.spliced.inserted.iter().map(|range| json!([range.start, range.end])).collect();
        let decision = self.decision;
        let turns = self.turns.iter().enumerate();
        json!({
            "decision": decision.as_str(),
            "items": decision.items(),
            "tokens": decision.tokens(),
            "reason": match decision {
                Decision::Injected { .. } => Value::Null,
                Decision::Skipped(reason) => reason.explain().into(),
            },
            "recipe": self.limits.as_ref().map(|limits| json!({
                "name": limits.recipe,
                "max_items": limits.max_items,
                "max_tokens": limits.max_tokens,
                "conversation_tokens": limits.conversation_tokens,
                "context_tokens": limits.context_tokens,
            })),
            "turns": turns.map(|(number, turn)| self.turn(number, turn, limit)).collect::<Vec<_>>(),
            "body": String::from_utf8_lossy(&self.spliced.body),
            "inserted": inserted,
        })
    }

    fn turn(&self, number: usize, turn: &ExplainedTurn, limit: usize) -> Value {
        let (outcome, reason) = match turn.outcome {
            TurnOutcome::Injected(_) => ("injected", None),
            TurnOutcome::Skipped(reason) => (reason.as_str(), Some(reason.explain())),
        };
        json!({
            "query": turn.query.text,
            "outcome": outcome,
            "reason": reason,
            "topic": turn.topic,
            "milliseconds": turn.took.as_secs_f64() * 1e3,
            "gate": turn.hits.as_ref().map(|hits| json!({
                "passes": hits.gate.verdict == Verdict::Pass,
                "reason": hits.gate.reason,
                "score": hits.gate.score,
                "threshold": hits.gate.threshold,
            })),
            "candidates": turn.hits.as_ref().map(|hits| {
                let shown = hits.candidates.iter().take(limit);
                shown.map(|candidate| self.candidate(number, turn, hits, candidate)).collect::<Vec<_>>()
            }),
            "found": turn.hits.as_ref().map(|hits| hits.candidates.len()),
            "items": turn.placed.as_ref().map(|placed| {
                placed.items.iter().map(|item| item.id.clone()).collect::<Vec<_>>()
            }),
            "tokens": turn.placed.as_ref().map_or(0, |placed| placed.tokens),
            "inserted": turn.placed.as_ref().map(|placed| String::from_utf8_lossy(&placed.bytes).into_owned()),
        })
    }

    fn candidate(&self, number: usize, turn: &ExplainedTurn, hits: &Hits, candidate: &Candidate) -> Value {
        let item = &candidate.item;
        json!({
            "item": item.id,
            "brand": &*candidate.brand,
            "kind": match item.body {
                Body::Fact { .. } => "fact",
                Body::Example { .. } => "example",
            },
            "title": item.title().chars().take(LONGEST_TITLE).collect::<String>(),
            "file": item.origin.file.to_string_lossy(),
            "line": item.origin.line,
            "fused": candidate.fused,
            "cosine": candidate.cosine,
            "score": candidate.score,
            "threshold": candidate.threshold,
            "lexical": candidate.lexical,
            "likeness": candidate.likeness,
            "topic": candidate.topic,
            "duplicate_of": candidate.duplicate_of,
            "name_match": candidate.name_match,
            "passes": candidate.passes,
            "fate": self.fate(number, turn, hits, candidate),
        })
    }

    /// What became of a candidate: `told`, or the step at which it dropped out.
    fn fate(&self, number: usize, turn: &ExplainedTurn, hits: &Hits, candidate: &Candidate) -> &'static str {
        let tells = |turn: &ExplainedTurn| {
            turn.placed
                .as_ref()
                .is_some_and(|placed| placed.items.iter().any(|item| item.id == candidate.item.id))
        };
        if tells(turn) {
            "told"
        } else if hits.gate.verdict != Verdict::Pass {
            "gate"
        } else if !candidate.passes {
            "score"
        } else if candidate.duplicate_of.is_some() {
            "duplicate"
        } else if self.before(number).iter().any(tells) {
            "told_before"
        } else if self.is_full(turn) {
            "full"
        } else if !candidate.leads && (turn.placed.is_none() || self.has_company(number)) {
            "company"
        } else {
            "budget"
        }
    }

    /// The turns of the same conversation before one.
    fn before(&self, number: usize) -> &[ExplainedTurn] {
        let first = (0..=number).rev().find(|turn| self.turns[*turn].opens).unwrap_or(0);
        &self.turns[first..number]
    }

    /// Whether turns before have brought so much that something new needs no company.
    fn has_company(&self, number: usize) -> bool {
        let told = self.before(number).iter().filter_map(|turn| turn.placed.as_ref());
        let told: usize = told.map(|placed| placed.items.len()).sum();
        self.limits.as_ref().is_some_and(|limits| told >= limits.max_items)
    }

    /// Whether a turn got as many items as the recipe allows.
    fn is_full(&self, turn: &ExplainedTurn) -> bool {
        let got = turn.placed.as_ref().map_or(0, |placed| placed.items.len());
        self.limits.as_ref().is_some_and(|limits| got >= limits.max_items)
    }
}
