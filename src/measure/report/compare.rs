//! Two runs against each other, paired by question id.

use super::results::{Counts, Figure, Results};
use super::words::{lift as lift_words, p_value};
use crate::measure::suite::Kind;
use crate::statistics::{Confidence, QuestionPair, Tally, lift, pairs, sign_flip};

/// How an arm's rate has changed from one run to another.
#[derive(Debug, Clone)]
pub struct Change {
    /// The arm.
    pub arm: String,
    /// On these questions.
    pub kind: Kind,
    /// Questions that both runs asked.
    pub questions: usize,
    /// New minus old.
    pub lift: Option<Figure>,
    /// p-value of no change.
    pub p_value: Option<f64>,
}

impl Change {
    /// One sentence.
    pub fn words(&self) -> String {
        let change = match &self.lift {
            Some(figure) => lift_words(figure),
            None => "too few families for an interval".to_owned(),
        };
        let p = self.p_value.map(|p| format!(", {}", p_value(p))).unwrap_or_default();
        format!(
            "against the earlier run, {} on {} {} questions: {change}{p}",
            self.arm, self.questions, self.kind
        )
    }
}

/// What the two runs have not in common but for the questions.
pub fn differing(old: &Results, new: &Results) -> Vec<String> {
    let mut lines = Vec::new();
    if old.sampling != new.sampling {
        let drawn = |results: &Results| {
            let sampling = &results.sampling;
            format!(
                "{}, temperature {}, at most {} tokens",
                sampling.model, sampling.temperature, sampling.max_tokens
            )
        };
        lines.push(format!(
            "The earlier run drew its answers otherwise ({}; now {}): what has changed may be owed to that.",
            drawn(old),
            drawn(new)
        ));
    }
    let before = |id: &str| old.questions.iter().find(|question| question.id == id);
    let reworded =
        new.questions.iter().filter(|now| before(&now.id).is_some_and(|old| old.text != now.text)).count();
    if reworded > 0 {
        lines.push(format!(
            "{reworded} questions have kept their id and not their words since the earlier run."
        ));
    }
    lines
}

/// The changes of all arms that both runs have, on organic questions and on controls.
pub fn compare(old: &Results, new: &Results) -> Vec<Change> {
    let mut changes = Vec::new();
    for arm in new.arms.iter().filter(|arm| old.arm(&arm.arm).is_some()) {
        for kind in [Kind::Organic, Kind::NegativeControl] {
            let questions: Vec<QuestionPair> = new
                .questions
                .iter()
                .filter(|question| question.kind == kind)
                .filter_map(|question| {
                    let before = old.questions.iter().find(|old| old.id == question.id)?;
                    let tally = |counts: Option<&Counts>| counts.map(|counts| Tally::from(*counts));
                    Some(QuestionPair {
                        family: question.family.clone(),
                        baseline: tally(before.arms.get(&arm.arm))?,
                        treated: tally(question.arms.get(&arm.arm))?,
                    })
                })
                .collect();
            if questions.is_empty() {
                continue;
            }
            let families = pairs(&questions);
            changes.push(Change {
                arm: arm.arm.clone(),
                kind,
                questions: questions.len(),
                lift: lift(&families, Confidence::NINETY_FIVE).ok().map(Figure::from),
                p_value: sign_flip(&families, new.seed).ok().map(|test| test.p_value),
            });
        }
    }
    changes
}
