//! From counted answers to clusters: answers are averaged to questions, questions to families.

use std::collections::BTreeMap;

/// What was counted for one question in one arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Answers that mention the brand.
    pub mentions: u32,
    /// Answers that do not.
    pub silent: u32,
    /// Requests without an answer: errors, refused connections, cut streams. Never counted as silent.
    pub missing: u32,
}

impl Tally {
    /// Answers that came: mentions and silent ones.
    #[must_use]
    pub fn answered(self) -> u32 {
        self.mentions + self.silent
    }

    /// Share of the answers that mention the brand; none without an answer.
    #[must_use]
    pub fn share(self) -> Option<f64> {
        (self.answered() > 0).then(|| f64::from(self.mentions) / f64::from(self.answered()))
    }

    /// The sampling variance of [`Tally::share`] from one round of repeats to the next: x(1-x)/(K-1), which
    /// is unbiased. None below two answers.
    #[must_use]
    pub fn sampling_variance(self) -> Option<f64> {
        let share = self.share()?;
        (self.answered() > 1).then(|| share * (1.0 - share) / f64::from(self.answered() - 1))
    }
}

/// One question in one arm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The family: paraphrases of one question share it. A question of its own is a family of its own.
    pub family: String,
    /// What was counted.
    pub tally: Tally,
}

/// One question in two arms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionPair {
    /// The family.
    pub family: String,
    /// The arm that is compared with.
    pub baseline: Tally,
    /// The arm whose effect is wanted.
    pub treated: Tally,
}

/// What one cluster shows in one arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// The mean over the family's questions of their shares of mentions.
    pub rate: f64,
    /// Answers behind it.
    pub answered: u32,
    /// Requests without an answer.
    pub missing: u32,
    /// How much `rate` varies from one round of repeats to the next, as a variance; none where a question
    /// has a single answer.
    pub sampling_variance: Option<f64>,
}

/// A family in one arm.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// The family's name.
    pub id: String,
    /// What it shows.
    pub share: Share,
}

/// A family in two arms.
#[derive(Debug, Clone, PartialEq)]
pub struct Paired {
    /// The family's name.
    pub id: String,
    /// The arm that is compared with.
    pub baseline: Share,
    /// The arm whose effect is wanted.
    pub treated: Share,
}

impl Paired {
    /// The family's lift: treated minus baseline, between -1 and 1.
    #[must_use]
    pub fn difference(&self) -> f64 {
        self.treated.rate - self.baseline.rate
    }
}

/// The clusters of one arm, by name. Questions without any answer have no share and are left out.
#[must_use]
pub fn clusters(questions: &[Question]) -> Vec<Cluster> {
    let mut families: BTreeMap<&str, Vec<Tally>> = BTreeMap::new();
    for question in questions.iter().filter(|question| question.tally.answered() > 0) {
        families.entry(&question.family).or_default().push(question.tally);
    }
    families
        .into_iter()
        .filter_map(|(id, tallies)| Some(Cluster { id: id.to_owned(), share: family_share(&tallies)? }))
        .collect()
}

/// The clusters of two arms, by name. A question counts only where both arms have an answer to it, so that
/// the arms are compared on the same questions.
#[must_use]
pub fn pairs(questions: &[QuestionPair]) -> Vec<Paired> {
    let mut families: BTreeMap<&str, (Vec<Tally>, Vec<Tally>)> = BTreeMap::new();
    for question in questions {
        if question.baseline.answered() > 0 && question.treated.answered() > 0 {
            let family = families.entry(&question.family).or_default();
            family.0.push(question.baseline);
            family.1.push(question.treated);
        }
    }
    families
        .into_iter()
        .filter_map(|(id, (baseline, treated))| {
            let (baseline, treated) = (family_share(&baseline)?, family_share(&treated)?);
            Some(Paired { id: id.to_owned(), baseline, treated })
        })
        .collect()
}

/// The mean of the questions' shares; the variance of a mean of m independent shares is the sum of theirs
/// over m².
fn family_share(tallies: &[Tally]) -> Option<Share> {
    let shares = tallies.iter().map(|tally| tally.share()).collect::<Option<Vec<f64>>>()?;
    let variances = tallies.iter().map(|tally| tally.sampling_variance()).collect::<Option<Vec<f64>>>();
    let questions = shares.len() as f64;
    if shares.is_empty() {
        return None;
    }
    Some(Share {
        rate: shares.iter().sum::<f64>() / questions,
        answered: tallies.iter().map(|tally| tally.answered()).sum(),
        missing: tallies.iter().map(|tally| tally.missing).sum(),
        sampling_variance: variances.map(|each| each.iter().sum::<f64>() / (questions * questions)),
    })
}
