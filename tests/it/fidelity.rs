//! Bytes: whatever valid JSON a client writes leaves as it came around what is inserted, and what is not valid
//! is not touched.

use foreword::chat::Dialect;
use foreword::inject::{Decision, SkipReason};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::support::conversations::TEXTS;
use crate::support::planners::{RECIPES, cut, explain};

/// White space as JSON allows it.
fn space() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "", "", " ", "\n", "\t", "\r\n  "])
}

/// Strings as they are written: escapes of every kind, halves of surrogate pairs among them.
fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z ,:{}\\[\\]]{1,6}",
        1 => prop::sample::select(vec![
            "\\n", "\\\"", "\\\\", "\\/", "\\u0000", "\\u00e9", "\\ud83d\\ude00", "\\ud800", "\\udfff\\ud83d",
            "é", "\u{1f600}", "\u{2028}", "\u{7f}", "\\u003C", "\\b\\f\\r\\t",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// Numbers that a program which reads and writes them again would change or lose.
fn number() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "0",
        "-0",
        "-0.0",
        "1.0",
        "0.10",
        "1e400",
        "-1E-999",
        "1.50e+2",
        "123456789012345678901234567890",
        "9007199254740993",
        "0.1000000000000000055511151231257827",
    ])
    .prop_map(str::to_owned)
}

/// An object with these entries, in this order.
fn object(entries: &[(String, String)], space: &str) -> String {
    let entries: Vec<String> =
        entries.iter().map(|(key, value)| format!("{space}{key}{space}:{space}{value}")).collect();
    format!("{{{}{space}}}", entries.join(","))
}

fn array(items: &[String], space: &str) -> String {
    format!("[{space}{}{space}]", items.join(&format!("{space},")))
}

/// Any JSON value: keys may stand twice, nesting may be deep.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        string(),
        number(),
        prop::sample::select(vec!["null", "true", "false", "{}", "[]"]).prop_map(str::to_owned),
        (2..90_usize).prop_map(|depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth))),
        (2..40_usize).prop_map(|depth| format!("{}0{}", "{\"k\":".repeat(depth), "}".repeat(depth))),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (prop::collection::vec(inner.clone(), 0..4), space())
                .prop_map(|(items, space)| array(&items, space)),
            (prop::collection::vec((string(), inner), 0..4), space())
                .prop_map(|(entries, space)| object(&entries, space)),
        ]
    })
}

/// Entries that no dialect knows, or that do not matter for insertion. Some stand twice.
fn extras() -> impl Strategy<Value = Vec<(String, String)>> {
    let key = prop::sample::select(vec![
        "cache_control",
        "reasoning_content",
        "provider",
        "name",
        "refusal",
        "x",
        "é",
        "\\u0078",
        "stop",
        "metadata",
    ]);
    prop::collection::vec((key.prop_map(|key| format!("\"{key}\"")), value()), 0..4)
}

/// A text as JSON in one of the ways in which encoders write it.
fn written(text: &str, way: u8) -> String {
    match way {
        // Every character as an escape.
        0 => format!("\"{}\"", text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<String>()),
        // As PHP does it.
        1 => serde_json::to_string(text).unwrap().replace('/', "\\/"),
        _ => serde_json::to_string(text).unwrap(),
    }
}

fn texts() -> impl Strategy<Value = String> {
    (prop::sample::select(TEXTS), 0..4_u8).prop_map(|(text, way)| written(text, way))
}

/// A part of a content, of every kind that the interfaces know, and of none.
fn part(text: String, kind: u8, extras: &[(String, String)], space: &str) -> String {
    let known: (&str, &str, String) = match kind {
        0 => (
            "image_url",
            "image_url",
            "{\"url\":\"data:image\\/png;base64,iVBOR\\/w0=\",\"detail\":\"low\"}".into(),
        ),
        1 => ("input_audio", "input_audio", "{\"data\":\"UklGRg==\",\"format\":\"wav\"}".into()),
        2 => (
            "file",
            "file",
            "{\"file_data\":\"data:application/pdf;base64,JVBERi0=\",\"filename\":\"a.pdf\"}".into(),
        ),
        3 => ("refusal", "refusal", text),
        4 => ("input_image", "image_url", "\"https://example.com/a.png\"".into()),
        5 => ("thinking", "thinking", text),
        6 => return text,
        7 => return "null".to_owned(),
        _ => ("text", "text", text),
    };
    let mut entries =
        vec![("\"type\"".to_owned(), format!("\"{}\"", known.0)), (format!("\"{}\"", known.1), known.2)];
    entries.extend(extras.iter().filter(|(key, _)| key.len() > 3).cloned());
    entries.rotate_left(usize::from(kind) % 2);
    object(&entries, space)
}

