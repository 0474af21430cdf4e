//! Which conversations providers and chat templates accept: their rules in our own words, each with where
//! it is to be read. The tests hold those of the templates against the templates themselves.

use serde_json::Value;

/// The rules of one provider or template.
pub struct Rules {
    pub name: &'static str,
    /// Where the rules are to be read.
    pub source: &'static str,
    /// The file under `.foreword/templates` that has the same rules.
    pub template: Option<&'static str>,
    check: fn(&[&Message<'_>]) -> Result<(), String>,
}

impl Rules {
    /// Whether a conversation is accepted, or what is wrong with it.
    pub fn check(&self, messages: &[Value]) -> Result<(), String> {
        let messages: Vec<Message<'_>> = messages.iter().map(Message::of).collect();
        (self.check)(&messages.iter().collect::<Vec<_>>())
    }
}

/// What the rules look at.
struct Message<'a> {
    role: &'a str,
    /// Calls that an assistant makes, by id.
    calls: Option<Vec<&'a str>>,
    /// The call that a tool message answers.
    answers: Option<&'a str>,
    has_text: bool,
}

impl<'a> Message<'a> {
    fn of(value: &'a Value) -> Message<'a> {
        let id = |call: &'a Value| call["id"].as_str().unwrap_or_default();
        Message {
            role: value["role"].as_str().unwrap_or("none"),
            calls: value["tool_calls"].as_array().map(|calls| calls.iter().map(id).collect()),
            answers: value["tool_call_id"].as_str(),
            has_text: match &value["content"] {
                Value::String(text) => !text.is_empty(),
                Value::Array(parts) => !parts.is_empty(),
                _ => false,
            },
        }
    }

    fn is(&self, role: &str) -> bool {
        self.role == role
    }

    fn calls(&self) -> &[&'a str] {
        self.calls.as_deref().unwrap_or_default()
    }
}

/// The profile `strict`: what every provider takes. Stricter than each of the rules below.
pub const STRICT: Rules = Rules {
    name: "upstream.profile = \"strict\"",
    source: "README: system text first, user and assistant alternate, results follow their calls",
    template: None,
    check: |messages| {
        known_roles(messages, &["system", "developer", "user", "assistant", "tool"])?;
        system_only(messages, 1)?;
        alternate_among(messages, |message| message.is("user") || has_last_word(message))?;
        if messages.windows(2).any(|pair| pair[0].is("assistant") && pair[1].is("assistant")) {
            return Err("two assistant messages in a row".to_owned());
        }
        results_follow_calls(messages)
    },
};

/// The profile `lenient`: what the interface's own provider takes.
pub const LENIENT: Rules = Rules {
    name: "upstream.profile = \"lenient\"",
    source: "https://platform.openai.com/docs/api-reference/chat/create (messages)",
    template: None,
    check: |messages| {
        known_roles(messages, &["system", "developer", "user", "assistant", "tool", "function"])?;
        results_follow_calls(messages)
    },
};

/// Providers and templates with rules of their own.
pub const STRANGERS: &[Rules] = &[
    Rules {
        name: "Mistral 7B and Mixtral, first generation",
        source: "chat_template of mistralai/Mixtral-8x7B-Instruct-v0.1, with the optional system text of v0.2",
        template: Some("mistral_v1.jinja"),
        check: |messages| {
            let rest = after_system(messages);
            alternate_by_place(rest)?;
            known_roles(rest, &["user", "assistant"])
        },
    },
    Rules {
        name: "Mistral 7B v0.3",
        source: "chat_template of mistralai/Mistral-7B-Instruct-v0.3",
        template: Some("mistral_v2v3.jinja"),
        check: mistral_with_tools,
    },
    Rules {
        name: "Mistral Nemo",
        source: "chat_template of mistralai/Mistral-Nemo-Instruct-2407",
        template: Some("mistral_v3_tekken.jinja"),
        check: mistral_with_tools,
    },
    Rules {
        name: "Mistral Small 3",
        source: "chat_template of mistralai/Mistral-Small-24B-Instruct-2501",
        template: Some("mistral_v7_tekken.jinja"),
        check: |messages| known_roles(after_system(messages), &["user", "system", "assistant"]),
    },
    Rules {
        name: "Pixtral",
        source: "chat_template of mistralai/Pixtral-12B-2409",
        template: Some("pixtral.jinja"),
        check: |messages| {
            let rest = after_system(messages);
            alternate_by_place(rest)?;
            known_roles(rest, &["user", "assistant"])
        },
    },
    Rules {
        name: "Gemma 1 and 2",
        source: "chat_template of google/gemma-2-9b-it",
        template: Some("gemma.jinja"),
        check: |messages| match messages.first() {
            Some(first) if first.is("system") => Err("system text is not known".to_owned()),
            _ => alternate_by_place(messages),
        },
    },
    Rules {
        name: "Gemma 3",
        source: "chat_template of google/gemma-3-4b-it",
        template: Some("gemma3.jinja"),
        check: |messages| alternate_by_place(after_system(messages)),
    },
    Rules {
        name: "Command-R",
        source: "chat_template (default) of CohereForAI/c4ai-command-r-v01",
        template: Some("cohere.jinja"),
        check: |messages| alternate_by_place(after_system(messages)),
    },
    Rules {
        name: "Aya",
        source: "chat_template of CohereForAI/aya-23-8B",
        template: Some("aya.jinja"),
        check: |messages| alternate_by_place(after_system(messages)),
    },
    Rules {
        name: "Nemotron-H",
        source: "chat_template of nvidia/Nemotron-H-8B-Reasoning-128K",
        template: Some("nemotron_h.jinja"),
        check: |messages| known_roles(after_system(messages), &["user", "assistant"]),
    },
    Rules {
        name: "Llama 2",
        source: "chat_template of meta-llama/Llama-2-7b-chat-hf",
        template: None,
        check: |messages| {
            let rest = after_system(messages);
            alternate_by_place(rest)?;
            known_roles(rest, &["user", "assistant"])
        },
    },
    Rules {
        name: "Llama 3.1 and 3.2",
        source: "chat_template of meta-llama/Llama-3.1-8B-Instruct",
        template: Some("llama3_2_vision.jinja"),
        check: |messages| match messages.iter().find(|message| message.calls().len() > 1) {
            Some(_) => Err("several calls at once".to_owned()),
            None => Ok(()),
        },
    },
    Rules {
        name: "Zephyr",
        source: "chat_template of HuggingFaceH4/zephyr-7b-beta, which passes over roles that it does not know",
        template: None,
        check: |_| Ok(()),
    },
    Rules {
        name: "Mistral's own interface",
        source: "the request validator of the package mistral-common 1.13.1, serving, tokenizers v3 to v7",
        template: None,
        check: mistral_served,
    },
    Rules {
        name: "providers that want alternation to the letter",
        source: "errors of Perplexity's chat completions and of DeepSeek's deepseek-reasoner",
        template: None,
        check: |messages| {
            known_roles(messages, &["system", "user", "assistant", "tool"])?;
            let rest: Vec<_> = messages.iter().copied().skip_while(|message| message.is("system")).collect();
            if rest.iter().any(|message| message.is("system")) {
                return Err("system text is not first".to_owned());
            }
            alternate_among(&rest, |message| message.is("user") || has_last_word(message))?;
            match rest.last() {
                Some(last) if last.is("user") || last.is("tool") => Ok(()),
                _ => Err("the last is neither the user nor a tool".to_owned()),
            }
        },
    },
    Rules {
        name: "Gemini behind the same interface",
        source: "https://ai.google.dev/gemini-api/docs/function-calling (order of turns, as its errors state it)",
        template: None,
        check: |messages| {
            for (before, message) in messages.iter().zip(&messages[1.min(messages.len())..]) {
                if !message.calls().is_empty() && !before.is("user") && !before.is("tool") {
                    return Err("a call that follows neither the user nor a result".to_owned());
                }
            }
            results_follow_calls(messages)
        },
    },
    Rules {
        name: "Qwen 3.5",
        source: "chat_template of Qwen/Qwen3.5 models: one system text at the start, and somebody who asks",
        template: None,
        check: |messages| {
            known_roles(messages, &["system", "user", "assistant", "tool"])?;
            system_only(messages, 1)?;
            match messages.iter().any(|message| message.is("user")) {
                true => Ok(()),
                false => Err("nobody asks".to_owned()),
            }
        },
    },
];

/// All rules but those of the profile `lenient`.
pub fn all_strict() -> impl Iterator<Item = &'static Rules> {
    [&STRICT].into_iter().chain(STRANGERS)
}

/// Whether an assistant's message ends what it has to say: it makes no calls.
fn has_last_word(message: &Message<'_>) -> bool {
    message.is("assistant") && message.calls().is_empty()
}

/// The messages after a system text at the very start.
fn after_system<'m, 'a>(messages: &'m [&'a Message<'a>]) -> &'m [&'a Message<'a>] {
    let skipped = usize::from(messages.first().is_some_and(|first| first.is("system")));
    &messages[skipped..]
}

fn known_roles(messages: &[&Message<'_>], known: &[&str]) -> Result<(), String> {
    for message in messages {
        let role = message.role;
        if !known.contains(&role) {
            return Err(format!("the role {role} is not known"));
        }
    }
    Ok(())
}

/// System and developer texts stand at the start, at most so many.
fn system_only(messages: &[&Message<'_>], most: usize) -> Result<(), String> {
    let is_system = |message: &&&Message<'_>| message.is("system") || message.is("developer");
    let at_start = messages.iter().take_while(is_system).count();
    if messages.iter().filter(is_system).count() > at_start {
        return Err("system text is not first".to_owned());
    }
    if at_start > most {
        return Err("more than one system text".to_owned());
    }
    Ok(())
}

/// At even places stands the user and at odd ones somebody else.
fn alternate_by_place(messages: &[&Message<'_>]) -> Result<(), String> {
    for (place, message) in messages.iter().enumerate() {
        if message.is("user") != place.is_multiple_of(2) {
            return Err(format!("{} at place {place}", message.role));
        }
    }
    Ok(())
}

/// Of those that count, the user is the first, and every second.
fn alternate_among(messages: &[&Message<'_>], counts: impl Fn(&Message<'_>) -> bool) -> Result<(), String> {
    let counted: Vec<_> = messages.iter().copied().filter(|message| counts(message)).collect();
    alternate_by_place(&counted)
}

/// Every call has its result right after it, and every result its call before.
fn results_follow_calls(messages: &[&Message<'_>]) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    for message in messages {
        if message.is("tool") {
            let before = open.len();
            open.retain(|call| Some(*call) != message.answers);
            if open.len() == before {
                return Err("a result without a call".to_owned());
            }
        } else if !open.is_empty() {
            return Err(format!("{} among open calls", message.role));
        } else {
            open = message.calls().to_vec();
        }
    }
    Ok(())
}

fn mistral_with_tools(messages: &[&Message<'_>]) -> Result<(), String> {
    let rest = after_system(messages);
    alternate_among(rest, |message| !message.is("tool") && message.calls.is_none())?;
    for message in rest {
        let ids =
            message.calls().iter().copied().chain(message.is("tool").then(|| message.answers.unwrap_or("")));
        if ids.into_iter().any(|id| id.len() != 9) {
            return Err("ids of calls have nine characters".to_owned());
        }
        // A user who makes calls is answered like an assistant who does.
        if !matches!(message.role, "user" | "assistant" | "tool") && message.calls.is_none() {
            return Err(format!("the role {} is not known", message.role));
        }
    }
    Ok(())
}

fn mistral_served(messages: &[&Message<'_>]) -> Result<(), String> {
    known_roles(messages, &["system", "user", "assistant", "tool"])?;
    let Some(last) = messages.last() else { return Err("no message".to_owned()) };
    if messages.len() == 1 && !last.is("user") && !last.is("system") {
        return Err("a single message of neither the user nor the system".to_owned());
    }
    if messages.len() > 1 && last.is("assistant") {
        return Err("the last is the assistant".to_owned());
    }
    let mut open = 0_usize;
    for (place, message) in messages.iter().enumerate() {
        let before = place.checked_sub(1).map(|before| messages[before].role);
        let follows = match before {
            None => true,
            Some("system" | "user") => !message.is("tool"),
            Some(_) => !message.is("system"),
        };
        if !follows {
            return Err(format!("{} after {}", message.role, before.unwrap_or_default()));
        }
        if message.is("assistant") {
            if message.has_text != message.calls().is_empty() {
                return Err("an assistant with neither text nor calls, or both".to_owned());
            }
            if open > 0 {
                return Err("fewer results than calls".to_owned());
            }
            open = message.calls().len();
        } else if message.is("tool") {
            open = open.checked_sub(1).ok_or("more results than calls")?;
        }
        let mut ids = message.calls().iter().copied().chain(message.answers);
        if ids.any(|id| id.len() != 9 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
            return Err("ids of calls have nine letters or digits".to_owned());
        }
    }
    if open == 0 { Ok(()) } else { Err("fewer results than calls".to_owned()) }
}
