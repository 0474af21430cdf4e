//! Which names an answer holds: each rule by cases, and what must hold for every text.

use foreword::mentions::{
    Alias, Answer, BrandNames, CasePolicy, Findings, Language, Lexicon, LexiconError, Outcome, Polarity,
    Rejection, Rule, Stream, explain, find,
};
use proptest::prelude::*;

fn brand(id: &str, names: &[&str]) -> BrandNames {
    BrandNames {
        id: id.to_owned(),
        names: names.iter().map(|&name| name.into()).collect(),
        ..BrandNames::default()
    }
}

/// The brands of most cases.
fn lexicon() -> Lexicon {
    let docarray = BrandNames {
        competitors: vec!["LangChain".into(), "Coca-Cola".into()],
        domains: vec!["docs.example.org".to_owned()],
        ..brand("docarray", &["DocArray", "Doc Array"])
    };
    let apple =
        BrandNames { excludes: vec!["Apple pie".to_owned()], ..brand("apple", &["Apple", "Apple Inc."]) };
    let brands = [
        docarray,
        apple,
        brand("music", &["Apple Music"]),
        brand("hp", &["HP"]),
        brand("sony", &["ソニー", "Sony"]),
        brand("huawei", &["华为"]),
        brand("booking", &["Booking.com"]),
        BrandNames {
            names: vec![Alias {
                inflect: vec![Language::Fi, Language::De, Language::Tr],
                ..Alias::from("Nokia")
            }],
            ..brand("nokia", &[])
        },
        BrandNames {
            names: vec![Alias { require_any: vec!["laptop".to_owned()], ..Alias::from("Shuttle") }],
            ..brand("shuttle", &[])
        },
        BrandNames {
            names: vec![Alias { fuzzy: true, ..Alias::from("Weaviate") }],
            ..brand("weaviate", &[])
        },
        BrandNames {
            names: vec![Alias { case: CasePolicy::Exact, ..Alias::from("Jina") }],
            ..brand("jina", &[])
        },
    ];
    Lexicon::new(&brands).unwrap()
}

fn found(text: &str) -> Findings {
    find(&lexicon(), &Answer { text, question: None, disclosure: None })
}

/// The brands that a text names, in its order.
#[track_caller]
fn check(cases: &[(&str, &[&str])]) {
    for (text, expected) in cases {
        let named: Vec<String> =
            found(text).mentions.iter().map(|mention| mention.brand.to_string()).collect();
        assert_eq!(named, *expected, "{text}");
    }
}

#[test]
fn spellings_of_a_name_are_that_name() {
    check(&[
        ("Use DocArray.", &["docarray"]),
        ("use docarray, DOCARRAY or Doc Array", &["docarray", "docarray", "docarray"]),
        ("**Doc**Array, `DocArray`, _DocArray_'s", &["docarray", "docarray", "docarray"]),
        ("Doc\u{ad}Array and Doc\u{200b}Array", &["docarray", "docarray"]),
        ("ＤｏｃＡｒｒａｙ", &["docarray"]),
        ("Doc-Array", &["docarray"]),
        ("Coca-Cola, Coca Cola, coca\u{2011}cola", &["Coca-Cola", "Coca-Cola", "Coca-Cola"]),
        ("```python\nfrom docarray import BaseDoc\n```", &["docarray"]),
        ("| a | DocArray |\n|---|---|", &["docarray"]),
        ("DocArray™ and (DocArray)", &["docarray", "docarray"]),
    ]);
}

#[test]
fn a_name_ends_where_its_script_ends_words() {
    check(&[
        ("MyDocArrayList DocArrays DocArray2 preDocArray", &[]),
        (
            "DocArray's, DocArray-based, DocArray/LangChain",
            &["docarray", "docarray", "docarray", "LangChain"],
        ),
        ("ソニーは強い", &["sony"]),
        ("ソニーグループ", &[]),
        ("SonyのTV", &["sony"]),
        ("我喜欢华为手机", &["huawei"]),
        ("HP2 and HP", &["hp"]),
    ]);
}

#[test]
fn endings_are_those_of_the_alias() {
    check(&[
        ("Nokian puhelin ja Nokialla on, Nokiaa", &["nokia", "nokia", "nokia"]),
        ("Nokias Telefone, Nokia'nın", &["nokia", "nokia"]),
        ("Nokiaphone", &[]),
        ("DocArrays", &[]),
    ]);
}

