//! A request's body as turns.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::chat::{Conversation, Dialect, Turn, Unreadable};
use crate::inject::SkipReason;

/// A body that could be read.
pub(super) struct ReadTurns {
    pub(super) turns: Vec<Turn>,
    /// Bytes that a model reads at once, at most.
    pub(super) bytes: usize,
    /// Tokens that the answer may take.
    pub(super) answer_tokens: u32,
    /// The model that the request names.
    pub(super) model: Option<String>,
    /// From the first message to the end of the first turn's: what all requests of a conversation begin with.
    pub(super) opening: Range<usize>,
}

/// The turns of a body. A panic in reading it, which no test has produced, is a body not understood.
pub(super) fn read_turns(body: &[u8], dialect: Dialect) -> Result<ReadTurns, SkipReason> {
    let read = catch_unwind(AssertUnwindSafe(|| {
        let conversation = Conversation::read(body, dialect)?;
        let turns = conversation.turns();
        let start = conversation.messages.first().map_or(0, |message| message.span.start);
        let end = turns.first().map_or(start, |turn| turn.span.end.max(start));
        let Conversation { model, bytes, answer_tokens, .. } = conversation;
        Ok(ReadTurns { turns, bytes, answer_tokens, model, opening: start..end })
    }));
    match read {
        Err(_) => Err(SkipReason::Ambiguous),
        Ok(Err(unreadable)) => Err(reason(unreadable)),
        Ok(Ok(read)) if read.turns.is_empty() => Err(SkipReason::NoUserTurn),
        Ok(Ok(read)) => Ok(read),
    }
}

pub(super) fn reason(unreadable: Unreadable) -> SkipReason {
    match unreadable {
        Unreadable::NotJson => SkipReason::NotJson,
        Unreadable::TooDeep => SkipReason::TooDeep,
        Unreadable::NoMessages => SkipReason::NotChat,
        Unreadable::Stateful => SkipReason::StatefulUpstream,
        Unreadable::Echo => SkipReason::Echo,
        Unreadable::Tokens => SkipReason::TokenPrompt,
        Unreadable::Ambiguous => SkipReason::Ambiguous,
    }
}
