//! What the counts say: how often the brand is named in each arm, the lift over the conversations that were held out,
//! and how sure that is.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cost::{Cost, Prices};
use super::parts::{Kind, Part};
use super::store::{DAY, DaySums, Store, StoreError, Totals};
use crate::snapshot::{HOLDOUT, INJECTED};
use crate::statistics::{ClusterSums, Confidence, Interval, StatisticsError, arm_lift};

/// A number with the bounds between which it lies at 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bounded {
    /// The best single value.
    pub point: f64,
    /// The smaller bound.
    pub lower: f64,
    /// The greater bound.
    pub upper: f64,
}

/// One arm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Arm {
    /// Its name.
    pub name: String,
    /// Conversations with an answer that could be searched.
    pub conversations: u64,
    /// Eligible answers that could be searched.
    pub answers: u64,
    /// Eligible answers that could not.
    pub missing: u64,
    /// Answers that name the brand.
    pub mentions: u64,
    /// Share of answers that name it; `None` under five conversations.
    pub rate: Option<Bounded>,
    /// Its rate less that of the conversations that were held out, in these days, for one look.
    pub lift: Option<Bounded>,
    /// The same over all days from the first that is kept, with bounds that hold however often one looks.
    pub lift_always: Option<Bounded>,
}

/// An arm on a day.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DayRate {
    /// The day, as `2026-01-31`, in UTC.
    pub day: String,
    /// The arm.
    pub arm: String,
    /// Its rate on this day; `None` under five conversations.
    pub rate: Option<Bounded>,
    /// Eligible answers of conversations that began on this day.
    pub answers: u64,
    /// The lift of all days from the first that is kept up to this one, with bounds that hold however often one looks.
    pub lift_so_far: Option<Bounded>,
}

/// The two halves of the conversations that were held out: they are treated alike, so their difference is chance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HalfCheck {
    /// The difference, with bounds that hold however often one looks.
    pub difference: Bounded,
    /// Whether zero lies between them, as it should.
    pub is_sound: bool,
}

/// What the counts say of a brand.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LiveReport {
    /// Version of this shape.
    pub schema: u32,
    /// The brand.
    pub brand: String,
    /// First day that is counted.
    pub since: String,
    /// Last day that is counted.
    pub until: String,
    /// First day that is kept: bounds that hold however often one looks begin there, whatever is counted otherwise, since
    /// a beginning that moves with each look would be a new chance to err.
    pub kept_since: Option<String>,
    /// The arms; the conversations that were held out come first.
    pub arms: Vec<Arm>,
    /// Each day that saw a conversation.
    pub days: Vec<DayRate>,
    /// The halves of the conversations that were held out; `None` while there are too few.
    pub halves: Option<HalfCheck>,
    /// The answers by topic: the first tag of the item that fitted best. Those with most answers first.
    pub topics: Vec<Part>,
    /// The answers by language.
    pub languages: Vec<Part>,
    /// Answers that name each brand and competitor, by arm.
    pub names: Vec<Named>,
    /// Chat requests of all brands by decision.
    pub decisions: Vec<Decided>,
    /// Sums over the chat requests of all brands.
    pub totals: Totals,
    /// What the chat requests of all brands cost; absent where no prices are configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// In plain words.
    pub verdict: String,
}

/// How many answers of an arm name someone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The arm.
    pub arm: String,
    /// Id of a brand, or name of a competitor.
    pub name: String,
    /// Answers.
    pub answers: u64,
}

/// How many requests were decided so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decided {
    /// `injected`, or why not.
    pub decision: String,
    /// Requests.
    pub requests: u64,
}

/// What the counts say of a brand since a day, and what it cost at `prices`. `now` in milliseconds since 1970.
///
/// # Errors
///
/// Those of the store.
pub fn live_report(
    store: &Store,
    brand: &str,
    since_days: u32,
    now: i64,
    prices: Option<&Prices>,
) -> Result<LiveReport, StoreError> {
    let today = now.div_euclid(DAY);
    // A clock that was ahead has written days that are to come: they count.
    let since = today - i64::from(since_days.max(1)) + 1;
    let kept = store.sums(brand, i64::MIN)?;
    let sums = &kept[kept.partition_point(|day| day.day < since)..];
    let arms = arms(sums, &kept);
    let names = store.names(brand, since)?;
    let decisions = store.decisions(since)?;
    let totals = store.totals(since)?;
    let tokens = store.tokens_added(brand, INJECTED, since)?;
    let injected = arms.iter().find(|arm| arm.name == INJECTED);
    Ok(LiveReport {
        schema: 1,
        brand: brand.to_owned(),
        since: date(since),
        until: date(sums.last().map_or(today, |last| last.day.max(today))),
        kept_since: kept.first().map(|first| date(first.day)),
        days: days(&kept, since),
        halves: halves(&kept),
        names: names.into_iter().map(|(arm, name, answers)| Named { arm, name, answers }).collect(),
        decisions: decisions.into_iter().map(|(decision, requests)| Decided { decision, requests }).collect(),
        topics: store.parts(brand, Kind::Topic, since)?,
        languages: store.parts(brand, Kind::Language, since)?,
        cost: prices.map(|prices| prices.cost(&totals, tokens, injected)),
        totals,
        verdict: verdict(&arms, kept.first().map(|first| date(first.day))),
        arms,
    })
}

