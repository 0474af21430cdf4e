//! Prompts: a text that the model continues, or a list of such texts, each for itself.

use super::conversation::Unreadable;
use super::dialect::Listed;
use super::json::{Cursor, Kind, Malformed};
use super::message::{Content, Message, Role};
use super::transcript::{beginning, stretches};

/// Of a prompt in which nobody is seen to speak, so many bytes are looked at. What is put in front of a text
/// must not change when the text goes on, so it must not depend on how it ends.
const HEAD_BYTES: usize = 2_000;

/// Reads the value of `prompt`.
pub(super) fn read_prompts(cursor: &mut Cursor<'_>) -> Result<Listed, Malformed> {
    let mut prompts = Prompts { messages: Vec::new(), longest: 0 };
    let refuse = |reason| Listed { messages: Err(reason), longest: None };
    match cursor.kind()? {
        Kind::String => prompts.read(cursor)?,
        Kind::Array => {
            let (mut texts, mut tokens) = (false, false);
            let mut more = cursor.enter(b'[')?;
            while more {
                if cursor.kind()? == Kind::String {
                    prompts.read(cursor)?;
                    texts = true;
                } else {
                    cursor.skip_value()?;
                    tokens = true;
                }
                more = cursor.another(b'[')?;
            }
            match (texts, tokens) {
                // To some servers that is one prompt of both.
                (true, true) => return Ok(refuse(Unreadable::Ambiguous)),
                (false, true) => return Ok(refuse(Unreadable::Tokens)),
                (_, false) => {}
            }
        }
        Kind::Object | Kind::Null | Kind::Scalar => {
            cursor.skip_value()?;
            return Ok(refuse(Unreadable::Ambiguous));
        }
    }
    Ok(Listed { messages: Ok(prompts.messages), longest: Some(prompts.longest) })
}

struct Prompts {
    messages: Vec<Message>,
    longest: usize,
}

impl Prompts {
    /// Reads one prompt: its turns where it is a transcript, else one turn that is its beginning.
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Malformed> {
        let span = cursor.string()?;
        let raw = cursor.slice(span.clone());
        self.longest = self.longest.max(raw.len());
        let alone = || vec![(Role::User, 0..beginning(raw, HEAD_BYTES).len())];
        let said = stretches(raw).unwrap_or_else(alone);
        self.messages.extend(said.into_iter().enumerate().map(|(number, (role, stretch))| {
            let span = span.start + stretch.start..span.start + stretch.end;
            Message {
                span: span.clone(),
                role,
                content: Content::Prompt(span),
                tool_calls: 0,
                opens: number == 0,
            }
        }));
        Ok(())
    }
}
