//! Events of answers that are changed on their way: where one ends, what it says, and how one of our own is written.

use serde_json::{Map, Value};

/// Bytes of a whole answer that are held back, and of one event. What is longer goes on as it is.
pub(super) const MAX_HELD: usize = 1 << 20;

/// The text of a piece of a choice.
pub(super) fn text_of(choice: &Value) -> &str {
    choice["delta"]["content"].as_str().or_else(|| choice["text"].as_str()).unwrap_or_default()
}

/// Writes an event of our own.
pub(super) fn write_event(out: &mut Vec<u8>, event: &Map<String, Value>) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(Value::Object(event.clone()).to_string().as_bytes());
    out.extend_from_slice(b"\n\n");
}

/// The end of the first event: behind its empty line.
pub(super) fn event_end(bytes: &[u8]) -> Option<usize> {
    let mut line_start = 0;
    let mut at = 0;
    while at < bytes.len() {
        let width = match &bytes[at..] {
            [b'\r', b'\n', ..] => 2,
            // The other half of the line's end may still be on its way.
            [b'\r'] => return None,
            [b'\n' | b'\r', ..] => 1,
            _ => {
                at += 1;
                continue;
            }
        };
        let is_empty = at == line_start;
        at += width;
        line_start = at;
        if is_empty {
            return Some(at);
        }
    }
    None
}

/// The data of an event, its lines joined.
pub(super) fn data_of(event: &[u8]) -> Vec<u8> {
    let mut data: Vec<u8> = Vec::new();
    let mut is_first = true;
    for line in event.split(|&byte| byte == b'\n' || byte == b'\r') {
        let Some(value) = line.strip_prefix(b"data:") else { continue };
        if !std::mem::take(&mut is_first) {
            data.push(b'\n');
        }
        data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
    }
    data
}
