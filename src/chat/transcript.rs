//! Who says what in a conversation that a client has written into one text: with labels at the start of
//! lines (`User:`, `Q:`, `### Instruction:`), or with the tokens of a chat template (`<|im_start|>user`).
//!
//! Where a stretch begins and that it has ended depends on the text up to there alone, so that a text that
//! goes on keeps the stretches that it had.

use std::ops::Range;

use super::message::Role;

/// Tokens that begin what somebody says. `Other`: nobody does from here on.
const TOKENS: &[(&str, Role)] = &[
    ("<|im_start|>user", Role::User),
    ("<|im_start|>assistant", Role::Assistant),
    ("<|im_start|>system", Role::System),
    ("<|im_start|>tool", Role::Tool),
    ("<|im_end|>", Role::Other),
    ("<|start_header_id|>user<|end_header_id|>", Role::User),
    ("<|start_header_id|>assistant<|end_header_id|>", Role::Assistant),
    ("<|start_header_id|>system<|end_header_id|>", Role::System),
    ("<|eot_id|>", Role::Other),
    ("<|header_start|>user<|header_end|>", Role::User),
    ("<|header_start|>assistant<|header_end|>", Role::Assistant),
    ("<|header_start|>system<|header_end|>", Role::System),
    ("<|eot|>", Role::Other),
    ("<|START_OF_TURN_TOKEN|><|USER_TOKEN|>", Role::User),
    ("<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>", Role::Assistant),
    ("<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>", Role::System),
    ("<|END_OF_TURN_TOKEN|>", Role::Other),
    ("<|user|>", Role::User),
    ("<|assistant|>", Role::Assistant),
    ("<|system|>", Role::System),
    ("<|end|>", Role::Other),
    ("<|endoftext|>", Role::Other),
    ("<start_of_turn>user", Role::User),
    ("<start_of_turn>model", Role::Assistant),
    ("<end_of_turn>", Role::Other),
    ("<\u{ff5c}User\u{ff5c}>", Role::User),
    ("<\u{ff5c}Assistant\u{ff5c}>", Role::Assistant),
    ("[SYSTEM_PROMPT]", Role::System),
    ("[/SYSTEM_PROMPT]", Role::Other),
    ("[INST]", Role::User),
    ("[/INST]", Role::Assistant),
    ("<<SYS>>", Role::System),
    ("<</SYS>>", Role::User),
    ("</s>", Role::Other),
];

/// Words before a colon at the start of a line, in small letters.
const LABELS: &[(&str, Role)] = &[
    ("user", Role::User),
    ("human", Role::User),
    ("customer", Role::User),
    ("question", Role::User),
    ("q", Role::User),
    ("instruction", Role::User),
    ("assistant", Role::Assistant),
    ("ai", Role::Assistant),
    ("bot", Role::Assistant),
    ("chatbot", Role::Assistant),
    ("answer", Role::Assistant),
    ("a", Role::Assistant),
    ("response", Role::Assistant),
    ("system", Role::System),
];

/// A label with what may stand before it is not longer.
const LONGEST_LABEL: usize = 24;

/// What one speaker says: a byte range of the raw text, without the white space around it.
pub(super) type Stretch = (Role, Range<usize>);

/// The stretches of a raw JSON string's inside, in order; what stands before the first is nobody's. `None`
/// where no user is seen to speak.
pub(super) fn stretches(raw: &str) -> Option<Vec<Stretch>> {
    let mut found = Found { stretches: Vec::new(), role: Role::Other, said: None };
    let mut form = None;
    let mut is_transcript = false;
    let mut starts_line = true;
    let mut at = 0;
    while let Some((char, next)) = char_at(raw, at) {
        let mark = match char {
            '<' | '[' => token_at(raw, at),
            _ if starts_line => label_at(raw, at),
            _ => None,
        };
        // The first one tells which form the text has: a `Q:` inside of a rendered template is no label.
        // A token that ends something does not tell.
        let mark = mark.filter(|mark| form.map_or(mark.role != Role::Other, |form| form == mark.form));
        if let Some(mark) = mark {
            form = Some(mark.form);
            is_transcript |= mark.role == Role::User;
            found.begin(mark.role);
            starts_line = false;
            at = mark.end;
        } else {
            found.hear(char, at, next);
            starts_line = char == '\n';
            at = next;
        }
    }
    found.begin(Role::Other);
    is_transcript.then_some(found.stretches)
}

/// The longest beginning of a raw JSON string's inside of at most `most` bytes that cuts no escape.
pub(super) fn beginning(raw: &str, most: usize) -> &str {
    if raw.len() <= most {
        return raw;
    }
    let mut end = 0;
    while let Some((_, next)) = char_at(raw, end).filter(|(_, next)| *next <= most) {
        end = next;
    }
    &raw[..end]
}

