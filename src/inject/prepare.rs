//! Items as a recipe tells them: rendered and counted once, when a snapshot is built.

use std::sync::Arc;

use super::recipe::{Placement, Recipe, RenderError};
use crate::chat::encode_string;
use crate::knowledge::Item;

/// Tokens that chat templates put around a message, counted for each message that is added.
const MESSAGE_OVERHEAD_TOKENS: u32 = 4;

/// An item under one recipe.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The item itself.
    pub item: Arc<Item>,
    /// The canonical spelling of its brand.
    brand: Arc<str>,
    /// For `pairs` and `lead`: the messages as JSON, each followed by a comma. Empty otherwise.
    messages: String,
    /// Tokens that the item adds.
    pub tokens: u32,
}

impl Prepared {
    /// Renders `item` and counts its tokens with `count`.
    pub fn new(
        recipe: &Recipe,
        item: Arc<Item>,
        brand: Arc<str>,
        mut count: impl FnMut(&str) -> u32,
    ) -> Result<Prepared, RenderError> {
        match recipe.placement {
            Placement::Pairs | Placement::Lead => {
                let (user, assistant) = recipe.pair(&item, &brand)?;
                let tokens = count(&user) + count(&assistant) + 2 * MESSAGE_OVERHEAD_TOKENS;
                let messages = format!("{},{},", message("user", &user), message("assistant", &assistant));
                Ok(Prepared { item, brand, messages, tokens })
            }
            Placement::Message | Placement::Inline => {
                // Counted as if it stood alone: together items share the frame, so this is never too few.
                let tokens = count(&recipe.block(&[(&item, &brand)])?) + MESSAGE_OVERHEAD_TOKENS;
                Ok(Prepared { item, brand, messages: String::new(), tokens })
            }
        }
    }
}

/// What a turn is made of, which decides what is inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Messages, as JSON objects.
    Messages,
    /// Running text inside of a JSON string.
    Text,
}

impl Recipe {
    /// The bytes that a turn gets for these items, in the order in which they are told.
    pub fn render(&self, items: &[&Prepared], form: Form) -> Result<Vec<u8>, RenderError> {
        let bare: Vec<(&Item, &str)> =
            items.iter().map(|prepared| (&*prepared.item, &*prepared.brand)).collect();
        if form == Form::Text {
            return Ok(encode_string(&self.prose(&bare)?).into_bytes());
        }
        Ok(match self.placement {
            Placement::Pairs | Placement::Lead => {
                items.iter().flat_map(|prepared| prepared.messages.bytes()).collect()
            }
            Placement::Message => format!("{},", message("system", &self.block(&bare)?)).into_bytes(),
            Placement::Inline => encode_string(&self.prose(&bare)?).into_bytes(),
        })
    }
}

impl Recipe {
    /// The items as text, ended by an empty line: a pair's two texts are two lines.
    fn prose(&self, items: &[(&Item, &str)]) -> Result<String, RenderError> {
        match self.placement {
            Placement::Pairs | Placement::Lead => items
                .iter()
                .map(|(item, brand)| {
                    self.pair(item, brand).map(|(user, assistant)| format!("{user}\n{assistant}\n\n"))
                })
                .collect(),
            Placement::Message | Placement::Inline => Ok(format!("{}\n\n", self.block(items)?.trim_end())),
        }
    }
}

fn message(role: &str, content: &str) -> String {
    format!("{{\"role\":\"{role}\",\"content\":\"{}\"}}", encode_string(content))
}
