//! Which question is asked in which arm, how often, in which order.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::arm::Arm;
use crate::measure::suite::{Question, Suite};
use crate::statistics::shuffled;

/// How answers are drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// The model's name at the endpoint.
    pub model: String,
    /// Most tokens of an answer.
    pub max_tokens: u32,
    /// Temperature. Above zero, or repeats would be the same answer again.
    pub temperature: f64,
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

    /// The request of a cell. The seed is the repeat's index: arms see the same draws.
    pub fn request(&self, cell: &Cell) -> Value {
        let question = &self.suite.questions[cell.question];
        let mut body = json!({
            "model": self.sampling.model,
            "messages": question.messages,
            "max_tokens": self.sampling.max_tokens,
            "temperature": self.sampling.temperature,
            "seed": cell.repeat,
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
