//! Which chat requests may have their body read and added to, told by their head alone.

use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue};

use crate::inject::SkipReason;

/// Header fields that bind a message to the bytes of its body: RFC 9530, RFC 9421 and their forerunners.
const SIGNED: [HeaderName; 6] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("signature"),
    HeaderName::from_static("x-amz-content-sha256"),
];

/// The reason to leave a request alone, if its head gives one.
pub(super) fn head_reason(headers: &HeaderMap, max_body_bytes: usize) -> Option<SkipReason> {
    if headers.get(CONTENT_ENCODING).is_some_and(|value| !eq(value, "identity")) {
        return Some(SkipReason::Encoded);
    }
    if headers.get(CONTENT_TYPE).is_some_and(|value| !is_json(value)) {
        return Some(SkipReason::NotChat);
    }
    let signed_by_aws =
        headers.get(AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(b"AWS4-"));
    if signed_by_aws || SIGNED.iter().any(|name| headers.contains_key(name)) {
        return Some(SkipReason::Signed);
    }
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<usize>().ok());
    length.filter(|length| *length > max_body_bytes).map(|_| SkipReason::TooLarge)
}

fn is_json(value: &HeaderValue) -> bool {
    let Ok(value) = value.to_str() else { return false };
    let media = value.split(';').next().unwrap_or_default().trim();
    media.eq_ignore_ascii_case("application/json")
        || media.len() > 5 && media[media.len() - 5..].eq_ignore_ascii_case("+json")
}

fn eq(value: &HeaderValue, text: &str) -> bool {
    value.as_bytes().eq_ignore_ascii_case(text.as_bytes())
}