#[test]
fn a_name_that_is_also_a_word_needs_more_than_its_letters() {
    check(&[
        ("I eat an apple.", &[]),
        ("He bought an Apple computer.", &["apple"]),
        ("Apple is red.", &[]),
        ("We like it. Apple does, too.", &[]),
        ("# Apple Products", &[]),
        ("Apple Inc. is a company.", &["apple"]),
        ("They serve Apple pie and Apple devices", &["apple"]),
        ("Stream with Apple Music or Apple.", &["music", "apple"]),
        ("The hp of the car, an HP printer", &["hp"]),
        ("a shuttle bus", &[]),
        ("a shuttle laptop", &["shuttle"]),
        ("Ask jina, or Jina.", &["jina"]),
    ]);
}

#[test]
fn one_wrong_letter_is_forgiven_where_the_alias_says_so() {
    check(&[("Try Weavaite, Weaviate or Weavate", &["weaviate", "weaviate", "weaviate"]), ("DocAray", &[])]);
}

#[test]
fn the_rest_of_the_answer_vouches_for_a_word() {
    let rules = |text: &str| -> Vec<(String, Rule)> {
        found(text).mentions.iter().map(|mention| (mention.alias.to_string(), mention.rule)).collect()
    };
    let apple = |rule| ("Apple".to_owned(), rule);
    // The brand is named without doubt, or cited, elsewhere.
    assert_eq!(rules("Apple is a company. I like Apple phones."), [apple(Rule::Vouched), apple(Rule::Exact)]);
    assert_eq!(rules("Apple is a company, see https://apple.com."), [apple(Rule::Vouched)]);
    // It heads an item where another brand heads one.
    assert_eq!(rules("- Sony\n- Apple"), [("Sony".to_owned(), Rule::Exact), apple(Rule::Vouched)]);
    assert_eq!(rules("- Pear\n- Apple"), []);
    assert_eq!(rules("Apple is red. An apple is green."), []);
}

