//! How often the brand is named by topic and by language: within these as over all, the conversation is the unit.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use serde::Serialize;

use super::report::{Bounded, bounded, rate};
use super::store::{Store, StoreError};
use crate::snapshot::HOLDOUT;
use crate::statistics::{ClusterSums, Confidence, arm_lift};

/// Parts that are told of; what is seldom says nothing.
const MOST_PARTS: usize = 50;

/// What answers are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The first tag of the item that fitted best.
    Topic,
    /// The question's language.
    Language,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Kind::Topic => "topic",
            Kind::Language => "language",
        }
    }
}

/// The answers about one topic, or in one language.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// The topic, or the language's primary subtag; empty where there is none.
    pub name: String,
    /// Eligible answers that could be searched, of all arms.
    pub answers: u64,
    /// The arms; the conversations that were held out come first.
    pub arms: Vec<PartArm>,
}

/// What one arm did in a part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartArm {
    /// The arm.
    pub arm: String,
    /// Conversations.
    pub conversations: u64,
    /// Eligible answers that could be searched.
    pub answers: u64,
    /// Answers that name the brand.
    pub mentions: u64,
    /// Share of answers that name it; `None` under five conversations.
    pub rate: Option<Bounded>,
    /// Its rate less that of the conversations that were held out, over all days from the first that is kept, with bounds
    /// that hold however often one looks.
    pub lift_always: Option<Bounded>,
}

impl Store {
    /// The answers about a brand since a day by topic or language, those with most answers first.
    pub(super) fn parts(&self, brand: &str, kind: Kind, since: i64) -> Result<Vec<Part>, StoreError> {
        let query = "SELECT value, arm, SUM(clusters), SUM(answers), SUM(mentions), SUM(answers_squared), \
                     SUM(mentions_squared), SUM(products), day >= ?3 FROM part_sums \
                     WHERE brand = ?1 AND kind = ?2 GROUP BY value, arm, day >= ?3";
        let values =
            [Value::Text(brand.to_owned()), Value::Text(kind.as_str().to_owned()), Value::Integer(since)];
        let rows = self.all(query, &values, |row| {
            let number = |column: usize| row.get::<_, i64>(column).map(|number| number as f64);
            let sums = ClusterSums {
                clusters: number(2)?,
                answers: number(3)?,
                mentions: number(4)?,
                answers_squared: number(5)?,
                mentions_squared: number(6)?,
                products: number(7)?,
            };
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, sums, row.get::<_, bool>(8)?))
        })?;
        let mut parts: BTreeMap<String, BTreeMap<String, Sums>> = BTreeMap::new();
        for (value, arm, sums, counts) in rows {
            let of_arm = parts.entry(value).or_default().entry(arm).or_default();
            of_arm.kept = of_arm.kept.with(&sums);
            if counts {
                of_arm.since = sums;
            }
        }
        let parts = parts.into_iter().map(|(name, arms)| part(name, &arms));
        let mut parts: Vec<Part> = parts.filter(|part| part.answers > 0).collect();
        parts.sort_by(|one, other| other.answers.cmp(&one.answers).then_with(|| one.name.cmp(&other.name)));
        parts.truncate(MOST_PARTS);
        Ok(parts)
    }
}

/// What an arm did in a part.
#[derive(Default)]
struct Sums {
    /// On the days that are asked for.
    since: ClusterSums,
    /// On all days that are kept.
    kept: ClusterSums,
}

fn part(name: String, sums: &BTreeMap<String, Sums>) -> Part {
    let baseline = sums.get(HOLDOUT).map(|sums| sums.kept).unwrap_or_default();
    let told = sums.iter().filter(|(_, Sums { since, .. })| since.answers > 0.0);
    let mut arms: Vec<PartArm> = told
        .map(|(arm, Sums { since, kept })| {
            let lift = (arm != HOLDOUT).then(|| arm_lift(kept, &baseline, Confidence::NINETY_FIVE).ok());
            PartArm {
                arm: arm.clone(),
                conversations: since.clusters as u64,
                answers: since.answers as u64,
                mentions: since.mentions as u64,
                rate: rate(since).ok(),
                lift_always: lift.flatten().map(|lift| bounded(lift.once.point, lift.always)),
            }
        })
        .collect();
    arms.sort_by_key(|arm| arm.arm != HOLDOUT);
    Part { name, answers: arms.iter().map(|arm| arm.answers).sum(), arms }
}
