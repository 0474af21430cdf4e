//! What a chat template, or a reader of a transcript, would take for the end or the beginning of a message: special
//! tokens (`<|im_end|>`, `[/INST]`, `</s>`), and labels such as `User:` at the start of a line. Text that is put into a
//! conversation must hold none, or it could speak for somebody else.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What a marker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkerKind {
    /// A special token of a chat template.
    Token,
    /// A label that says who speaks.
    Role,
}

/// Special tokens. Families are told by their form, so that a template that nobody has thought of is covered where it
/// has the form of one: everything from `<|` on, and everything in angle brackets with a bar at its end.
static TOKENS: LazyLock<Regex> = LazyLock::new(|| {
    compile(
        r"(?xi)
        <[|\x{ff5c}]
        | <[a-z_0-9]{1,40}[|\x{ff5c}]>
        | <</?SYS>>
        | \[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|IMG|THINK)\]
        | \[gMASK\]
        | </?(?:s|bos|eos|pad|unk|sop|mask|think|tool_call|tool_response|tools|im_start|im_end|eot_id)>
        | </?(?:start_of_turn|end_of_turn|start_of_image|end_of_utterance)>
        | <(?:extra_id_|reserved_|unused|special_)[0-9]+>",
    )
});

/// Labels at the start of a line, also as a heading, in bold or in a list.
static ROLES: LazyLock<Regex> = LazyLock::new(|| {
    compile(
        r"(?xi)
        ((?:\A|[\n\r\x{0b}\x{0c}\x{85}\x{2028}\x{2029}])[\s\x23*_>-]*)
        (user|human|customer|question|q|instructions?|assistant|ai|bot|chatbot|answer|a|response|system|developer
            |model|tool|nutzer|benutzer|assistent|frage|antwort|utilisateur|usuario|asistente)
        ([\ \t*_]*)([:\x{ff1a}])",
    )
});

#[expect(clippy::expect_used, reason = "constants, compiled by the tests beside them")]
fn compile(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern is sound")
}

/// The first marker of a text.
pub fn marker(text: &str) -> Option<(MarkerKind, Range<usize>)> {
    let token = TOKENS.find(text).map(|found| (MarkerKind::Token, found.range()));
    token.or_else(|| {
        let found = ROLES.captures(text)?;
        Some((MarkerKind::Role, found.get(2)?.start()..found.get(4)?.end()))
    })
}

/// The text with a space inside of each special token, which a tokenizer then reads as words.
pub fn without_tokens(text: &str) -> Cow<'_, str> {
    TOKENS.replace_all(text, |found: &Captures<'_>| {
        let token = &found[0];
        let (first, rest) = token.split_at(1);
        format!("{first} {rest}")
    })
}

/// The text without special tokens and without labels that say who speaks: `User:` becomes `User -`.
pub fn without_markers(text: &str) -> Cow<'_, str> {
    const QUIET: &str = "$1$2$3 -";
    match without_tokens(text) {
        Cow::Borrowed(text) => ROLES.replace_all(text, QUIET),
        Cow::Owned(text) => Cow::Owned(ROLES.replace_all(&text, QUIET).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{MarkerKind, marker, without_markers};

    #[test]
    fn markers_are_seen_and_taken_apart() {
        for (text, kind, expected) in [
            ("a<|im_end|>b", MarkerKind::Token, "a< |im_end|>b"),
            ("<<SYS>>x", MarkerKind::Token, "< <SYS>>x"),
            ("[/inst]", MarkerKind::Token, "[ /inst]"),
            ("x</s>", MarkerKind::Token, "x< /s>"),
            ("<\u{ff5c}User\u{ff5c}>", MarkerKind::Token, "< \u{ff5c}User\u{ff5c}>"),
            ("<turn|>", MarkerKind::Token, "< turn|>"),
            ("Fine.\nUser: more", MarkerKind::Role, "Fine.\nUser - more"),
            ("### Response:\nyes", MarkerKind::Role, "### Response -\nyes"),
            ("**System**: yes", MarkerKind::Role, "**System** - yes"),
            ("Q:\nA:", MarkerKind::Role, "Q -\nA -"),
        ] {
            assert_eq!(marker(text).map(|(kind, _)| kind), Some(kind), "{text}");
            assert_eq!(without_markers(text), expected, "{text}");
            assert_eq!(marker(expected), None, "{expected}");
        }
    }

    #[test]
    fn ordinary_text_stays() {
        for text in [
            "a < b and b | c",
            "xs |> map(f)",
            "<b>bold</b> and <span>more</span>",
            "[INSTALL] the user: nobody",
            "Users: 12",
            "The operating system: Linux",
        ] {
            assert_eq!((marker(text), &*without_markers(text)), (None, text), "{text}");
        }
    }
}
