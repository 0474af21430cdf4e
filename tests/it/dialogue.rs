//! Retrieval in conversations: what was said before, subjects that are carried on, the gate's calibration.

use foreword::app;
use foreword::chat::Dialect;
use foreword::inject::{SkipReason, TurnOutcome};
use foreword::retrieval::{Index, SearchSettings, Speaker, Verdict};
use foreword::snapshot::{Choice, ExplainedTurn, Treatment};

use crate::support::proxy::Site;
use crate::support::retrieval::{brand, embedder, fact, find, find_after, in_language, index, repository};

fn hotels() -> foreword::knowledge::Brand {
    let mut items = Vec::new();
    for (id, hotel) in
        [("sunrise", "Hotel Sunrise"), ("argonaut", "Argonaut Inn"), ("mira", "Casa Mirabella")]
    {
        items.push(fact(
            "hotels",
            &format!("{id}-a"),
            &format!("{hotel}: Is there parking?"),
            "Parking is free for guests.",
        ));
        items.push(fact(
            "hotels",
            &format!("{id}-b"),
            &format!("{hotel}: Which cards are accepted?"),
            "Visa and Mastercard are accepted.",
        ));
        items.push(fact(
            "hotels",
            &format!("{id}-c"),
            &format!("{hotel}: When is check-in?"),
            "Check-in starts at three in the afternoon.",
        ));
    }
    for number in 0..20 {
        items.push(fact(
            "hotels",
            &format!("zz-{number:02}"),
            &format!("City fact {number}"),
            "The cable cars run until midnight.",
        ));
    }
    items.sort_by(|a, b| a.id.cmp(&b.id));
    brand("hotels", items)
}

const USER: Speaker = Speaker::User;
const ASSISTANT: Speaker = Speaker::Assistant;

#[test]
fn what_was_named_before_is_what_a_question_is_about() {
    let hotels = hotels();
    for embedder in [Some(embedder()), None] {
        let indexes = [index(&hotels, embedder)];
        for (said, question, id) in [
            (
                vec![(USER, "a place to stay"), (ASSISTANT, "How about the Argonaut Inn?")],
                "do they have parking",
                "argonaut-a",
            ),
            // Misspelt, and in the user's own words.
            (
                vec![(USER, "tell me about hotel sunrize please"), (ASSISTANT, "It is cheap.")],
                "which cards do they take",
                "sunrise-b",
            ),
            // The last one that was named.
            (
                vec![
                    (ASSISTANT, "There is Hotel Sunrise."),
                    (USER, "anything else?"),
                    (ASSISTANT, "Yes, Casa Mirabella."),
                ],
                "is there parking",
                "mira-a",
            ),
            // Named in the turn itself.
            (vec![(ASSISTANT, "There is Hotel Sunrise.")], "when is check-in at casa mirabella?", "mira-c"),
        ] {
            let hits = find_after(&indexes, embedder, &said, question);
            assert_eq!(hits.candidates[0].item.id, format!("hotels/{id}"), "{question}");
            assert!(hits.candidates[0].topic > 0.0, "{question}");
        }
        let alone = find(&indexes, embedder, "is there parking");
        assert!(alone.candidates.iter().all(|candidate| candidate.topic == 0.0));
    }
}

#[test]
fn a_change_of_topic_is_noticed() {
    let repository = repository();
    let said = [
        (USER, "How can I return embeddings from a FastAPI endpoint?"),
        (ASSISTANT, "Declare a document class as the response model; DocArray serialises it."),
    ];
    let on = find_after(&repository.dense, Some(embedder()), &said, "And how do I send images with it?");
    assert_eq!(on.gate.verdict, Verdict::Pass, "{}", on.gate.reason);
    for question in
        ["What is the capital of France?", "thanks!", "Write a poem about autumn", "Wie wird das Wetter?"]
    {
        let hits = find_after(&repository.dense, Some(embedder()), &said, question);
        assert_eq!(hits.gate.verdict, Verdict::BelowThreshold, "{question}: {}", hits.gate.reason);
    }
}

