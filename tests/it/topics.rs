//! Topics that nothing is told into: how many turns about them are seen, how many others are taken for one, and what
//! becomes of a conversation that touches one.

use std::path::Path;

use foreword::chat::Dialect;
use foreword::config::{self, Overrides};
use foreword::inject::{Decision, SkipReason};
use foreword::knowledge::{Limits, load};
use foreword::snapshot::{Choice, Treatment};
use foreword::topics::{Topic, Topics, built_in};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::proxy::Site;
use crate::support::retrieval::{embedder, model_folder};

/// Recall on turns that no rule and no example was written for, somewhat below what was measured: words alone, and with
/// meaning.
const UNSEEN_BY_WORDS: f64 = 0.45;
const UNSEEN: f64 = 0.75;
const HELD_OUT_BY_WORDS: f64 = 0.65;
const HELD_OUT: f64 = 0.9;

/// A turn that a person has labelled.
struct Turn {
    text: String,
    topic: Option<String>,
}

/// The turns that the rules were written beside, or ones that were written afterwards and never looked at for them.
fn turns(file: &str) -> Vec<Turn> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/topics").join(file);
    let read = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        Turn {
            text: value["text"].as_str().unwrap().to_owned(),
            topic: value["topic"].as_str().map(str::to_owned),
        }
    };
    std::fs::read_to_string(file).unwrap().lines().map(read).collect()
}

/// Recall, and the share of other turns that are vetoed; what was wrong is printed.
#[expect(clippy::print_stdout, reason = "what was missed is what one looks at")]
fn judge(file: &str, vetoes: impl Fn(&str) -> Option<String>) -> (f64, f64) {
    let (mut about, mut seen, mut other, mut wrong) = (0.0, 0.0, 0.0, 0.0);
    for turn in turns(file) {
        let found = vetoes(&turn.text);
        match (&turn.topic, &found) {
            (Some(_), Some(_)) => (about, seen) = (about + 1.0, seen + 1.0),
            (Some(topic), None) => {
                about += 1.0;
                println!("missed {topic}: {}", turn.text);
            }
            (None, Some(found)) => {
                (other, wrong) = (other + 1.0, wrong + 1.0);
                println!("wrongly {found}: {}", turn.text);
            }
            (None, None) => other += 1.0,
        }
    }
    println!("{file}: recall {:.3} of {about}, false vetoes {:.3} of {other}", seen / about, wrong / other);
    (seen / about, wrong / other)
}

#[test]
fn words_alone_see_topics_and_leave_others_alone() {
    let topics = Topics::new(built_in().to_vec());
    let (recall, wrong) = judge("turns.jsonl", |text| {
        topics.touched(text, |_| true).map(|topic| topics.all()[topic].name.clone())
    });
    assert!(recall >= 0.95 && wrong <= 0.03, "recall {recall}, false vetoes {wrong}");
    let unseen = judge("unseen.jsonl", |text| {
        topics.touched(text, |_| true).map(|topic| topics.all()[topic].name.clone())
    });
    assert!(unseen.0 >= UNSEEN_BY_WORDS && unseen.1 <= 0.1, "{unseen:?}");
    let held_out = judge("held_out.jsonl", |text| {
        topics.touched(text, |_| true).map(|topic| topics.all()[topic].name.clone())
    });
    assert!(held_out.0 >= HELD_OUT_BY_WORDS && held_out.1 <= 0.1, "{held_out:?}");
}

#[test]
fn words_and_meaning_together_see_more_and_still_leave_others_alone() {
    let site = Site::new();
    let model = model_folder();
    let settings = site.settings("http://127.0.0.1:1/v1", &[("retrieval.model", model.to_str().unwrap())]);
    assert!(embedder().identity().dimension > 0);
    let core = foreword::app::core(&settings, &mut |_, _| {}).unwrap();
    let explain = |text: &str| {
        let body = json!({ "messages": [{ "role": "user", "content": text }] }).to_string();
        core.planner
            .explain(body.as_bytes(), Dialect::ChatCompletions, &Choice::default(), &Treatment::Served)
            .unwrap()
            .turns
            .remove(0)
            .topic
    };
    let (recall, wrong) = judge("turns.jsonl", explain);
    assert!(recall >= 0.95 && wrong <= 0.03, "recall {recall}, false vetoes {wrong}");
    let _seen_while_rules_were_widened = judge("fresh.jsonl", explain);
    let unseen = judge("unseen.jsonl", explain);
    assert!(unseen.0 >= UNSEEN && unseen.1 <= 0.05, "{unseen:?}");
    let held_out = judge("held_out.jsonl", explain);
    assert!(held_out.0 >= HELD_OUT && held_out.1 <= 0.03, "{held_out:?}");
    // What the brands are asked about is none of these topics.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("knowledge");
    let own = load(&root, &Limits::default(), Timestamp::now()).knowledge;
    for item in own.brands.iter().flat_map(|brand| &brand.items) {
        assert_eq!(explain(item.title()), None, "{}", item.title());
    }
    // By meaning alone: in no word a rule. What stays holds for the turns after it in the same way.
    let by_meaning = "People around me would breathe a sigh of relief if I vanished from this planet";
    let words = Topics::new(built_in().to_vec());
    assert_eq!(words.touched(by_meaning, |_| true), None);
    let messages = [
        ("user", ANVIL),
        ("assistant", "The light one."),
        ("user", by_meaning),
        ("assistant", "I am sorry."),
    ]
    .into_iter()
    .chain([("user", WARRANTY)]);
    let messages: Vec<Value> =
        messages.map(|(role, content)| json!({ "role": role, "content": content })).collect();
    let body = json!({ "messages": messages }).to_string();
    let explanation = core
        .planner
        .explain(body.as_bytes(), Dialect::ChatCompletions, &Choice::default(), &Treatment::Served)
        .unwrap();
    let topics: Vec<Option<&str>> = explanation.turns.iter().map(|turn| turn.topic.as_deref()).collect();
    assert_eq!(topics, [None, Some("self-harm"), Some("self-harm")]);
}

