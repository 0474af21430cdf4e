//! The request that leaves, as a conversation and as text, with what was added told apart from what the client said.

use std::ops::Range;

use minijinja::{Value, context};

use crate::chat::{Content, Conversation, Dialect, Role, decode_string};

/// The messages of a body; `inserted` are the ranges of it that were added.
pub(super) fn messages(body: &[u8], dialect: Dialect, inserted: &[Range<usize>]) -> Vec<Value> {
    let (Ok(conversation), Ok(text)) = (Conversation::read(body, dialect), std::str::from_utf8(body)) else {
        return Vec::new();
    };
    let is_added =
        |span: &Range<usize>| inserted.iter().any(|range| range.start <= span.start && span.end <= range.end);
    let messages = conversation.messages.iter();
    messages
        .map(|message| {
            let added = is_added(&message.span);
            let parts = if added { Vec::new() } else { parts(text, &message.content, inserted) };
            let said = message.content.text(text);
            context! { role => role(message.role), added, parts, text => if said.is_empty() { "(no text)" } else { &*said } }
        })
        .collect()
}

/// The pieces of one text, where some of them were added.
fn parts(text: &str, content: &Content, inserted: &[Range<usize>]) -> Vec<Value> {
    let (Content::Text(span) | Content::Bare(span) | Content::Prompt(span)) = content else {
        return Vec::new();
    };
    let within: Vec<&Range<usize>> =
        inserted.iter().filter(|range| span.start <= range.start && range.end <= span.end).collect();
    if within.is_empty() {
        return Vec::new();
    }
    let mut parts = Vec::new();
    let mut at = span.start;
    let mut push = |range: Range<usize>, added: bool| {
        if !range.is_empty() {
            parts.push(context! { text => decode_string(&text[range]), added });
        }
    };
    for range in within {
        push(at..range.start, false);
        push(range.clone(), true);
        at = range.end;
    }
    push(at..span.end, false);
    parts
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
        Role::Call => "call",
        Role::Other => "other",
    }
}

/// The body as text with line breaks between messages, in pieces of which some were added.
pub(super) fn difference(body: &[u8], inserted: &[Range<usize>]) -> Vec<Value> {
    let mut parts = Vec::new();
    let mut at = 0;
    let lines = |range: Range<usize>| String::from_utf8_lossy(&body[range]).replace("},{", "},\n{");
    for range in inserted {
        let (before, added) = (lines(at..range.start), lines(range.clone()));
        // Whole messages stand on lines of their own; what is put into a text stays within it.
        let whole = added.starts_with('{');
        parts.push(context! { text => if whole { before + "\n" } else { before }, added => false });
        parts.push(context! { text => if whole { added + "\n" } else { added }, added => true });
        at = range.end;
    }
    parts.push(context! { text => lines(at..body.len()), added => false });
    parts
}