#[test]
fn thresholds_follow_the_knowledge_and_the_chosen_rate() {
    let settings = SearchSettings::default();
    // Knowledge about what everybody asks for is far nearer to the cohort than knowledge about anvils.
    let common = brand(
        "common",
        [
            ("weather", "Weather forecast", "The weather tomorrow, rain and temperature for every city."),
            ("mail", "Unread emails", "Show my unread emails and open the calendar with the next meeting."),
            ("timer", "Timers", "Set a timer for ten minutes, or an alarm for the morning."),
            ("poem", "Poems", "Write a poem about autumn, a story or a letter."),
            ("joke", "Jokes", "Tell me a joke, another one, a joke about penguins."),
            ("git", "Undo the last commit", "How do I undo the last git commit but keep my changes?"),
            (
                "python",
                "Prime numbers in Python",
                "Write a Python function that checks whether a number is prime.",
            ),
            ("translate", "Translation", "Translate hello into Spanish, French, German or Japanese."),
            ("phone", "New phone", "Move my contacts and photos from an old phone to a new one."),
            (
                "account",
                "Delete an account",
                "Please delete my account with all my data, or change its email address.",
            ),
            ("parcel", "Where is my parcel", "My parcel has not arrived; track the delivery of an order."),
            ("soup", "Recipe for soup", "A simple recipe for soup with what is in the fridge."),
        ]
        .map(|(id, title, text)| fact("common", id, title, text))
        .to_vec(),
    );
    let mut common = common;
    common.items.sort_by(|a, b| a.id.cmp(&b.id));
    for embedder in [Some(embedder()), None] {
        let near: Index = index(&common, embedder);
        let far: Index = index(&hotels(), embedder);
        assert!(near.calibration().prompts() >= 500);
        let (of_near, of_far) = (near.threshold(&settings), far.threshold(&settings));
        assert!(of_near > of_far + 0.03, "{of_near} {of_far}");
        let loose = SearchSettings { false_injection_rate: 0.05, ..settings.clone() };
        assert!(near.threshold(&loose) < near.threshold(&settings));
        assert!(far.threshold(&settings) >= settings.min_score.min(settings.min_lexical_score));
    }
}

#[test]
fn items_that_say_the_same_are_told_once_and_the_questions_language_goes_first() {
    let items = vec![
        fact("smithy", "a", "Anvil warranty", "There are ten years of warranty on every anvil."),
        fact("smithy", "b", "Warranty", "There are ten years of warranty on every anvil."),
        in_language(
            "de",
            &fact("smithy", "c", "Garantie auf Ambosse", "Auf jeden Amboss gibt es zehn Jahre Garantie."),
        ),
        fact("smithy", "d", "Delivery", "Delivery takes three days."),
    ];
    let smithy = brand("smithy", items);
    for embedder in [Some(embedder()), None] {
        let indexes = [index(&smithy, embedder)];
        let hits = find(&indexes, embedder, "How long is the warranty of an anvil?");
        let duplicates: Vec<_> =
            hits.candidates.iter().filter_map(|candidate| candidate.duplicate_of.as_deref()).collect();
        assert_eq!(duplicates.len(), 1, "{:?}", hits.candidates);
        let german = find(&indexes, embedder, "Wie viele Jahre Garantie gibt es auf einen Amboss?");
        assert_eq!(german.candidates[0].item.id, "smithy/c");
        assert!(german.candidates[0].passes);
    }
}

#[test]
fn languages_without_spaces_are_searched() {
    let items = vec![
        in_language("zh", &fact("shop", "a", "保修", "每台铁砧都有十年保修。")),
        in_language("zh", &fact("shop", "b", "送货", "三天之内送货到家。")),
        in_language("ja", &fact("shop", "c", "保証", "すべての金床に十年間の保証が付きます。")),
        in_language("th", &fact("shop", "d", "การรับประกัน", "ทั่งทุกตัวมีการรับประกันสิบปี")),
    ];
    let shop = brand("shop", items);
    let indexes = [index(&shop, None)];
    for (question, id) in [
        ("铁砧的保修有几年？", "shop/a"),
        ("几天送货？", "shop/b"),
        ("金床の保証は何年ですか", "shop/c"),
        ("การรับประกันทั่งกี่ปี", "shop/d"),
    ] {
        let hits = find(&indexes, None, question);
        assert_eq!(hits.candidates[0].item.id, id, "{question}");
        assert_eq!(hits.gate.verdict, Verdict::Pass, "{question}: {}", hits.gate.reason);
    }
}