/// A content of every form.
fn content() -> impl Strategy<Value = String> {
    let parts = prop::collection::vec((texts(), 0..14_u8, extras(), space()), 0..4);
    prop_oneof![
        4 => texts(),
        4 => (parts, space()).prop_map(|(parts, space)| {
            let parts: Vec<String> =
                parts.into_iter().map(|(text, kind, extras, space)| part(text, kind, &extras, space)).collect();
            array(&parts, space)
        }),
        1 => prop::sample::select(vec!["null", "17", "{}", "true"]).prop_map(str::to_owned),
    ]
}

/// A message of a known role, its entries in any order.
fn message() -> impl Strategy<Value = String> {
    let roles =
        vec!["user", "user", "user", "assistant", "assistant", "system", "developer", "tool", "function"];
    (prop::sample::select(roles), content(), extras(), space(), any::<prop::sample::Index>()).prop_map(
        |(role, content, extras, space, turn)| {
            let mut entries =
                vec![("\"role\"".to_owned(), format!("\"{role}\"")), ("\"content\"".to_owned(), content)];
            entries.extend(extras);
            let by = turn.index(entries.len());
            entries.rotate_left(by);
            object(&entries, space)
        },
    )
}

/// A request in one of the dialects, its entries in any order.
fn request() -> impl Strategy<Value = (Dialect, String)> {
    let list = prop_oneof![
        6 => (prop::collection::vec(message(), 0..7), space(), any::<bool>()).prop_map(|(messages, space, chat)| {
            (if chat { Dialect::ChatCompletions } else { Dialect::Responses }, array(&messages, space))
        }),
        1 => texts().prop_map(|text| (Dialect::Responses, text)),
        1 => texts().prop_map(|text| (Dialect::Completions, text)),
        1 => (prop::collection::vec(texts(), 0..4), space())
            .prop_map(|(texts, space)| (Dialect::Completions, array(&texts, space))),
    ];
    (list, extras(), space(), any::<prop::sample::Index>()).prop_map(
        |((dialect, list), extras, space, turn)| {
            let mut entries = vec![(format!("\"{}\"", dialect.list_key()), list)];
            entries.extend(extras);
            let by = turn.index(entries.len());
            entries.rotate_left(by);
            (dialect, format!("{space}{}{space}", object(&entries, space)))
        },
    )
}

#[derive(Deserialize)]
struct Listed<'a> {
    #[serde(borrow, alias = "input", alias = "prompt")]
    messages: &'a RawValue,
}

