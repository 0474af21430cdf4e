//! Fields of forms and queries, as `application/x-www-form-urlencoded` has them.

/// The fields of a form, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a query or a form's body. What is not UTF-8 becomes replacement characters.
    pub fn read(text: &str) -> Form {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Form(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(name), decode(value))
                })
                .collect(),
        )
    }

    /// The trimmed value of a field; empty where there is none.
    pub fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
    }

    /// The value of a field that holds something.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|value| !value.is_empty())
    }

    /// A number; `None` where it is missing or none.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.given(name)?.parse().ok()
    }
}

/// `+` and `%41` become what they stand for.
pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => match hexadecimal(after) {
                Some(byte) => {
                    rest = &after[2..];
                    byte
                }
                None => b'%',
            },
            other => *other,
        });
    }
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn hexadecimal(rest: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*rest.get(at)?).to_digit(16);
    u8::try_from(16 * digit(0)? + digit(1)?).ok()
}

/// A value as it stands in a query.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_browsers_write_them() {
        let form =
            Form::read("question=What+is+%22it%22%3F%0D%0A&k=3&&empty=&broken=%4&half=%zz&k=4&%C3%A9=%FF");
        for (name, value) in [
            ("question", "What is \"it\"?"),
            ("k", "3"),
            ("empty", ""),
            ("broken", "%4"),
            ("half", "%zz"),
            ("é", "\u{fffd}"),
            ("absent", ""),
        ] {
            assert_eq!(form.text(name), value, "{name}");
        }
        assert_eq!((form.number("k"), form.number("question")), (Some(3), None));
        assert_eq!(decode(&encode("a b&c=é%")), "a b&c=é%");
    }
}
