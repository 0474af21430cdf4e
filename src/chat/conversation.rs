//! Where the messages of a chat request stand in its bytes, and the little that must be known of each.

use super::dialect::{Dialect, Listed};
use super::json::{Cursor, Kind, Malformed};
use super::message::Message;
use super::text::decode_string;

/// A chat request as byte spans over its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its shape.
    pub dialect: Dialect,
    /// The messages in order.
    pub messages: Vec<Message>,
    /// The `model` field, decoded, where it is a string.
    pub model: Option<String>,
    /// Bytes that the model reads at once, at most: those of the body, or of the longest of several prompts.
    pub bytes: usize,
    /// Tokens that the answer may take: those that are asked for, which the context window must hold as well.
    pub answer_tokens: u32,
}

/// Why a body is not a conversation that may be inserted into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// Not UTF-8, or not JSON.
    NotJson,
    /// Nested deeper than [`super::MAX_DEPTH`].
    TooDeep,
    /// JSON, but without a list of messages: another kind of request.
    NoMessages,
    /// The history lives upstream (`conversation`), where it cannot be seen.
    Stateful,
    /// The answer is to repeat the prompt (`echo`), where what was inserted would be seen.
    Echo,
    /// The prompt is given as tokens of a vocabulary that is not known.
    Tokens,
    /// A list of messages that can be understood in more than one way, or in none: a repeated key, a
    /// message that is no object or has no known role.
    Ambiguous,
}

impl From<Malformed> for Unreadable {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::Syntax(_) => Unreadable::NotJson,
            Malformed::TooDeep => Unreadable::TooDeep,
        }
    }
}

/// Under what a request says how long its answer may be.
const ANSWER_TOKENS: [&str; 3] = ["max_tokens", "max_completion_tokens", "max_output_tokens"];

impl Conversation {
    /// Finds the messages in `body`. The whole body is checked to be JSON, so that what is inserted
    /// into was well-formed before.
    pub fn read(body: &[u8], dialect: Dialect) -> Result<Conversation, Unreadable> {
        let text = std::str::from_utf8(body).map_err(|_| Unreadable::NotJson)?;
        let mut cursor = Cursor::new(text);
        if cursor.kind()? != Kind::Object {
            cursor.skip_value()?;
            cursor.finish()?;
            return Err(Unreadable::NoMessages);
        }
        let mut list: Option<Listed> = None;
        let mut model = None;
        let mut answer_tokens = 0_u32;
        let mut ambiguous = false;
        let mut barred = None;
        let mut more = cursor.enter(b'{')?;
        while more {
            let key = decode_string(cursor.key()?);
            if key == dialect.list_key() {
                ambiguous |= list.is_some();
                list = Some(dialect.read_list(&mut cursor)?);
            } else if let Some(bar) = dialect.bar(&key) {
                let value = cursor.skip_value()?;
                if !matches!(cursor.slice(value), "null" | "false") {
                    barred = Some(bar);
                }
            } else if key == "model" && cursor.kind()? == Kind::String {
                model = Some(decode_string(&text[cursor.string()?]).into_owned());
            } else if ANSWER_TOKENS.contains(&&*key) {
                let value = cursor.skip_value()?;
                answer_tokens = answer_tokens.max(cursor.slice(value).trim().parse().unwrap_or(0));
            } else {
                cursor.skip_value()?;
            }
            more = cursor.another(b'{')?;
        }
        cursor.finish()?;
        match (list, barred) {
            (None, _) => Err(Unreadable::NoMessages),
            (Some(_), _) if ambiguous => Err(Unreadable::Ambiguous),
            (Some(_), Some(bar)) => Err(bar),
            (Some(Listed { messages, longest }), None) => {
                let bytes = longest.unwrap_or(body.len());
                Ok(Conversation { dialect, messages: messages?, model, bytes, answer_tokens })
            }
        }
    }
}
