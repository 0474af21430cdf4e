//! Token budgets over random conversations: nothing is added beyond them, and items are told whole or not at all.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};

use foreword::chat::{Dialect, decode_string};
use foreword::inject::{Decision, Placed, SkipReason, TokenCounter, Tokenizer, estimate_tokens};
use foreword::snapshot::{Choice, Explanation, Planner, Treatment};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::conversations::{Chat, TEXTS, any_chat};
use crate::support::planners::{RECIPES, explain, fresh_planner};

const DIALECT: Dialect = Dialect::ChatCompletions;
/// What a chat template is taken to put around a message.
const AROUND_A_MESSAGE: u32 = 4;
/// Most tokens of a conversation, and the context window; zero: not known.
const BOUNDS: &[(u32, u32)] =
    &[(1, 0), (30, 0), (45, 0), (60, 0), (90, 0), (2_000, 40), (2_000, 120), (60, 300)];

struct Bounded {
    recipe: &'static str,
    tokenizer: Tokenizer,
    counter: Mutex<TokenCounter>,
    /// All that items are ever told as, where nothing is bounded.
    whole: BTreeSet<String>,
    conversation: u32,
    window: u32,
    planner: Arc<Planner>,
}

/// Planners with every bound for the standard recipe, among them one that counts with a vocabulary, and with a few for the
/// others.
fn bounded() -> &'static [Bounded] {
    static ALL: OnceLock<Vec<Bounded>> = OnceLock::new();
    ALL.get_or_init(|| {
        let of = |recipe, tokenizer: Tokenizer, (conversation, window): (u32, u32)| {
            let (most, context) = (conversation.to_string(), window.to_string());
            let config = [
                ("injection.conversation_tokens", &*most),
                ("upstream.context_tokens", &*context),
                ("injection.tokenizer", tokenizer.name()),
            ];
            let planner = fresh_planner(recipe, &config);
            let counter = Mutex::new(TokenCounter::new(tokenizer.clone()));
            Bounded { recipe, tokenizer, counter, whole: whole(recipe), conversation, window, planner }
        };
        let each = RECIPES.iter().flat_map(|&recipe| BOUNDS.iter().map(move |&bound| (recipe, bound)));
        let mut all: Vec<Bounded> = each
            .filter(|&(recipe, bound)| recipe == "pairs" || matches!(bound, (60, 0) | (2_000, 120)))
            .map(|(recipe, bound)| of(recipe, Tokenizer::Estimate, bound))
            .collect();
        all.push(of("pairs", Tokenizer::Cl100k, (60, 0)));
        all
    })
}

impl Bounded {
    fn explain(&self, body: &str) -> Explanation {
        self.planner.explain(body.as_bytes(), DIALECT, &Choice::default(), &Treatment::Served).unwrap()
    }
}

/// The texts that a turn got: contents of messages, or one text in front of its own.
fn texts(placed: &Placed) -> Vec<String> {
    let bytes = std::str::from_utf8(&placed.bytes).unwrap();
    match bytes.strip_suffix(',') {
        Some(messages) if messages.starts_with('{') => {
            let messages: Vec<Value> = serde_json::from_str(&format!("[{messages}]")).unwrap();
            messages.iter().map(|message| message["content"].as_str().unwrap().to_owned()).collect()
        }
        _ => vec![decode_string(bytes).trim_end().to_owned()],
    }
}

/// All that items are ever told as, where nothing is bounded.
fn whole(recipe: &str) -> BTreeSet<String> {
    let asked = TEXTS.iter().flat_map(|text| {
        let user = serde_json::json!({ "role": "user", "content": text });
        [user.to_string(), "{\"role\":\"assistant\",\"content\":\"ok\"}".to_owned()]
    });
    let chat = Chat { messages: asked.collect() };
    let explained = explain(recipe, DIALECT, chat.body(chat.messages.len()));
    explained.turns.iter().filter_map(|turn| turn.placed.as_ref()).flat_map(texts).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn nothing_is_added_beyond_a_budget(chat in any_chat()) {
        let body = chat.body(chat.messages.len());
        for bounded in bounded() {
            let Explanation { turns, decision, spliced, limits } = bounded.explain(&body);
            let placed: Vec<&Placed> = turns.iter().filter_map(|turn| turn.placed.as_ref()).collect();
            let mut counter = bounded.counter.lock().unwrap();
            let mut total = 0;
            for placed in &placed {
                // Counted anew, as what leaves.
                let counted: u32 = texts(placed).iter().map(|text| counter.count(text) + AROUND_A_MESSAGE).sum();
                prop_assert!(counted <= placed.tokens, "{counted} of {}", placed.tokens);
                prop_assert!(counted <= limits.as_ref().unwrap().max_tokens);
                total += counted;
                if matches!(bounded.recipe, "pairs" | "lead") {
                    prop_assert!(texts(placed).iter().all(|text| bounded.whole.contains(text)));
                }
            }
            let share = if bounded.window == 0 { u32::MAX } else { bounded.window / 2 };
            let most = bounded.conversation.min(share);
            prop_assert!(total <= most, "{total} of {most}");
            let fits = bounded.window == 0 || estimate_tokens(body.len()) + total <= bounded.window;
            match decision {
                Decision::Injected { tokens, .. } => {
                    prop_assert!(fits && total <= tokens && tokens <= most);
                }
                // Too much for the window: all of it stays away.
                Decision::Skipped(_) => prop_assert_eq!(&spliced.body[..], body.as_bytes()),
            }
        }
    }
}

#[test]
fn every_bound_is_met_and_some_are_exceeded() {
    // Without this the property might hold because nothing ever came near to a budget.
    let asked = TEXTS.iter().take(4).flat_map(|text| {
        let user = serde_json::json!({ "role": "user", "content": text });
        [user.to_string(), "{\"role\":\"assistant\",\"content\":\"ok\"}".to_owned()]
    });
    let chat = Chat { messages: asked.collect() };
    let body = chat.body(chat.messages.len() - 1);
    let told: BTreeSet<(u32, usize)> = bounded()
        .iter()
        .filter(|bounded| bounded.recipe == "pairs" && bounded.tokenizer == Tokenizer::Estimate)
        .filter(|bounded| bounded.window == 0)
        .map(|bounded| (bounded.conversation, bounded.explain(&body).decision.items()))
        .collect();
    let items: Vec<usize> = told.iter().map(|(_, items)| *items).collect();
    assert!(items.is_sorted() && items[0] == 0 && items[1] < items[items.len() - 1], "{told:?}");
    let over = bounded().iter().filter(|bounded| bounded.window == 40);
    for bounded in over {
        let decision = bounded.explain(&body).decision;
        assert_eq!(decision, Decision::Skipped(SkipReason::OverBudget));
    }
}
