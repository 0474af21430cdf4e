//! Turns: one user message with what follows up to the next.

use std::borrow::Cow;
use std::ops::Range;

use super::conversation::Conversation;
use super::json::{Cursor, Kind};
use super::message::{Content, Role};
use super::text::decode_string;

/// The user message that opens a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Byte range of the message: what is put at its start comes right before the turn.
    pub span: Range<usize>,
    /// The message's content.
    pub content: Content,
    /// What the assistant said since the turn before.
    pub answers: Vec<Content>,
    /// The `type` of a part of the content that holds text.
    pub text_part: &'static str,
    /// Whether something may be put before it. Not when calls of the assistant before it still wait for
    /// their results: nothing may come between the two.
    pub insertable: bool,
    /// Whether it is the first turn of a conversation of its own, for which nothing before it was said.
    pub opens: bool,
}

impl Conversation {
    /// The turns of the conversation in order. What is known of a turn depends on the messages up to it
    /// alone.
    pub fn turns(&self) -> Vec<Turn> {
        let mut turns = Vec::new();
        let mut answers = Vec::new();
        let mut open_calls = 0_usize;
        let mut opens = false;
        for message in &self.messages {
            if message.opens {
                answers.clear();
                open_calls = 0;
                opens = true;
            }
            match message.role {
                Role::User => turns.push(Turn {
                    span: message.span.clone(),
                    content: message.content.clone(),
                    answers: std::mem::take(&mut answers),
                    text_part: self.dialect.text_part(),
                    insertable: open_calls == 0,
                    opens: std::mem::take(&mut opens),
                }),
                Role::Assistant => {
                    let before = if self.dialect.messages_state_calls() { 0 } else { open_calls };
                    open_calls = before + message.tool_calls;
                    answers.push(message.content.clone());
                }
                Role::Tool => open_calls = open_calls.saturating_sub(1),
                Role::Call => open_calls += 1,
                Role::System | Role::Developer | Role::Other => {}
            }
        }
        turns
    }
}

impl Turn {
    /// Byte range of the raw content in the body; empty where there is none.
    pub fn raw(&self) -> Range<usize> {
        self.content.raw()
    }

    /// What the user wrote, decoded: the string, or the text parts with a line break between them.
    pub fn text<'a>(&self, body: &'a str) -> Cow<'a, str> {
        self.content.text(body)
    }
}

impl Content {
    /// Byte range of the raw content in the body; empty where there is none.
    pub fn raw(&self) -> Range<usize> {
        match self {
            Content::Text(span) | Content::Parts(span) | Content::Bare(span) | Content::Prompt(span) => {
                span.clone()
            }
            Content::Absent | Content::Other => 0..0,
        }
    }

    /// The text, decoded: the string, or the text parts with a line break between them.
    pub fn text<'a>(&self, body: &'a str) -> Cow<'a, str> {
        match self {
            Content::Text(span) | Content::Bare(span) | Content::Prompt(span) => {
                decode_string(&body[span.clone()])
            }
            Content::Parts(span) => Cow::Owned(parts_text(&body[span.clone()])),
            Content::Absent | Content::Other => Cow::Borrowed(""),
        }
    }
}

/// The texts of the `text`, `input_text` and `output_text` parts of a list that is known to be well-formed.
fn parts_text(list: &str) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut cursor = Cursor::new(list);
    let mut more = cursor.enter(b'[').unwrap_or(false);
    while more {
        texts.extend(part_text(&mut cursor));
        more = cursor.another(b'[').unwrap_or(false);
    }
    texts.join("\n")
}

fn part_text(cursor: &mut Cursor<'_>) -> Option<String> {
    if cursor.kind().ok()? != Kind::Object {
        cursor.skip_value().ok()?;
        return None;
    }
    let mut is_text = false;
    let mut text = None;
    let mut more = cursor.enter(b'{').ok()?;
    while more {
        let key = decode_string(cursor.key().ok()?);
        // Other strings, among them whole files, are not decoded.
        if matches!(&*key, "type" | "text") && cursor.kind().ok()? == Kind::String {
            let span = cursor.string().ok()?;
            let value = decode_string(cursor.slice(span));
            if key == "type" {
                is_text = matches!(&*value, "text" | "input_text" | "output_text");
            } else {
                text = Some(value.into_owned());
            }
        } else {
            cursor.skip_value().ok()?;
        }
        more = cursor.another(b'{').ok()?;
    }
    text.filter(|_| is_text)
}
