//! What looks like data about a person: patterns, with checksums where there are any.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::text::pattern;

static EMAIL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\b([a-z0-9._%+-]{1,64})@([a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+)\b"));
static IBAN: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\b[a-z]{2}[0-9]{2}(?:\ ?[a-z0-9]{4}){2,7}(?:\ ?[a-z0-9]{1,4})?\b"));
static DIGITS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\b(?:[3-6][0-9]{3}(?:[\ -]?[0-9]{4}){3}|3[47][0-9]{2}[\ -]?[0-9]{6}[\ -]?[0-9]{5})\b")
});
static SOCIAL: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b([0-9]{3})-([0-9]{2})-([0-9]{4})\b"));
static PHONE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:\+[0-9]{1,3}[\ ./-]?(?:\(0\)[\ ./-]?)?[0-9(](?:[\ ./()-]{0,3}[0-9]){6,12}
        |\b(?:tel|phone|telefon|mobil|mobile|call|fon|fax)\b[^0-9\n]{0,12}[0-9(](?:[\ ./()-]{0,3}[0-9]){5,12}
        |\([0-9]{3}\)\ ?[0-9]{3}-[0-9]{4}\b)",
    )
});
static BORN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(?:born(?:\ on)?|date\ of\ birth|dob|geboren(?:\ am)?|geburtsdatum|né[e]?\ le|fecha\ de\ nacimiento)\b[:\ ]{1,3}
        (?:\w{3,10}\ )?[0-9]{1,4}(?:[./-]|\.?\ |,\ )[\w.]{1,10}",
    )
});

/// Names before the `@` that stand for an office, not a person.
const OFFICES: &[&str] = &[
    "info",
    "support",
    "sales",
    "hello",
    "contact",
    "press",
    "security",
    "help",
    "office",
    "service",
    "team",
    "admin",
    "privacy",
    "legal",
    "abuse",
    "billing",
    "jobs",
    "careers",
    "news",
    "media",
    "noreply",
    "no-reply",
    "kontakt",
    "hilfe",
    "vertrieb",
    "presse",
    "datenschutz",
    "bewerbung",
    "git",
    "user",
    "name",
    "you",
    "me",
    "someone",
    "webmaster",
    "postmaster",
    "marketing",
    "feedback",
];

/// The first of them, and what it looks like.
pub(super) fn personal(text: &str) -> Option<(Range<usize>, &'static str)> {
    let email = EMAIL
        .captures_iter(text)
        .find(|found| {
            !OFFICES.contains(&found[1].to_lowercase().as_str())
                && !found[2].to_lowercase().contains("example")
                && found[2].rsplit('.').next().is_some_and(|end| end.chars().all(char::is_alphabetic))
        })
        .and_then(|found| found.get(0))
        .map(|found| (found.range(), "an e-mail address of a person"));
    email
        .or_else(|| first(&IBAN, text, is_iban, "an IBAN"))
        .or_else(|| first(&DIGITS, text, is_card, "a card number"))
        .or_else(|| first(&SOCIAL, text, is_social, "a social security number"))
        .or_else(|| first(&PHONE, text, |_| true, "a telephone number"))
        .or_else(|| first(&BORN, text, |_| true, "a date of birth"))
}

fn first(
    pattern: &Regex,
    text: &str,
    holds: impl Fn(&str) -> bool,
    what: &'static str,
) -> Option<(Range<usize>, &'static str)> {
    pattern.find_iter(text).find(|found| holds(found.as_str())).map(|found| (found.range(), what))
}

/// ISO 13616: the first four characters moved to the end, letters as 10 to 35, modulo 97 is 1.
fn is_iban(text: &str) -> bool {
    let plain: Vec<char> = text.chars().filter(|character| *character != ' ').collect();
    if !(15..=34).contains(&plain.len()) {
        return false;
    }
    let rest = plain[4..].iter().chain(&plain[..4]).try_fold(0_u32, |rest, character| {
        let value = character.to_digit(36)?;
        Some(if value > 9 { (rest * 100 + value) % 97 } else { (rest * 10 + value) % 97 })
    });
    rest == Some(1)
}

/// Luhn's checksum (ISO/IEC 7812-1).
fn is_card(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|character| character.to_digit(10)).collect();
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 => *digit,
            _ => (digit * 2) / 10 + (digit * 2) % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

fn is_social(text: &str) -> bool {
    let area = &text[..3];
    area != "000" && area != "666" && !area.starts_with('9') && &text[4..6] != "00"
}

#[cfg(test)]
mod tests {
    use super::personal;

    #[test]
    fn data_about_persons_is_found() {
        for (text, expected) in [
            ("Write to jane.doe@acme.com.", "e-mail"),
            ("DE89 3704 0044 0532 0130 00", "IBAN"),
            ("4111 1111 1111 1111", "card"),
            ("SSN 123-45-6789", "social"),
            ("Call +49 30 1234567", "telephone"),
            ("Tel.: 030 / 123 45 67", "telephone"),
            ("(555) 123-4567", "telephone"),
            ("Jane Doe, born on 12 May 1980", "birth"),
            ("geboren am 12.5.1980", "birth"),
        ] {
            let found = personal(text).map(|(_, what)| what);
            assert!(found.is_some_and(|what| what.contains(expected)), "{text}: {found:?}");
        }
        for text in [
            "Write to support@acme.com or git@github.com.",
            "someone@example.org",
            "DE89 3704 0044 0532 0130 01",
            "4111 1111 1111 1112",
            "Version 1.2.3-4567 from 2024-05-12",
            "TorchTensor[3, 224, 224] holds 150528 numbers",
            "founded in 1980",
            "10.5281/zenodo.1234567",
        ] {
            assert_eq!(personal(text), None, "{text}");
        }
    }
}
