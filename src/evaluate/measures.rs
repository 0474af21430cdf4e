//! The measures of trec_eval (NIST), by its definitions: what was not judged is not relevant, and a query
//! counts only if it has a relevant item.

use std::collections::BTreeMap;

/// A measure of one ranking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// 1 over the rank of the first relevant item (`recip_rank`).
    ReciprocalRank,
    /// Mean over the relevant items of the precision at their ranks (`map`).
    AveragePrecision,
    /// Discounted gain over the first ranks as a share of the best possible (`ndcg_cut`); the gain is the
    /// grade, the discount log2(rank + 1) (Järvelin and Kekäläinen, 2002).
    Ndcg(usize),
    /// Whether a relevant item is among the first ranks (`success`).
    Hits(usize),
    /// Share of the relevant items that are among the first ranks (`recall`).
    Recall(usize),
}

/// The measures that are reported, in the order in which they are.
pub const MEASURES: &[Measure] = &[
    Measure::ReciprocalRank,
    Measure::AveragePrecision,
    Measure::Ndcg(5),
    Measure::Ndcg(10),
    Measure::Hits(1),
    Measure::Hits(5),
    Measure::Hits(10),
    Measure::Recall(10),
    Measure::Recall(100),
];

/// Values of one ranking or means over many, in the order of [`MEASURES`].
pub type Scores = Vec<f64>;

impl Measure {
    /// Its name, as in `ndcg@10`.
    pub fn name(self) -> String {
        match self {
            Measure::ReciprocalRank => "mrr".to_owned(),
            Measure::AveragePrecision => "map".to_owned(),
            Measure::Ndcg(cut) => format!("ndcg@{cut}"),
            Measure::Hits(cut) => format!("hits@{cut}"),
            Measure::Recall(cut) => format!("recall@{cut}"),
        }
    }

    /// The value for a ranking, best first, with the grades of the judged items; from 0 to 1.
    pub fn of(self, ranking: &[impl AsRef<str>], grades: &BTreeMap<String, i64>) -> f64 {
        let grade = |item: &str| grades.get(item).copied().unwrap_or(0).max(0);
        let relevant = grades.values().filter(|grade| **grade > 0).count();
        let relevant_within =
            |cut: usize| ranking.iter().take(cut).filter(|item| grade(item.as_ref()) > 0).count();
        match self {
            Measure::ReciprocalRank => {
                let at = ranking.iter().position(|item| grade(item.as_ref()) > 0);
                at.map_or(0.0, |at| 1.0 / (at + 1) as f64)
            }
            Measure::AveragePrecision => {
                let mut found = 0;
                let mut sum = 0.0;
                for (at, item) in ranking.iter().enumerate() {
                    if grade(item.as_ref()) > 0 {
                        found += 1;
                        sum += f64::from(found) / (at + 1) as f64;
                    }
                }
                sum / relevant.max(1) as f64
            }
            Measure::Ndcg(cut) => {
                let gain = |grades: &mut dyn Iterator<Item = i64>| -> f64 {
                    grades.enumerate().map(|(at, grade)| grade as f64 / ((at + 2) as f64).log2()).sum()
                };
                let mut ideal: Vec<i64> = grades.values().copied().filter(|grade| *grade > 0).collect();
                ideal.sort_unstable_by(|a, b| b.cmp(a));
                let best = gain(&mut ideal.into_iter().take(cut));
                let reached = gain(&mut ranking.iter().take(cut).map(|item| grade(item.as_ref())));
                if best > 0.0 { reached / best } else { 0.0 }
            }
            Measure::Hits(cut) => f64::from(u8::from(relevant_within(cut) > 0)),
            Measure::Recall(cut) => relevant_within(cut) as f64 / relevant.max(1) as f64,
        }
    }
}

/// All measures of one ranking.
pub fn score(ranking: &[impl AsRef<str>], grades: &BTreeMap<String, i64>) -> Scores {
    MEASURES.iter().map(|measure| measure.of(ranking, grades)).collect()
}
