//! Where the messages of a chat request stand in its bytes, and the little that must be known of each.

use std::ops::Range;

use super::dialect::Dialect;
use super::json::{Cursor, Kind, Malformed};
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
}

/// One element of the `messages` list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Byte range of the object, from `{` to `}`.
    pub span: Range<usize>,
    /// Who speaks.
    pub role: Role,
    /// What it holds.
    pub content: Content,
    /// Number of `tool_calls`, or 1 for a legacy `function_call`.
    pub tool_calls: usize,
}

/// Who speaks in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `system`
    System,
    /// `developer`
    Developer,
    /// `user`
    User,
    /// `assistant`
    Assistant,
    /// `tool`, the legacy `function`, or a `function_call_output` item: the result of a call.
    Tool,
    /// A `function_call` item of the Responses dialect, which is not part of a message.
    Call,
    /// Another item of the Responses dialect, such as `reasoning`: nobody's words.
    Other,
}

/// The `content` of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// No such key, or `null`.
    Absent,
    /// A string: the byte range between its quotes.
    Text(Range<usize>),
    /// A list of parts: the byte range from `[` to `]`.
    Parts(Range<usize>),
    /// A string that stands for the whole list (`"input": "..."`): the byte range between its quotes.
    Bare(Range<usize>),
    /// A number, an object, a boolean: nothing that this dialect defines.
    Other,
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
        let mut messages = None;
        let mut model = None;
        let mut ambiguous = false;
        let mut stateful = false;
        let mut more = cursor.enter(b'{')?;
        while more {
            let key = decode_string(cursor.key()?);
            if key == dialect.list_key() {
                ambiguous |= messages.is_some();
                messages = Some(read_messages(&mut cursor, dialect)?);
            } else if key == "conversation" && dialect == Dialect::Responses {
                stateful = cursor.kind()? != Kind::Null;
                cursor.skip_value()?;
            } else if key == "model" && cursor.kind()? == Kind::String {
                model = Some(decode_string(&text[cursor.string()?]).into_owned());
            } else {
                cursor.skip_value()?;
            }
            more = cursor.another(b'{')?;
        }
        cursor.finish()?;
        match messages {
            None => Err(Unreadable::NoMessages),
            Some(_) if ambiguous => Err(Unreadable::Ambiguous),
            Some(_) if stateful => Err(Unreadable::Stateful),
            Some(Some(messages)) => Ok(Conversation { dialect, messages, model }),
            Some(None) => Err(Unreadable::Ambiguous),
        }
    }
}

/// `None`: well-formed, but not a list of messages.
fn read_messages(cursor: &mut Cursor<'_>, dialect: Dialect) -> Result<Option<Vec<Message>>, Unreadable> {
    if dialect == Dialect::Responses && cursor.kind()? == Kind::String {
        let text = cursor.string()?;
        let span = text.start - 1..text.end + 1;
        return Ok(Some(vec![Message {
            span,
            role: Role::User,
            content: Content::Bare(text),
            tool_calls: 0,
        }]));
    }
    if cursor.kind()? != Kind::Array {
        cursor.skip_value()?;
        return Ok(None);
    }
    let mut messages = Vec::new();
    let mut understood = true;
    let mut more = cursor.enter(b'[')?;
    while more {
        match read_message(cursor, dialect)? {
            Some(message) => messages.push(message),
            None => understood = false,
        }
        more = cursor.another(b'[')?;
    }
    Ok(understood.then_some(messages))
}

fn read_message(cursor: &mut Cursor<'_>, dialect: Dialect) -> Result<Option<Message>, Unreadable> {
    if cursor.kind()? != Kind::Object {
        cursor.skip_value()?;
        return Ok(None);
    }
    let start = cursor.position();
    let mut role = None;
    let mut content = None;
    let mut item = None;
    let mut tool_calls = None;
    let mut understood = true;
    let mut more = cursor.enter(b'{')?;
    while more {
        match &*decode_string(cursor.key()?) {
            "role" => understood &= role.replace(read_role(cursor)?).is_none(),
            "content" => understood &= content.replace(read_content(cursor)?).is_none(),
            "type" if dialect == Dialect::Responses => {
                understood &= item.replace(read_item_type(cursor)?).is_none();
            }
            "tool_calls" | "function_call" => {
                // A null in one of the two spellings beside a value in the other is common.
                let calls = count_calls(cursor)?;
                tool_calls = Some(tool_calls.unwrap_or(0) + calls);
            }
            _ => {
                cursor.skip_value()?;
            }
        }
        more = cursor.another(b'{')?;
    }
    let span = start..cursor.position();
    let role = match (dialect, role) {
        (Dialect::Responses, None) => item,
        (_, role) => role.flatten(),
    };
    Ok(match role {
        Some(role) if understood => Some(Message {
            span,
            role,
            content: content.unwrap_or(Content::Absent),
            tool_calls: tool_calls.unwrap_or(0),
        }),
        _ => None,
    })
}

fn read_role(cursor: &mut Cursor<'_>) -> Result<Option<Role>, Unreadable> {
    if cursor.kind()? != Kind::String {
        cursor.skip_value()?;
        return Ok(None);
    }
    let span = cursor.string()?;
    Ok(match &*decode_string(cursor.slice(span)) {
        "system" => Some(Role::System),
        "developer" => Some(Role::Developer),
        "user" => Some(Role::User),
        "assistant" => Some(Role::Assistant),
        "tool" | "function" => Some(Role::Tool),
        _ => None,
    })
}

/// Who speaks in an item without a role.
fn read_item_type(cursor: &mut Cursor<'_>) -> Result<Role, Unreadable> {
    if cursor.kind()? != Kind::String {
        cursor.skip_value()?;
        return Ok(Role::Other);
    }
    let span = cursor.string()?;
    let item = decode_string(cursor.slice(span));
    Ok(match &*item {
        "function_call" | "custom_tool_call" => Role::Call,
        "function_call_output" | "custom_tool_call_output" => Role::Tool,
        _ => Role::Other,
    })
}

fn read_content(cursor: &mut Cursor<'_>) -> Result<Content, Unreadable> {
    Ok(match cursor.kind()? {
        Kind::String => Content::Text(cursor.string()?),
        Kind::Array => Content::Parts(cursor.skip_value()?),
        Kind::Null => {
            cursor.skip_value()?;
            Content::Absent
        }
        Kind::Object | Kind::Scalar => {
            cursor.skip_value()?;
            Content::Other
        }
    })
}

fn count_calls(cursor: &mut Cursor<'_>) -> Result<usize, Unreadable> {
    match cursor.kind()? {
        Kind::Array => {
            let mut calls = 0;
            let mut more = cursor.enter(b'[')?;
            while more {
                cursor.skip_value()?;
                calls += 1;
                more = cursor.another(b'[')?;
            }
            Ok(calls)
        }
        Kind::Object => {
            cursor.skip_value()?;
            Ok(1)
        }
        _ => {
            cursor.skip_value()?;
            Ok(0)
        }
    }
}
