//! Paths: the brand prefix and the list of allowed ones.

use http::Method;

/// Takes `/b/<brand>` off the front of a path.
pub(super) fn split_brand(path: &str) -> (Option<&str>, &str) {
    let Some(rest) = path.strip_prefix("/b/") else { return (None, path) };
    match rest.find('/') {
        Some(end) if end > 0 => (Some(&rest[..end]), &rest[end..]),
        _ => (None, path),
    }
}

/// Whether `allowed` has this path: `POST /v1/chat/completions` is that path with that method, without a method any will
/// do, and `/v1/models/*` is all that is under it. A leading version segment does not count, so that clients with and
/// without it are treated alike. What asks which methods there are (a browser, before it calls) may ask of any.
pub(super) fn is_allowed(method: &Method, path: &str, allowed: &[String]) -> bool {
    let path = without_version(path);
    allowed.iter().any(|entry| {
        let (only, entry) = match entry.split_once(' ') {
            Some((only, entry)) => (Some(only), entry.trim()),
            None => (None, entry.as_str()),
        };
        let fits = only.is_none_or(|only| {
            only == method.as_str()
                || *method == Method::OPTIONS
                || (only == "GET" && *method == Method::HEAD)
        });
        fits && match without_version(entry).strip_suffix('*') {
            Some(under) => path.len() > under.len() && path.starts_with(under),
            None => path == without_version(entry).trim_end_matches('/'),
        }
    })
}

fn without_version(path: &str) -> &str {
    let Some(rest) = path.strip_prefix("/v") else { return path };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    match rest.get(digits..) {
        Some(rest) if digits > 0 && rest.starts_with('/') => rest,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::{is_allowed, split_brand};

    #[test]
    fn a_brand_prefix_is_taken_off() {
        for (path, brand, rest) in [
            ("/b/acme/v1/chat/completions", Some("acme"), "/v1/chat/completions"),
            ("/b/acme/", Some("acme"), "/"),
            ("/b/acme", None, "/b/acme"),
            ("/b//v1", None, "/b//v1"),
            ("/v1/b/acme/x", None, "/v1/b/acme/x"),
        ] {
            assert_eq!(split_brand(path), (brand, rest), "{path}");
        }
    }

    #[test]
    fn allowed_paths_are_whole_and_have_methods() {
        let allowed = ["GET /v1/models", "GET /v1/models/*", "POST /v1/chat/completions", "/v1/rerank"];
        let allowed = allowed.map(str::to_owned);
        for (method, path, expected) in [
            (Method::GET, "/v1/models", true),
            (Method::HEAD, "/models", true),
            (Method::GET, "/v1/models/gpt-4o", true),
            (Method::DELETE, "/v1/models/ft:mine", false),
            (Method::GET, "/v1/modelsx", false),
            (Method::POST, "/v2/chat/completions", true),
            (Method::OPTIONS, "/v1/chat/completions", true),
            (Method::GET, "/v1/chat/completions", false),
            (Method::POST, "/v1/chat/completions/id", false),
            (Method::PUT, "/v1/rerank", true),
            (Method::GET, "/v1/organization/admin_api_keys", false),
            (Method::GET, "/", false),
            (Method::GET, "/v1/", false),
        ] {
            assert_eq!(is_allowed(&method, path, &allowed), expected, "{method} {path}");
        }
    }
}
