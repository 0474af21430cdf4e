//! The arms of an experiment: ways of treating the same questions.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One way of treating requests, by the name that the proxy knows it by. `direct` goes past the proxy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Arm(pub String);

/// What is measured unless something else is asked for.
const DEFAULT: [&str; 3] = ["passthrough", "injected", "placebo-fictional"];

/// What `--ablate` adds, by topic.
const ABLATIONS: [(&str, &[&str]); 7] = [
    ("order", &["reversed", "order:0", "order:1", "order:2", "order:3"]),
    ("recipe", &[]),
    ("k", &["k:1", "k:2", "k:4", "k:8"]),
    ("placement", &["placement:pairs", "placement:inline", "placement:message", "placement:lead"]),
    ("leaks", &["canary"]),
    ("disclosure", &["disclosure:on", "disclosure:off"]),
    ("placebo", &["placebo-shuffled", "placebo-length", "retrieval:random"]),
];

impl Arm {
    /// The arm of a name.
    pub fn new(name: impl Into<String>) -> Arm {
        Arm(name.into())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Whether its requests go past the proxy.
    pub fn is_direct(&self) -> bool {
        self.0 == "direct"
    }

    /// Whether nothing is added, so that effects can be compared with it.
    pub fn is_baseline(&self) -> bool {
        matches!(self.name(), "direct" | "passthrough")
    }

    /// The family of arms that vary one thing: `order` of `order:3`. Reversing is one of the orders.
    pub fn sweep(&self) -> Option<&str> {
        match self.name() {
            "reversed" => Some("order"),
            name => name.split_once(':').map(|(sweep, _)| sweep).filter(|_| !name.contains('+')),
        }
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The arms that are asked for: the named ones or the default, and those of the ablations. `recipes` are the names that
/// the ablation `recipe` stands for. `Err`: the ablation that there is not.
pub fn arms(named: &[String], ablations: &[String], recipes: &[String]) -> Result<Vec<Arm>, String> {
    let mut names: Vec<String> = match named {
        [] => DEFAULT.iter().map(|&name| name.to_owned()).collect(),
        named => named.to_vec(),
    };
    for ablation in ablations {
        let Some((topic, arms)) = ABLATIONS.iter().find(|(topic, _)| topic == ablation) else {
            let topics: Vec<&str> = ABLATIONS.iter().map(|(topic, _)| *topic).collect();
            return Err(format!("there is no ablation `{ablation}`: there are {}", topics.join(", ")));
        };
        names.extend(arms.iter().map(|&name| name.to_owned()));
        if *topic == "recipe" {
            names.extend(recipes.iter().map(|recipe| format!("recipe:{recipe}")));
        }
    }
    let mut arms: Vec<Arm> = Vec::new();
    for name in names {
        let arm = Arm::new(name.trim());
        if !arms.contains(&arm) {
            arms.push(arm);
        }
    }
    Ok(arms)
}
