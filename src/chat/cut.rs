//! Ends an answer before a piece of it that must not be told. What has left stays as it came; a stream gets a proper
//! end in its own dialect, with a word on why, and of a whole answer the text alone is replaced.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::dialect::Dialect;
use super::events::{MAX_HELD, data_of, event_end, text_of, write_event};

/// What stands in an answer from where it is cut.
const WHY: &str = "[This answer was ended here: it began to repeat text that is not meant to be shown.]";
/// What providers call an ending that somebody but the model decides.
const FILTERED: &str = "content_filter";

/// Reads an answer on its way and ends it where it is told to.
#[derive(Debug)]
pub struct Cutter {
    dialect: Dialect,
    is_stream: bool,
    held: Vec<u8>,
    /// Whether all that comes goes on as it is.
    has_given_up: bool,
    has_cut: bool,
    /// Choices of a stream that have begun and not ended.
    open: BTreeSet<u64>,
    /// A form for events of our own: the last event with choices, or the response that a stream is about.
    envelope: Option<Map<String, Value>>,
}

/// Told each text with the number of its choice; says whether it must not be told.
pub type MustNotBeTold<'a> = &'a mut dyn FnMut(u64, &str) -> bool;

impl Cutter {
    /// For an answer in this dialect.
    pub fn new(dialect: Dialect, is_stream: bool) -> Cutter {
        Cutter {
            dialect,
            is_stream,
            held: Vec::new(),
            has_given_up: false,
            has_cut: false,
            open: BTreeSet::new(),
            envelope: None,
        }
    }

    /// Whether the answer has been ended: nothing more of it is told.
    pub fn has_cut(&self) -> bool {
        self.has_cut
    }

    /// Takes a piece of the answer; what may leave now.
    pub fn feed(&mut self, bytes: &[u8], must_not: MustNotBeTold<'_>) -> Vec<u8> {
        if self.has_cut {
            return Vec::new();
        }
        if self.has_given_up {
            return bytes.to_vec();
        }
        self.held.extend_from_slice(bytes);
        let mut out = Vec::new();
        if self.is_stream {
            while let Some(end) = event_end(&self.held).filter(|_| !self.has_cut) {
                let event: Vec<u8> = self.held.drain(..end).collect();
                self.pass_event(&event, must_not, &mut out);
            }
        }
        if self.held.len() > MAX_HELD {
            self.has_given_up = true;
            out.append(&mut self.held);
        }
        out
    }

