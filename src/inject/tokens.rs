//! Token counts. What is inserted is counted exactly when a snapshot is built; what a client sends is
//! estimated from its length, since counting it would cost more than everything else together.

use tiktoken_rs::CoreBPE;

/// Which tokens are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokenizer {
    /// `o200k_base`: GPT-4o and later.
    O200k,
    /// `cl100k_base`: GPT-4 and GPT-3.5.
    Cl100k,
    /// No vocabulary: the same estimate as for the client's text.
    Estimate,
}

impl Tokenizer {
    /// The name in the configuration, and the key under which counts are kept.
    pub fn name(self) -> &'static str {
        match self {
            Tokenizer::O200k => "o200k",
            Tokenizer::Cl100k => "cl100k",
            Tokenizer::Estimate => "estimate",
        }
    }
}

/// Counts tokens. The vocabulary (tens of megabytes) is read at the first count and released with the
/// counter, so that it weighs on a build of a snapshot only.
pub struct TokenCounter {
    tokenizer: Tokenizer,
    vocabulary: Option<CoreBPE>,
}

impl TokenCounter {
    /// A counter that has read nothing yet.
    pub fn new(tokenizer: Tokenizer) -> Self {
        TokenCounter { tokenizer, vocabulary: None }
    }

    /// Number of tokens of `text`. Falls back to the estimate if the vocabulary cannot be read.
    pub fn count(&mut self, text: &str) -> u32 {
        if self.vocabulary.is_none() {
            self.vocabulary = match self.tokenizer {
                Tokenizer::O200k => tiktoken_rs::o200k_base().ok(),
                Tokenizer::Cl100k => tiktoken_rs::cl100k_base().ok(),
                Tokenizer::Estimate => None,
            };
        }
        match &self.vocabulary {
            Some(vocabulary) => u32::try_from(vocabulary.encode_ordinary(text).len()).unwrap_or(u32::MAX),
            None => estimate_tokens(text.len()),
        }
    }
}

/// Tokens that a text of so many bytes has at most in practice: one in three bytes. English has one in
/// four or more; scripts with fewer bytes a token than three are rare outside of emoji and code points
/// that no vocabulary holds.
pub fn estimate_tokens(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(3)).unwrap_or(u32::MAX)
}
