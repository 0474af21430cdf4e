//! Who may look where a token is configured: whoever shows it as a bearer token, or has signed in with it. A session
//! is a cookie that says until when it holds, under a seal that only this token makes: none is stored, but for those
//! that were ended before their time, as long as the process lives.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderValue};
use parking_lot::Mutex;

/// How long one need not sign in again.
const LASTS: Duration = Duration::from_secs(12 * 3600);
const COOKIE_NAME: &str = "foreword_console";

/// Knows the token by its hash.
#[derive(Debug, Clone)]
pub(super) struct Sessions {
    token: blake3::Hash,
    /// Sessions that were ended: what tells one from others, and until when it would have held.
    ended: Arc<Mutex<BTreeMap<u64, u64>>>,
}

/// What a cookie says.
struct Session {
    until: u64,
    /// Tells it from others.
    number: u64,
}

impl Sessions {
    pub(super) fn new(token: blake3::Hash) -> Sessions {
        Sessions { token, ended: Arc::default() }
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
        let session = Session { until: seconds(now + LASTS), number: getrandom::u64().ok()? };
        let value = format!("{}.{:x}.{}", session.until, session.number, self.seal(&session).to_hex());
        cookie(&value, LASTS.as_secs())
    }

    /// Ends the session of a request, if it has one; and the cookie that takes it out of the browser.
    pub(super) fn end(&self, headers: &HeaderMap, now: SystemTime) -> Option<HeaderValue> {
        let sessions = cookies(headers).filter_map(|cookie| self.session(cookie, now));
        let mut ended = self.ended.lock();
        ended.extend(sessions.map(|session| (session.number, session.until)));
        ended.retain(|_, until| *until > seconds(now));
        cookie("", 0)
    }

    fn holds(&self, cookie: &str, now: SystemTime) -> bool {
        self.session(cookie, now).is_some_and(|session| !self.ended.lock().contains_key(&session.number))
    }

    /// The session of a cookie that was sealed here and whose time is not over.
    fn session(&self, cookie: &str, now: SystemTime) -> Option<Session> {
        let mut parts = cookie.splitn(3, '.');
        let session = Session {
            until: parts.next()?.parse().ok()?,
            number: u64::from_str_radix(parts.next()?, 16).ok()?,
        };
        let seal = blake3::Hash::from_hex(parts.next()?).ok()?;
        let now = seconds(now);
        // A clock that was wrong must not have made a session for years.
        let holds =
            self.seal(&session) == seal && now < session.until && session.until <= now + LASTS.as_secs();
        holds.then_some(session)
    }

    fn seal(&self, session: &Session) -> blake3::Hash {
        let key = blake3::derive_key("foreword console session 2", self.token.as_bytes());
        let mut said = [0; 16];
        said[..8].copy_from_slice(&session.until.to_le_bytes());
        said[8..].copy_from_slice(&session.number.to_le_bytes());
        blake3::keyed_hash(&key, &said)
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
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
        let (until, rest) = value.split_once('.').unwrap();
        let renumbered = format!("{until}.1{rest}");
        for (token, value, after, expected) in [
            ("one", value, 0, true),
            ("one", value, 12 * 3600 - 1, true),
            ("one", value, 12 * 3600, false),
            ("two", value, 0, false),
            ("one", &forged, 0, false),
            ("one", &renumbered, 0, false),
            ("one", "", 0, false),
            ("one", "1.2", 0, false),
            ("one", "1.2.3", 0, false),
        ] {
            let now = start + Duration::from_secs(after);
            assert_eq!(sessions(token).holds(value, now), expected, "{token} {value} {after}");
        }
    }

    #[test]
    fn a_session_that_was_ended_holds_no_more_and_others_do() {
        let sessions = Sessions::new(blake3::hash(b"one"));
        let now = SystemTime::now();
        let [first, second] = [(), ()].map(|()| {
            let cookie = sessions.begin(now).unwrap();
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, cookie.to_str().unwrap().split(';').next().unwrap().parse().unwrap());
            headers
        });
        assert!(sessions.admits(&first) && sessions.admits(&second));
        let gone = sessions.clone().end(&first, now).unwrap();
        assert!(gone.to_str().unwrap().starts_with("foreword_console=; Path=/; Max-Age=0"));
        assert!(!sessions.admits(&first) && sessions.admits(&second));
        // What would not hold any more by itself need not be known.
        sessions.end(&HeaderMap::new(), now + LASTS);
        assert!(sessions.ended.lock().is_empty());
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
