//! Token counts. What is inserted is counted exactly when a snapshot is built; what a client sends is
//! estimated from its length, since counting it would cost more than everything else together.

use std::path::Path;
use std::sync::Arc;

use tiktoken_rs::CoreBPE;

/// Which tokens are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tokenizer {
    /// `o200k_base`: GPT-4o and later.
    O200k,
    /// `cl100k_base`: GPT-4 and GPT-3.5.
    Cl100k,
    /// No vocabulary: the same estimate as for the client's text.
    Estimate,
    /// A model's own: the path of its `tokenizer.json`.
    File {
        /// Where it is.
        path: Arc<Path>,
        /// What its counts are kept under: a hash of it.
        key: Arc<str>,
    },
}

impl Tokenizer {
    /// The tokenizer of a file, which is read to see whether it is one.
    ///
    /// # Errors
    ///
    /// What is wrong with the file.
    pub fn of_file(path: &Path) -> Result<Tokenizer, String> {
        let bytes = std::fs::read(path).map_err(|error| format!("it cannot be read: {error}"))?;
        tokenizers::Tokenizer::from_bytes(&bytes).map_err(|error| format!("it is no tokenizer: {error}"))?;
        let key = blake3::hash(&bytes).to_hex();
        Ok(Tokenizer::File { path: path.into(), key: format!("file-{}", &key[..16]).into() })
    }

    /// The key under which counts are kept; the name in the configuration, where it has one.
    pub fn name(&self) -> &str {
        match self {
            Tokenizer::O200k => "o200k",
            Tokenizer::Cl100k => "cl100k",
            Tokenizer::Estimate => "estimate",
            Tokenizer::File { key, .. } => key,
        }
    }
}

/// Counts tokens. The vocabulary (tens of megabytes) is read at the first count and released with the
/// counter, so that it weighs on a build of a snapshot only.
pub struct TokenCounter {
    tokenizer: Tokenizer,
    vocabulary: Option<Vocabulary>,
}

enum Vocabulary {
    BytePairs(CoreBPE),
    File(Box<tokenizers::Tokenizer>),
}

impl Vocabulary {
    fn of(tokenizer: &Tokenizer) -> Option<Vocabulary> {
        match tokenizer {
            Tokenizer::O200k => tiktoken_rs::o200k_base().ok().map(Vocabulary::BytePairs),
            Tokenizer::Cl100k => tiktoken_rs::cl100k_base().ok().map(Vocabulary::BytePairs),
            Tokenizer::Estimate => None,
            Tokenizer::File { path, .. } => {
                let mut file = tokenizers::Tokenizer::from_file(path).ok()?;
                // Some files fill every text up to a length, or cut it there: for a batch, not for counting.
                file.with_padding(None).with_truncation(None).ok()?;
                Some(Vocabulary::File(Box::new(file)))
            }
        }
    }

    fn count(&self, text: &str) -> Option<usize> {
        match self {
            Vocabulary::BytePairs(pairs) => Some(pairs.encode_ordinary(text).len()),
            Vocabulary::File(file) => Some(file.encode_fast(text, false).ok()?.len()),
        }
    }
}

impl TokenCounter {
    /// A counter that has read nothing yet.
    pub fn new(tokenizer: Tokenizer) -> Self {
        TokenCounter { tokenizer, vocabulary: None }
    }

    /// Number of tokens of `text`. Falls back to the estimate if the vocabulary cannot be read.
    pub fn count(&mut self, text: &str) -> u32 {
        if self.vocabulary.is_none() {
            self.vocabulary = Vocabulary::of(&self.tokenizer);
        }
        match self.vocabulary.as_ref().and_then(|vocabulary| vocabulary.count(text)) {
            Some(count) => u32::try_from(count).unwrap_or(u32::MAX),
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
