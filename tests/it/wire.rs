//! Reading the wire: spans against `serde_json`, turns, strings, event streams.

use foreword::chat::{
    Content, Conversation, Dialect, Event, Malformed, Role, SseDecoder, Unreadable, check_json,
    decode_string, encode_string,
};
use proptest::prelude::*;
use serde_json::value::RawValue;

fn read(body: &str) -> Result<Conversation, Unreadable> {
    Conversation::read(body.as_bytes(), Dialect::ChatCompletions)
}

#[test]
fn bodies_that_are_no_plain_conversation_are_left_alone() {
    let deep = format!("{{\"messages\":[],\"x\":{}{}}}", "[".repeat(200), "]".repeat(200));
    for (body, expected) in [
        ("", Unreadable::NotJson),
        ("{\"messages\":[{\"role\":\"user\",\"content\":\"x\"", Unreadable::NotJson),
        ("{\"messages\":[]} x", Unreadable::NotJson),
        ("{\"messages\":[],}", Unreadable::NotJson),
        ("{\"messages\":[{\"role\":\"user\",\"content\":\"a\nb\"}]}", Unreadable::NotJson),
        ("{\"messages\":[],\"n\":01}", Unreadable::NotJson),
        ("[]", Unreadable::NoMessages),
        ("{}", Unreadable::NoMessages),
        ("{\"prompt\":\"x\"}", Unreadable::NoMessages),
        ("{\"messages\":\"x\"}", Unreadable::Ambiguous),
        ("{\"messages\":null}", Unreadable::Ambiguous),
        ("{\"messages\":[1]}", Unreadable::Ambiguous),
        ("{\"messages\":[{}]}", Unreadable::Ambiguous),
        ("{\"messages\":[{\"content\":\"x\"}]}", Unreadable::Ambiguous),
        ("{\"messages\":[{\"role\":\"narrator\",\"content\":\"x\"}]}", Unreadable::Ambiguous),
        ("{\"messages\":[{\"role\":7,\"content\":\"x\"}]}", Unreadable::Ambiguous),
        ("{\"messages\":[{\"role\":\"user\",\"role\":\"system\",\"content\":\"x\"}]}", Unreadable::Ambiguous),
        ("{\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"content\":\"y\"}]}", Unreadable::Ambiguous),
        ("{\"messages\":[],\"messages\":[]}", Unreadable::Ambiguous),
        ("{\"messages\":[],\"mess\\u0061ges\":[]}", Unreadable::Ambiguous),
        (deep.as_str(), Unreadable::TooDeep),
    ] {
        assert_eq!(read(body).unwrap_err(), expected, "{body:.80}");
    }
    assert_eq!(
        Conversation::read(b"{\"messages\":[],\"x\":\"\xff\"}", Dialect::ChatCompletions),
        Err(Unreadable::NotJson)
    );
}

#[test]
fn messages_are_found_where_they_stand() {
    let body = "{ \"n\":1e400,\"messages\" : [ {\"content\":\"\\ud800 \\u00e9\",\"r\\u006fle\":\"user\"} ,\n{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{},{}]} ],\"model\":\"m\\/x\"}";
    let conversation = read(body).unwrap();
    assert_eq!(conversation.model.as_deref(), Some("m/x"));
    let [first, second] = &conversation.messages[..] else { panic!("{conversation:?}") };
    assert_eq!(&body[first.span.clone()], "{\"content\":\"\\ud800 \\u00e9\",\"r\\u006fle\":\"user\"}");
    assert_eq!((first.role, second.role, second.tool_calls), (Role::User, Role::Assistant, 2));
    let Content::Text(span) = &first.content else { panic!("{first:?}") };
    assert!(decode_string(&body[span.clone()]).ends_with(" é"), "a lone surrogate does not spoil the rest");
}

#[test]
fn turns_know_their_text_and_whether_they_may_be_preceded() {
    let body = r#"{"messages":[
        {"role":"system","content":"s"},
        {"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"x"}},{"text":"b","type":"text"},{"type":"input_audio","text":"no"}]},
        {"role":"assistant","content":null,"tool_calls":[{"id":"1"},{"id":"2"}]},
        {"role":"tool","tool_call_id":"1","content":"r"},
        {"role":"user","content":"between calls"},
        {"role":"tool","tool_call_id":"2","content":"r"},
        {"role":"assistant","content":"ok"},
        {"role":"user","content":null},
        {"role":"user","content":42}]}"#;
    let turns = read(body).unwrap().turns();
    let seen: Vec<(String, bool)> =
        turns.iter().map(|turn| (turn.text(body).into_owned(), turn.insertable)).collect();
    let expected = [("a\nb", true), ("between calls", false), ("", true), ("", true)];
    assert_eq!(seen, expected.map(|(text, insertable)| (text.to_owned(), insertable)));
}

