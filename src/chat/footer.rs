//! A text of our own behind the text of an answer: as one more piece of content before a choice of a stream ends, or
//! at the end of the content of a whole answer. Every other byte stays as it came, but where a stream says the last
//! words and the end in one event, which becomes two. Nothing is put behind calls, refusals, or what looks like data.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Map, Value, json};

use super::dialect::Dialect;
use super::events::{MAX_HELD, data_of, event_end, text_of, write_event};
use super::strings::strings_at;
use super::text::{decode_string, encode_string};

/// Puts a footer behind an answer.
#[derive(Debug)]
pub struct Footer {
    text: String,
    dialect: Dialect,
    is_stream: bool,
    held: Vec<u8>,
    /// Whether all that comes goes on as it is.
    has_given_up: bool,
    choices: BTreeMap<u64, Choice>,
    /// The last event that had choices, as a form for our own.
    envelope: Option<Map<String, Value>>,
    added: usize,
}

/// A choice of a stream so far.
#[derive(Debug, Default)]
struct Choice {
    begins_with: Option<char>,
    is_barred: bool,
    has_ended: bool,
}

impl Choice {
    /// Whether it is text for a person.
    fn takes_footer(&self) -> bool {
        !self.is_barred
            && !self.has_ended
            && self.begins_with.is_some_and(|first| !matches!(first, '{' | '['))
    }
}

impl Footer {
    /// A footer for an answer in this dialect; `None` where it cannot be put into such an answer: the events of
    /// Responses say their text several times over.
    pub fn new(text: &str, dialect: Dialect, is_stream: bool) -> Option<Footer> {
        if is_stream && dialect == Dialect::Responses {
            return None;
        }
        Some(Footer {
            text: format!("\n\n{text}"),
            dialect,
            is_stream,
            held: Vec::new(),
            has_given_up: false,
            choices: BTreeMap::new(),
            envelope: None,
            added: 0,
        })
    }

    /// How many choices have got it.
    pub fn added(&self) -> usize {
        self.added
    }

    /// Takes a piece of the answer; what may leave now.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.has_given_up {
            return bytes.to_vec();
        }
        self.held.extend_from_slice(bytes);
        let mut out = Vec::new();
        if self.is_stream {
            while let Some(end) = event_end(&self.held) {
                let event: Vec<u8> = self.held.drain(..end).collect();
                self.pass_event(&event, &mut out);
            }
        }
        if self.held.len() > MAX_HELD {
            self.has_given_up = true;
            out.append(&mut self.held);
        }
        out
    }

    /// The answer has ended; what is left of it.
    pub fn finish(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        if self.is_stream || self.has_given_up {
            return held;
        }
        let Some(places) = std::str::from_utf8(&held).ok().and_then(|text| self.places(text)) else {
            return held;
        };
        let footer = encode_string(&self.text);
        let mut out = Vec::with_capacity(held.len() + places.len() * footer.len());
        let mut from = 0;
        for place in places {
            out.extend_from_slice(&held[from..place]);
            out.extend_from_slice(footer.as_bytes());
            from = place;
            self.added += 1;
        }
        out.extend_from_slice(&held[from..]);
        out
    }

    fn pass_event(&mut self, event: &[u8], out: &mut Vec<u8>) {
        let data = data_of(event);
        if data == b"[DONE]" {
            self.add_where_missing(out);
            return out.extend_from_slice(event);
        }
        let Ok(Value::Object(object)) = serde_json::from_slice::<Value>(&data) else {
            return out.extend_from_slice(event);
        };
        let ending = self.read(&object);
        if ending.is_empty() {
            return out.extend_from_slice(event);
        }
        let has_text = ending.iter().any(|(_, has_text)| *has_text);
        if has_text {
            write_event(out, &without_ends(&object));
        }
        for (index, _) in ending {
            self.add(index, out);
        }
        if has_text {
            write_event(out, &without_texts(&object));
        } else {
            out.extend_from_slice(event);
        }
    }

    /// The choices that end with this event and take a footer, and whether it also holds text of theirs.
    fn read(&mut self, object: &Map<String, Value>) -> Vec<(u64, bool)> {
        let mut ending = Vec::new();
        let choices = object.get("choices").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for value in choices {
            let index = value["index"].as_u64().unwrap_or(0);
            let choice = self.choices.entry(index).or_default();
            let text = text_of(value);
            if choice.begins_with.is_none() {
                choice.begins_with = text.chars().find(|letter| !letter.is_whitespace());
            }
            choice.is_barred |= is_barred(value, &value["delta"]);
            if !value["finish_reason"].is_null() {
                if choice.takes_footer() {
                    ending.push((index, !text.is_empty()));
                }
                choice.has_ended = true;
            }
        }
        if !choices.is_empty() {
            self.envelope = Some(object.clone());
        }
        ending
    }

    /// Some servers never say that a choice has ended.
    fn add_where_missing(&mut self, out: &mut Vec<u8>) {
        let open: Vec<u64> = self
            .choices
            .iter()
            .filter(|(_, choice)| choice.takes_footer())
            .map(|(&index, _)| index)
            .collect();
        for index in open {
            self.add(index, out);
        }
    }

    fn add(&mut self, index: u64, out: &mut Vec<u8>) {
        let Some(mut event) = self.envelope.clone() else { return };
        let mut choice = json!({ "index": index, "finish_reason": null });
        match self.dialect {
            Dialect::Completions => choice["text"] = Value::from(self.text.as_str()),
            _ => choice["delta"] = json!({ "content": self.text }),
        }
        event.insert("choices".to_owned(), json!([choice]));
        if let Some(usage) = event.get_mut("usage") {
            *usage = Value::Null;
        }
        self.added += 1;
        write_event(out, &event);
    }

    /// Where the footer goes in a whole answer: the ends of the contents that take one.
    fn places(&self, text: &str) -> Option<Vec<usize>> {
        let whole: Value = serde_json::from_str(text).ok()?;
        let mut places = Vec::new();
        match self.dialect {
            Dialect::Responses => {
                if whole["status"]
                    .as_str()
                    .is_some_and(|status| status != "completed" && status != "incomplete")
                {
                    return None;
                }
                let found = strings_at(text, &["output", "content", "text"]).ok()?;
                places.extend(
                    found.into_iter().map(|(_, span)| span).next_back().filter(|span| is_prose(text, span)),
                );
            }
            _ => {
                let path: &[&str] = if self.dialect == Dialect::Completions {
                    &["choices", "text"]
                } else {
                    &["choices", "message", "content"]
                };
                for (index, span) in strings_at(text, path).ok()? {
                    let choice = &whole["choices"][index];
                    if !is_barred(choice, &choice["message"]) && is_prose(text, &span) {
                        places.push(span);
                    }
                }
            }
        }
        Some(places.into_iter().map(|span| span.end).collect())
    }
}