#[test]
fn items_keep_company_to_one_that_is_new_and_are_not_told_without() {
    let site = Site::new();
    // One item a turn, so that what fits is told one after the other.
    let recipe = site.path("prompts/pairs.md");
    let one = std::fs::read_to_string(&recipe).unwrap().replace("max_items: 4", "max_items: 1");
    std::fs::write(&recipe, one).unwrap();
    site.write(
        "knowledge/acme/heavy.md",
        "# How to carry a heavy anvil\n\nTwo people carry it with straps.\n",
    );
    let settings = site.settings("http://127.0.0.1:1/v1", &[]);
    let planner = app::core(&settings, &mut |_, _| {}).unwrap_or_else(|error| panic!("{error:?}")).planner;
    let turn = r#"{"role":"user","content":"Which anvil is the lightest one to carry through deep snow in winter?"}"#;
    let body = format!(r#"{{"messages":[{}]}}"#, [turn; 6].join(r#",{"role":"assistant","content":"ok"},"#));
    let explained = planner
        .explain(body.as_bytes(), Dialect::ChatCompletions, &Choice::default(), &Treatment::Served)
        .unwrap_or_else(|error| panic!("{error:?}"));
    let told = explained.turns.iter().filter(|turn| turn.placed.is_some()).count();
    let first = &explained.turns[0];
    let fits = |turn: &ExplainedTurn, leads: bool| fitting(turn, leads).len();
    assert_eq!(told, fits(first, true), "what fits by itself, and no more");
    assert!(fits(first, false) > 0, "there was company that is not told");
    let last = explained.turns.last().unwrap();
    assert_eq!(last.outcome, TurnOutcome::Skipped(SkipReason::AlreadyTold));
}

/// The ids of what may be told in a turn, by itself or to keep it company.
fn fitting(turn: &ExplainedTurn, leads: bool) -> Vec<&str> {
    let candidates = turn.hits.iter().flat_map(|hits| &hits.candidates);
    let wanted = candidates.filter(|it| it.passes && it.duplicate_of.is_none() && it.leads == leads);
    wanted.map(|it| it.item.id.as_str()).collect()
}

#[test]
fn what_is_new_needs_no_company_where_earlier_turns_had_enough() {
    let site = Site::new();
    let recipe = site.path("prompts/pairs.md");
    let two = std::fs::read_to_string(&recipe).unwrap().replace("max_items: 4", "max_items: 2");
    std::fs::write(&recipe, two).unwrap();
    site.write(
        "knowledge/acme/heavy.md",
        "# How to carry a heavy anvil\n\nTwo people carry it with straps.\n",
    );
    let settings = site.settings("http://127.0.0.1:1/v1", &[]);
    let planner = app::core(&settings, &mut |_, _| {}).unwrap_or_else(|error| panic!("{error:?}")).planner;
    let turns = [
        "How long is the anvil warranty?",
        "Which temperature is right for forging steel?",
        "Which anvil is the lightest one to carry through deep snow in winter?",
    ]
    .map(|text| format!(r#"{{"role":"user","content":"{text}"}}"#));
    let explain = |messages: &str| {
        let body = format!(r#"{{"messages":[{messages}]}}"#);
        planner
            .explain(body.as_bytes(), Dialect::ChatCompletions, &Choice::default(), &Treatment::Served)
            .unwrap_or_else(|error| panic!("{error:?}"))
    };
    let told = |turn: &ExplainedTurn| -> Vec<String> {
        turn.placed.iter().flat_map(|placed| placed.items.iter()).map(|item| item.id.clone()).collect()
    };
    let alone = explain(&turns[2]);
    let new = fitting(&alone.turns[0], true);
    assert!(new.len() == 1 && told(&alone.turns[0]).len() == 2, "it has company: {:?}", alone.turns[0].hits);
    let after = explain(&turns.join(r#",{"role":"assistant","content":"ok"},"#));
    assert!(told(&after.turns[0]).len() + told(&after.turns[1]).len() >= 2);
    assert_eq!(told(&after.turns[2]), new, "{:?}", after.turns[2].hits);
    let document = after.document(9);
    let fates =
        document["turns"][2]["candidates"].as_array().unwrap().iter().map(|it| it["fate"].as_str().unwrap());
    assert!(fates.into_iter().any(|fate| fate == "company"), "{document}");
}
