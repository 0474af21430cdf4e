//! Addresses in an answer: URLs, bare domains and mail addresses. A name inside of one cites the brand, it does
//! not mention it.

use std::ops::Range;

use super::fold::fold_name;

/// Last labels of domains that are not also English or German words, so that "good.It" is no domain.
const TOP_LEVEL: &[&str] = &[
    "ai", "app", "biz", "blog", "br", "ca", "cc", "ch", "cloud", "cn", "co", "com", "cz", "de", "dev", "edu",
    "es", "eu", "fi", "fm", "fr", "gg", "gov", "gr", "hu", "ie", "info", "io", "jp", "kr", "ly", "mil", "mx",
    "net", "nl", "nz", "online", "org", "page", "pl", "pt", "ro", "rs", "ru", "se", "sh", "shop", "site",
    "sk", "store", "tech", "tr", "tv", "tw", "ua", "uk", "us", "wiki", "xyz", "za",
];

/// Bytes; the limit of the domain name system.
const LONGEST_HOST: usize = 253;

/// Where an address is in the visible text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) range: Range<usize>,
    /// Nothing but a domain: no scheme, no path. A name such as "Booking.com" may be all of it.
    pub(super) bare: bool,
}

/// Finds addresses in visible text, in order.
pub(super) fn urls(text: &str) -> Vec<Url> {
    let mut out: Vec<Url> = Vec::new();
    let bytes = text.as_bytes();
    for dot in memchr::memchr2_iter(b'.', b':', bytes) {
        if out.last().is_some_and(|last| dot < last.range.end) {
            continue;
        }
        let found = if bytes[dot] == b':' { with_scheme(text, dot) } else { without_scheme(text, dot) };
        out.extend(found);
    }
    out
}

fn with_scheme(text: &str, colon: usize) -> Option<Url> {
    let rest = text[colon..].strip_prefix("://")?;
    let scheme = text[..colon].bytes().rev().take_while(u8::is_ascii_alphabetic).count();
    let end = colon + 3 + address_length(rest);
    (scheme > 0 && end > colon + 3).then(|| Url { range: colon - scheme..end, bare: false })
}

/// A domain around a dot, with what follows it: "docs.acme.io/start", "www.acme.de", "info@acme.com".
fn without_scheme(text: &str, dot: usize) -> Option<Url> {
    let bytes = text.as_bytes();
    let before = bytes[..dot].iter().rev().take(LONGEST_HOST).take_while(|byte| is_host_byte(**byte)).count();
    let start = dot - before;
    let host_len = bytes[start..].iter().take(LONGEST_HOST).take_while(|byte| is_host_byte(**byte)).count();
    let host = text[start..start + host_len].trim_end_matches(['.', '-']);
    let end = start + host.len();
    if before == 0 || end <= dot || !is_boundary(text, start) {
        return None;
    }
    let path = match bytes.get(end) {
        Some(b'/' | b'?' | b'#') => address_length(&text[end..]),
        _ => 0,
    };
    let has_path = path > 1;
    let mut labels = host.rsplit('.');
    let top = labels.next()?;
    let www = host.len() > 4 && host[..4].eq_ignore_ascii_case("www.");
    let mail = text[..start].ends_with('@');
    let known = TOP_LEVEL.contains(&top);
    let like_top = top.len() >= 2 && top.bytes().all(|byte| byte.is_ascii_lowercase());
    if !(known || like_top && (www || has_path && is_host_with_two_labels(host)) || mail && like_top) {
        return None;
    }
    if host.split('.').any(str::is_empty) || text[end..].starts_with(char::is_alphanumeric) {
        return None;
    }
    let start = if mail { start - 1 - mailbox_length(&text[..start - 1]) } else { start };
    Some(Url { range: start..end + if has_path { path } else { 0 }, bare: !has_path && !mail })
}

/// Two labels and a path may also be a file: "read.me/now" is taken for an address, "a.b/c" is not.
fn is_host_with_two_labels(host: &str) -> bool {
    host.split('.').all(|label| label.len() >= 2) && !host.ends_with(".md") && !host.ends_with(".py")
}

fn is_boundary(text: &str, start: usize) -> bool {
    text[..start].chars().next_back().is_none_or(|character| !matches!(character, '_' | '/' | '\\' | '$'))
}

fn mailbox_length(before: &str) -> usize {
    before
        .bytes()
        .rev()
        .take(LONGEST_HOST)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+'))
        .count()
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')
}

/// Up to white space, a quote or a bracket, without the punctuation of the sentence around it. A closing round
/// bracket belongs to it when it was opened in it.
fn address_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut len = text.len();
    for (at, character) in text.char_indices() {
        let ends = match character {
            '(' => {
                depth += 1;
                false
            }
            ')' if depth > 0 => {
                depth -= 1;
                false
            }
            ')' | '<' | '>' | '"' | '`' | '[' | ']' | '{' | '}' | '|' | '\\' | '^' => true,
            other => other.is_whitespace() || !other.is_ascii() && !other.is_alphabetic() || is_cjk(other),
        };
        if ends {
            len = at;
            break;
        }
    }
    text[..len].trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '*', '_']).len()
}

fn is_cjk(character: char) -> bool {
    matches!(character, '\u{3000}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}' | '\u{FF00}'..='\u{FFEF}')
}

/// The host of an address, in lower case and without `www.`; nothing for addresses within a site.
pub(super) fn host(url: &str) -> Option<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.strip_prefix("mailto:").unwrap_or(rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let host = host.split(':').next().unwrap_or(host).to_ascii_lowercase();
    let host = host.strip_prefix("www.").unwrap_or(&host);
    host.contains('.').then(|| host.to_owned())
}

/// The parts of an address that may be a name, as a name without spaces is folded.
pub(super) fn parts(url: &str) -> impl Iterator<Item = String> {
    url.split(['/', '.', '?', '#', '=', '&', '@', ':', '_']).filter(|part| !part.is_empty()).map(compact)
}

/// A folded name without its spaces, hyphens and apostrophes, as domains write it.
pub(super) fn compact(name: &str) -> String {
    fold_name(name).chars().filter(|character| character.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::{host, urls};

    #[test]
    fn addresses_are_found() {
        for (text, expected) in [
            ("See https://docarray.org/docs?x=1, or not.", vec!["https://docarray.org/docs?x=1"]),
            ("docarray.org is a site", vec!["docarray.org"]),
            ("(www.acme.museum)", vec!["www.acme.museum"]),
            ("mail info@acme.com now", vec!["info@acme.com"]),
            ("That is good.It is fine.", vec![]),
            ("ASP.NET and Node.js and v1.2.3", vec![]),
            ("e.g. this, i.e. that", vec![]),
            ("https://en.wikipedia.org/wiki/A_(b) and", vec!["https://en.wikipedia.org/wiki/A_(b)"]),
            ("http://acme.jpを見る", vec!["http://acme.jp"]),
            ("a.com/x b.io", vec!["a.com/x", "b.io"]),
            ("://", vec![]),
            (".", vec![]),
            ("Try Booking.com.", vec!["Booking.com"]),
        ] {
            let found: Vec<&str> = urls(text).into_iter().map(|url| &text[url.range]).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn hosts_are_plain() {
        for (url, expected) in [
            ("https://www.Acme.io:8080/x", Some("acme.io")),
            ("mailto:info@acme.com", Some("acme.com")),
            ("/docs/x", None),
            ("acme.io", Some("acme.io")),
        ] {
            assert_eq!(host(url).as_deref(), expected, "{url}");
        }
    }
}
