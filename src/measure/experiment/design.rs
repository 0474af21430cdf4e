//! Which question is asked in which arm, how often, in which order.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::arm::Arm;
use crate::measure::suite::{Question, Suite};
use crate::statistics::shuffled;

/// Which answers share a seed. Arms always do, so that they see the same draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seeds {
    /// Those of a repeat: the seed is its index, which anybody can set by hand.
    #[default]
    Repeat,
    /// Those of a question in a repeat. Where an endpoint draws the same numbers from a seed whatever it is asked, the
    /// answers of a repeat would otherwise be lucky or unlucky together.
    Question,
}

impl Seeds {
    /// By its name on the command line.
    pub fn from_name(name: &str) -> Option<Seeds> {
        [Seeds::Repeat, Seeds::Question].into_iter().find(|seeds| seeds.name() == name)
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Seeds::Repeat => "repeat",
            Seeds::Question => "question",
        }
    }

    fn is_default(&self) -> bool {
        *self == Seeds::default()
    }

    /// The seed of a question in a repeat; one that endpoints take, which is below 2³¹.
    fn seed(self, question: &Question, repeat: u32) -> u32 {
        match self {
            Seeds::Repeat => repeat,
            Seeds::Question => {
                let hash = blake3::Hasher::new()
                    .update(&repeat.to_le_bytes())
                    .update(question.id.as_bytes())
                    .finalize();
                let mut four = [0; 4];
                four.copy_from_slice(&hash.as_bytes()[..4]);
                u32::from_le_bytes(four) >> 1
            }
        }
    }
}

/// How answers are drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// The model's name at the endpoint.
    pub model: String,
    /// Most tokens of an answer.
    pub max_tokens: u32,
    /// Temperature. Above zero, or repeats would be the same answer again.
    pub temperature: f64,
    /// Which answers share a seed.
    #[serde(default, skip_serializing_if = "Seeds::is_default")]
    pub seeds: Seeds,
    /// Fields of the request besides, as JSON.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// One answer to be had: question, arm and repeat.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cell {
    /// The index of the question in its suite.
    pub question: usize,
    /// The index of the arm.
    pub arm: usize,
    /// From 0; the seed of the answer.
    pub repeat: u32,
}

/// An experiment before it is run.
#[derive(Debug, Clone)]
pub struct Design {
    /// The questions.
    pub suite: Suite,
    /// The arms.
    pub arms: Vec<Arm>,
    /// Answers to each question in each arm.
    pub repeats: u32,
    /// How they are drawn.
    pub sampling: Sampling,
    /// Where the order of the requests begins.
    pub seed: u64,
}

impl Design {
    /// All cells in the order in which they are asked: the arms are mixed, so that whatever changes with time
    /// changes in all of them alike.
    pub fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for question in 0..self.suite.questions.len() {
            for arm in 0..self.arms.len() {
                cells.extend((0..self.repeats).map(|repeat| Cell { question, arm, repeat }));
            }
        }
        shuffled(cells.len(), self.seed).into_iter().map(|index| cells[index].clone()).collect()
    }

    /// The request of a cell.
    pub fn request(&self, cell: &Cell) -> Value {
        let question = &self.suite.questions[cell.question];
        let mut body = json!({
            "model": self.sampling.model,
            "messages": question.messages,
            "max_tokens": self.sampling.max_tokens,
            "temperature": self.sampling.temperature,
            "seed": self.sampling.seeds.seed(question, cell.repeat),
        });
        if let Some(object) = body.as_object_mut() {
            for (key, value) in &self.sampling.extra {
                // A key with null takes ours out: some models want `max_completion_tokens` instead.
                if value.is_null() {
                    object.remove(key);
                } else {
                    object.insert(key.clone(), value.clone());
                }
            }
        }
        body
    }

    /// What an answer is known by in the journal: everything that it depends on, the repeat among it. An answer to
    /// a question that has been reworded, or drawn otherwise, has another key.
    pub fn key(&self, cell: &Cell) -> String {
        let mut hash = blake3::Hasher::new();
        hash.update(self.arms[cell.arm].name().as_bytes());
        hash.update(&[0]);
        hash.update(&cell.repeat.to_le_bytes());
        hash.update(self.request(cell).to_string().as_bytes());
        hash.finalize().to_hex()[..20].to_owned()
    }

    /// The question of a cell.
    pub fn question(&self, cell: &Cell) -> &Question {
        &self.suite.questions[cell.question]
    }
}
