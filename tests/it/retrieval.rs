//! Search, fusion and gate: what is found, in which order, and when nothing is told.

use std::sync::Arc;

use foreword::app;
use foreword::chat::{Dialect, quote_string};
use foreword::retrieval::{Index, Query, SearchSettings, Vector, Vectors, Verdict, search};
use foreword::snapshot::{Choice, Treatment};

use crate::support::proxy::Site;
use crate::support::retrieval::{
    brand, embedder, example, fact, find, in_language, index, ranking, repository,
};

fn smithy() -> Vec<Arc<foreword::knowledge::Item>> {
    vec![
        example(
            "smithy",
            "beginner",
            "Which anvil should a beginner buy?",
            "The FeatherAnvil suits beginners.",
        ),
        fact("smithy", "forging", "Forging temperature of steel", "Forge steel at 1100 degrees."),
        fact("smithy", "lightest", "Lightest anvil to carry", "The FeatherAnvil weighs twelve kilograms."),
        fact(
            "smithy",
            "warranty",
            "Anvil warranty length",
            "There are ten years of warranty on every anvil.",
        ),
    ]
}

/// The smithy with vectors and without.
fn smithies() -> [(Vec<Index>, bool); 2] {
    let smithy = brand("smithy", smithy());
    [(vec![index(&smithy, Some(embedder()))], true), (vec![index(&smithy, None)], false)]
}

#[test]
fn the_item_that_answers_comes_first() {
    for (indexes, dense) in &smithies() {
        for (question, id) in [
            ("Which anvil is the lightest to carry around?", "smithy/lightest"),
            ("How long is the warranty on an anvil?", "smithy/warranty"),
            ("What temperature does forging steel need?", "smithy/forging"),
            ("Which anvil should beginners buy?", "smithy/beginner"),
        ] {
            let hits = find(indexes, dense.then(embedder), question);
            assert_eq!(hits.gate.verdict, Verdict::Pass, "{question}: {}", hits.gate.reason);
            assert_eq!(hits.candidates[0].item.id, id, "{question}");
            assert!(hits.candidates[0].passes, "{question}");
            assert_eq!(hits.candidates[0].cosine.is_some(), *dense);
        }
    }
}

#[test]
fn other_words_for_the_same_need_the_vectors() {
    let [(dense, _), (lexical, _)] = &smithies();
    let question = "How hot must the metal be when I hammer it?";
    let hits = find(dense, Some(embedder()), question);
    assert_eq!((hits.gate.verdict, &*hits.candidates[0].item.id), (Verdict::Pass, "smithy/forging"));
    assert_eq!(find(lexical, None, question).gate.verdict, Verdict::BelowThreshold);
}

#[test]
fn the_same_question_gives_the_same_ranking_and_equal_items_come_by_id() {
    let twins: Vec<_> = (0..100)
        .map(|number| fact("twins", &format!("{number:03}"), "Anvil weight", "It weighs twelve kilograms."))
        .collect();
    let twins = brand("twins", twins);
    for embedder in [Some(embedder()), None] {
        let first = find(&[index(&twins, embedder)], embedder, "What is the weight of the anvil?");
        let ids: Vec<&str> = first.candidates.iter().map(|candidate| &*candidate.item.id).collect();
        let expected: Vec<String> =
            (0..SearchSettings::default().depth).map(|number| format!("twins/{number:03}")).collect();
        assert_eq!(ids, expected);
        // Built anew, and asked again.
        let again = find(&[index(&twins, embedder)], embedder, "What is the weight of the anvil?");
        assert_eq!(ranking(&again), ranking(&first));
        assert_eq!(again.gate, first.gate);
    }
}

