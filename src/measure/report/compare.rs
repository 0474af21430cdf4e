//! Two runs against each other, paired by question id.

use super::results::{Change, Counts, Figure, Moved, QuestionResults, Results};
use super::words::listed;
use crate::measure::experiment::Sampling;
use crate::measure::suite::Kind;
use crate::statistics::{Confidence, QuestionPair, Tally, lift, pairs, sign_flip};

/// What the two runs have not in common but for the questions.
pub fn differing(old: &Results, new: &Results) -> Vec<String> {
    let mut lines = Vec::new();
    if old.brand != new.brand {
        lines.push(format!(
            "The earlier run counted mentions of {}, this one those of {}: what has changed is what was counted.",
            old.brand, new.brand
        ));
    }
    if old.suite != new.suite {
        lines.push(format!(
            "The earlier run is of the suite {}, this one of {}: questions are paired by their ids.",
            old.suite, new.suite
        ));
    }
    if old.sampling != new.sampling {
        let drawn = |results: &Results| {
            let Sampling { model, temperature, max_tokens, seeds, extra } = &results.sampling;
            let extra = match extra.is_empty() {
                true => String::new(),
                false => format!(", {}", serde_json::Value::from(extra.clone())),
            };
            let seeds = seeds.name();
            format!(
                "{model}, temperature {temperature}, at most {max_tokens} tokens, a seed a {seeds}{extra}"
            )
        };
        lines.push(format!(
            "The earlier run drew its answers otherwise ({}; now {}): what has changed may be owed to that.",
            drawn(old),
            drawn(new)
        ));
    }
    if !old.models.is_empty() && !new.models.is_empty() && old.models != new.models {
        lines.push(format!(
            "The earlier run was answered by {}, this one by {}: what has changed may be owed to that.",
            listed(&old.models),
            listed(&new.models)
        ));
    }
    let before = |id: &str| old.questions.iter().find(|question| question.id == id);
    let reworded =
        new.questions.iter().filter(|now| before(&now.id).is_some_and(|old| is_reworded(old, now))).count();
    if reworded > 0 {
        lines.push(format!(
            "{reworded} questions have kept their id and not their words since the earlier run."
        ));
    }
    lines
}

/// Whether a question, or what was said before it, has other words; of old results only the question itself is known.
fn is_reworded(old: &QuestionResults, now: &QuestionResults) -> bool {
    let knows_all = !old.words.is_empty() && !now.words.is_empty();
    old.text != now.text || knows_all && old.words != now.words
}

/// The changes of all arms that both runs have, on organic questions and on controls.
pub fn compare(old: &Results, new: &Results) -> Vec<Change> {
    let mut changes = Vec::new();
    for arm in new.arms.iter().filter(|arm| old.arm(&arm.arm).is_some()) {
        for kind in [Kind::Organic, Kind::NegativeControl] {
            changes.extend(change(old, new, &arm.arm, kind));
        }
    }
    changes
}

fn change(old: &Results, new: &Results, arm: &str, kind: Kind) -> Option<Change> {
    let mut found = Change {
        arm: arm.to_owned(),
        kind,
        questions: 0,
        before: Counts::default(),
        after: Counts::default(),
        lift: None,
        p_value: None,
        moved: Vec::new(),
    };
    let mut questions: Vec<QuestionPair> = Vec::new();
    for question in new.questions.iter().filter(|question| question.kind == kind) {
        let earlier = old.questions.iter().find(|old| old.id == question.id);
        let before = earlier.and_then(|old| old.arms.get(arm).copied());
        let (Some(before), Some(after)) = (before, question.arms.get(arm).copied()) else { continue };
        found.before = found.before + before;
        found.after = found.after + after;
        if difference(before, after) != 0.0 {
            found.moved.push(Moved { question: question.id.clone(), before, after });
        }
        questions.push(QuestionPair {
            family: question.family.clone(),
            baseline: Tally::from(before),
            treated: Tally::from(after),
        });
    }
    if questions.is_empty() {
        return None;
    }
    let of = |moved: &Moved| difference(moved.before, moved.after);
    found.moved.sort_by(|one, other| of(one).total_cmp(&of(other)));
    found.questions = questions.len();
    let families = pairs(&questions);
    found.lift = lift(&families, Confidence::NINETY_FIVE).ok().map(Figure::from);
    found.p_value = sign_flip(&families, new.seed).ok().map(|test| test.p_value);
    Some(found)
}

/// Shares, now minus before; none where one has no answer.
fn difference(before: Counts, after: Counts) -> f64 {
    let share = |counts: Counts| Tally::from(counts).share();
    share(before).zip(share(after)).map_or(0.0, |(before, after)| after - before)
}
