//! What somebody types or pastes becomes a request: a question, a conversation as lines, or JSON.

use serde_json::{Map, Value, json};

use crate::chat::{Conversation, Dialect};

/// A request to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pasted {
    /// The body.
    pub(super) body: Vec<u8>,
    /// Its shape.
    pub(super) dialect: Dialect,
}

/// Speakers, as people write them before a colon.
const SPEAKERS: [(&str, &[&str]); 3] = [
    ("user", &["user", "human", "customer", "you", "q"]),
    ("assistant", &["assistant", "ai", "bot", "agent", "a"]),
    ("system", &["system", "developer"]),
];

/// Reads what was pasted. `Err`: why it is no request, in a sentence for a person.
pub(super) fn read(text: &str) -> Result<Pasted, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("Type a question first.".to_owned());
    }
    if text.starts_with(['{', '[']) {
        return read_json(text);
    }
    let messages = read_lines(text);
    if !messages.iter().any(|message| message["role"] == "user") {
        return Err("Nobody asks anything: begin a line with “User:”.".to_owned());
    }
    Ok(chat(&json!({ "messages": messages })))
}

fn chat(body: &Value) -> Pasted {
    Pasted { body: body.to_string().into_bytes(), dialect: Dialect::ChatCompletions }
}

fn read_json(text: &str) -> Result<Pasted, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| {
        format!("This begins like JSON and is none: {error}. Paste the whole request, or plain lines.")
    })?;
    if value.is_array() {
        return Ok(chat(&json!({ "messages": value })));
    }
    let dialect = Dialect::of_body(text.as_bytes());
    let body = text.as_bytes().to_vec();
    match Conversation::read(&body, dialect) {
        Ok(_) => Ok(Pasted { body, dialect }),
        // What holds messages and is still not understood is shown as it would be decided.
        Err(_) if Dialect::ALL.iter().any(|dialect| value.get(dialect.list_key()).is_some()) => {
            let dialect = Dialect::ALL.into_iter().find(|dialect| value.get(dialect.list_key()).is_some());
            Ok(Pasted { body, dialect: dialect.unwrap_or(Dialect::ChatCompletions) })
        }
        Err(_) => {
            Err("This JSON holds no “messages”, “input” or “prompt”: it is no chat request.".to_owned())
        }
    }
}

/// Lines that begin with a speaker open a message; all other lines go on with the one before.
fn read_lines(text: &str) -> Vec<Value> {
    let mut messages: Vec<(&str, String)> = Vec::new();
    for line in text.lines() {
        match (speaker(line), messages.last_mut()) {
            (Some((role, rest)), _) => messages.push((role, rest.to_owned())),
            (None, Some((_, said))) => {
                said.push('\n');
                said.push_str(line);
            }
            (None, None) => messages.push(("user", line.to_owned())),
        }
    }
    let message = |(role, said): (&str, String)| json!({ "role": role, "content": said.trim() });
    messages.into_iter().map(message).collect()
}

fn speaker(line: &str) -> Option<(&'static str, &str)> {
    let (name, rest) = line.trim_start_matches(['-', '*', ' ']).split_once(':')?;
    let name = name.trim_matches(['*', ' ']).to_lowercase();
    let (role, _) = SPEAKERS.iter().find(|(_, names)| names.contains(&name.as_str()))?;
    Some((role, rest.trim_start_matches(['*', ' '])))
}

/// The request as it is sent to a model: with its name, and as a stream.
pub(super) fn to_send(body: &[u8], model: &str) -> Option<Vec<u8>> {
    let mut fields: Map<String, Value> = serde_json::from_slice(body).ok()?;
    if !model.is_empty() {
        fields.insert("model".to_owned(), model.into());
    }
    fields.insert("stream".to_owned(), true.into());
    Some(Value::Object(fields).to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_paste_becomes_a_request() {
        let body = |text: &str| read(text).map(|pasted| String::from_utf8(pasted.body).unwrap());
        for (text, expected) in [
            ("Why?", r#"{"messages":[{"content":"Why?","role":"user"}]}"#),
            ("two\nlines: here", r#"{"messages":[{"content":"two\nlines: here","role":"user"}]}"#),
            (
                "User: Hi\n**Assistant:** Hello\nthere\nQ: Why?",
                r#"{"messages":[{"content":"Hi","role":"user"},{"content":"Hello\nthere","role":"assistant"},{"content":"Why?","role":"user"}]}"#,
            ),
            (r#"[{"role":"user","content":"x"}]"#, r#"{"messages":[{"content":"x","role":"user"}]}"#),
            (r#"{ "input": "x" }"#, r#"{ "input": "x" }"#),
        ] {
            assert_eq!(body(text).as_deref(), Ok(expected), "{text}");
        }
        for (text, reason) in [
            ("", "Type a question"),
            ("{\"messages\"", "is none"),
            ("{}", "no chat request"),
            ("System: x", "Nobody"),
        ] {
            assert!(read(text).is_err_and(|error| error.contains(reason)), "{text}");
        }
        assert_eq!(
            to_send(b"{\"prompt\":\"x\"}", "m").unwrap(),
            br#"{"model":"m","prompt":"x","stream":true}"#
        );
    }
}