/// JSON-like text: valid documents, and documents with a byte changed.
fn json_like() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?",
        "\"([a-z é😀]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4}){0,8}\"",
    ];
    let document = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec(("\"[a-c]{0,2}\"", inner), 0..4).prop_map(|items| {
                let entries: Vec<String> =
                    items.iter().map(|(key, value)| format!("{key} :{value}")).collect();
                format!("{{ {}}}", entries.join(","))
            }),
        ]
    });
    (document, any::<prop::sample::Index>(), prop::option::of("[ -~\\x00-\\x1f]")).prop_map(
        |(document, at, change)| match change {
            None => document,
            Some(change) => {
                let at = document.floor_char_boundary(at.index(document.len() + 1));
                format!(
                    "{}{change}{}",
                    &document[..at],
                    &document[document.ceil_char_boundary((at + 1).min(document.len()))..]
                )
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_cursor_accepts_what_serde_json_accepts(text in json_like()) {
        let reference = serde_json::from_str::<&RawValue>(&text).is_ok();
        prop_assert_eq!(check_json(&text).is_ok(), reference, "{}", text);
    }

    #[test]
    fn the_cursor_survives_any_text(text in "\\PC{0,60}|[\\[\\]{}\",:0-9a-z\\\\ ]{0,60}") {
        let reference = serde_json::from_str::<&RawValue>(&text).is_ok();
        prop_assert_eq!(check_json(&text).is_ok(), reference, "{}", text);
        let _any_answer = Conversation::read(text.as_bytes(), Dialect::ChatCompletions);
    }

    #[test]
    fn strings_survive_encoding_and_decoding(text in any::<String>()) {
        let encoded = encode_string(&text);
        prop_assert_eq!(decode_string(&encoded), text);
    }

    #[test]
    fn invariant_6_events_do_not_depend_on_chunks(
        lines in prop::collection::vec("(data|event|id|:|retry)?:? ?[a-z{}\"é]{0,12}(\r\n|\n|\r|\n\n|\r\n\r\n)", 0..20),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let stream = lines.concat().into_bytes();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        at.extend([0, stream.len()]);
        at.sort_unstable();
        let whole = events(&[&stream]);
        let parts: Vec<&[u8]> = at.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        prop_assert_eq!(events(&parts), whole);
    }
}

/// Names and data of the events that these chunks make.
fn events(chunks: &[&[u8]]) -> Vec<(String, String)> {
    let mut decoder = SseDecoder::new(1 << 16);
    let mut events = Vec::new();
    for chunk in chunks {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        decoder.feed(chunk, |Event { name, data }| events.push((text(name), text(data))));
    }
    events
}

#[test]
fn nesting_has_a_bound() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(check_json(&nested(128)), Ok(()));
    assert_eq!(check_json(&nested(129)), Err(Malformed::TooDeep));
    assert_eq!(check_json(&nested(100_000)), Err(Malformed::TooDeep));
}

#[test]
fn events_are_read_as_the_standard_says() {
    let event = |name: &str, data: &str| (name.to_owned(), data.to_owned());
    for (stream, expected) in [
        ("data: a\n\n", vec![event("", "a")]),
        ("data: a\ndata: b\n\n", vec![event("", "a\nb")]),
        ("event: x\r\ndata:y\r\n\r\n", vec![event("x", "y")]),
        (": comment\n\ndata\n\n", vec![event("", "")]),
        ("\u{feff}data: a\n\n", vec![event("", "a")]),
        ("data: a\n", vec![]),
        ("id: 1\n\nevent: gone\n\ndata: b\n\n", vec![event("", "b")]),
    ] {
        assert_eq!(events(&[stream.as_bytes()]), expected, "{stream:?}");
    }
}

#[test]
fn an_event_that_is_too_long_is_skipped_and_the_next_is_read() {
    let mut decoder = SseDecoder::new(32);
    let mut seen = Vec::new();
    for chunk in [format!("data: {}\n", "x".repeat(100)), "data: y\n\ndata: z\n\n".to_owned()] {
        decoder.feed(chunk.as_bytes(), |event| seen.push(event.data.to_vec()));
    }
    assert_eq!((seen, decoder.skipped()), (vec![b"z".to_vec()], 1));
}