/// The arms of some days, and their lifts over all of them and over all that are kept.
fn arms(sums: &[DaySums], kept: &[DaySums]) -> Vec<Arm> {
    let (of_days, of_all) = (by_arm(sums), by_arm(kept));
    let lift = |name: &str, of_arm: &BTreeMap<&str, (ClusterSums, u64)>| {
        let baseline = of_arm.get(HOLDOUT).map(|(sums, _)| *sums).unwrap_or_default();
        let (treated, _) = of_arm.get(name).filter(|_| name != HOLDOUT)?;
        arm_lift(treated, &baseline, Confidence::NINETY_FIVE).ok()
    };
    let mut arms: Vec<Arm> = of_days
        .iter()
        .map(|(name, (sums, missing))| Arm {
            name: (*name).to_owned(),
            conversations: sums.clusters as u64,
            answers: sums.answers as u64,
            missing: *missing,
            mentions: sums.mentions as u64,
            rate: rate(sums).ok(),
            lift: lift(name, &of_days).map(|lift| bounded(lift.once.point, lift.once.interval)),
            lift_always: lift(name, &of_all).map(|lift| bounded(lift.once.point, lift.always)),
        })
        .collect();
    arms.sort_by_key(|arm| arm.name != HOLDOUT);
    arms
}

fn by_arm(sums: &[DaySums]) -> BTreeMap<&str, (ClusterSums, u64)> {
    let mut of_arm: BTreeMap<&str, (ClusterSums, u64)> = BTreeMap::new();
    for day in sums {
        let (all, missing) = of_arm.entry(&day.arm).or_default();
        *all = all.with(&day.sums);
        *missing += day.missing;
    }
    of_arm
}

/// The days from `since` on; what has happened so far begins with the first that is kept.
fn days(kept: &[DaySums], since: i64) -> Vec<DayRate> {
    let mut so_far: BTreeMap<&str, ClusterSums> = BTreeMap::new();
    let mut days = Vec::new();
    for day in kept.chunk_by(|one, other| one.day == other.day) {
        let mut today: BTreeMap<&str, ClusterSums> = BTreeMap::new();
        for part in day {
            for of_arm in [&mut so_far, &mut today] {
                let sum = of_arm.entry(&part.arm).or_default();
                *sum = sum.with(&part.sums);
            }
        }
        if day[0].day < since {
            continue;
        }
        let baseline = so_far.get(HOLDOUT).copied().unwrap_or_default();
        for (arm, sums) in &today {
            let lift = so_far
                .get(arm)
                .filter(|_| *arm != HOLDOUT)
                .and_then(|treated| arm_lift(treated, &baseline, Confidence::NINETY_FIVE).ok());
            days.push(DayRate {
                day: date(day[0].day),
                arm: (*arm).to_owned(),
                rate: rate(sums).ok(),
                answers: sums.answers as u64,
                lift_so_far: lift.map(|lift| bounded(lift.once.point, lift.always)),
            });
        }
    }
    days
}

fn halves(sums: &[DaySums]) -> Option<HalfCheck> {
    let half = |which: bool| {
        let parts = sums.iter().filter(|day| day.arm == HOLDOUT && day.half == which);
        parts.fold(ClusterSums::default(), |sum, day| sum.with(&day.sums))
    };
    let lift = arm_lift(&half(true), &half(false), Confidence::NINETY_FIVE).ok()?;
    let difference = bounded(lift.once.point, lift.always);
    Some(HalfCheck { difference, is_sound: lift.always.contains(0.0) })
}

pub(super) fn rate(sums: &ClusterSums) -> Result<Bounded, StatisticsError> {
    sums.rate(Confidence::NINETY_FIVE).map(|rate| bounded(rate.point, rate.interval))
}

pub(super) fn bounded(point: f64, interval: Interval) -> Bounded {
    Bounded { point, lower: interval.lower, upper: interval.upper }
}

/// What a person wants to know, in one or two sentences.
fn verdict(arms: &[Arm], kept_since: Option<String>) -> String {
    let find = |name: &str| arms.iter().find(|arm| arm.name == name);
    let Some(injected) = find(INJECTED) else {
        return "No conversation has got something yet.".to_owned();
    };
    let Some(_) = find(HOLDOUT) else {
        return "No conversation is held out, so that nothing can be said about the effect: set experiment.holdout, for \
                instance to 0.05."
            .to_owned();
    };
    let Some(lift) = injected.lift_always else {
        return "Too few conversations yet: at least five in each arm are needed, and twenty to rely on."
            .to_owned();
    };
    let [point, lower, upper] = [lift.point, lift.lower, lift.upper].map(|share| share * 100.0);
    let bounds = format!("{point:+.0} points (between {lower:+.0} and {upper:+.0}, however often one looks)");
    let since = kept_since.map(|day| format!("since {day} ")).unwrap_or_default();
    if lift.lower > 0.0 {
        format!("It works: {since}answers name the brand more often than without, by {bounds}.")
    } else if lift.upper < 0.0 {
        format!("It harms: {since}answers name the brand less often than without, by {bounds}.")
    } else {
        format!("Not sure yet: the lift {since}is {bounds}, and zero is among these.")
    }
}

/// A day as `2026-01-31`.
fn date(day: i64) -> String {
    jiff::Timestamp::from_millisecond(day * DAY)
        .map(|instant| instant.strftime("%Y-%m-%d").to_string())
        .unwrap_or_default()
}
