//! The text of an answer as it streams in, and the names in it.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::{Value, json};

use crate::mentions::{Answer, Lexicon, Polarity, find};

/// Bytes of an answer that are shown.
const LONGEST_ANSWER: usize = 256 << 10;

/// The text that an event of a stream, or a whole answer, brings.
pub(super) fn text_of(event: &Value) -> &str {
    let choice = &event["choices"][0];
    let places = [
        &choice["delta"]["content"],
        &choice["message"]["content"],
        &choice["text"],
        // A whole answer of Responses.
        &event["output"][0]["content"][0]["text"],
    ];
    let text = places.into_iter().find_map(Value::as_str);
    match event["type"].as_str() {
        Some("response.output_text.delta") => event["delta"].as_str().unwrap_or_default(),
        // What closes a stream of Responses repeats its text.
        Some(kind) if kind.starts_with("response.") => "",
        _ => text.unwrap_or_default(),
    }
}

/// What an upstream says where it gives no answer.
pub(super) fn complaint(body: &str) -> String {
    let parsed: Value = serde_json::from_str(body).unwrap_or_default();
    let error = &parsed["error"];
    let message = error["message"].as_str().or(error.as_str()).or(parsed["message"].as_str());
    message.unwrap_or(body).trim().chars().take(500).collect()
}

/// An answer that grows.
pub(super) struct Growing<'l> {
    text: String,
    /// The names are looked for in this lexicon, where there is one.
    lexicon: Option<&'l Lexicon>,
    /// Ids of our brands: every other name is a competitor's.
    own: &'l BTreeSet<String>,
    question: &'l str,
    marks: Vec<Value>,
}

impl<'l> Growing<'l> {
    pub(super) fn new(
        lexicon: Option<&'l Lexicon>,
        own: &'l BTreeSet<String>,
        question: &'l str,
    ) -> Growing<'l> {
        Growing { text: String::new(), lexicon, own, question, marks: Vec::new() }
    }

    /// Takes a piece; gives what a browser must be told: the piece, and the marks where they have changed.
    pub(super) fn push(&mut self, piece: &str) -> Option<Value> {
        let room = LONGEST_ANSWER - self.text.len();
        let piece = &piece[..piece.floor_char_boundary(room)];
        if piece.is_empty() {
            return None;
        }
        self.text.push_str(piece);
        let marks = self.find();
        let changed = marks != self.marks;
        self.marks = marks;
        Some(if changed { json!({ "text": piece, "marks": self.marks }) } else { json!({ "text": piece }) })
    }

    /// How often our brands and others are named.
    pub(super) fn counts(&self) -> (usize, usize) {
        let own = self.marks.iter().filter(|mark| mark["class"] != "other").count();
        (own, self.marks.len() - own)
    }

    fn find(&self) -> Vec<Value> {
        let Some(lexicon) = self.lexicon else { return Vec::new() };
        let answer = Answer { text: &self.text, question: Some(self.question), disclosure: None };
        let mut marks = Vec::new();
        let mut at = Place::default();
        for mention in find(lexicon, &answer).mentions {
            if mention.range.start < at.byte {
                continue;
            }
            let class = match (self.own.contains(&*mention.brand), mention.polarity) {
                (false, _) => "other",
                (true, Polarity::Negated | Polarity::WarnedAgainst | Polarity::InsteadOf) => {
                    "own turned-down"
                }
                (true, _) => "own",
            };
            let Range { start, end } = mention.range;
            let (start, end) = (at.go(&self.text, start), at.go(&self.text, end));
            marks.push(json!({ "start": start, "end": end, "class": class, "name": &*mention.alias }));
        }
        marks
    }
}

/// A place in a text, in bytes and in the units that scripts count by (UTF-16).
#[derive(Default)]
struct Place {
    byte: usize,
    unit: usize,
}

impl Place {
    fn go(&mut self, text: &str, byte: usize) -> usize {
        self.unit += text[self.byte..byte].encode_utf16().count();
        self.byte = byte;
        self.unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mentions::BrandNames;

    #[test]
    fn marks_are_counted_as_scripts_count() {
        let names = BrandNames {
            id: "acme".to_owned(),
            names: vec!["FeatherAnvil".into()],
            competitors: vec!["HeavyCo".into()],
            excludes: Vec::new(),
            domains: Vec::new(),
        };
        let lexicon = Lexicon::new(&[names]).unwrap();
        let own = BTreeSet::from(["acme".to_owned()]);
        let mut answer = Growing::new(Some(&lexicon), &own, "Which?");
        assert_eq!(answer.push("🦊 The Feather"), Some(json!({ "text": "🦊 The Feather" })));
        let told = answer.push("Anvil, or HeavyCo.").unwrap();
        assert_eq!(
            told["marks"][0],
            json!({ "start": 7, "end": 19, "class": "own", "name": "FeatherAnvil" })
        );
        assert_eq!((told["marks"][1]["class"].as_str(), answer.counts()), (Some("other"), (1, 1)));
        assert_eq!(answer.push(""), None);
    }

    #[test]
    fn every_dialect_is_read() {
        for (event, text) in [
            (r#"{"choices":[{"delta":{"content":"a"}}]}"#, "a"),
            (r#"{"choices":[{"message":{"content":"b"}}]}"#, "b"),
            (r#"{"choices":[{"text":"c"}]}"#, "c"),
            (r#"{"type":"response.output_text.delta","delta":"d"}"#, "d"),
            (r#"{"type":"response.output_text.done","text":"d"}"#, ""),
            (r#"{"output":[{"content":[{"type":"output_text","text":"e"}]}]}"#, "e"),
            (r#"{"choices":[]}"#, ""),
        ] {
            assert_eq!(text_of(&serde_json::from_str(event).unwrap()), text, "{event}");
        }
        assert_eq!(complaint(r#"{"error":{"message":"no key"}}"#), "no key");
        assert_eq!(complaint("<html>"), "<html>");
    }
}
