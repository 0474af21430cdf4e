//! Which chat requests may have their body read and added to, told by their head alone.

use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue};

use crate::inject::SkipReason;

/// Fields that bind a message to the bytes of its body: RFC 9530, RFC 9421, their forerunners, and those of clouds.
const SIGNED: [HeaderName; 8] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("signature"),
    HeaderName::from_static("x-amz-content-sha256"),
    HeaderName::from_static("x-content-sha256"),
    HeaderName::from_static("x-ms-content-sha256"),
];

/// The reason to leave a request alone, if its head gives one.
pub(super) fn head_reason(headers: &HeaderMap, max_body_bytes: usize) -> Option<SkipReason> {
    if headers.get_all(CONTENT_ENCODING).iter().any(|value| !eq(value, "identity")) {
        return Some(SkipReason::Encoded);
    }
    if !headers.get_all(CONTENT_TYPE).iter().all(is_json) {
        return Some(SkipReason::NotChat);
    }
    if is_signed(headers) {
        return Some(SkipReason::Signed);
    }
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<usize>().ok());
    length.filter(|length| *length > max_body_bytes).map(|_| SkipReason::TooLarge)
}

/// Whether fields, of a head or behind a body, say that the body is signed. Schemes of authorization that sign requests
/// state a `Signature=`, whatever they are called.
pub(super) fn is_signed(fields: &HeaderMap) -> bool {
    let by_scheme = |value: &HeaderValue| {
        value.as_bytes().to_ascii_lowercase().windows(10).any(|part| part == b"signature=")
    };
    fields.get(AUTHORIZATION).is_some_and(by_scheme) || SIGNED.iter().any(|name| fields.contains_key(name))
}

/// Whether a body is JSON, in the one encoding that JSON has.
fn is_json(value: &HeaderValue) -> bool {
    let Ok(value) = value.to_str() else { return false };
    let mut parts = value.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let is_utf8 = |parameter: &str| match parameter.split_once('=') {
        Some((name, set)) if name.eq_ignore_ascii_case("charset") => {
            let set = set.trim_matches('"');
            set.eq_ignore_ascii_case("utf-8") || set.eq_ignore_ascii_case("utf8")
        }
        _ => true,
    };
    (media == "application/json" || media.ends_with("+json")) && parts.all(is_utf8)
}

fn eq(value: &HeaderValue, text: &str) -> bool {
    value.as_bytes().eq_ignore_ascii_case(text.as_bytes())
}
