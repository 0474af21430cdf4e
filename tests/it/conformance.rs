//! Requests in the shapes in which they are met, each sent through the whole proxy: what leaves is what came,
//! plus what was inserted.

use std::collections::BTreeMap;

use foreword::chat::Dialect;

use crate::support::client::{Answer, Connection, post_with};
use crate::support::conversations::TEXTS;
use crate::support::planners::{cut, explain, fresh_site};
use crate::support::proxy::Proxy;
use crate::support::run;
use crate::support::upstream::Upstream;

const SHAPES: &str = include_str!("../fixtures/conformance/shapes.txt");
const OFF_TOPIC: &str = "What is the capital of France?";

/// A line of the file.
struct Shape {
    section: &'static str,
    /// Why nothing may be added to it.
    reason: Option<&'static str>,
    text: &'static str,
}

fn shapes() -> Vec<Shape> {
    let mut section = "";
    let mut shapes = Vec::new();
    for line in SHAPES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let heading = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(heading) = heading.filter(|heading| heading.contains(' ') && !heading.contains('"')) {
            section = heading;
            continue;
        }
        let (reason, text) = match line.strip_prefix("! ").and_then(|rest| rest.split_once(" | ")) {
            Some((reason, text)) => (Some(reason), text),
            None => (None, line),
        };
        shapes.push(Shape { section, reason, text });
    }
    shapes
}

impl Shape {
    /// Path, dialect, and the request with this shape in it and a question. Fields stand before the list and after
    /// it in turn.
    fn request(&self, number: usize, question: &str) -> (&'static str, Dialect, String) {
        let text = self.text;
        let field = |list: String| match number % 2 {
            0 => format!("{{\"model\":\"m\",{text},{list}}}"),
            _ => format!("{{{list},{text}}}"),
        };
        let user = format!("{{\"role\":\"user\",\"content\":\"{question}\"}}");
        let chat = ("/v1/chat/completions", Dialect::ChatCompletions);
        let responses = ("/v1/responses", Dialect::Responses);
        let completions = ("/v1/completions", Dialect::Completions);
        let ((path, dialect), body) = match self.section {
            "chat field" => (chat, field(format!("\"messages\":[{user}]"))),
            "chat message" => (chat, format!("{{\"messages\":[{text},{user}]}}")),
            "chat part" => (
                chat,
                format!(
                    "{{\"messages\":[{{\"role\":\"user\",\"content\":[{text},{{\"type\":\"text\",\"text\":\"{question}\"}}]}}]}}"
                ),
            ),
            // The input as a list and as a text in turn.
            "responses field" if number % 4 < 2 => (responses, field(format!("\"input\":[{user}]"))),
            "responses field" => (responses, field(format!("\"input\":\"{question}\""))),
            "responses item" => (responses, format!("{{\"input\":[{text},{user}]}}")),
            "responses part" => (
                responses,
                format!(
                    "{{\"input\":[{{\"role\":\"user\",\"content\":[{text},{{\"type\":\"input_text\",\"text\":\"{question}\"}}]}}]}}"
                ),
            ),
            "completions field" => (completions, field(format!("\"prompt\":\"{question}\""))),
            "completions prompt" => {
                (completions, format!("{{\"prompt\":{},\"max_tokens\":16}}", text.replace('@', question)))
            }
            other => panic!("the section {other} is not known"),
        };
        (path, dialect, body)
    }
}

/// What was seen of a section.
#[derive(Default)]
struct Seen {
    shapes: usize,
    injected: usize,
    left_alone: usize,
}

#[test]
fn t3_t4_shapes_in_the_wild_leave_as_they_came_around_what_is_inserted() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::of(fresh_site(), &upstream.url(), &[]).await;
        let mut connection = Connection::open(proxy.address).await;
        let mut ask = async |path: &str, headers: &str, body: &str| -> (Answer, Vec<u8>) {
            connection.send(&post_with(path, headers, body)).await;
            let answer = connection.answer().await;
            (answer, upstream.last().body)
        };
        let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
        for (number, shape) in shapes().iter().enumerate() {
            let section = seen.entry(shape.section).or_default();
            section.shapes += 1;
            // Not to be touched at all.
            let (path, dialect, body) = shape.request(number, TEXTS[0]);
            let (answer, sent) = ask(path, "x-foreword-context: off\r\n", &body).await;
            assert_eq!((answer.decision().as_str(), &sent[..]), ("opt_out", body.as_bytes()));
            // Off topic: read, and left alone.
            let (_, _, other) = shape.request(number, OFF_TOPIC);
            let (answer, sent) = ask(path, "", &other).await;
            assert_eq!(answer.decision(), shape.reason.unwrap_or("below_threshold"), "{other}");
            assert_eq!(sent, other.as_bytes(), "{other}");
            // On topic.
            let (answer, sent) = ask(path, "", &body).await;
            assert_eq!(answer.decision(), shape.reason.unwrap_or("injected"), "{body}");
            let explained = explain("pairs", dialect, &body).spliced;
            assert_eq!(sent, explained.body, "{body}");
            assert_eq!(cut(&sent, &explained.inserted), body.as_bytes(), "{body}");
            match shape.reason {
                Some(_) => section.left_alone += 1,
                None => section.injected += 1,
            }
        }
        let lines = seen.iter().map(|(section, seen)| {
            format!(
                "{section}: {} shapes, {} injected, {} left alone\n",
                seen.shapes, seen.injected, seen.left_alone
            )
        });
        let total: usize = seen.values().map(|seen| seen.shapes).sum();
        assert!(total >= 200, "{total}");
        insta::assert_snapshot!(format!("{}all: {total} shapes", lines.collect::<String>()));
    });
}
