//! Stopping early.

use std::collections::{BTreeSet, HashMap};

use super::run::wrong;
use crate::cli::Exit;
use crate::measure::experiment::{Design, Record};
use crate::measure::judge::Material;
use crate::measure::suite::Kind;
use crate::statistics::{Confidence, ENOUGH_CLUSTERS, Question, Tally, clusters, precision_reached, rate};

/// Answers between two looks at the precision.
const BETWEEN_LOOKS: usize = 20;

/// The rule that ends a run when the rates of its arms are known to a half-width.
pub(super) struct Precision<'a> {
    half_width: Option<f64>,
    design: &'a Design,
    material: &'a Material,
    /// By arm and question.
    tallies: HashMap<(String, String), Tally>,
    seen: usize,
}

impl<'a> Precision<'a> {
    /// Reads a rule. One that the suite can never keep is refused.
    pub(super) fn new(
        rule: Option<&str>,
        design: &'a Design,
        material: &'a Material,
    ) -> Result<Precision<'a>, Exit> {
        let half_width = match rule {
            None => None,
            Some(rule) => {
                let width = rule.strip_prefix("precision=").and_then(|width| width.parse::<f64>().ok());
                Some(width.filter(|width| *width > 0.0 && *width < 1.0).ok_or_else(|| {
                    wrong(&format!("--stop {rule}: write precision=0.05 for a half-width of five points"))
                })?)
            }
        };
        let organic = design.suite.questions.iter().filter(|question| question.kind == Kind::Organic);
        let families = organic.map(|question| &question.family).collect::<BTreeSet<_>>().len();
        if half_width.is_some() && families < ENOUGH_CLUSTERS {
            return Err(wrong(&format!(
                "--stop needs {ENOUGH_CLUSTERS} families of organic questions, since intervals of fewer cannot be relied upon: \
                 the suite has {families}"
            )));
        }
        Ok(Precision { half_width, design, material, tallies: HashMap::new(), seen: 0 })
    }

    /// Counts an answer.
    pub(super) fn count(&mut self, record: &Record) {
        let questions = &self.design.suite.questions;
        let question = questions.iter().find(|question| question.id == record.question);
        let (Some(_), Some(question), Some(reply)) = (self.half_width, question, &record.reply) else {
            return;
        };
        let brand = question.brand.as_deref().unwrap_or(&self.material.brand);
        let mentioned = self.material.find(question, reply).is_mentioned(brand);
        let tally = self.tallies.entry((record.arm.clone(), record.question.clone())).or_default();
        tally.mentions += u32::from(mentioned);
        tally.silent += u32::from(!mentioned);
        self.seen += 1;
    }

    /// Counts an answer, and says now and then whether it was enough.
    pub(super) fn reached(&mut self, record: &Record) -> bool {
        self.count(record);
        self.seen.is_multiple_of(BETWEEN_LOOKS) && self.is_kept()
    }

    /// Whether the rule is kept by what was counted.
    pub(super) fn is_kept(&self) -> bool {
        self.half_width.is_some_and(|half_width| self.is_precise(half_width))
    }

    /// Whether every arm's rate is known to the half-width: then their differences are known to little more.
    fn is_precise(&self, half_width: f64) -> bool {
        self.design.arms.iter().all(|arm| {
            let organic =
                self.design.suite.questions.iter().filter(|question| question.kind == Kind::Organic);
            let questions: Vec<Question> = organic
                .filter_map(|question| {
                    let tally = *self.tallies.get(&(arm.to_string(), question.id.clone()))?;
                    Some(Question { family: question.family.clone(), tally })
                })
                .collect();
            rate(&clusters(&questions), Confidence::NINETY_FIVE)
                .is_ok_and(|rate| precision_reached(&rate, half_width))
        })
    }
}
