//! Random conversations as raw JSON, as clients of many kinds write them.

use proptest::prelude::*;

/// Questions, some of which the test brand has something to say about.
pub const TEXTS: &[&str] = &[
    "Which anvil is the lightest to carry?",
    "What is the anvil warranty length?",
    "What is the forging temperature of steel?",
    "Which anvil should a beginner buy?",
    "What is the capital of France?",
    "and the warranty?",
    "thanks",
    "Tell me about the coyote injury with the lightest anvil to carry",
    "Grüße aus München \u{1f600}",
    "",
];

/// A conversation: the texts of its messages as JSON objects.
#[derive(Debug, Clone)]
pub struct Chat {
    pub messages: Vec<String>,
}

impl Chat {
    /// The request body with the first `count` messages.
    pub fn body(&self, count: usize) -> String {
        format!(
            "{{\"model\": \"m\",\n \"messages\":[ {} ], \"n\":1.50e0}}",
            self.messages[..count].join(" ,\n")
        )
    }

    /// Positions after each user message: where a client would have sent a request.
    pub fn ends_of_turns(&self) -> Vec<usize> {
        let is_user = |message: &String| message.contains("\"role\":\"user\"");
        (1..=self.messages.len()).filter(|&end| is_user(&self.messages[end - 1])).collect()
    }
}

/// A text that somebody may write, often one of [`TEXTS`].
pub fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(TEXTS).prop_map(str::to_owned),
        1 => "[ -~\\n\"\\\\]{0,40}",
    ]
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn user() -> impl Strategy<Value = String> {
    (text(), 0..5_u8).prop_map(|(text, form)| {
        let text = quoted(&text);
        match form {
            0 => format!("{{\"role\":\"user\",\"content\":[{{\"type\":\"text\",\"text\":{text}}}]}}"),
            1 => format!(
                "{{\"content\" : [ {{\"type\":\"image_url\",\"image_url\":{{\"url\":\"data:,\"}}}}, {{\"text\":{text},\"type\":\"text\"}} ], \"role\":\"user\"}}"
            ),
            2 => format!("{{\"name\":\"u\",\"role\":\"user\",\"content\":{text},\"cache_control\":{{\"type\":\"ephemeral\"}}}}"),
            _ => format!("{{\"role\":\"user\",\"content\":{text}}}"),
        }
    })
}

fn assistant() -> impl Strategy<Value = Vec<String>> {
    (text(), 0..7_u8).prop_map(|(text, form)| {
        let text = quoted(&text);
        let plain = format!("{{\"role\":\"assistant\",\"content\":{text}}}");
        match form {
            0 => vec![
                "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"call0000a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},{\"id\":\"call0000b\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}".to_owned(),
                format!("{{\"role\":\"tool\",\"tool_call_id\":\"call0000a\",\"content\":{text}}}"),
                "{\"role\":\"tool\",\"tool_call_id\":\"call0000b\",\"content\":\"1\"}".to_owned(),
                plain,
            ],
            1 => vec![
                "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"call0000c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}".to_owned(),
                "{\"role\":\"tool\",\"tool_call_id\":\"call0000c\",\"content\":\"1\"}".to_owned(),
                plain,
            ],
            2 => vec![format!("{{\"refusal\":null,\"content\":{text},\"role\":\"assistant\",\"reasoning_content\":\"r\"}}")],
            _ => vec![plain],
        }
    })
}

/// Conversations that a strict provider accepts: system text first, then turns; the last turn may be
/// answered, half-answered by tool calls, or open.
pub fn legal_chat() -> impl Strategy<Value = Chat> {
    let system = prop_oneof![
        Just(Vec::new()),
        Just(vec!["{\"role\":\"system\",\"content\":\"Be brief.\"}".to_owned()]),
        Just(vec![
            "{\"role\":\"developer\",\"content\":[{\"type\":\"text\",\"text\":\"Be brief.\"}]}".to_owned()
        ]),
    ];
    let turns = prop::collection::vec((user(), assistant()), 1..7);
    (system, turns, any::<bool>()).prop_map(|(mut messages, turns, answered)| {
        let last = turns.len() - 1;
        for (number, (user, assistant)) in turns.into_iter().enumerate() {
            messages.push(user);
            if number < last || answered {
                messages.extend(assistant);
            }
        }
        Chat { messages }
    })
}

/// Conversations of every kind: legal ones, ones in which a message is missing, doubled or elsewhere, and
/// roles in any order.
pub fn any_chat() -> impl Strategy<Value = Chat> {
    let edit = (legal_chat(), any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..4_u8);
    let edited = edit.prop_map(|(mut chat, at, to, kind)| {
        let (at, to) = (at.index(chat.messages.len()), to.index(chat.messages.len()));
        match kind {
            0 if chat.messages.len() > 1 => {
                chat.messages.remove(at);
            }
            1 => chat.messages.insert(to, chat.messages[at].clone()),
            2 => chat.messages.swap(at, to),
            _ => chat.messages.truncate(at + 1),
        }
        chat
    });
    let message = prop_oneof![
        2 => user().prop_map(|user| vec![user]),
        2 => assistant(),
        1 => prop::sample::select(ODD_MESSAGES).prop_map(|message| vec![message.to_owned()]),
    ];
    let shuffled =
        prop::collection::vec(message, 1..6).prop_map(|messages| Chat { messages: messages.concat() });
    prop_oneof![4 => legal_chat(), 4 => edited, 2 => shuffled]
}

const ODD_MESSAGES: &[&str] = &[
    "{\"role\":\"system\",\"content\":\"Be brief.\"}",
    "{\"role\":\"developer\",\"content\":\"Be brief.\"}",
    "{\"role\":\"assistant\",\"content\":\"\"}",
    "{\"role\":\"assistant\",\"content\":\"The lightest is\",\"prefix\":true}",
    "{\"role\":\"assistant\",\"content\":null,\"refusal\":\"no\"}",
    "{\"role\":\"assistant\",\"content\":\"x\",\"tool_calls\":[{\"id\":\"call0000d\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}",
    "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"short\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}",
    "{\"role\":\"assistant\",\"content\":null,\"function_call\":{\"name\":\"f\",\"arguments\":\"{}\"}}",
    "{\"role\":\"function\",\"name\":\"f\",\"content\":\"1\"}",
    "{\"role\":\"tool\",\"tool_call_id\":\"call0000d\",\"content\":\"1\"}",
    "{\"role\":\"tool\",\"tool_call_id\":\"short\",\"content\":\"1\"}",
    "{\"role\":\"user\",\"content\":\"\"}",
];
