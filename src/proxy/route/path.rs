//! Paths: the brand prefix and the list of allowed ones.

/// Takes `/b/<brand>` off the front of a path.
pub(super) fn split_brand(path: &str) -> (Option<&str>, &str) {
    let Some(rest) = path.strip_prefix("/b/") else { return (None, path) };
    match rest.find('/') {
        Some(end) if end > 0 => (Some(&rest[..end]), &rest[end..]),
        _ => (None, path),
    }
}

/// Whether `path` is one of `allowed`, or under one of them. A leading version segment does not count,
/// so that clients with and without it are treated alike.
pub(super) fn is_allowed(path: &str, allowed: &[String]) -> bool {
    let path = without_version(path);
    allowed.iter().any(|allowed| {
        path.strip_prefix(without_version(allowed).trim_end_matches('/'))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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
    fn allowed_paths_end_at_a_segment() {
        let allowed = ["/v1/models".to_owned(), "/v1/chat/completions".to_owned()];
        for (path, expected) in [
            ("/v1/models", true),
            ("/models", true),
            ("/v1/models/gpt-4o", true),
            ("/v1/modelsx", false),
            ("/v1/organization/admin_api_keys", false),
            ("/", false),
            ("/v1/", false),
        ] {
            assert_eq!(is_allowed(path, &allowed), expected, "{path}");
        }
    }
}
