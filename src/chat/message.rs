//! Who says what in a list of messages or items, and where it stands.

use std::borrow::Cow;
use std::ops::Range;

use super::conversation::Unreadable;
use super::dialect::Dialect;
use super::json::{Cursor, Kind, Malformed};
use super::text::decode_string;

/// One element of the list, or a stretch of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Byte range of the object, from `{` to `}`; of a stretch of a prompt, its text.
    pub span: Range<usize>,
    /// Who speaks.
    pub role: Role,
    /// What it holds.
    pub content: Content,
    /// Number of `tool_calls`, or 1 for a legacy `function_call`.
    pub tool_calls: usize,
    /// Whether a conversation of its own begins here, for which nothing before it was said: the second and
    /// every further prompt of a list, and the first.
    pub opens: bool,
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
    /// A stretch of a prompt: the byte range of its raw text within the string.
    Prompt(Range<usize>),
    /// A number, an object, a boolean: nothing that this dialect defines.
    Other,
}

/// Reads a list of messages or items, which may be well-formed and still not be understood.
pub(super) fn read_messages(
    cursor: &mut Cursor<'_>,
    dialect: Dialect,
) -> Result<Result<Vec<Message>, Unreadable>, Malformed> {
    if dialect.takes_bare_text() && cursor.kind()? == Kind::String {
        let text = cursor.string()?;
        let span = text.start - 1..text.end + 1;
        let content = Content::Bare(text);
        return Ok(Ok(vec![Message { span, role: Role::User, content, tool_calls: 0, opens: false }]));
    }
    if cursor.kind()? != Kind::Array {
        cursor.skip_value()?;
        return Ok(Err(Unreadable::Ambiguous));
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
    Ok(if understood { Ok(messages) } else { Err(Unreadable::Ambiguous) })
}

fn read_message(cursor: &mut Cursor<'_>, dialect: Dialect) -> Result<Option<Message>, Malformed> {
    if cursor.kind()? != Kind::Object {
        cursor.skip_value()?;
        return Ok(None);
    }
    let start = cursor.position();
    let mut role = None;
    let mut content = None;
    let mut kind = None;
    let mut tool_calls = None;
    let mut understood = true;
    let mut more = cursor.enter(b'{')?;
    while more {
        match &*decode_string(cursor.key()?) {
            "role" => understood &= role.replace(read_role(cursor)?).is_none(),
            "content" => understood &= content.replace(read_content(cursor)?).is_none(),
            "type" => understood &= kind.replace(read_type(cursor)?).is_none(),
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
    let role = match role {
        // A role that is there and not understood is not made up for by the type.
        Some(role) => role,
        None => kind.and_then(|kind| dialect.role_of_type(&kind)),
    };
    Ok(match role {
        Some(role) if understood => Some(Message {
            span,
            role,
            content: content.unwrap_or(Content::Absent),
            tool_calls: tool_calls.unwrap_or(0),
            opens: false,
        }),
        _ => None,
    })
}

fn read_role(cursor: &mut Cursor<'_>) -> Result<Option<Role>, Malformed> {
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

/// The `type` of an element; empty where it is no text.
fn read_type<'a>(cursor: &mut Cursor<'a>) -> Result<Cow<'a, str>, Malformed> {
    if cursor.kind()? != Kind::String {
        cursor.skip_value()?;
        return Ok(Cow::Borrowed(""));
    }
    let span = cursor.string()?;
    Ok(decode_string(cursor.slice(span)))
}

fn read_content(cursor: &mut Cursor<'_>) -> Result<Content, Malformed> {
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

fn count_calls(cursor: &mut Cursor<'_>) -> Result<usize, Malformed> {
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
