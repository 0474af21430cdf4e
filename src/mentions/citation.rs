//! Addresses in an answer: URLs, bare domains and mail addresses. A name inside of one cites the brand, it does
//! not mention it.

use std::collections::{BTreeSet, HashMap};
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
    let mut judged_to = 0;
    for dot in memchr::memchr2_iter(b'.', b':', bytes) {
        if dot < judged_to {
            continue;
        }
        let found = if bytes[dot] == b':' {
            with_scheme(text, dot)
        } else {
            // All dots of one host are judged by the first of them.
            judged_to = dot + host_length(&bytes[dot..]);
            without_scheme(text, dot)
        };
        judged_to = found.as_ref().map_or(judged_to, |url| url.range.end);
        out.extend(found);
    }
    out
}

fn with_scheme(text: &str, colon: usize) -> Option<Url> {
    let rest = text[colon..].strip_prefix("://")?;
    let scheme = text[..colon].bytes().rev().take_while(u8::is_ascii_alphabetic).count();
    if scheme == 0 {
        return None;
    }
    let end = colon + 3 + address_length(rest);
    (end > colon + 3).then(|| Url { range: colon - scheme..end, bare: false })
}

/// A domain around a dot, with what follows it: "docs.acme.io/start", "www.acme.de", "info@acme.com".
fn without_scheme(text: &str, dot: usize) -> Option<Url> {
    let bytes = text.as_bytes();
    let before = bytes[..dot].iter().rev().take(LONGEST_HOST).take_while(|byte| is_host_byte(**byte)).count();
    let start = dot - before;
    let host = text[start..start + host_length(&bytes[start..])].trim_end_matches(['.', '-']);
    let end = start + host.len();
    if before == 0 || end <= dot || !is_boundary(text, start) {
        return None;
    }
    if host.split('.').any(str::is_empty) || text[end..].starts_with(char::is_alphanumeric) {
        return None;
    }
    let mut labels = host.rsplit('.');
    let top = labels.next()?;
    let www = host.len() > 4 && host[..4].eq_ignore_ascii_case("www.");
    let mail = text[..start].ends_with('@');
    let known = TOP_LEVEL.contains(&top);
    let like_top = top.len() >= 2 && top.bytes().all(|byte| byte.is_ascii_lowercase());
    let needs_path = !(known || like_top && (www || mail));
    if needs_path && !(like_top && is_host_with_two_labels(host)) {
        return None;
    }
    // A path may be as long as the text, so it is measured only where nothing else is missing.
    let path = match bytes.get(end) {
        Some(b'/' | b'?' | b'#') => address_length(&text[end..]),
        _ => 0,
    };
    let has_path = path > 1;
    if needs_path && !has_path {
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

fn host_length(bytes: &[u8]) -> usize {
    bytes.iter().take(LONGEST_HOST).take_while(|byte| is_host_byte(**byte)).count()
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

/// Which addresses are a brand's: by host, and by the parts that are one of its names.
#[derive(Debug, Default)]
pub(super) struct AddressBook {
    domains: HashMap<String, Vec<usize>>,
    names: HashMap<String, Vec<usize>>,
}

impl AddressBook {
    /// Enters a host, with all that end in it.
    pub(super) fn add_domain(&mut self, domain: &str, brand: usize) {
        let domain = domain.trim_start_matches("www.").to_lowercase();
        self.domains.entry(domain).or_default().push(brand);
    }

    /// Enters a name.
    pub(super) fn add_name(&mut self, name: &str, brand: usize) {
        self.names.entry(compact(name)).or_default().push(brand);
    }

    /// The brands that an address cites.
    pub(super) fn brands_of(&self, url: &str) -> BTreeSet<usize> {
        let host = host(url).unwrap_or_default();
        let below = host.match_indices('.').map(|(dot, _)| &host[dot + 1..]);
        let by_domain =
            std::iter::once(host.as_str()).chain(below).filter_map(|domain| self.domains.get(domain));
        let by_name = parts(url).filter_map(|part| self.names.get(&part));
        by_domain.chain(by_name).flatten().copied().collect()
    }
}

/// The host of an address, in lower case and without `www.`; nothing for addresses within a site.
fn host(url: &str) -> Option<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.strip_prefix("mailto:").unwrap_or(rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let host = host.split(':').next().unwrap_or(host).to_ascii_lowercase();
    let host = host.strip_prefix("www.").unwrap_or(&host);
    (host.contains('.') && host.len() <= LONGEST_HOST).then(|| host.to_owned())
}

/// The parts of an address that may be a name, as a name without spaces is folded.
fn parts(url: &str) -> impl Iterator<Item = String> {
    url.split(['/', '.', '?', '#', '=', '&', '@', ':', '_']).filter(|part| !part.is_empty()).map(compact)
}

/// A folded name without its spaces, hyphens and apostrophes, as domains write it.
fn compact(name: &str) -> String {
    fold_name(name).chars().filter(|character| character.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::{AddressBook, host, urls};

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

    #[test]
    fn addresses_belong_to_brands() {
        let mut book = AddressBook::default();
        book.add_domain("www.Acme.example", 1);
        book.add_name("Doc Array", 2);
        for (url, expected) in [
            ("https://acme.example/x", vec![1]),
            ("shop.acme.example", vec![1]),
            ("https://notacme.example", vec![]),
            ("https://github.com/doc-array/docarray", vec![2]),
            ("https://acme.example/docarray", vec![1, 2]),
            ("/docs", vec![]),
        ] {
            assert_eq!(book.brands_of(url).into_iter().collect::<Vec<_>>(), expected, "{url}");
        }
    }
}
