//! `foreword explain --json`: a decision laid open, for programs.

use serde_json::{Value, json};

use crate::inject::{Decision, TurnOutcome};
use crate::retrieval::{Candidate, Hits};
use crate::snapshot::{ExplainedTurn, Explanation};

/// The whole explanation. Ranges are byte ranges of `body`.
pub(super) fn document(explanation: &Explanation, limit: usize) -> Value {
    let inserted: Vec<Value> =
        explanation.spliced.inserted.iter().map(|range| json!([range.start, range.end])).collect();
    let decision = explanation.decision;
    json!({
        "decision": decision.as_str(),
        "items": decision.items(),
        "tokens": decision.tokens(),
        "reason": match decision {
            Decision::Injected { .. } => Value::Null,
            Decision::Skipped(reason) => reason.explain().into(),
        },
        "turns": explanation.turns.iter().map(|turn| explain_turn(turn, limit)).collect::<Vec<_>>(),
        "body": String::from_utf8_lossy(&explanation.spliced.body),
        "inserted": inserted,
    })
}

fn explain_turn(turn: &ExplainedTurn, limit: usize) -> Value {
    let outcome = match turn.outcome {
        TurnOutcome::Injected(_) => "injected",
        TurnOutcome::Skipped(reason) => reason.as_str(),
    };
    json!({
        "query": turn.query.text,
        "outcome": outcome,
        "milliseconds": turn.took.as_secs_f64() * 1e3,
        "gate": turn.hits.as_ref().map(|hits| json!({
            "passes": hits.gate.verdict == crate::retrieval::Verdict::Pass,
            "reason": hits.gate.reason,
            "score": hits.gate.score,
            "threshold": hits.gate.threshold,
        })),
        "candidates": turn.hits.as_ref().map(|hits| candidates(hits, limit)),
        "items": turn.placed.as_ref().map(|placed| {
            placed.items.iter().map(|item| item.id.clone()).collect::<Vec<_>>()
        }),
        "tokens": turn.placed.as_ref().map_or(0, |placed| placed.tokens),
        "inserted": turn.placed.as_ref().map(|placed| String::from_utf8_lossy(&placed.bytes).into_owned()),
    })
}

fn candidates(hits: &Hits, limit: usize) -> Vec<Value> {
    let one = |candidate: &Candidate| {
        json!({
            "item": candidate.item.id,
            "fused": candidate.fused,
            "cosine": candidate.cosine,
            "score": candidate.score,
            "lexical": candidate.lexical,
            "likeness": candidate.likeness,
            "topic": candidate.topic,
            "duplicate_of": candidate.duplicate_of,
            "name_match": candidate.name_match,
            "passes": candidate.passes,
        })
    };
    hits.candidates.iter().take(limit).map(one).collect()
}