#[test]
fn t8_every_brand_survives_fusion() {
    let loud: Vec<_> = (0..60)
        .map(|number| {
            let text = format!("The anvil number {number} is the lightest anvil to carry.");
            fact("loud", &format!("{number:02}"), "Which anvil is the lightest to carry?", &text)
        })
        .collect();
    let quiet = vec![fact("quiet", "one", "Carrying an anvil", "Our lightest anvil weighs nine kilograms.")];
    let third = vec![
        fact("third", "a", "Soup", "Leek and potato."),
        fact("third", "b", "Portable anvils", "The lightest of them is easy to carry."),
    ];
    let brands = [brand("loud", loud), brand("quiet", quiet), brand("third", third)];
    for embedder in [Some(embedder()), None] {
        let mut indexes: Vec<Index> = brands.iter().map(|brand| index(brand, embedder)).collect();
        let hits = find(&indexes, embedder, "Which anvil is the lightest to carry?");
        assert_eq!(hits.gate.verdict, Verdict::Pass);
        for (brand, best) in [("loud", "loud/"), ("quiet", "quiet/one"), ("third", "third/b")] {
            let of_brand = hits.candidates.iter().find(|candidate| &*candidate.brand == brand);
            let candidate = of_brand.unwrap_or_else(|| panic!("{brand} is gone"));
            assert!(candidate.passes && candidate.item.id.starts_with(best), "{candidate:?}");
        }
        assert!(hits.candidates.iter().all(|candidate| candidate.fused > 0.0));
        assert!(hits.candidates.is_sorted_by(
            |a, b| a.fused > b.fused || (a.fused.to_bits() == b.fused.to_bits() && a.item.id < b.item.id)
        ));
        // The order that brands are given in does not matter.
        indexes.reverse();
        let reversed = find(&indexes, embedder, "Which anvil is the lightest to carry?");
        assert_eq!((ranking(&reversed), reversed.gate), (ranking(&hits), hits.gate));
    }
}

/// Questions of many kinds that have nothing to do with the repository's knowledge.
const OFF_TOPIC: &[&str] = &[
    "What is the capital of France?",
    "hi",
    "Hello, how are you today?",
    "thanks a lot!",
    "who are you?",
    "Tell me a joke about cats",
    "Give me a recipe for leek soup",
    "My dog does not eat, what should I do?",
    "Should I refinance my mortgage this year?",
    "How do I cancel my credit card?",
    "What will the weather be tomorrow?",
    "Solve x^2 - 5x + 6 = 0",
    "How many legs does a spider have?",
    "Write a poem about autumn",
    "Who won the world cup in 1998?",
    "Explain photosynthesis to a child",
    "How do I center a div in CSS?",
    "How do I undo my last git commit?",
    "Write a cover letter for a nurse",
    "Translate 'good morning' into Spanish",
    "Wie wird das Wetter morgen in Hamburg?",
    "Schreibe ein Gedicht über den Herbst",
    "¿Cuál es la capital de Perú?",
    "Quelle heure est-il à Tokyo ?",
    "今天天气怎么样？",
    "Какая столица Италии?",
    "asdf qwer zxcv",
    "?!",
    "1234567890",
    "the and of is",
];

#[test]
fn t9_off_topic_questions_get_nothing_and_no_threshold_is_zero() {
    let settings = SearchSettings::default();
    for threshold in [
        settings.min_score,
        settings.min_lexical_score,
        settings.brand_share,
        settings.named_share,
        settings.item_share,
    ] {
        assert!((0.3..1.0).contains(&threshold), "{settings:?}");
    }
    let repository = repository();
    for question in OFF_TOPIC {
        for (indexes, embedder) in [(&repository.dense, Some(embedder())), (&repository.lexical, None)] {
            let hits = find(indexes, embedder, question);
            assert_eq!(hits.gate.verdict, Verdict::BelowThreshold, "{question}: {}", hits.gate.reason);
            assert!(hits.gate.threshold > 0.0);
        }
    }
}

#[test]
fn questions_about_the_knowledge_get_something_without_naming_the_brand() {
    let repository = repository();
    for (question, brand) in [
        ("Is there an object mapper, like an ORM, for vector databases?", "docarray"),
        ("How do I validate tensor shapes in a Python data class?", "docarray"),
        ("How can I return embeddings from a FastAPI endpoint?", "docarray"),
        ("Which embedding model is good for long German text?", "jina-ai"),
        ("How do I fine-tune an embedding model on my own product texts?", "jina-ai"),
        ("Welche Python-Bibliothek spricht mehrere Vektordatenbanken an?", "docarray"),
    ] {
        for (indexes, embedder) in [(&repository.dense, Some(embedder())), (&repository.lexical, None)] {
            let hits = find(indexes, embedder, question);
            assert_eq!(hits.gate.verdict, Verdict::Pass, "{question}: {}", hits.gate.reason);
            assert!(!hits.gate.name_match);
            assert_eq!(&*hits.candidates[0].brand, brand, "{question}");
        }
    }
}

