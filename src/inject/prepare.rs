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

impl Recipe {
    /// The bytes that a turn gets for these items, in the order in which they are told.
    pub fn render(&self, items: &[&Prepared]) -> Result<Vec<u8>, RenderError> {
        let bare: Vec<(&Item, &str)> =
            items.iter().map(|prepared| (&*prepared.item, &*prepared.brand)).collect();
        Ok(match self.placement {
            Placement::Pairs | Placement::Lead => {
                items.iter().flat_map(|prepared| prepared.messages.bytes()).collect()
            }
            Placement::Message => format!("{},", message("system", &self.block(&bare)?)).into_bytes(),
            Placement::Inline => {
                format!("{}\\n\\n", encode_string(self.block(&bare)?.trim_end())).into_bytes()
            }
        })
    }
}

fn message(role: &str, content: &str) -> String {
    format!("{{\"role\":\"{role}\",\"content\":\"{}\"}}", encode_string(content))
}
