//! Means over the queries of a collection, and what the gate does to queries and negatives.

use std::collections::BTreeMap;

use super::measures::{MEASURES, Measure, Scores, score};
use super::run::{Qrels, Run};

/// Rankings of one kind, judged.
#[derive(Debug, Clone)]
pub struct Judged {
    /// `lexical`, `dense`, `fused`, or the name of a run.
    pub name: String,
    /// The values of each query.
    pub queries: BTreeMap<String, Scores>,
}

/// What the gate did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GateReport {
    /// Queries that should get something, and those of them that do.
    pub queries: usize,
    /// Of them those that do.
    pub passed: usize,
    /// Questions that should get nothing.
    pub negatives: usize,
    /// Of them those that get something.
    pub injected: usize,
}

/// All of it.
#[derive(Debug, Clone)]
pub struct Report {
    /// The collection.
    pub name: String,
    /// Items.
    pub items: usize,
    /// The rankings.
    pub rankings: Vec<Judged>,
    /// The gate, where it was asked.
    pub gate: Option<GateReport>,
}

impl Judged {
    /// Judges the ranking of each query that has a relevant item; a query that was not answered counts 0.
    pub fn new(name: &str, run: &Run, qrels: &Qrels) -> Judged {
        let none = Vec::new();
        let queries = qrels
            .iter()
            .filter(|(_, grades)| grades.values().any(|grade| *grade > 0))
            .map(|(query, grades)| (query.clone(), score(run.get(query).unwrap_or(&none), grades)))
            .collect();
        Judged { name: name.to_owned(), queries }
    }

    /// The mean over the queries.
    pub fn mean(&self, measure: Measure) -> f64 {
        let values = self.values(measure);
        values.iter().sum::<f64>() / values.len().max(1) as f64
    }

    /// The values in the order of the queries' ids.
    pub fn values(&self, measure: Measure) -> Vec<f64> {
        let Some(at) = MEASURES.iter().position(|known| *known == measure) else { return Vec::new() };
        self.queries.values().map(|scores| scores[at]).collect()
    }
}

impl GateReport {
    /// Share of the queries that get something.
    pub fn coverage(&self) -> f64 {
        self.passed as f64 / self.queries.max(1) as f64
    }

    /// Share of the negatives that get something.
    pub fn false_injection(&self) -> f64 {
        self.injected as f64 / self.negatives.max(1) as f64
    }
}

impl Report {
    /// The value that a name such as `fused.ndcg@10`, `gate.coverage` or `gate.false_injection` means.
    pub fn value(&self, name: &str) -> Option<f64> {
        match (name, &self.gate) {
            ("gate.coverage", Some(gate)) => return Some(gate.coverage()),
            ("gate.false_injection", Some(gate)) if gate.negatives > 0 => {
                return Some(gate.false_injection());
            }
            _ => {}
        }
        let (ranking, measure) = name.split_once('.')?;
        let judged = self.rankings.iter().find(|judged| judged.name == ranking)?;
        let measure = MEASURES.iter().find(|known| known.name() == measure)?;
        Some(judged.mean(*measure))
    }

    /// The names that have a value.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .rankings
            .iter()
            .flat_map(|judged| MEASURES.iter().map(|measure| format!("{}.{}", judged.name, measure.name())))
            .collect();
        names.extend(["gate.coverage", "gate.false_injection"].map(str::to_owned));
        names.retain(|name| self.value(name).is_some());
        names
    }
}