    /// The answer has ended; what is left of it.
    pub fn finish(&mut self, must_not: MustNotBeTold<'_>) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        if self.has_cut {
            return Vec::new();
        }
        if self.is_stream || self.has_given_up {
            return held;
        }
        let Ok(mut whole) = serde_json::from_slice::<Value>(&held) else { return held };
        self.has_cut = match self.dialect {
            Dialect::Responses => replace_in_response(&mut whole, must_not),
            _ => replace_in_choices(&mut whole, must_not),
        };
        if self.has_cut { whole.to_string().into_bytes() } else { held }
    }

    fn pass_event(&mut self, event: &[u8], must_not: MustNotBeTold<'_>, out: &mut Vec<u8>) {
        let Ok(Value::Object(object)) = serde_json::from_slice::<Value>(&data_of(event)) else {
            return out.extend_from_slice(event);
        };
        let is_told = match self.dialect {
            Dialect::Responses => self.response_may_say(&object, must_not),
            _ => self.choices_may_say(&object, must_not),
        };
        if is_told {
            return out.extend_from_slice(event);
        }
        self.has_cut = true;
        match self.dialect {
            Dialect::Responses => self.end_response(&object, out),
            _ => self.end_choices(out),
        }
    }

    fn choices_may_say(&mut self, object: &Map<String, Value>, must_not: MustNotBeTold<'_>) -> bool {
        let choices = object.get("choices").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if !choices.is_empty() {
            self.envelope = Some(object.clone());
        }
        let mut is_told = true;
        for choice in choices {
            let index = choice["index"].as_u64().unwrap_or(0);
            self.open.insert(index);
            let text = text_of(choice);
            is_told &= text.is_empty() || !must_not(index, text);
        }
        if is_told {
            let ended = choices.iter().filter(|choice| !choice["finish_reason"].is_null());
            for choice in ended {
                self.open.remove(&choice["index"].as_u64().unwrap_or(0));
            }
        }
        is_told
    }

    fn end_choices(&self, out: &mut Vec<u8>) {
        let Some(envelope) = &self.envelope else { return };
        let mut write = |choice: Value| {
            let mut event = envelope.clone();
            event.insert("choices".to_owned(), json!([choice]));
            if let Some(usage) = event.get_mut("usage") {
                *usage = Value::Null;
            }
            write_event(out, &event);
        };
        for index in &self.open {
            match self.dialect {
                Dialect::Completions => {
                    write(json!({ "index": index, "text": format!("\n\n{WHY}"), "finish_reason": FILTERED }));
                }
                _ => {
                    let said = json!({ "content": format!("\n\n{WHY}") });
                    write(json!({ "index": index, "delta": said, "finish_reason": null }));
                    write(json!({ "index": index, "delta": {}, "finish_reason": FILTERED }));
                }
            }
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn response_may_say(&mut self, object: &Map<String, Value>, must_not: MustNotBeTold<'_>) -> bool {
        if let Some(Value::Object(response)) = object.get("response") {
            self.envelope = Some(response.clone());
        }
        let is_text = object.get("type").is_some_and(|kind| kind == "response.output_text.delta");
        let text = object.get("delta").and_then(Value::as_str).filter(|_| is_text);
        text.is_none_or(|text| !must_not(0, text))
    }

    fn end_response(&self, instead_of: &Map<String, Value>, out: &mut Vec<u8>) {
        let mut response = Value::Object(self.envelope.clone().unwrap_or_default());
        response["status"] = Value::from("incomplete");
        response["incomplete_details"] = json!({ "reason": FILTERED });
        let mut event = Map::new();
        event.insert("type".to_owned(), Value::from("response.incomplete"));
        if let Some(number) = instead_of.get("sequence_number") {
            event.insert("sequence_number".to_owned(), number.clone());
        }
        event.insert("response".to_owned(), response);
        out.extend_from_slice(b"event: response.incomplete\n");
        write_event(out, &event);
    }
}

/// Replaces the texts of choices that must not be told; whether there was one.
fn replace_in_choices(whole: &mut Value, must_not: MustNotBeTold<'_>) -> bool {
    let mut has_cut = false;
    for (place, choice) in (0..).zip(whole["choices"].as_array_mut().into_iter().flatten()) {
        let index = choice["index"].as_u64().unwrap_or(place);
        let path = if choice.get("message").is_some() { "/message/content" } else { "/text" };
        let Some(Value::String(text)) = choice.pointer_mut(path) else { continue };
        if must_not(index, text) {
            WHY.clone_into(text);
            choice["finish_reason"] = Value::from(FILTERED);
            has_cut = true;
        }
    }
    has_cut
}

/// The same for a response, whose outputs are one text.
fn replace_in_response(whole: &mut Value, must_not: MustNotBeTold<'_>) -> bool {
    let mut has_cut = false;
    for output in whole["output"].as_array_mut().into_iter().flatten() {
        for part in output["content"].as_array_mut().into_iter().flatten() {
            let Some(Value::String(text)) = part.get_mut("text") else { continue };
            if must_not(0, text) {
                WHY.clone_into(text);
                has_cut = true;
            }
        }
    }
    if has_cut {
        whole["status"] = Value::from("incomplete");
        whole["incomplete_details"] = json!({ "reason": FILTERED });
    }
    has_cut
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What leaves of an answer that must not say "secret", however it is cut into pieces.
    fn told(answer: &str, dialect: Dialect, is_stream: bool, size: usize) -> String {
        let mut cutter = Cutter::new(dialect, is_stream);
        let mut said = String::new();
        let mut must_not = |_: u64, text: &str| {
            said.push_str(text);
            said.contains("secret")
        };
        let mut out = Vec::new();
        for piece in answer.as_bytes().chunks(size) {
            out.extend(cutter.feed(piece, &mut must_not));
        }
        out.extend(cutter.finish(&mut must_not));
        assert_eq!(cutter.has_cut(), answer.contains("ret"), "{answer}");
        String::from_utf8(out).unwrap()
    }

    fn event(choice: &str) -> String {
        format!("data: {{\"id\":\"c1\",\"model\":\"m\",\"choices\":[{choice}]}}\n\n")
    }

    #[test]
    fn a_stream_ends_properly_before_the_event_that_completes_it() {
        let begin = ": hello\n\n".to_owned()
            + &event("{\"index\":0,\"delta\":{\"content\":\"The sec\"},\"finish_reason\":null}");
        let rest = event("{\"index\":0,\"delta\":{\"content\":\"ret is out\"},\"finish_reason\":null}")
            + &event("{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}")
            + "data: [DONE]\n\n";
        for size in [1, 7, 10_000] {
            let out = told(&(begin.clone() + &rest), Dialect::ChatCompletions, true, size);
            let end = out.strip_prefix(&begin).unwrap();
            assert!(!end.contains("ret is out"), "{out}");
            let events: Vec<Value> = end
                .lines()
                .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
                .collect();
            assert_eq!(events.len(), 2, "{end}");
            assert_eq!(events[0]["choices"][0]["delta"]["content"].as_str(), Some(&*format!("\n\n{WHY}")));
            assert_eq!(events[1]["choices"][0]["finish_reason"].as_str(), Some(FILTERED));
            assert!(events.iter().all(|event| event["id"] == "c1") && end.ends_with("data: [DONE]\n\n"));
        }
    }

    #[test]
    fn a_response_stream_ends_as_incomplete() {
        let stream = "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r1\",\"status\":\"in_progress\"}}\n\n\
                      event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":1,\"delta\":\"the secret\"}\n\n";
        let out = told(stream, Dialect::Responses, true, 11);
        let last = out.rsplit("data: ").next().unwrap();
        let last: Value = serde_json::from_str(last).unwrap();
        assert_eq!(last["type"], "response.incomplete");
        assert_eq!((&last["sequence_number"], &last["response"]["id"]), (&json!(1), &json!("r1")));
        assert_eq!(last["response"]["incomplete_details"]["reason"], FILTERED);
        assert!(!out.contains("secret"));
    }

    #[test]
    fn of_a_whole_answer_the_text_alone_is_replaced_and_another_stays_byte_for_byte() {
        for (dialect, answer) in [
            (
                Dialect::ChatCompletions,
                "{\"id\":\"c\",\"choices\":[{\"message\":{\"content\":\"A secret.\"},\"finish_reason\":\"stop\"}]}",
            ),
            (
                Dialect::Completions,
                "{\"id\":\"c\",\"choices\":[{\"text\":\"A secret.\",\"finish_reason\":\"stop\"}]}",
            ),
            (
                Dialect::Responses,
                "{\"id\":\"c\",\"status\":\"completed\",\"output\":[{\"content\":[{\"text\":\"A secret.\"}]}]}",
            ),
        ] {
            let out = told(answer, dialect, false, 9);
            let whole: Value = serde_json::from_str(&out).unwrap();
            assert!(!out.contains("secret") && out.contains(WHY) && out.contains(FILTERED), "{out}");
            assert_eq!(whole["id"], "c");
        }
        for answer in
            ["{ \"choices\" : [ {\"message\":{\"content\":\"Open.\"}} ] }", "<html>", "{\"choices\":[{\"mess"]
        {
            assert_eq!(told(answer, Dialect::ChatCompletions, false, 5), answer);
        }
        let stream = event("{\"index\":0,\"delta\":{\"content\":\"Open\"}}") + "data: [DONE]\n\n";
        assert_eq!(told(&stream, Dialect::ChatCompletions, true, 3), stream);
    }
}
