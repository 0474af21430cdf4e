//! Who may look where a token is configured: whoever shows it as a bearer token, or has signed in with it. A session
//! is a cookie that says until when it holds, under a seal that only this token makes; nothing is stored.

use std::time::{Duration, SystemTime};

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderValue};

/// How long one need not sign in again.
const LASTS: Duration = Duration::from_secs(12 * 3600);
const COOKIE_NAME: &str = "foreword_console";

/// Knows the token by its hash.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sessions {
    token: blake3::Hash,
}

impl Sessions {
    pub(super) fn new(token: blake3::Hash) -> Sessions {
        Sessions { token }
    }

    /// Whether this is the token.
    pub(super) fn is_token(&self, text: &str) -> bool {
        // Comparing hashes takes the same time wherever they differ.
        blake3::hash(text.as_bytes()) == self.token
    }

    /// Whether a request may see everything.
    pub(super) fn admits(&self, headers: &HeaderMap) -> bool {
        let bearer =
            headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        bearer.is_some_and(|token| self.is_token(token.trim()))
            || cookies(headers).any(|cookie| self.holds(cookie, SystemTime::now()))
    }

    /// The cookie of somebody who has signed in.
    pub(super) fn begin(&self, now: SystemTime) -> Option<HeaderValue> {
        let until = (now + LASTS).duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        let value = format!("{until}.{}", self.seal(until).to_hex());
        cookie(&value, LASTS.as_secs())
    }

    /// The cookie that ends a session.
    pub(super) fn end() -> Option<HeaderValue> {
        cookie("", 0)
    }

    fn holds(&self, cookie: &str, now: SystemTime) -> bool {
        let Some((until, seal)) = cookie.split_once('.') else { return false };
        let (Ok(until), Ok(seal)) = (until.parse::<u64>(), blake3::Hash::from_hex(seal)) else {
            return false;
        };
        let now = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs());
        // A clock that was wrong must not have made a session for years.
        self.seal(until) == seal && now < until && until <= now + LASTS.as_secs()
    }

    fn seal(&self, until: u64) -> blake3::Hash {
        let key = blake3::derive_key("foreword console session 1", self.token.as_bytes());
        blake3::keyed_hash(&key, &until.to_le_bytes())
    }
}

fn cookie(value: &str, seconds: u64) -> Option<HeaderValue> {
    let cookie = format!("{COOKIE_NAME}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict");
    HeaderValue::try_from(cookie).ok()
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE_NAME).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_holds_for_its_time_and_its_token() {
        let sessions = |token: &str| Sessions::new(blake3::hash(token.as_bytes()));
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let header = sessions("one").begin(start).unwrap();
        let cookie = header.to_str().unwrap();
        assert!(cookie.contains("HttpOnly; SameSite=Strict"));
        let value = cookie.split(['=', ';']).nth(1).unwrap();
        let forged = value.replacen("10", "99", 1);
        for (token, value, after, expected) in [
            ("one", value, 0, true),
            ("one", value, 12 * 3600 - 1, true),
            ("one", value, 12 * 3600, false),
            ("two", value, 0, false),
            ("one", &forged, 0, false),
            ("one", "", 0, false),
            ("one", "1.2", 0, false),
        ] {
            let now = start + Duration::from_secs(after);
            assert_eq!(sessions(token).holds(value, now), expected, "{token} {value} {after}");
        }
    }

    #[test]
    fn the_token_is_shown_in_a_header_or_by_a_cookie() {
        let sessions = Sessions::new(blake3::hash(b"a long random text"));
        let cookie = sessions.begin(SystemTime::now()).unwrap();
        let cookie = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        for (name, value, expected) in [
            ("authorization", "Bearer a long random text", true),
            ("authorization", "Bearer another", false),
            ("authorization", "a long random text", false),
            ("cookie", &*cookie, true),
            ("cookie", &format!("other=1; {cookie}"), true),
            ("cookie", "foreword_console=1.2", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(sessions.admits(&headers), expected, "{name}: {value}");
        }
    }
}
