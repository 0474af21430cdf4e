//! A conversation in words, written down in each dialect as clients of several kinds do.

use foreword::chat::Dialect;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::conversations::text;

/// What somebody says.
#[derive(Debug, Clone)]
pub enum Said {
    System(String),
    User(String),
    Assistant(String),
}

use Said::{Assistant, System, User};

/// A way to write conversations down.
#[derive(Debug)]
pub struct Wire {
    pub name: &'static str,
    pub dialect: Dialect,
    pub path: &'static str,
    /// The request body.
    pub write: fn(&[Said]) -> String,
}

/// Every way. The first of each dialect is the plainest.
pub const WIRES: &[Wire] = &[
    Wire {
        name: "chat, texts",
        dialect: Dialect::ChatCompletions,
        path: "/v1/chat/completions",
        write: |said| {
            json!({ "model": "m", "messages": each(said, |role, text| json!({ "role": role, "content": text })), "seed": 1 }).to_string()
        },
    },
    Wire {
        name: "chat, parts, spread out",
        dialect: Dialect::ChatCompletions,
        path: "/openai/deployments/d/chat/completions",
        write: |said| {
            let part = |role: &str, text: &str| json!({ "content": [{ "text": text, "type": "text" }], "role": role });
            format!("{:#}\r\n", json!({ "n": 1, "messages": each(said, part) }))
        },
    },
    Wire {
        name: "responses, list of messages",
        dialect: Dialect::Responses,
        path: "/v1/responses",
        write: |said| {
            json!({ "input": each(said, |role, text| json!({ "role": role, "content": text })), "store": false }).to_string()
        },
    },
    Wire {
        name: "responses, items with parts",
        dialect: Dialect::Responses,
        path: "/openai/v1/responses/",
        write: |said| {
            let item = |role: &str, text: &str| {
                let kind = if role == "assistant" { "output_text" } else { "input_text" };
                json!({ "type": "message", "role": role, "content": [{ "type": kind, "text": text }] })
            };
            json!({ "model": "m", "instructions": "Be brief.", "input": each(said, item) }).to_string()
        },
    },
    Wire {
        name: "completions, labels",
        dialect: Dialect::Completions,
        path: "/v1/completions",
        write: |said| {
            let prompt = prompt(said, ["", "User: ", "Assistant: "], "\n");
            json!({ "model": "m", "prompt": format!("{prompt}Assistant:"), "max_tokens": 8 }).to_string()
        },
    },
    Wire {
        name: "completions, a chat template, every angle bracket escaped",
        dialect: Dialect::Completions,
        path: "/v1/engines/e/completions",
        write: |said| {
            let roles = ["<|im_start|>system\n", "<|im_start|>user\n", "<|im_start|>assistant\n"];
            let prompt = prompt(said, roles, "<|im_end|>\n");
            let body = json!({ "prompt": [format!("{prompt}<|im_start|>assistant\n")], "stop": ["\n"] });
            body.to_string().replace('<', "\\u003c").replace('>', "\\u003E").replace('&', "\\u0026")
        },
    },
];

fn each(said: &[Said], write: impl Fn(&str, &str) -> Value) -> Vec<Value> {
    let one = |said: &Said| match said {
        System(text) => write("system", text),
        User(text) => write("user", text),
        Assistant(text) => write("assistant", text),
    };
    said.iter().map(one).collect()
}

fn prompt(said: &[Said], [system, user, assistant]: [&str; 3], end: &str) -> String {
    let one = |said: &Said| match said {
        System(text) => format!("{system}{text}{end}"),
        User(text) => format!("{user}{text}{end}"),
        Assistant(text) => format!("{assistant}{text}{end}"),
    };
    said.iter().map(one).collect()
}

impl Wire {
    /// What the model reads, in pieces: the elements of the list, or the prompt's characters.
    pub fn pieces(&self, body: &[u8]) -> Vec<String> {
        let value: Value = serde_json::from_slice(body).expect("what leaves is JSON");
        match &value[self.dialect.list_key()] {
            Value::Array(items) if self.dialect != Dialect::Completions => {
                items.iter().map(Value::to_string).collect()
            }
            Value::Array(prompts) if prompts.len() == 1 => characters(prompts[0].as_str().unwrap()),
            Value::String(prompt) => characters(prompt),
            other => panic!("{other}"),
        }
    }
}

fn characters(text: &str) -> Vec<String> {
    text.chars().map(String::from).collect()
}

/// Conversations in words: perhaps a system text, then turns, the last of them open.
pub fn words() -> impl Strategy<Value = Vec<Said>> {
    let system = prop::option::of(text().prop_map(System));
    let turns = prop::collection::vec((text(), text()), 1..6);
    (system, turns).prop_map(|(system, turns)| {
        let turns = turns.into_iter().flat_map(|(user, assistant)| [User(user), Assistant(assistant)]);
        let mut said: Vec<Said> = system.into_iter().chain(turns).collect();
        said.pop();
        said
    })
}

/// Positions after each user message: where a client would have sent a request.
pub fn ends_of_turns(said: &[Said]) -> Vec<usize> {
    (1..=said.len()).filter(|&end| matches!(said[end - 1], User(_))).collect()
}
