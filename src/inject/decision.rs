//! What was decided for a request, and why nothing was added where nothing was.

use std::fmt;

/// Why a turn, or a whole request, gets nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// Not a chat request: another path, method or kind of body.
    NotChat,
    /// The body is not UTF-8 JSON.
    NotJson,
    /// The body is nested too deep to be checked.
    TooDeep,
    /// The body is longer than `injection.max_body_bytes`.
    TooLarge,
    /// The body is compressed, so that nothing can be put into it.
    Encoded,
    /// The client has signed the body, so that nothing may be put into it.
    Signed,
    /// The history lives upstream, where it cannot be seen.
    StatefulUpstream,
    /// The answer is to repeat the prompt.
    Echo,
    /// The prompt is given as tokens.
    TokenPrompt,
    /// The messages can be understood in more than one way.
    Ambiguous,
    /// The conversation has no user message.
    NoUserTurn,
    /// The user message holds no text.
    NoText,
    /// Calls of the assistant still wait for their results.
    OpenToolCalls,
    /// No brand of that name is loaded.
    UnknownBrand,
    /// The brands in question hold no item that is valid now.
    NoItems,
    /// Nothing was found that fits well enough.
    BelowThreshold,
    /// What fits was told earlier in this conversation.
    AlreadyTold,
    /// The turn touches a topic that the brand never speaks about.
    Vetoed,
    /// The turn touches a topic that nothing is told into.
    SensitiveTopic,
    /// A token budget, or the model's context window, leaves no room.
    OverBudget,
    /// Retrieval failed.
    RetrievalFailed,
    /// Retrieval has more to do than its queue holds.
    Overloaded,
    /// Retrieval did not finish in time.
    Deadline,
    /// Retrieval has failed repeatedly, and is left alone for a while.
    BreakerOpen,
    /// The client asked for an answer without added context.
    OptOut,
    /// An experiment asked for an answer without added context.
    Passthrough,
    /// The conversation is held out of the live experiment: it would have got something.
    Holdout,
}

impl SkipReason {
    /// The reason of a name in headers, logs and receipts.
    pub fn of(name: &str) -> Option<SkipReason> {
        const ALL: [SkipReason; 27] = [
            SkipReason::NotChat,
            SkipReason::NotJson,
            SkipReason::TooDeep,
            SkipReason::TooLarge,
            SkipReason::Encoded,
            SkipReason::Signed,
            SkipReason::StatefulUpstream,
            SkipReason::Echo,
            SkipReason::TokenPrompt,
            SkipReason::Ambiguous,
            SkipReason::NoUserTurn,
            SkipReason::NoText,
            SkipReason::OpenToolCalls,
            SkipReason::UnknownBrand,
            SkipReason::NoItems,
            SkipReason::BelowThreshold,
            SkipReason::AlreadyTold,
            SkipReason::Vetoed,
            SkipReason::SensitiveTopic,
            SkipReason::OverBudget,
            SkipReason::RetrievalFailed,
            SkipReason::Overloaded,
            SkipReason::Deadline,
            SkipReason::BreakerOpen,
            SkipReason::OptOut,
            SkipReason::Passthrough,
            SkipReason::Holdout,
        ];
        ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// The name in headers, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            SkipReason::NotChat => "not_chat",
            SkipReason::NotJson => "not_json",
            SkipReason::TooDeep => "too_deep",
            SkipReason::TooLarge => "too_large",
            SkipReason::Encoded => "encoded",
            SkipReason::Signed => "signed",
            SkipReason::StatefulUpstream => "stateful_upstream",
            SkipReason::Echo => "echo",
            SkipReason::TokenPrompt => "token_prompt",
            SkipReason::Ambiguous => "ambiguous",
            SkipReason::NoUserTurn => "no_user_turn",
            SkipReason::NoText => "no_text",
            SkipReason::OpenToolCalls => "open_tool_calls",
            SkipReason::UnknownBrand => "unknown_brand",
            SkipReason::NoItems => "no_items",
            SkipReason::BelowThreshold => "below_threshold",
            SkipReason::AlreadyTold => "already_told",
            SkipReason::Vetoed => "vetoed",
            SkipReason::SensitiveTopic => "sensitive_topic",
            SkipReason::OverBudget => "over_budget",
            SkipReason::RetrievalFailed => "retrieval_failed",
            SkipReason::Overloaded => "overloaded",
            SkipReason::Deadline => "deadline",
            SkipReason::BreakerOpen => "breaker_open",
            SkipReason::OptOut => "opt_out",
            SkipReason::Passthrough => "passthrough",
            SkipReason::Holdout => "holdout",
        }
    }

    /// One sentence for a person.
    pub fn explain(self) -> &'static str {
        match self {
            SkipReason::NotChat => "this is not a chat request",
            SkipReason::NotJson => "the body is not JSON",
            SkipReason::TooDeep => "the body is nested too deep",
            SkipReason::TooLarge => "the body is longer than injection.max_body_bytes",
            SkipReason::Encoded => "the body is compressed",
            SkipReason::Signed => "the body is signed by the client",
            SkipReason::StatefulUpstream => "the conversation lives upstream and cannot be seen",
            SkipReason::Echo => "the answer is to repeat the prompt, and would repeat what was added",
            SkipReason::TokenPrompt => "the prompt is given as tokens of the model",
            SkipReason::Ambiguous => "the messages can be understood in more than one way",
            SkipReason::NoUserTurn => "there is no user message",
            SkipReason::NoText => "the user message holds no text",
            SkipReason::OpenToolCalls => "tool calls before this turn still wait for their results",
            SkipReason::UnknownBrand => "no brand of that name is loaded",
            SkipReason::NoItems => "the brand has no item that is valid now",
            SkipReason::BelowThreshold => "no item fits the question well enough",
            SkipReason::AlreadyTold => "what fits was told earlier in the conversation",
            SkipReason::Vetoed => "the brand never speaks about this topic",
            SkipReason::SensitiveTopic => "it touches a topic that no brand is told into",
            SkipReason::OverBudget => "the token budget leaves no room",
            SkipReason::RetrievalFailed => "retrieval failed",
            SkipReason::Overloaded => "retrieval is busy",
            SkipReason::Deadline => "retrieval did not finish in time",
            SkipReason::BreakerOpen => "retrieval has failed repeatedly, and is left alone for a while",
            SkipReason::OptOut => "the client asked for no added context",
            SkipReason::Passthrough => "the experiment asks for no added context",
            SkipReason::Holdout => "the conversation is held out, so that the effect can be told",
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What was decided for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// At least one turn got something.
    Injected {
        /// Items over all turns of the conversation.
        items: usize,
        /// Tokens over all turns, as the configured tokenizer counts them.
        tokens: u32,
    },
    /// The body left as it came.
    Skipped(SkipReason),
}

impl Decision {
    /// `injected`, or the name of the reason.
    pub fn as_str(self) -> &'static str {
        match self {
            Decision::Injected { .. } => "injected",
            Decision::Skipped(reason) => reason.as_str(),
        }
    }

    /// Items that were added; zero when skipped.
    pub fn items(self) -> usize {
        match self {
            Decision::Injected { items, .. } => items,
            Decision::Skipped(_) => 0,
        }
    }

    /// Tokens that were added; zero when skipped.
    pub fn tokens(self) -> u32 {
        match self {
            Decision::Injected { tokens, .. } => tokens,
            Decision::Skipped(_) => 0,
        }
    }
}