#[test]
fn a_question_that_names_the_brand_needs_less() {
    let items = vec![
        fact("smithy", "a", "Delivery", "Smithy delivers within three days to every country of Europe."),
        fact("smithy", "b", "Returns", "Send it back within thirty days."),
    ];
    let smithy = brand("smithy", items);
    for embedder in [Some(embedder()), None] {
        let indexes = [index(&smithy, embedder)];
        let unnamed = find(&indexes, embedder, "How fast do they deliver?");
        let named = find(&indexes, embedder, "How fast does Smithy deliver?");
        assert_eq!((unnamed.gate.name_match, named.gate.name_match), (false, true));
        assert_eq!(named.gate.verdict, Verdict::Pass, "{}", named.gate.reason);
        assert!(named.gate.threshold < unnamed.gate.threshold);
        assert!(named.gate.reason.contains("names the brand"), "{}", named.gate.reason);
        // Naming alone is not enough.
        let aside = find(&indexes, embedder, "Smithy sleeps; explain the moons of Jupiter in Latin verse");
        assert_eq!(aside.gate.verdict, Verdict::BelowThreshold, "{}", aside.gate.reason);
    }
}

#[test]
fn t10_a_search_sees_the_items_of_its_brands_alone() {
    let acme = brand("acme", smithy());
    let other =
        brand("other", vec![fact("other", "secret", "Secret glue", "The secret glue sticks to ice.")]);
    for embedder in [Some(embedder()), None] {
        let (acme, other) = (index(&acme, embedder), index(&other, embedder));
        // The other brand's own words, its name included.
        let text = "other: The secret glue sticks to ice. Secret glue";
        let alone = [acme];
        let hits = find(&alone, embedder, text);
        assert!(hits.candidates.iter().all(|candidate| &*candidate.brand == "acme"));
        assert!(!hits.gate.name_match);
        assert_eq!(hits.gate.verdict, Verdict::BelowThreshold);
        let [acme] = alone;
        let both = find(&[acme, other], embedder, text);
        assert_eq!(&*both.candidates[0].brand, "other");
        assert_eq!(both.gate.verdict, Verdict::Pass);
    }
}

#[test]
fn t10_a_thousand_questions_are_answered_from_the_index_that_was_opened_once() {
    let site = Site::new();
    let settings = site.settings("http://127.0.0.1:1/v1", &[("knowledge.watch", "off")]);
    let core = app::core(&settings, &mut |_, _| {}).unwrap_or_else(|error| panic!("{error:?}"));
    let snapshot = core.planner.snapshot();
    let answer = |text: &str| {
        let body = format!("{{\"messages\":[{{\"role\":\"user\",\"content\":{}}}]}}", quote_string(text));
        let explained = core
            .planner
            .explain(body.as_bytes(), Dialect::ChatCompletions, &Choice::default(), &Treatment::Served)
            .unwrap();
        explained.turns[0].hits.as_ref().map(ranking)
    };
    let question = "Which anvil is the lightest to carry?";
    let first = answer(question).unwrap();
    assert!(!first.is_empty());
    // Nothing is there any more that could be opened again.
    for name in ["knowledge", "prompts", ".foreword"] {
        let folder = site.path(name);
        assert!(!folder.exists() || std::fs::remove_dir_all(folder).is_ok());
    }
    for number in 0..1_000 {
        let found = answer(&format!("Which anvil number {number} has ten years of warranty?")).unwrap();
        assert_eq!(found[0].0, "acme/products#anvil-warranty-length");
    }
    assert_eq!(answer(question).unwrap(), first);
    assert!(Arc::ptr_eq(&core.planner.snapshot(), &snapshot));
}

#[test]
fn no_question_is_syntax_and_none_is_too_much() {
    let long_word = "x".repeat(100_000);
    let many_words: String = (0..20_000).map(|number| format!("w{number} ")).collect();
    let questions = [
        "",
        " ",
        "\n\t\r",
        "a",
        "?",
        "title:\"anvil\" AND *",
        "text:[a TO z] OR NOT (anvil",
        "+anvil -warranty ^2 ~3 \\",
        "anvil* anv?l",
        ".*",
        "^(a+)+$",
        "[[:alpha:]]{1,99999}",
        "🙂🔨🇩🇪👩‍👩‍👧",
        "\u{0}\u{1}\u{7f}\u{85}\u{202e}\u{feff}",
        "anvil\u{0}warranty",
        "Ａnvil ａｎｖｉｌ ﬁre Ⅷ",
        "молот 锤子 かなづち المطرقة hamer ค้อน",
        "e\u{301}\u{301}\u{301} ẞ İ ǆ",
        "the of and is",
        long_word.as_str(),
        many_words.as_str(),
        &"anvil ".repeat(16_667),
        &"锤".repeat(33_334),
    ];
    for (indexes, dense) in &smithies() {
        for question in questions {
            let hits = find(indexes, dense.then(embedder), question);
            let start: String = question.chars().take(30).collect();
            assert!(hits.candidates.iter().all(|candidate| candidate.fused.is_finite()), "{start}");
            assert_eq!(ranking(&find(indexes, dense.then(embedder), question)), ranking(&hits), "{start}");
        }
        // Without vectors, a question without a word finds nothing.
        if !dense {
            for question in ["", " ", "?", "🙂", "the of and is", ".*"] {
                let hits = find(indexes, None, question);
                assert!(hits.candidates.is_empty() && hits.gate.verdict == Verdict::BelowThreshold);
            }
        }
    }
}

