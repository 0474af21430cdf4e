//! What is wrong with a request target.

use http::header::{HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{Method, Version};

/// The reason to refuse a request, if there is one.
pub(super) fn fault(parts: &Parts) -> Option<&'static str> {
    if parts.method == Method::CONNECT {
        return Some("CONNECT is for forward proxies");
    }
    // HTTP/2 always carries scheme and authority; in HTTP/1.1 they mean a forward proxy.
    if parts.version <= Version::HTTP_11 && parts.uri.scheme().is_some() {
        return Some("an absolute URL is for forward proxies");
    }
    if parts.version == Version::HTTP_11 && parts.headers.get_all(HOST).iter().count() != 1 {
        return Some("HTTP/1.1 wants exactly one Host");
    }
    let mut codings = parts.headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked =
        |value: &http::HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    if codings.next().is_some_and(|value| !is_chunked(value)) || codings.next().is_some() {
        // It ends here, and what is coded otherwise would arrive upstream as if it were not.
        return Some("the body has a transfer coding other than chunked");
    }
    if !parts.uri.path().starts_with('/') {
        return Some("the path does not begin with a slash");
    }
    has_dot_segment(parts.uri.path()).then_some("the path has a dot segment")
}

/// Whether a path has a `.` or `..` segment, also where dots, slashes or backslashes are percent-encoded, once or several
/// times, where the segment has parameters or control characters, and in the overlong forms of UTF-8: some servers decode
/// before they resolve, and some decode twice.
fn has_dot_segment(path: &str) -> bool {
    if !path.contains("/.") && !path.contains(['%', '\\']) {
        return false;
    }
    let mut decoded = path.to_ascii_lowercase().replace('\\', "/");
    for round in 0.. {
        let once = SPELLINGS.iter().fold(decoded.clone(), |path, (spelt, meant)| path.replace(spelt, meant));
        if once == decoded {
            break;
        }
        if round == MOST_ROUNDS {
            // Nobody writes a path so who does not want to hide something, and each round costs.
            return true;
        }
        decoded = once;
    }
    decoded.split('/').any(|segment| {
        let name = segment.split(';').next().unwrap_or_default();
        matches!(name, "." | "..")
    })
}

/// So many times a path may be encoded.
const MOST_ROUNDS: u32 = 3;

/// What stands for a character that matters: percent-encoded, overlong, or nothing at all to a careless server.
const SPELLINGS: [(&str, &str); 12] = [
    ("%25", "%"),
    ("%2e", "."),
    ("%c0%ae", "."),
    ("%c0%2e", "."),
    ("%2f", "/"),
    ("%c0%af", "/"),
    ("%5c", "/"),
    ("%3b", ";"),
    ("%00", ""),
    ("%09", ""),
    ("%0a", ""),
    ("%0d", ""),
];

#[cfg(test)]
mod tests {
    use super::has_dot_segment;

    #[test]
    fn dot_segments_are_seen_in_every_spelling() {
        for path in [
            "/v1/../admin",
            "/v1/.",
            "/%2e%2E/x",
            "/v1/..%2fadmin",
            "/a/..%5Cb",
            "/a\\..\\b",
            "/..",
            "/v1/models/..;/admin",
            "/v1/%252e%252e/admin",
            "/v1/%25252e./admin",
            "/v1/%c0%ae%C0%AE/admin",
            "/v1/.%09./admin",
            "/v1/..%00/admin",
            "/v1/..%3bx/admin",
        ] {
            assert!(has_dot_segment(path), "{path}");
        }
        // One round for each `25` would be thousands.
        assert!(has_dot_segment(&format!("/v1/%{}41", "25".repeat(30_000))));
        for path in
            ["/v1/%252541", "/v1/models/gpt-4.1", "/v1/files/a..b", "/.well-known/x", "/v1/%20", "/..."]
        {
            assert!(!has_dot_segment(path), "{path}");
        }
    }
}
