//! What came back for one cell, as the journal keeps it.

use serde::{Deserialize, Serialize};

/// What the model said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The text of the first choice.
    pub text: String,
    /// Whether the model declined, by the field `refusal` or by the content filter.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// Why it ended, as the endpoint says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<String>,
    /// The model that answered, as the endpoint says it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// The version of what serves it (`system_fingerprint`), as the endpoint says it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fingerprint: String,
    /// Tokens of the prompt.
    #[serde(default)]
    pub prompt_tokens: u64,
    /// Of these, from the endpoint's cache.
    #[serde(default)]
    pub cached_tokens: u64,
    /// Tokens of the answer.
    #[serde(default)]
    pub completion_tokens: u64,
    /// What the proxy decided; empty past it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub decision: String,
    /// Tokens that were added.
    #[serde(default)]
    pub added_tokens: u64,
    /// Ids of the items that were added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
    /// The mark in the items, in arms with one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub canary: String,
    /// The snapshot of the proxy; empty past it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub snapshot: String,
    /// Microseconds that the proxy took to decide.
    #[serde(default)]
    pub planning_us: u64,
}

/// Why there is no answer. Never "not mentioned": a missing answer says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingReason {
    /// No connection, or one that broke.
    Connection,
    /// No whole answer in time.
    Timeout,
    /// Still "too many requests" after all attempts.
    RateLimited,
    /// A status of 500 or above.
    ServerError,
    /// Another status than success.
    Refused,
    /// Not JSON: an error page, for instance.
    NotJson,
    /// JSON without a choice in it.
    NoChoice,
    /// The model called a tool instead of answering.
    ToolCall,
    /// Neither text nor refusal: all tokens went into reasoning, for instance.
    NoText,
    /// Too long to be read.
    TooLong,
    /// Whoever answered does not know of arms.
    NoArm,
}

impl MissingReason {
    /// One sentence for a person.
    pub fn explain(self) -> &'static str {
        match self {
            MissingReason::Connection => "the endpoint could not be reached, or broke off",
            MissingReason::Timeout => {
                "the answer did not come in time: raise --timeout, or lower --concurrency"
            }
            MissingReason::RateLimited => "too many requests: lower --concurrency, then go on with --resume",
            MissingReason::ServerError => "the endpoint failed: go on with --resume when it is well again",
            MissingReason::Refused => "the endpoint refused the request",
            MissingReason::NotJson => "the answer is not JSON: is this the base URL of a chat endpoint?",
            MissingReason::NoChoice => {
                "the answer holds no choice: see with one request by hand what the endpoint answers"
            }
            MissingReason::ToolCall => {
                "the model called a tool instead of answering: ask it without tools, for instance with --set tool_choice='\"none\"'"
            }
            MissingReason::NoText => {
                "the answer holds no text: raise --max-tokens for a model that thinks first"
            }
            MissingReason::TooLong => "the answer is too long to be read: lower --max-tokens",
            MissingReason::NoArm => {
                "it answers and does not take arms: is it a foreword whose measure.token_env holds the same token?"
            }
        }
    }
}

/// A line of the journal: one cell, answered or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// See [`super::Design::key`].
    pub key: String,
    /// The question's id.
    pub question: String,
    /// The arm.
    pub arm: String,
    /// The repeat.
    pub repeat: u32,
    /// Milliseconds from the request to the whole answer, of the last attempt.
    pub ms: f64,
    /// Attempts that it took.
    pub attempts: u32,
    /// The answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<MissingReason>,
    /// What the endpoint said instead, shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Record {
    /// Why there is no answer, with what the endpoint said; nothing where there is one.
    pub fn why_missing(&self) -> Option<String> {
        let reason = self.missing?.explain();
        Some(match &self.detail {
            Some(detail) => format!("{reason} ({detail})"),
            None => reason.to_owned(),
        })
    }
}
