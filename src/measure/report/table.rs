//! Judged answers by question, arm and kind, and what is estimated from them.

use std::collections::BTreeMap;

use super::analyse::{Judged, snapshots};
use super::labels::Labels;
use super::results::{
    ArmResults, Comparison, Counts, Figure, KindResults, QuestionResults, Sweep, Unsupported,
};
use crate::measure::experiment::{Design, Reply};
use crate::measure::judge::Verdict;
use crate::measure::suite::{Kind, Message};
use crate::statistics::{
    Cluster, Confidence, Estimate, MissingnessVerdict, Paired, Question, QuestionPair, Resampling,
    StatisticsError, Tally, answer_change, bca_bootstrap, clusters, cochran_q, corrected_lift,
    corrected_lift_per_arm, corrected_rate, holm, lift, lift_of_these_questions, missingness, pairs, rate,
    rate_of_these_questions, relative_lift, sign_flip, spread, worst_case_lift,
};

const CONFIDENCE: Confidence = Confidence::NINETY_FIVE;

/// The judged answers of a run.
pub(super) struct Table<'a> {
    pub(super) design: &'a Design,
    pub(super) judged: &'a [Judged<'a>],
    pub(super) labels: Option<&'a Labels>,
}

impl<'a> Table<'a> {
    pub(super) fn baseline(&self) -> Option<usize> {
        let position = |name: &str| self.design.arms.iter().position(|arm| arm.name() == name);
        position("passthrough").or_else(|| position("direct"))
    }

    fn of(&self, arm: usize, kind: Kind) -> impl Iterator<Item = &'a Judged<'a>> + Clone + use<'a, '_> {
        self.judged.iter().filter(move |judged| {
            judged.cell.arm == arm && self.design.suite.questions[judged.cell.question].kind == kind
        })
    }

    /// Answers with and without something, by question.
    fn tallies(&self, arm: usize, kind: Kind, has: impl Fn(&Verdict) -> bool) -> BTreeMap<usize, Tally> {
        let mut tallies: BTreeMap<usize, Tally> = BTreeMap::new();
        for judged in self.of(arm, kind) {
            let tally = tallies.entry(judged.cell.question).or_default();
            match &judged.verdict {
                None => tally.missing += 1,
                Some(verdict) if has(verdict) => tally.mentions += 1,
                Some(_) => tally.silent += 1,
            }
        }
        tallies
    }

    fn family(&self, question: usize) -> String {
        self.design.suite.questions[question].family.clone()
    }

    fn questions_of(&self, tallies: &BTreeMap<usize, Tally>) -> Vec<Question> {
        tallies.iter().map(|(&question, &tally)| Question { family: self.family(question), tally }).collect()
    }

    pub(super) fn arm(&self, arm: usize) -> ArmResults {
        let mine: Vec<&Judged<'_>> = self.judged.iter().filter(|judged| judged.cell.arm == arm).collect();
        let replies: Vec<&Reply> = mine.iter().filter_map(|judged| judged.record.reply.as_ref()).collect();
        let answered = mine.iter().filter(|judged| judged.verdict.is_some());
        let injected = replies.iter().filter(|reply| reply.decision == "injected");
        let sum = |field: fn(&Reply) -> u64| replies.iter().map(|reply| field(reply)).sum::<u64>() as f64;
        let prompt_tokens = sum(|reply| reply.prompt_tokens);
        let planning =
            replies.iter().filter(|reply| !reply.decision.is_empty()).map(|reply| reply.planning_us as f64);
        ArmResults {
            arm: self.design.arms[arm].to_string(),
            kinds: Kind::ALL.into_iter().filter_map(|kind| self.kind(arm, kind)).collect(),
            latency_ms: percentiles(answered.clone().map(|judged| judged.record.ms).collect()),
            planning_us: percentiles(planning.collect()),
            prompt_tokens: ratio(prompt_tokens, replies.len()),
            added_tokens: ratio(
                injected.clone().map(|reply| reply.added_tokens).sum::<u64>() as f64,
                injected.count(),
            ),
            cached_share: if prompt_tokens > 0.0 {
                sum(|reply| reply.cached_tokens) / prompt_tokens
            } else {
                0.0
            },
            length: ratio(
                replies.iter().map(|reply| reply.text.chars().count()).sum::<usize>() as f64,
                replies.len(),
            ),
            snapshots: snapshots(mine.into_iter()),
        }
    }