#[test]
fn the_first_words_of_a_long_question_count() {
    let indexes = [index(&brand("smithy", smithy()), None)];
    let noise: String = (0..500).map(|number| format!(" aaa{number}")).collect();
    let hits = find(&indexes, None, &format!("warranty of an anvil{noise}"));
    assert_eq!(hits.candidates[0].item.id, "smithy/warranty");
}

#[test]
fn words_are_compared_as_their_language_wants() {
    let items = vec![
        in_language("de", &fact("haus", "de", "Gehäuse", "Die Gehäuse der Uhren sind aus Stahl.")),
        fact("haus", "en", "Watch cases", "The cases of the watches are made of steel."),
        in_language("pl", &fact("haus", "pl", "Koperta", "Koperta zegarka jest ze stali nierdzewnej.")),
    ];
    let indexes = [index(&brand("haus", items), None)];
    for (question, id) in [
        ("Ist das Gehäuse der Uhr aus Stahl?", "haus/de"),
        ("Is a watch case of steel?", "haus/en"),
        ("Czy koperta zegarka jest ze stali?", "haus/pl"),
    ] {
        let hits = find(&indexes, None, question);
        assert_eq!((hits.gate.verdict, &*hits.candidates[0].item.id), (Verdict::Pass, id), "{question}");
        assert!(hits.candidates[1..].iter().all(|candidate| !candidate.passes), "{question}");
    }
}

#[test]
fn a_vector_that_is_none_finds_nothing() {
    let [(dense, _), _] = &smithies();
    let indexes: Vec<&Index> = dense.iter().collect();
    let question = Query::alone("Which anvil is the lightest to carry?");
    let dimension = embedder().identity().dimension;
    for number in [f32::NAN, f32::NEG_INFINITY, 0.0] {
        let vectors = Vectors::alone(Vector::of(&vec![number; dimension]));
        let hits = search(&indexes, &question, Some(&vectors), &SearchSettings::default());
        assert_eq!(hits.gate.verdict, Verdict::BelowThreshold, "{number}");
        assert!(hits.candidates.iter().all(|candidate| !candidate.passes), "{number}");
    }
    // One of another dimension counts as none.
    let other =
        search(&indexes, &question, Some(&Vectors::alone(Vector::of(&[1.0; 3]))), &SearchSettings::default());
    let without = search(&indexes, &question, None, &SearchSettings::default());
    assert_eq!((ranking(&other), other.gate), (ranking(&without), without.gate));
}

#[test]
fn knowledge_of_one_item_or_none_is_searched_like_any_other() {
    let one = brand("one", vec![fact("one", "only", "Anvil warranty", "Ten years on every anvil.")]);
    let none = brand("none", Vec::new());
    for embedder in [Some(embedder()), None] {
        let indexes = [index(&one, embedder), index(&none, embedder)];
        let hits = find(&indexes, embedder, "How long is the warranty of an anvil?");
        assert_eq!((hits.gate.verdict, hits.candidates.len()), (Verdict::Pass, 1), "{}", hits.gate.reason);
        let off = find(&indexes, embedder, "What is the capital of France?");
        assert_eq!(off.gate.verdict, Verdict::BelowThreshold);
        let empty = find(&indexes[1..], embedder, "How long is the warranty of an anvil?");
        assert_eq!((empty.gate.verdict, empty.candidates.len()), (Verdict::BelowThreshold, 0));
    }
    assert_eq!(find(&[], None, "anything").gate.verdict, Verdict::BelowThreshold);
}
