//! How much may be added, in tokens of the target model.

/// Bounds that hold besides the recipe's own per turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Most tokens over all turns of a conversation; where the context window is known, no more than its share.
    pub conversation_tokens: u32,
    /// The model's context window, where it is known: a request that would overflow it because of what
    /// was added goes on without.
    pub context_tokens: Option<u32>,
}
