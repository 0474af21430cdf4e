//! The ways in which a hidden text is written by those who are talked into giving it away: as it is, or encoded. The
//! encodings are those that extraction attacks ask for (Zhang, Carlini and Ippolito 2024, arXiv 2307.06865; the probes of
//! garak), since a comparison of words alone would not see them.

/// How a leaked text was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leak {
    /// As it is.
    Plain,
    /// In Base64 (RFC 4648).
    Base64,
    /// With every letter moved by thirteen.
    Rot13,
    /// Backwards.
    Reversed,
    /// With digits for letters.
    Leetspeak,
    /// With spaces or other signs between the letters.
    Spaced,
}

impl Leak {
    /// The name in metrics and receipts.
    pub fn as_str(self) -> &'static str {
        match self {
            Leak::Plain => "plain",
            Leak::Base64 => "base64",
            Leak::Rot13 => "rot13",
            Leak::Reversed => "reversed",
            Leak::Leetspeak => "leetspeak",
            Leak::Spaced => "spaced",
        }
    }
}

/// An answer as it would be without each of the encodings.
pub(super) fn forms(answer: &str) -> [(Leak, String); 5] {
    [
        (Leak::Plain, answer.to_owned()),
        (Leak::Base64, base64_words(answer)),
        (Leak::Rot13, rot13(answer)),
        (Leak::Reversed, answer.chars().rev().collect()),
        (Leak::Leetspeak, from_leetspeak(answer)),
    ]
}

/// Letters and digits in lower case; punctuation between them, which encodings and formats change, parts words.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// The text behind whatever looks like Base64.
fn base64_words(text: &str) -> String {
    let mut decoded = String::new();
    for word in
        text.split(|character: char| character.is_whitespace() || matches!(character, '`' | '"' | '\''))
    {
        if word.len() >= 16
            && let Some(bytes) = base64(word)
        {
            decoded.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    decoded
}

/// RFC 4648, sections 4 and 5: both alphabets, padding or not.
pub(super) fn base64(word: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut held, mut bits) = (Vec::with_capacity(word.len() * 3 / 4), 0_u32, 0);
    for character in word.trim_end_matches('=').bytes() {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        held = held << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits & 0xff) as u8);
        }
    }
    Some(bytes)
}

pub(super) fn rot13(text: &str) -> String {
    let turn = |character: char, first: u8| char::from((character as u8 - first + 13) % 26 + first);
    text.chars()
        .map(|character| match character {
            'a'..='z' => turn(character, b'a'),
            'A'..='Z' => turn(character, b'A'),
            other => other,
        })
        .collect()
}

fn from_leetspeak(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '0' => 'o',
            '1' => 'i',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn both_alphabets_are_read() {
        for (encoded, expected) in [
            ("QSBmYWN0Lg==", "A fact."),
            ("QSBmYWN0Lg", "A fact."),
            ("Pz8_Pj4-", "???>>>"),
            ("Pz8/Pj4+", "???>>>"),
        ] {
            assert_eq!(base64(encoded).unwrap(), expected.as_bytes());
        }
        assert_eq!(base64("no base64!"), None);
    }
}
