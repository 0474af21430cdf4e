//! The request shapes that injection knows. Everything in which they differ is answered here, or by the
//! reader that is named here; nothing else asks which of them it has.

use super::conversation::{Conversation, Unreadable};
use super::json::{Cursor, Malformed};
use super::message::{Role, read_messages};
use super::prompt::read_prompts;

/// A request shape that injection knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `POST .../chat/completions`: a `messages` list.
    ChatCompletions,
    /// `POST .../responses`: an `input` that is a text or a list of items.
    Responses,
    /// `POST .../completions`: a `prompt` that is a text or a list of texts.
    Completions,
}

/// What stands under the key of a dialect's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    /// The messages in order, or why there are none to be had.
    pub(super) messages: Result<Vec<super::Message>, Unreadable>,
    /// Bytes of the longest text that a model reads by itself, where that is less than the whole body.
    pub(super) longest: Option<usize>,
}

impl Dialect {
    /// Every dialect, in the order in which they are tried on a body of unknown shape.
    pub const ALL: [Dialect; 3] = [Dialect::ChatCompletions, Dialect::Responses, Dialect::Completions];

    /// The dialect that finds messages in a body; the first where none does.
    pub fn of_body(body: &[u8]) -> Dialect {
        let finds = |dialect: &Dialect| Conversation::read(body, *dialect).is_ok();
        Dialect::ALL.into_iter().find(finds).unwrap_or(Dialect::ChatCompletions)
    }

    /// How the paths of this dialect end, whatever stands before: base paths of providers differ.
    pub fn path_end(self) -> &'static str {
        match self {
            Dialect::ChatCompletions => "/chat/completions",
            Dialect::Responses => "/responses",
            Dialect::Completions => "/completions",
        }
    }

    /// The key under which stands what injection inserts into.
    pub fn list_key(self) -> &'static str {
        match self {
            Dialect::ChatCompletions => "messages",
            Dialect::Responses => "input",
            Dialect::Completions => "prompt",
        }
    }

    /// The `type` of a part of a user message that holds text.
    pub fn text_part(self) -> &'static str {
        match self {
            Dialect::ChatCompletions | Dialect::Completions => "text",
            Dialect::Responses => "input_text",
        }
    }

    /// Why nothing may be inserted when the request has this key with a value other than `null` and `false`.
    pub(super) fn bar(self, key: &str) -> Option<Unreadable> {
        match (self, key) {
            // The history lives upstream, where it cannot be seen.
            (Dialect::Responses, "conversation") => Some(Unreadable::Stateful),
            // The answer begins with the prompt, which clients cut off by its length or take scores from.
            (Dialect::Completions, "echo") => Some(Unreadable::Echo),
            // Servers that answer with the prompt's own tokens would show what was put into it.
            (_, "prompt_logprobs" | "return_token_ids") => Some(Unreadable::Echo),
            _ => None,
        }
    }

    /// Whether a text may stand for the whole list.
    pub(super) fn takes_bare_text(self) -> bool {
        self == Dialect::Responses
    }

    /// Whether an assistant's message states all of its calls, so that calls before it are over. In
    /// Responses a call is an item of its own, and a message between it and its output ends nothing.
    pub(super) fn messages_state_calls(self) -> bool {
        self != Dialect::Responses
    }

    /// Who speaks in an element that has no role but this `type`; `None`: such elements are not known.
    pub(super) fn role_of_type(self, kind: &str) -> Option<Role> {
        (self == Dialect::Responses).then(|| match kind {
            "function_call" | "custom_tool_call" | "computer_call" | "local_shell_call" | "shell_call"
            | "apply_patch_call" => Role::Call,
            output if output.ends_with("_call_output") => Role::Tool,
            // Among them the calls that the provider itself answers, such as `web_search_call`.
            _ => Role::Other,
        })
    }

    /// Reads what stands under the key of the list.
    pub(super) fn read_list(self, cursor: &mut Cursor<'_>) -> Result<Listed, Malformed> {
        match self {
            Dialect::ChatCompletions | Dialect::Responses => {
                Ok(Listed { messages: read_messages(cursor, self)?, longest: None })
            }
            Dialect::Completions => read_prompts(cursor),
        }
    }
}