fn is_prose(text: &str, span: &Range<usize>) -> bool {
    let content = decode_string(&text[span.clone()]);
    content.trim_start().chars().next().is_some_and(|first| !matches!(first, '{' | '['))
}

/// Whether a choice calls something, refuses, or was filtered.
fn is_barred(choice: &Value, message: &Value) -> bool {
    let has = |key: &str| match &message[key] {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        Value::String(text) => !text.is_empty(),
        _ => true,
    };
    let ended = choice["finish_reason"].as_str().unwrap_or_default();
    ["tool_calls", "function_call", "refusal"].into_iter().any(has)
        || ["tool_calls", "function_call", "content_filter"].contains(&ended)
}

/// The event without its ends: the last words alone.
fn without_ends(object: &Map<String, Value>) -> Map<String, Value> {
    let mut event = object.clone();
    if let Some(usage) = event.get_mut("usage") {
        *usage = Value::Null;
    }
    for choice in event.get_mut("choices").and_then(Value::as_array_mut).into_iter().flatten() {
        choice["finish_reason"] = Value::Null;
    }
    event
}

/// The event without its texts: the ends alone.
fn without_texts(object: &Map<String, Value>) -> Map<String, Value> {
    let mut event = object.clone();
    for choice in event.get_mut("choices").and_then(Value::as_array_mut).into_iter().flatten() {
        if choice.get("delta").is_some() {
            choice["delta"] = json!({});
        }
        if choice.get("text").is_some() {
            choice["text"] = Value::from("");
        }
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "With notes from Acme.";

    /// All that leaves, however the answer is cut.
    fn put(answer: &str, dialect: Dialect, is_stream: bool, size: usize) -> String {
        let mut footer = Footer::new(SAID, dialect, is_stream).unwrap();
        let mut out = Vec::new();
        for piece in answer.as_bytes().chunks(size) {
            out.extend(footer.feed(piece));
        }
        out.extend(footer.finish());
        String::from_utf8(out).unwrap()
    }

    /// The text of a choice of a stream, and how it ended.
    fn spoken(stream: &str, index: u64) -> (String, Vec<String>) {
        let (mut text, mut ends) = (String::new(), Vec::new());
        for line in stream.lines().filter_map(|line| line.strip_prefix("data: ")) {
            let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
            for choice in event["choices"].as_array().into_iter().flatten() {
                if choice["index"].as_u64() == Some(index) {
                    assert!(ends.is_empty(), "nothing comes behind the end: {stream}");
                    text.push_str(text_of(choice));
                    ends.extend(choice["finish_reason"].as_str().map(str::to_owned));
                }
            }
        }
        (text, ends)
    }

    fn event(index: u64, delta: &str, end: &str) -> String {
        let end = if end.is_empty() { "null".to_owned() } else { format!("\"{end}\"") };
        format!(
            "data: {{\"id\":\"c1\",\"model\":\"m\",\"choices\":[{{\"index\":{index},\"delta\":{delta},\"finish_reason\":{end}}}]}}\n\n"
        )
    }

    #[test]
    fn a_stream_gets_one_more_piece_before_each_choice_ends() {
        let stream = [
            ": a comment\n\n".to_owned(),
            event(0, "{\"role\":\"assistant\",\"content\":\"\"}", ""),
            event(0, "{\"content\":\"Hello\"}", ""),
            event(1, "{\"content\":\"Hi\"}", ""),
            event(0, "{}", "stop"),
            event(1, "{\"content\":\" all\"}", "length"),
            "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":3}}\r\n\r\n".to_owned(),
            "data: [DONE]\n\n".to_owned(),
        ]
        .concat();
        for size in [1, 2, 7, 50, 10_000] {
            let out = put(&stream, Dialect::ChatCompletions, true, size);
            assert_eq!(spoken(&out, 0), (format!("Hello\n\n{SAID}"), vec!["stop".to_owned()]), "{size}");
            assert_eq!(spoken(&out, 1), (format!("Hi all\n\n{SAID}"), vec!["length".to_owned()]), "{size}");
            assert!(out.starts_with(": a comment\n\n") && out.ends_with("\r\n\r\ndata: [DONE]\n\n"));
            assert_eq!(out.matches("prompt_tokens").count(), 1);
        }
    }

    #[test]
    fn calls_refusals_data_and_broken_streams_stay_as_they_are() {
        let done = "data: [DONE]\n\n";
        for stream in [
            event(0, "{\"tool_calls\":[{\"index\":0}]}", "") + &event(0, "{}", "tool_calls") + done,
            event(0, "{\"content\":\"I call\"}", "") + &event(0, "{}", "tool_calls") + done,
            event(0, "{\"refusal\":\"No.\"}", "") + &event(0, "{}", "stop") + done,
            event(0, "{\"content\":\"Well\"}", "") + &event(0, "{}", "content_filter") + done,
            event(0, "{\"content\":\" {\\\"a\\\":1}\"}", "") + &event(0, "{}", "stop") + done,
            event(0, "{\"content\":\"\"}", "stop") + done,
            event(0, "{\"content\":\"cut o", "").chars().take(60).collect(),
            "data: {\"error\":{\"message\":\"no\"}}\n\n".to_owned(),
            "data: not json\n\n".to_owned(),
            String::new(),
        ] {
            for size in [1, 9, 10_000] {
                assert_eq!(put(&stream, Dialect::ChatCompletions, true, size), stream);
            }
        }
        let endless = event(0, "{\"content\":\"Hello\"}", "") + done;
        assert_eq!(
            spoken(&put(&endless, Dialect::ChatCompletions, true, 11), 0).0,
            format!("Hello\n\n{SAID}")
        );
    }

    #[test]
    fn a_whole_answer_grows_at_the_ends_of_its_texts_alone() {
        let footer = "\\n\\nWith notes from Acme.";
        for (dialect, answer) in [
            (
                Dialect::ChatCompletions,
                "{ \"choices\" : [ {\"index\":0, \"message\":{\"content\":\"Say \\\"hi\\\"@\"},\"finish_reason\":\"stop\"}, {\"message\":{\"content\":\"Two@\"}}]}",
            ),
            (
                Dialect::ChatCompletions,
                "{\"choices\":[{\"message\":{\"content\":\"{}\"}},{\"message\":{\"content\":\"x\",\"tool_calls\":[{}]}},{\"message\":{\"content\":null}}]}",
            ),
            (
                Dialect::ChatCompletions,
                "{\"choices\":[{\"message\":{\"content\":\"No\"},\"finish_reason\":\"content_filter\"}]}",
            ),
            (Dialect::Completions, "{\"choices\":[{\"text\":\"One@\"},{\"text\":\"\"}]}"),
            (
                Dialect::Responses,
                "{\"output\":[{\"type\":\"reasoning\",\"summary\":[{\"text\":\"hm\"}]},{\"content\":[{\"text\":\"A\"},{\"text\":\"B@\"}]}]}",
            ),
            (Dialect::ChatCompletions, "<html>"),
            (Dialect::ChatCompletions, "{\"choices\":[{\"message\":{\"content\":\"cut"),
        ] {
            for size in [1, 13, 10_000] {
                let out = put(&answer.replace('@', ""), dialect, false, size);
                assert_eq!(out, answer.replace('@', footer));
            }
        }
    }
}