    fn kind(&self, arm: usize, kind: Kind) -> Option<KindResults> {
        let all = self.of(arm, kind);
        let tallies = self.tallies(arm, kind, |verdict| verdict.mentioned);
        if tallies.is_empty() {
            return None;
        }
        let verdicts: Vec<&Verdict> = all.clone().filter_map(|judged| judged.verdict.as_ref()).collect();
        let families = clusters(&self.questions_of(&tallies));
        let figure = |estimate: Result<Estimate, StatisticsError>| estimate.ok().map(Figure::from);
        let rate_found = rate(&families, CONFIDENCE);
        let positive = clusters(&self.questions_of(&self.tallies(arm, kind, |verdict| verdict.positive)));
        let ranks: Vec<usize> = verdicts.iter().filter_map(|verdict| verdict.rank).collect();
        let pair = |asked: Vec<bool>| {
            (!asked.is_empty()).then(|| (asked.iter().filter(|yes| **yes).count(), asked.len()))
        };
        let injected = |judged: &&Judged<'_>| {
            judged.record.reply.as_ref().is_some_and(|reply| reply.decision == "injected")
        };
        Some(KindResults {
            kind,
            questions: tallies.len(),
            answered: verdicts.len(),
            missing: tallies.values().map(|tally| tally.missing as usize).sum(),
            mentions: tallies.values().map(|tally| tally.mentions as usize).sum(),
            injected: all.filter(injected).count(),
            refusals: verdicts.iter().filter(|verdict| verdict.refused).count(),
            no_interval: rate_found.as_ref().err().map(ToString::to_string),
            rate: figure(rate_found),
            rate_of_these: figure(rate_of_these_questions(&families, CONFIDENCE)),
            rate_corrected: self.corrected(&families, arm),
            positive: figure(rate(&positive, CONFIDENCE)),
            share_of_voice: self.share_of_voice(arm, kind),
            mean_rank: (!ranks.is_empty()).then(|| ratio(ranks.iter().sum::<usize>() as f64, ranks.len())),
            citations: verdicts.iter().filter(|verdict| verdict.citations > 0).count(),
            expected: pair(verdicts.iter().filter_map(|verdict| verdict.expected).collect()),
            leaks: pair(
                verdicts.iter().filter_map(|verdict| verdict.leak).map(|leak| leak.is_some()).collect(),
            ),
        })
    }

    /// The detector's errors in an arm, by its own labels; by those of all arms where it has too few of either kind.
    fn corrected(&self, families: &[Cluster], arm: usize) -> Option<Figure> {
        let labels = self.labels?;
        let own = labels.calibration(self.judged.iter().filter(|judged| judged.cell.arm == arm));
        let all = || labels.calibration(self.judged.iter());
        let found = corrected_rate(families, &own, CONFIDENCE);
        found.or_else(|_| corrected_rate(families, &all(), CONFIDENCE)).ok().map(Figure::from)
    }

    fn corrected_lift(&self, families: &[Paired], baseline: usize, arm: usize) -> Option<Figure> {
        let labels = self.labels?;
        let of = |arm: usize| labels.calibration(self.judged.iter().filter(|judged| judged.cell.arm == arm));
        let found = corrected_lift_per_arm(families, &of(baseline), &of(arm), CONFIDENCE);
        let all = || labels.calibration(self.judged.iter());
        found.or_else(|_| corrected_lift(families, &all(), CONFIDENCE)).ok().map(Figure::from)
    }

    /// Families as the clusters of a ratio of sums: answers that name the brand to brands named, each once an answer.
    fn share_of_voice(&self, arm: usize, kind: Kind) -> Option<Figure> {
        let mut families: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        for judged in self.of(arm, kind) {
            let Some(verdict) = &judged.verdict else { continue };
            let family = families.entry(self.family(judged.cell.question)).or_default();
            family.0 += f64::from(u8::from(verdict.mentioned));
            family.1 += verdict.named.len() as f64;
        }
        let families: Vec<(f64, f64)> = families.into_values().collect();
        let share = |families: &[&(f64, f64)]| {
            let (own, all) =
                families.iter().fold((0.0, 0.0), |sum, family| (sum.0 + family.0, sum.1 + family.1));
            (all > 0.0).then(|| own / all)
        };
        let resampling = Resampling { seed: self.design.seed, ..Resampling::default() };
        bca_bootstrap(&families, share, CONFIDENCE, resampling).ok().map(Figure::from)
    }

    fn pairs(&self, baseline: usize, arm: usize, kind: Kind) -> Vec<QuestionPair> {
        let before = self.tallies(baseline, kind, |verdict| verdict.mentioned);
        let after = self.tallies(arm, kind, |verdict| verdict.mentioned);
        before
            .iter()
            .filter_map(|(question, &baseline)| {
                let treated = *after.get(question)?;
                Some(QuestionPair { family: self.family(*question), baseline, treated })
            })
            .collect()
    }

    /// Every other arm against the baseline, with Holm's correction over those that are no baselines.
    pub(super) fn comparisons(&self, baseline: usize, kind: Kind) -> Vec<Comparison> {
        let mut found: Vec<Comparison> = (0..self.design.arms.len())
            .filter(|arm| *arm != baseline)
            .filter_map(|arm| self.comparison(baseline, arm, kind))
            .collect();
        let mut declared: Vec<&mut Comparison> = found
            .iter_mut()
            .filter(|comparison| {
                !matches!(&*comparison.arm, "direct" | "passthrough") && comparison.p_value.is_some()
            })
            .collect();
        let raw: Vec<f64> = declared.iter().filter_map(|comparison| comparison.p_value).collect();
        for (comparison, adjusted) in declared.iter_mut().zip(holm(&raw)) {
            comparison.p_adjusted = Some(adjusted);
        }
        found
    }

    fn comparison(&self, baseline: usize, arm: usize, kind: Kind) -> Option<Comparison> {
        let questions = self.pairs(baseline, arm, kind);
        if questions.is_empty() {
            return None;
        }
        let families = pairs(&questions);
        let figure = |estimate: Result<Estimate, StatisticsError>| estimate.ok().map(Figure::from);
        let found = lift(&families, CONFIDENCE);
        let missing = missingness(&questions);
        let worst_case = match missing.verdict {
            MissingnessVerdict::Negligible => None,
            MissingnessVerdict::ShowWorstCase | MissingnessVerdict::Unequal => {
                worst_case_lift(&questions, CONFIDENCE)
                    .ok()
                    .map(|worst| (worst.interval.lower, worst.interval.upper))
            }
        };
        let length = |arm: usize| {
            let lengths: Vec<usize> =
                self.of(arm, kind).filter_map(|judged| Some(judged.verdict.as_ref()?.length)).collect();
            ratio(lengths.iter().sum::<usize>() as f64, lengths.len())
        };
        let before = length(baseline);
        Some(Comparison {
            arm: self.design.arms[arm].to_string(),
            baseline: self.design.arms[baseline].to_string(),
            kind,
            no_interval: found.as_ref().err().map(ToString::to_string),
            lift: figure(found),
            lift_of_these: figure(lift_of_these_questions(&families, CONFIDENCE)),
            lift_corrected: self.corrected_lift(&families, baseline, arm),
            relative: relative_lift(&families, CONFIDENCE).ok().flatten().map(Figure::from),
            p_value: sign_flip(&families, self.design.seed).ok().map(|test| test.p_value),
            p_adjusted: None,
            answer_change: answer_change(&questions).map(|change| (change.between, change.within)),
            worst_case,
            unequal_missingness: missing.verdict == MissingnessVerdict::Unequal,
            length_ratio: (before > 0.0).then(|| length(arm) / before),
        })
    }

    pub(super) fn sweeps(&self) -> Vec<Sweep> {
        let mut topics: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, arm) in self.design.arms.iter().enumerate() {
            if let Some(topic) = arm.sweep() {
                topics.entry(topic).or_default().push(index);
            }
        }
        topics
            .into_iter()
            .filter_map(|(topic, arms)| {
                let variants: Vec<_> = arms
                    .iter()
                    .map(|&arm| {
                        let tallies = self.tallies(arm, Kind::Organic, |verdict| verdict.mentioned);
                        clusters(&self.questions_of(&tallies))
                    })
                    .collect();
                let found = spread(&variants).ok()?;
                Some(Sweep {
                    topic: topic.to_owned(),
                    arms: arms.iter().map(|&arm| self.design.arms[arm].to_string()).collect(),
                    between: found.between,
                    range: (found.lowest, found.highest),
                    p_value: found.p_value,
                })
            })
            .collect()
    }

    pub(super) fn questions(&self) -> Vec<QuestionResults> {
        let mut rows: Vec<QuestionResults> = self
            .design
            .suite
            .questions
            .iter()
            .map(|question| QuestionResults {
                id: question.id.clone(),
                family: question.family.clone(),
                kind: question.kind,
                text: question.text().to_owned(),
                words: words(&question.messages),
                arms: BTreeMap::new(),
            })
            .collect();
        for judged in self.judged {
            let arm = self.design.arms[judged.cell.arm].to_string();
            let counts: &mut Counts = rows[judged.cell.question].arms.entry(arm).or_default();
            match &judged.verdict {
                None => counts.missing += 1,
                Some(verdict) if verdict.mentioned => counts.mentions += 1,
                Some(_) => counts.silent += 1,
            }
        }
        rows
    }

    /// Arms in which the repeats differ by more than chance would let them, with what each repeat has.
    pub(super) fn unlike_repeats(&self) -> Vec<(String, Vec<usize>, f64)> {
        let arms = self.design.arms.len();
        let unlike = |arm: usize| {
            let repeats = self.design.repeats as usize;
            let mut questions: BTreeMap<usize, Vec<Option<bool>>> = BTreeMap::new();
            for judged in self.of(arm, Kind::Organic) {
                let answers = questions.entry(judged.cell.question).or_insert_with(|| vec![None; repeats]);
                answers[judged.cell.repeat as usize] =
                    judged.verdict.as_ref().map(|verdict| verdict.mentioned);
            }
            let whole: Vec<Vec<bool>> =
                questions.into_values().filter_map(|answers| answers.into_iter().collect()).collect();
            // One in a hundred runs says so by chance, however many arms it has.
            let p = cochran_q(&whole).filter(|p| *p * (arms as f64) < 0.01)?;
            let of_repeat = |repeat| whole.iter().filter(|answers| answers[repeat]).count();
            Some((self.design.arms[arm].to_string(), (0..repeats).map(of_repeat).collect(), p))
        };
        (0..arms).filter_map(unlike).collect()
    }

    pub(super) fn missing(&self) -> BTreeMap<String, usize> {
        let mut reasons = BTreeMap::new();
        for reason in self.judged.iter().filter_map(|judged| judged.record.missing) {
            *reasons.entry(reason.explain().to_owned()).or_default() += 1;
        }
        reasons
    }

    pub(super) fn unsupported(&self) -> Vec<Unsupported> {
        let found = self.judged.iter().filter_map(|judged| {
            let claims = &judged.verdict.as_ref()?.unsupported;
            (!claims.is_empty()).then(|| Unsupported {
                question: judged.record.question.clone(),
                arm: judged.record.arm.clone(),
                repeat: judged.record.repeat,
                claims: claims.clone(),
            })
        });
        found.collect()
    }
}

fn words(messages: &[Message]) -> String {
    let said = serde_json::to_vec(messages).unwrap_or_default();
    blake3::hash(&said).to_hex()[..12].to_owned()
}

/// Median, 95th and 99th percentile (nearest rank).
fn percentiles(mut values: Vec<f64>) -> Option<[f64; 3]> {
    values.sort_by(f64::total_cmp);
    let at =
        |share: f64| values.get(((share * values.len() as f64).ceil() as usize).saturating_sub(1)).copied();
    Some([at(0.5)?, at(0.95)?, at(0.99)?])
}

fn ratio(sum: f64, count: usize) -> f64 {
    if count == 0 { 0.0 } else { sum / count as f64 }
}