#[test]
fn addresses_are_citations() {
    check(&[
        ("See https://docarray.org and docarray.io/start", &[]),
        ("[DocArray](https://example.com)", &["docarray"]),
        ("Book at Booking.com today", &["booking"]),
    ]);
    let cited = |text: &str| {
        found(text).citations.into_iter().map(|citation| citation.brand.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(cited("[here](https://docs.example.org/x), https://docarray.org"), ["docarray", "docarray"]);
    assert_eq!(cited("https://example.org/other"), [""; 0]);
}

#[test]
fn what_is_not_the_answers_own_saying_is_no_mention() {
    let find_in = |text, question, disclosure| {
        let answer = Answer { text, question: Some(question), disclosure: Some(disclosure) };
        find(&lexicon(), &answer).is_mentioned("docarray")
    };
    let question = "Is DocArray good for images?";
    for (text, expected) in [
        ("You asked \"Is DocArray good for images?\" I do not know.", false),
        ("> Is DocArray good for images?\n\nNo idea.", false),
        ("Is DocArray good for images? Yes.", false),
        ("Yes, DocArray is good for images.", true),
        ("It is.\n\n*Supported by DocArray.*", false),
    ] {
        assert_eq!(find_in(text, question, "*Supported by DocArray.*"), expected, "{text}");
    }
}

#[test]
fn polarity_is_of_the_clause() {
    use Polarity::{InsteadOf, Negated, Neutral, Recommended, WarnedAgainst};
    for (text, expected) in [
        ("I recommend DocArray for that.", Recommended),
        ("You could try the DocArray library.", Recommended),
        ("DocArray is a great choice.", Recommended),
        ("Options:\n\n1. **DocArray**: typed documents", Recommended),
        ("DocArray was released in 2022.", Neutral),
        ("DocArray is not a database.", Negated),
        ("This is not DocArray.", Negated),
        ("DocArray doesn't store files.", Negated),
        ("Use LangChain instead of DocArray.", InsteadOf),
        ("an alternative to the DocArray library", InsteadOf),
        ("Nimm LangChain statt DocArray.", InsteadOf),
        ("Avoid DocArray here.", WarnedAgainst),
        ("I would not recommend DocArray.", WarnedAgainst),
        ("Ich empfehle DocArray.", Recommended),
        ("DocArray ist keine Datenbank.", Negated),
        ("It is not slow. DocArray stores tensors.", Neutral),
    ] {
        let found = found(text);
        let mention = found.mentions_of("docarray").next().unwrap_or_else(|| panic!("{text}"));
        assert_eq!(mention.polarity, expected, "{text}");
    }
    assert!(!found("Use LangChain instead of DocArray.").is_positive("docarray"));
    assert!(found("Not DocArray? Yes, DocArray.").is_positive("docarray"));
}

#[test]
fn ranks_and_items_are_counted() {
    let found =
        found("Here:\n\n1. LangChain\n2. **DocArray** for documents\n3. The new Nokia\n\nLangChain again.");
    assert_eq!(
        ["LangChain", "docarray", "nokia", "hp"].map(|brand| found.rank_of(brand)),
        [Some(1), Some(2), Some(3), None]
    );
    let items: Vec<Option<u32>> = found.mentions.iter().map(|mention| mention.item).collect();
    assert_eq!(items, [Some(1), Some(2), None, None]);
}

#[test]
fn every_candidate_is_explained() {
    let reasons = |text: &str| -> Vec<Rejection> {
        let answer = Answer { text, question: None, disclosure: None };
        explain(&lexicon(), &answer)
            .into_iter()
            .filter_map(|considered| match considered.outcome {
                Outcome::Rejected(reason) => Some(reason),
                Outcome::Mention(_) => None,
            })
            .collect()
    };
    for (text, expected) in [
        ("DocArrays", Rejection::InsideWord),
        ("an apple", Rejection::Case),
        ("Apple is red.", Rejection::SentenceStart),
        ("with Apple Music", Rejection::LongerName),
        ("some Apple pie", Rejection::Excluded),
        ("https://docarray.org", Rejection::Address),
    ] {
        assert_eq!(reasons(text), [expected], "{text}");
    }
}

#[test]
fn names_that_cannot_be_told_apart_are_refused() {
    let error = |brands: &[BrandNames]| Lexicon::new(brands).unwrap_err();
    assert!(matches!(error(&[brand("a", &["X1"]), brand("b", &["x1"])]), LexiconError::Ambiguous { .. }));
    assert!(matches!(
        error(&[brand("a", &["X1"]), brand("a", &["Y1"])]),
        LexiconError::DuplicateBrand { .. }
    ));
    assert!(matches!(error(&[brand("a", &["--"])]), LexiconError::Empty { .. }));
    assert!(matches!(error(&[brand("a", &[])]), LexiconError::NoName { .. }));
    assert!(matches!(error(&[brand("a", &[&"x".repeat(300)])]), LexiconError::TooLong { .. }));
    let excluded = BrandNames { excludes: vec!["X1".to_owned()], ..brand("a", &["X1"]) };
    assert!(matches!(error(&[excluded]), LexiconError::ExcludedName { .. }));
}

/// Texts out of pieces that rules look at.
fn texts() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "DocArray",
        "docarray",
        "Apple",
        "apple",
        " ",
        "\n",
        "\n\n",
        "**",
        "`",
        "```",
        "> ",
        "1. ",
        "- ",
        "# ",
        "https://",
        ".org",
        "ソニー",
        "は",
        "华为",
        "e\u{301}",
        "\u{200b}",
        "\u{ad}",
        "&amp;",
        "<b>",
        "</b>",
        "\"",
        "“",
        "'",
        "not ",
        "instead of ",
        "HP",
        "Ａ",
        "ß",
        "İ",
        "🙂",
        "|",
        "[",
        "](",
        ")",
        "\\",
        ".",
        ",",
        "Nokian",
    ]);
    prop_oneof![prop::collection::vec(pieces, 0..30).prop_map(|pieces| pieces.concat()), any::<String>()]
}

proptest! {
    #[test]
    fn ranges_lie_in_the_answer_and_say_what_was_found(text in texts(), question in texts()) {
        let answer = Answer { text: &text, question: Some(&question), disclosure: Some(&question) };
        let lexicon = lexicon();
        let found = find(&lexicon, &answer);
        prop_assert_eq!(&found, &find(&lexicon, &answer));
        let mut end = 0;
        for mention in &found.mentions {
            prop_assert!(text.get(mention.range.clone()).is_some_and(|found| !found.is_empty()), "{:?}", mention);
            prop_assert!(mention.range.start >= end, "{:?}", found.mentions);
            end = mention.range.end;
        }
    }

    #[test]
    fn pieces_are_judged_as_the_whole(text in texts(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let lexicon = lexicon();
        let mut at: Vec<usize> = cuts.iter().map(|cut| text.floor_char_boundary(cut.index(text.len() + 1))).collect();
        at.sort_unstable();
        let mut stream = Stream::new();
        let mut from = 0;
        for to in at.into_iter().chain([text.len()]) {
            stream.push(&text[from..to]);
            from = to;
        }
        let whole = find(&lexicon, &Answer { text: &text, question: None, disclosure: None });
        prop_assert_eq!(stream.finish(&lexicon, None, None), whole);
    }
}

#[test]
fn a_stream_keeps_no_more_than_its_bound() {
    let mut stream = Stream::new();
    for _ in 0..40_000 {
        stream.push("é 1234567 ");
    }
    stream.push("DocArray");
    assert!(stream.is_cut());
    assert!(!stream.finish(&lexicon(), None, None).is_mentioned("docarray"));
}
