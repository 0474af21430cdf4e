//! Stopping early.

use std::collections::HashMap;

use super::run::wrong;
use crate::cli::Exit;
use crate::knowledge::Brand;
use crate::measure::experiment::{Design, Record};
use crate::measure::suite::Kind;
use crate::mentions::{Answer, Lexicon, find};
use crate::statistics::{Confidence, Question, Tally, clusters, precision_reached, rate};

/// Answers between two looks at the precision.
const BETWEEN_LOOKS: usize = 20;

/// The rule that ends a run when its lift is known to a half-width.
pub(super) struct Precision<'a> {
    half_width: Option<f64>,
    design: &'a Design,
    lexicon: Option<Lexicon>,
    brand: String,
    tallies: HashMap<(String, String), Tally>,
    seen: usize,
}

impl<'a> Precision<'a> {
    pub(super) fn new(rule: Option<&str>, design: &'a Design, brand: &Brand) -> Result<Precision<'a>, Exit> {
        let half_width = match rule {
            None => None,
            Some(rule) => {
                let width = rule.strip_prefix("precision=").and_then(|width| width.parse::<f64>().ok());
                Some(width.filter(|width| *width > 0.0 && *width < 1.0).ok_or_else(|| {
                    wrong(&format!("--stop {rule}: write precision=0.05 for a half-width of five points"))
                })?)
            }
        };
        let lexicon = Lexicon::of_brands(std::slice::from_ref(brand)).ok();
        Ok(Precision {
            half_width,
            design,
            lexicon,
            brand: brand.id.clone(),
            tallies: HashMap::new(),
            seen: 0,
        })
    }

    pub(super) fn reached(&mut self, record: &Record) -> bool {
        let (Some(half_width), Some(lexicon), Some(reply)) = (self.half_width, &self.lexicon, &record.reply)
        else {
            return false;
        };
        let answer = Answer { text: &reply.text, question: None, disclosure: None };
        let mentioned = find(lexicon, &answer).is_mentioned(&self.brand);
        let tally = self.tallies.entry((record.arm.clone(), record.question.clone())).or_default();
        if mentioned {
            tally.mentions += 1;
        } else {
            tally.silent += 1;
        }
        self.seen += 1;
        self.seen.is_multiple_of(BETWEEN_LOOKS) && self.is_precise(half_width)
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