#[test]
fn what_is_a_brands_business_is_allowed_by_meaning_too_and_margins_are_configured() {
    let site = Site::new();
    let model = model_folder();
    let question =
        "They caught me without a ticket and now the inspector says that I will stand before a judge";
    let asked = |question: &str, allowed: &str, config: &[(&'static str, &str)]| {
        site.write("knowledge/acme/brand.toml", &format!("name = \"Acme Anvils\"\n{allowed}"));
        let cache = site.path("cache").to_string_lossy().into_owned();
        let config: Vec<(&'static str, &str)> =
            [("retrieval.model", model.to_str().unwrap()), ("knowledge.cache", &cache)]
                .into_iter()
                .chain(config.iter().copied())
                .collect();
        let settings = site.settings("http://127.0.0.1:1/v1", &config);
        let core = foreword::app::core(&settings, &mut |_, _| {}).unwrap();
        let body = json!({ "messages": [{ "role": "user", "content": question }] }).to_string();
        let explained = core.planner.explain(
            body.as_bytes(),
            Dialect::ChatCompletions,
            &Choice::default(),
            &Treatment::Served,
        );
        explained.unwrap().turns.remove(0).topic
    };
    let topic = |allowed: &str, config: &[(&'static str, &str)]| asked(question, allowed, config);
    // What stays is seen beside a topic of the brand's own, and beside one that is the brand's business.
    let own = "[topics]\nbilling = [\"refund\"]\n";
    assert_eq!(asked("I want to kill myself. I want a refund.", own, &[]).as_deref(), Some("self-harm"));
    assert_eq!(asked("I want a refund.", own, &[]).as_deref(), Some("billing"));
    let business = "topics_allowed = [\"grief\"]\n";
    let both = "My mother died last night and I want to kill myself";
    assert_eq!(asked(both, business, &[]).as_deref(), Some("self-harm"));
    assert_eq!(topic("", &[]).as_deref(), Some("legal-trouble"));
    assert_eq!(topic("topics_allowed = [\"legal-trouble\"]\n", &[]), None);
    assert_eq!(topic("", &[("topics.margin", "40")]), None);
}

fn explained(site: &Site, texts: &[&str]) -> (Decision, Vec<Option<String>>, Vec<u8>) {
    let settings = site.settings("http://127.0.0.1:1/v1", &[]);
    let core = foreword::app::core(&settings, &mut |_, _| {}).unwrap();
    let messages: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(number, text)| json!({ "role": if number % 2 == 0 { "user" } else { "assistant" }, "content": text }))
        .collect();
    let body = json!({ "messages": messages }).to_string();
    let explanation = core
        .planner
        .explain(body.as_bytes(), Dialect::ChatCompletions, &Choice::default(), &Treatment::Served)
        .unwrap();
    let topics = explanation.turns.iter().map(|turn| turn.topic.clone()).collect();
    (explanation.decision, topics, explanation.spliced.body.to_vec())
}

const ANVIL: &str = "Which anvil is the lightest to carry?";
const WARRANTY: &str = "How long is the anvil warranty?";

#[test]
fn a_turn_about_a_topic_gets_nothing_and_what_stays_holds_for_the_turns_after() {
    let site = Site::new();
    let (decision, topics, _) = explained(&site, &["Which anvil should I take to kill myself with?"]);
    assert_eq!(decision, Decision::Skipped(SkipReason::SensitiveTopic));
    assert_eq!(topics, [Some("self-harm".to_owned())]);
    let (decision, topics, _) = explained(&site, &["I want to kill myself", "I am sorry.", ANVIL]);
    assert_eq!(decision, Decision::Skipped(SkipReason::SensitiveTopic));
    assert_eq!(topics, [Some("self-harm".to_owned()), Some("self-harm".to_owned())]);
    // Also where the turn would have got nothing anyway, for a word that the brand wants no part in.
    let (decision, topics, _) = explained(&site, &["I want to die after my coyote injury", "Oh no.", ANVIL]);
    assert_eq!(decision, Decision::Skipped(SkipReason::SensitiveTopic));
    assert_eq!(topics, [None, Some("self-harm".to_owned())]);
    // An election is over when the next question is about anvils.
    let (decision, topics, _) = explained(&site, &["Who should I vote for?", "I cannot say.", ANVIL]);
    assert!(matches!(decision, Decision::Injected { .. }));
    assert_eq!(topics, [Some("elections".to_owned()), None]);
}

#[test]
fn invariant_3_a_later_topic_changes_nothing_before_it() {
    let site = Site::new();
    let (_, _, shorter) = explained(&site, &[ANVIL]);
    let (decision, topics, longer) =
        explained(&site, &[ANVIL, "The light one.", "My father died last week", "Sorry.", WARRANTY]);
    assert!(matches!(decision, Decision::Injected { items: 1.., .. }));
    assert_eq!(topics, [None, Some("grief".to_owned()), Some("grief".to_owned())]);
    let messages =
        |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap()["messages"].as_array().unwrap().clone();
    let (shorter, longer) = (messages(&shorter), messages(&longer));
    assert!(shorter.len() > 1 && longer.starts_with(&shorter));
    assert_eq!(longer.len(), shorter.len() + 4);
}

#[test]
fn a_brand_adds_its_own_topics_and_allows_its_business() {
    let site = Site::new();
    let brand = "name = \"Acme Anvils\"\naliases = [\"Acme\"]\ntopics_allowed = [\"legal-trouble\", \"no-such\"]\n\
        [topics]\nrecall = [\"recalled + anvil*\", \"product recall\"]\n";
    site.write("knowledge/acme/brand.toml", brand);
    let ask = |text: &str| explained(&site, &[text]).1.remove(0);
    assert_eq!(
        ask("Which anvils were recalled, and which anvil is light to carry?").as_deref(),
        Some("recall")
    );
    assert_eq!(ask("Does my lawyer need a light anvil to carry?"), None);
    assert_eq!(ask("My father died, which anvil is light to carry?").as_deref(), Some("grief"));
    let settings = site.settings("http://127.0.0.1:1/v1", &[]);
    let core = foreword::app::core(&settings, &mut |_, _| {}).unwrap();
    assert!(core.problems.iter().any(|problem| problem.message.contains("no topic `no-such`")));
    site.write("knowledge/acme/brand.toml", "name = \"A\"\n[topics]\nx = [\"*\"]\n");
    assert!(foreword::app::core(&settings, &mut |_, _| {}).is_err());
}

#[test]
fn questions_about_the_assistant_itself_get_nothing() {
    let topics = Topics::new(built_in().to_vec());
    let seen = |text: &str| topics.touched(text, |_| true).map(|topic| topics.all()[topic].name.clone());
    for text in [
        "Who created you?",
        "Which company trained you?",
        "Are you made by Microsoft?",
        "hey, what's your name?",
        "Could you introduce yourself please?",
        "Are you GPT-4?",
        "Wer hat dich entwickelt?",
        "¿Quién te creó?",
    ] {
        assert_eq!(seen(text).as_deref(), Some("assistant-identity"), "{text}");
    }
    for text in [
        "Who created DocArray?",
        "Which company is behind this library?",
        "What are you looking for in a vector database?",
        "Who are your competitors?",
        "How are embeddings trained?",
        "What is the name of the library?",
    ] {
        assert_eq!(seen(text), None, "{text}");
    }
}

#[test]
fn which_topics_hold_is_configured() {
    let site = Site::new();
    for (written, known) in
        [("never = [\"grief\"]", true), ("never = [\"weather\"]", false), ("likeness = \"off\"", true)]
    {
        site.write("foreword.toml", &format!("[topics]\n{written}\n"));
        let (settings, problems) = config::load(&site.path("foreword.toml"), false, &Overrides::default());
        assert_eq!(settings.is_some(), known, "{written}: {problems:?}");
    }
    let only = Topics::new(vec![Topic::of_phrases("x", &["a b".to_owned()])]);
    assert_eq!((only.touched("so A, b!", |_| true), only.touched("ab", |_| true)), (Some(0), None));
    assert_eq!(Topics::new(Vec::new()).touched("suicide", |_| true), None);
}