/// The elements of the list as they are written.
fn elements(body: &[u8]) -> Option<Vec<&RawValue>> {
    let listed: Listed<'_> = serde_json::from_slice(body).expect("what leaves is JSON");
    serde_json::from_str(listed.messages.get()).ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn invariant_1_any_valid_request_comes_out_around_what_was_inserted(
        (dialect, body) in request(),
        recipe in prop::sample::select(RECIPES),
    ) {
        let explanation = explain(recipe, dialect, &body);
        let spliced = &explanation.spliced;
        prop_assert_eq!(cut(&spliced.body, &spliced.inserted), body.as_bytes());
        let injected = matches!(explanation.decision, Decision::Injected { .. });
        prop_assert_eq!(injected, !spliced.inserted.is_empty(), "{:?}", explanation.decision);
        if !injected {
            prop_assert_eq!(&spliced.body[..], body.as_bytes());
        }
        // Read by another reader: the client's elements stand there as they were written, each once and in order.
        let after = elements(&spliced.body);
        if let (Some(before), Some(after)) = (elements(body.as_bytes()), after) {
            if dialect != Dialect::Completions && recipe != "inline" {
                let mut after = after.iter();
                let found = before.iter().all(|one| after.any(|other| one.get() == other.get()));
                prop_assert!(found, "{}", String::from_utf8_lossy(&spliced.body));
            } else {
                prop_assert_eq!(before.len(), after.len());
            }
        }
    }

    #[test]
    fn invariant_2_bytes_that_are_no_request_leave_as_they_came(
        (dialect, body) in request(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        change in 0..4_u8,
        recipe in prop::sample::select(RECIPES),
    ) {
        let mut body = body.into_bytes();
        let at = at.index(body.len());
        match change {
            0 => body[at] = byte,
            1 => body.insert(at, byte),
            2 => {
                body.remove(at);
            }
            _ => body.truncate(at),
        }
        let explanation = explain(recipe, dialect, &body);
        let spliced = &explanation.spliced;
        prop_assert_eq!(cut(&spliced.body, &spliced.inserted), &body[..]);
        if serde_json::from_slice::<&RawValue>(&body).is_err() {
            let reason = explanation.decision;
            let expected = [SkipReason::NotJson, SkipReason::TooDeep].map(Decision::Skipped);
            prop_assert!(expected.contains(&reason), "{:?}", reason);
            prop_assert_eq!(&spliced.body[..], &body[..]);
        }
    }

    #[test]
    fn any_bytes_at_all_leave_as_they_came(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for dialect in Dialect::ALL {
            prop_assert_eq!(&explain("pairs", dialect, &bytes).spliced.body[..], &bytes[..]);
        }
    }
}

#[test]
fn the_random_requests_are_injected_often_enough() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut injected = 0;
    for _ in 0..300 {
        let (dialect, body) = request().new_tree(&mut runner).unwrap().current();
        injected += u32::from(!explain("pairs", dialect, &body).spliced.inserted.is_empty());
    }
    assert!(injected > 90, "{injected} of 300");
}

/// A question in every kind of content, and what has no words in it.
#[test]
fn t4_content_of_every_kind_is_read_for_its_words_and_passed_on() {
    let question = TEXTS[0];
    let text =
        format!("{{\"type\":\"text\",\"text\":\"{question}\",\"cache_control\":{{\"type\":\"ephemeral\"}}}}");
    for (content, expected) in [
        (format!("\"{question}\""), None),
        (format!("[{text}]"), None),
        (
            format!(
                "[{{\"type\":\"image_url\",\"image_url\":{{\"url\":\"https://example.com/a.png\"}}}},{text}]"
            ),
            None,
        ),
        (
            format!(
                "[{text},{{\"type\":\"input_audio\",\"input_audio\":{{\"data\":\"UklGRg==\",\"format\":\"wav\"}}}}]"
            ),
            None,
        ),
        (
            format!(
                "[{{\"type\":\"file\",\"file\":{{\"file_id\":\"f\"}}}},{{\"type\":\"video_url\",\"video_url\":{{}}}},{text}]"
            ),
            None,
        ),
        (format!("[{{\"type\":\"text\",\"text\":\"Hello.\"}},{text}]"), None),
        (
            "[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:,anvil\"}}]".to_owned(),
            Some(SkipReason::NoText),
        ),
        ("[{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"\"}}]".to_owned(), Some(SkipReason::NoText)),
        (format!("[\"{question}\"]"), Some(SkipReason::NoText)),
        ("[]".to_owned(), Some(SkipReason::NoText)),
        ("\" \\n\\t\"".to_owned(), Some(SkipReason::NoText)),
    ] {
        let message = format!("{{\"role\":\"user\",\"content\":{content}}}");
        let body = format!("{{\"messages\":[{message}]}}");
        for recipe in ["pairs", "inline"] {
            let explanation = explain(recipe, Dialect::ChatCompletions, &body);
            match expected {
                Some(reason) => assert_eq!(explanation.decision, Decision::Skipped(reason), "{content}"),
                None => {
                    assert!(matches!(explanation.decision, Decision::Injected { .. }), "{recipe} {content}");
                }
            }
            let sent = elements(&explanation.spliced.body).unwrap();
            let last = sent.last().unwrap().get();
            if recipe == "pairs" {
                assert_eq!(last, message);
            } else if expected.is_none() {
                // Every part of the client's stands as it was written.
                assert!(last.ends_with(&format!("{}}}", &content[1..])), "{last}");
            }
        }
    }
}
