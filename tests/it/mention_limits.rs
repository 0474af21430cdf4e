//! Answers that nobody writes: what holds for every text however it comes in, and what it may cost at most.

use std::time::{Duration, Instant};

use foreword::mentions::{Alias, Answer, BrandNames, Language, Lexicon, Outcome, Stream, explain, find};
use proptest::prelude::*;

fn lexicon() -> Lexicon {
    let alias = |text: &str| Alias {
        inflect: vec![Language::Fi, Language::De, Language::Ru, Language::Ko],
        require_any: Vec::new(),
        fuzzy: true,
        ..Alias::from(text)
    };
    let brand = |id: &str, names: &[&str]| BrandNames {
        id: id.to_owned(),
        names: names.iter().map(|name| alias(name)).collect(),
        domains: vec![format!("{id}.example")],
        ..BrandNames::default()
    };
    Lexicon::new(&[
        BrandNames { excludes: vec!["Apple pie".to_owned()], ..brand("apple", &["Apple", "Apple Inc."]) },
        brand("music", &["Apple Music"]),
        brand("weaviate", &["Weaviate", "Weaviate Cloud"]),
        brand("nokia", &["Nokia"]),
        brand("yandex", &["Яндекс"]),
        brand("samsung", &["삼성"]),
        brand("sony", &["ソニー", "Sony"]),
        brand("huawei", &["华为"]),
        brand("hp", &["HP"]),
        brand("booking", &["Booking.com"]),
        brand("cafe", &["Café Straße"]),
    ])
    .unwrap()
}

/// Names and what surrounds them: marks of Markdown, tags, addresses, code points that fold or vanish.
const PIECES: &[&str] = &[
    "Apple",
    "apple",
    "APPLE",
    "Apple Inc.",
    "Apple Music",
    "Apple pie",
    "Weaviate",
    "Weavaite",
    "weaviat",
    "Cloud",
    "Nokia",
    "Nokialla",
    "nokiaa",
    "Яндекс",
    "яндекса",
    "삼성",
    "삼성은",
    "ソニー",
    "ｿﾆｰ",
    "Sony",
    "华为",
    "社",
    "HP",
    "Ｈ",
    "Booking.com",
    "Café",
    "Cafe\u{301}",
    "Straße",
    "STRASSE",
    " ",
    " ",
    " ",
    "\n",
    "\n\n",
    "\r\n",
    "\t",
    "**",
    "*",
    "_",
    "`",
    "```",
    "~~",
    "> ",
    "1. ",
    "12) ",
    "- ",
    "- [ ] ",
    "# ",
    "| ",
    "|\n|---|---|\n",
    "[",
    "](",
    ")",
    "![",
    "[a]: ",
    "https://",
    "http://hp.example/",
    "1://",
    "a.b/,",
    ".com",
    "@",
    "www.",
    "<b>",
    "</b>",
    "<b",
    "<div>",
    "</div>",
    "<br/>",
    "<a href='",
    "<!--",
    "-->",
    "<script>",
    "</script>",
    "<think>",
    "</think>",
    "&amp;",
    "&#x48;",
    "&shy;",
    "&",
    "\u{301}",
    "\u{345}",
    "\u{200b}",
    "\u{ad}",
    "\u{fe0f}",
    "\u{e0041}",
    "🙂",
    "👩\u{200d}",
    "🇩",
    "ﷺ",
    "İ",
    "ı",
    "ẞ",
    "™",
    "'s",
    "’",
    "\"",
    "“",
    "”",
    "「",
    "」",
    "not ",
    "instead of ",
    "avoid ",
    ", ",
    " and ",
    ".",
    "?",
    "\\",
    "\0",
    "$",
    "[^a]",
];

fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        9 => prop::sample::select(PIECES).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_pieces_give_what_the_whole_gives(
        text in texts(),
        question in texts(),
        disclosure in texts(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let lexicon = lexicon();
        let mut at: Vec<usize> =
            cuts.iter().map(|cut| text.floor_char_boundary(cut.index(text.len() + 1))).collect();
        at.sort_unstable();
        let (mut stream, mut letters) = (Stream::new(), Stream::new());
        let mut from = 0;
        for to in at.into_iter().chain([text.len()]) {
            stream.push(&text[from..to]);
            from = to;
        }
        let mut buffer = [0; 4];
        text.chars().for_each(|letter| letters.push(letter.encode_utf8(&mut buffer)));
        let whole = Answer { text: &text, question: Some(&question), disclosure: Some(&disclosure) };
        let whole = find(&lexicon, &whole);
        prop_assert_eq!(&stream.finish(&lexicon, Some(&question), Some(&disclosure)), &whole);
        prop_assert_eq!(&letters.finish(&lexicon, Some(&question), Some(&disclosure)), &whole);
    }

    #[test]
    fn mentions_are_in_order_apart_and_explained(text in texts(), question in texts()) {
        let lexicon = lexicon();
        let answer = Answer { text: &text, question: Some(&question), disclosure: None };
        let found = find(&lexicon, &answer).mentions;
        let (mut start, mut end) = (0, 0);
        for mention in &found {
            prop_assert!(text.get(mention.range.clone()).is_some_and(|written| !written.is_empty()));
            // Code that goes over the end of a line is one place for all that it names.
            let is_same_place = mention.range == (start..end);
            prop_assert!(is_same_place || mention.range.start >= end, "{found:?}");
            (start, end) = (mention.range.start, mention.range.end);
        }
        let explained: Vec<_> = explain(&lexicon, &answer)
            .into_iter()
            .filter_map(|considered| match considered.outcome {
                Outcome::Mention(mention) => Some(mention),
                Outcome::Rejected(_) => None,
            })
            .collect();
        prop_assert_eq!(explained, found);
    }
}

/// A text whose cost grows with the square of its length takes minutes here, and others well under a second.
const LONGEST: Duration = Duration::from_secs(20);

/// Bytes.
const LONG: usize = 128 << 10;

#[track_caller]
fn check_cost(text: &str, question: Option<&str>) -> usize {
    let lexicon = lexicon();
    let started = Instant::now();
    let found = find(&lexicon, &Answer { text, question, disclosure: None });
    let took = started.elapsed();
    let start: String = text.chars().take(20).collect();
    assert!(took < LONGEST, "{start:?}: {took:?}");
    found.mentions.len()
}

#[test]
fn no_text_costs_the_square_of_its_length() {
    // Each was, or could be, looked through to its end from each of its places.
    for unit in [
        "a",
        "e\u{301}",
        "\u{301}",
        "[",
        "[a](",
        "![",
        "<",
        "<b",
        "<!--",
        "&",
        "1://",
        "a.b/,",
        "a.",
        "ab.cd/!,",
        "Nokiaa社",
        "яндекс社",
        "「",
        "\"a b c\" ",
        "> a b c\n",
        "HP, ",
    ] {
        check_cost(&unit.repeat(LONG / unit.len()), None);
    }
}

#[test]
fn a_name_far_into_its_line_is_found_at_once() {
    let half = LONG / 2;
    let text = format!("{}{}", "(".repeat(half), "HP ".repeat(half / 3));
    assert_eq!(check_cost(&text, None), half / 3);
}

#[test]
fn an_address_of_many_dots_is_looked_up_once() {
    check_cost(&format!("[x](http://{}example)", "a.".repeat(LONG / 2)), None);
    check_cost(&format!("http://{}/x", "HP.".repeat(LONG / 3)), None);
}

#[test]
fn a_question_of_any_length_is_compared() {
    for unit in ["a b c. ", "\"a b d\" ", "> a b c\n", "「あいうえおかきく」"] {
        let text = unit.repeat(LONG / unit.len());
        check_cost(&text, Some(&text));
    }
}
