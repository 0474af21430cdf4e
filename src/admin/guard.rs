//! Which requests may be answered: those of this machine or with a token, not those that a web page makes.

use std::net::IpAddr;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName, Uri};

/// Whether `Host` names this machine and `Origin`, if there is one, is of it. A page of another site that
/// resolves its own name to a loopback address (DNS rebinding) is refused by the first, its scripts by
/// the second.
pub(super) fn is_local(uri: &Uri, headers: &HeaderMap) -> bool {
    host(uri, headers).is_some_and(|host| is_loopback(host_of(host)))
        && text(headers, ORIGIN).is_none_or(|origin| {
            origin.parse::<Uri>().ok().and_then(|origin| origin.host().map(is_loopback)).unwrap_or(false)
        })
}

/// Whether a request comes from a page of this listener, or from no page: one that changes or spends something may
/// come from nowhere else.
pub(super) fn is_own(uri: &Uri, headers: &HeaderMap) -> bool {
    let site = text(headers, HeaderName::from_static("sec-fetch-site"));
    site.is_none_or(|site| matches!(site, "same-origin" | "none"))
        && text(headers, ORIGIN).is_none_or(|origin| {
            let origin = origin.parse::<Uri>().ok();
            let authority =
                origin.as_ref().and_then(|origin| origin.authority().map(http::uri::Authority::as_str));
            authority.is_some() && authority == host(uri, headers)
        })
}

fn host<'h>(uri: &'h Uri, headers: &'h HeaderMap) -> Option<&'h str> {
    text(headers, HOST).or_else(|| uri.authority().map(http::uri::Authority::as_str))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_something_comes_from_our_own_pages() {
        for (fields, expected) in [
            (&[][..], true),
            (&[("origin", "http://127.0.0.1:8081")], true),
            (&[("origin", "http://127.0.0.1:3000")], false),
            (&[("origin", "null")], false),
            (&[("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:8081")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, "127.0.0.1:8081".parse().unwrap());
            for (name, value) in fields {
                headers.insert(*name, value.parse().unwrap());
            }
            assert_eq!(is_own(&Uri::from_static("/console/try"), &headers), expected, "{fields:?}");
        }
    }

    #[test]
    fn only_this_machine_is_answered() {
        for (host, origin, expected) in [
            ("127.0.0.1:8081", None, true),
            ("localhost:8081", None, true),
            ("[::1]:8081", None, true),
            ("localhost", Some("http://127.0.0.1:8081"), true),
            ("evil.example:8081", None, false),
            ("127.0.0.1.evil.example", None, false),
            ("127.0.0.1:8081", Some("https://evil.example"), false),
            ("127.0.0.1:8081", Some("null"), false),
            ("", None, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(is_local(&Uri::from_static("/healthz"), &headers), expected, "{host} {origin:?}");
        }
    }
}
