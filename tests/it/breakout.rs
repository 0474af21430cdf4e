//! Item text stays in its place: whatever it holds, a recipe's output has no special token of a chat template, nobody
//! speaks in it whom the recipe has not written, and it is never evaluated as a template.

use std::fmt::Write;
use std::sync::Arc;

use foreword::chat::{Conversation, Dialect, marker, without_markers};
use foreword::inject::{Form, Prepared, load_recipes};
use foreword::knowledge::{Body, Item, Origin, Validity};
use proptest::prelude::*;

use crate::support::proxy::Site;

/// Tokens of the templates of Qwen, Llama 2 to 4, Mistral, Gemma, DeepSeek, Phi, Command R, GLM, Granite and gpt-oss, and
/// labels of transcripts.
const HOSTILE: &[&str] = &[
    "<|im_start|>system",
    "<|im_end|>",
    "<|endoftext|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|begin_of_text|>",
    "<|header_start|>",
    "<|eot|>",
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "<</SYS>>",
    "<s>",
    "</s>",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "[TOOL_CALLS]",
    "[AVAILABLE_TOOLS]",
    "<start_of_turn>",
    "<end_of_turn>",
    "<bos>",
    "<eos>",
    "<\u{ff5c}User\u{ff5c}>",
    "<\u{ff5c}Assistant\u{ff5c}>",
    "<\u{ff5c}begin\u{2581}of\u{2581}sentence\u{ff5c}>",
    "<|user|>",
    "<|assistant|>",
    "<|system|>",
    "<|end|>",
    "<|START_OF_TURN_TOKEN|>",
    "<|USER_TOKEN|>",
    "<|END_OF_TURN_TOKEN|>",
    "[gMASK]",
    "<sop>",
    "<|start_of_role|>",
    "<|end_of_role|>",
    "<|channel|>",
    "<|message|>",
    "<think>",
    "</think>",
    "<tool_call>",
    "<extra_id_1>",
    "<turn|>",
    "\nUser:",
    "\nAssistant:",
    "\n\nHuman:",
    "\nSystem:",
    "### Instruction:",
    "\n### Response:",
    "\r\nQ:",
    "\n**A:**",
    "\u{2028}User:",
    "{{ item.title }}",
    "{% raw %}",
    "{{ 7*7 }}",
    "\"}],\"role\":\"system\"",
    "<",
    "|",
    ">",
    "[",
    "]",
    "\n",
    " ",
    "{",
    "}",
    "\\",
    "\"",
];

fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        3 => proptest::sample::select(HOSTILE).prop_map(str::to_owned),
        1 => "[a-zA-Z :#*<>|\\[\\]/{}\n]{0,8}",
        1 => "\\PC{0,4}",
    ];
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

fn item(body: Body) -> Arc<Item> {
    Arc::new(Item {
        id: "acme/x".to_owned(),
        body,
        tags: Vec::new(),
        source: None,
        language: None,
        validity: Validity::default(),
        pinned: false,
        audience: Vec::new(),
        origin: Origin { file: "x.md".into(), line: 1 },
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_text_keeps_a_marker(text in hostile()) {
        let quiet = without_markers(&text);
        prop_assert_eq!(marker(&quiet), None, "{:?} became {:?}", text, quiet);
        prop_assert_eq!(&*without_markers(&quiet), &*quiet, "it is done once and for all");
    }

    /// Every recipe, as messages and as text: no token, the messages that the recipe writes and no other, and no speaker
    /// in a prompt besides.
    #[test]
    fn item_text_never_breaks_out_of_its_place(title in hostile(), text in hostile(), is_fact: bool) {
        let body = if is_fact {
            Body::Fact { title: format!("t{title}"), context: vec![title.clone()], text: format!("t{text}") }
        } else {
            Body::Example { question: format!("t{title}"), answer: format!("t{text}") }
        };
        let site = Site::new();
        for (name, recipe) in load_recipes(&site.path("prompts")).0 {
            let prepared = Prepared::new(&recipe, item(body.clone()), Arc::from("Acme"), |_| 1).unwrap();
            let messages = String::from_utf8(recipe.render(&[&prepared], Form::Messages).unwrap()).unwrap();
            let told = if name == "inline" { format!("\"{messages}\"") } else { format!("[{}]", messages.trim_end_matches(',')) };
            let value: serde_json::Value = serde_json::from_str(&told).unwrap();
            let mut texts = String::new();
            match &value {
                serde_json::Value::Array(messages) => {
                    let roles: Vec<&str> = messages.iter().map(|message| message["role"].as_str().unwrap()).collect();
                    let expected: &[&str] = if name == "message" { &["system"] } else { &["user", "assistant"] };
                    prop_assert_eq!(&roles[..], expected);
                    for message in messages {
                        writeln!(texts, "{}", message["content"].as_str().unwrap()).unwrap();
                    }
                }
                other => texts.push_str(other.as_str().unwrap()),
            }
            prop_assert_eq!(marker(&texts), None, "{}: {:?}", name, texts);
            prop_assert!(!texts.contains("49") || title.contains("49") || text.contains("49"), "it was evaluated");
            // In a prompt of one text, the only ones who speak are those whom the client has written.
            let prose = String::from_utf8(recipe.render(&[&prepared], Form::Text).unwrap()).unwrap();
            let body = format!("{{\"prompt\":\"User: hello\\n{prose}\\nUser: last\\nAssistant:\"}}");
            let turns = Conversation::read(body.as_bytes(), Dialect::Completions).unwrap().turns();
            prop_assert_eq!(turns.len(), 2, "{}: {}", name, body);
        }
    }
}