struct Found {
    stretches: Vec<Stretch>,
    /// Who speaks now.
    role: Role,
    /// From the first to the last of what is not white space.
    said: Option<Range<usize>>,
}

impl Found {
    /// Somebody else begins to speak.
    fn begin(&mut self, role: Role) {
        let role = std::mem::replace(&mut self.role, role);
        self.stretches.extend(self.said.take().map(|said| (role, said)));
    }

    fn hear(&mut self, char: char, at: usize, next: usize) {
        if !char.is_whitespace() {
            self.said.get_or_insert(at..next).end = next;
        }
    }
}

/// A label or token.
struct Mark {
    role: Role,
    form: Form,
    /// Where what is said begins.
    end: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Labels,
    Tokens,
}

fn token_at(raw: &str, at: usize) -> Option<Mark> {
    TOKENS.iter().find_map(|(token, role)| {
        let end = token.chars().try_fold(at, |at, expected| match char_at(raw, at) {
            Some((char, next)) if char == expected => Some(next),
            _ => None,
        })?;
        Some(Mark { role: *role, form: Form::Tokens, end })
    })
}

/// A word and a colon at the start of a line, also as a heading or in bold.
fn label_at(raw: &str, mut at: usize) -> Option<Mark> {
    let mut word = String::new();
    for _ in 0..LONGEST_LABEL {
        let (char, next) = char_at(raw, at)?;
        at = next;
        match char {
            ' ' | '\t' | '#' | '*' if word.is_empty() => {}
            'a'..='z' | 'A'..='Z' => word.push(char.to_ascii_lowercase()),
            ':' => {
                let role = LABELS.iter().find(|(label, _)| *label == word).map(|(_, role)| *role)?;
                while let Some(('*', next)) = char_at(raw, at) {
                    at = next;
                }
                return Some(Mark { role, form: Form::Labels, end: at });
            }
            _ => return None,
        }
    }
    None
}

/// The character that is written at `at`, and where the next one is. A half of a surrogate pair counts as
/// one that is in no label.
fn char_at(raw: &str, at: usize) -> Option<(char, usize)> {
    let rest = &raw[at..];
    let first = rest.chars().next()?;
    if first != '\\' {
        return Some((first, at + first.len_utf8()));
    }
    let escaped = rest.as_bytes().get(1)?;
    Some(match escaped {
        b'n' => ('\n', at + 2),
        b'r' => ('\r', at + 2),
        b't' => ('\t', at + 2),
        b'u' => {
            let code = u32::from_str_radix(rest.get(2..6)?, 16).ok()?;
            (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), at + 6)
        }
        other => (char::from(*other), at + 2),
    })
}

#[cfg(test)]
mod tests {
    use super::{Role, beginning, stretches};

    fn said(raw: &str) -> Vec<(Role, &str)> {
        stretches(raw).into_iter().flatten().map(|(role, span)| (role, &raw[span])).collect()
    }

    #[test]
    fn labels_and_tokens_say_who_speaks() {
        use Role::{Assistant, Other, System, User};
        for (raw, expected) in [
            (
                r"User: a\nAssistant: b\nUser: c d\nAssistant:",
                vec![(User, "a"), (Assistant, "b"), (User, "c d")],
            ),
            (r"Be brief.\n\nQ: a\nA:", vec![(Other, "Be brief."), (User, "a")]),
            (r"### Instruction:\na\n\n### Response:\nb", vec![(User, "a"), (Assistant, "b")]),
            (r"**Human:** a\r\n**AI:** ", vec![(User, "a")]),
            (
                r"\u003c|im_start|\u003euser\na \u0022b\u0022<|im_end|>\n<|im_start|>assistant\n",
                vec![(User, r"a \u0022b\u0022")],
            ),
            (
                r"<s>[INST] <<SYS>>\ns\n<</SYS>>\n\na\nQ: b [/INST] c</s>[INST] d [/INST]",
                vec![(Other, "<s>"), (System, "s"), (User, r"a\nQ: b"), (Assistant, "c"), (User, "d")],
            ),
            // Labels that begin no line, and a line that only looks like one.
            (r"Tell the User: hello\nUserland: x", vec![]),
            (r"Assistant: nobody asked", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(said(raw), expected, "{raw}");
        }
    }

    #[test]
    fn a_cut_spares_escapes() {
        assert_eq!(beginning(r"ab\u00e9c", 7), "ab");
        assert_eq!(beginning(r"ab\u00e9c", 8), r"ab\u00e9");
        assert_eq!(beginning("aé", 2), "a");
        assert_eq!(beginning("ab", 2), "ab");
    }
}
