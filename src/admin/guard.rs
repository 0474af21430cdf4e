//! Which requests may be answered: those of this machine, not those that a web page makes.

use std::net::IpAddr;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Uri};

/// Whether `Host` names this machine and `Origin`, if there is one, is of it. A page of another site that
/// resolves its own name to a loopback address (DNS rebinding) is refused by the first, its scripts by
/// the second.
pub(super) fn is_local(uri: &Uri, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value: &http::HeaderValue| value.to_str().unwrap_or_default());
    let host = text(HOST).or_else(|| uri.authority().map(http::uri::Authority::as_str));
    host.is_some_and(|host| is_loopback(host_of(host)))
        && text(ORIGIN).is_none_or(|origin| {
            origin.parse::<Uri>().ok().and_then(|origin| origin.host().map(is_loopback)).unwrap_or(false)
        })
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
