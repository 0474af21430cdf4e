//! JSON strings: decoding those of a client, encoding ours.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{Error, Visitor};

/// Decodes the raw text between the quotes of a JSON string. A lone surrogate becomes U+FFFD: what is
/// decoded is only read, never sent on.
pub fn decode_string(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let quoted = format!("\"{raw}\"");
    let decoded = serde_json::Deserializer::from_str(&quoted).deserialize_bytes(Lossy);
    Cow::Owned(decoded.unwrap_or_default())
}

/// Encodes `text` as the inside of a JSON string, without the quotes.
pub fn encode_string(text: &str) -> String {
    let mut quoted = quote_string(text);
    quoted.pop();
    quoted.remove(0);
    quoted
}

/// Encodes `text` as a JSON string.
pub fn quote_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

struct Lossy;

impl Visitor<'_> for Lossy {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<String, E> {
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}
