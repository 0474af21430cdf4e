//! What of the inserted bytes is the recipe's and not the brand's: what an answer must not give away.

use serde_json::Value;

use super::plan::Placed;
use super::recipe::Placement;
use crate::chat::decode_string;
use crate::leaks::Inserted;

/// What was inserted, as a watch over the answer looks for it: the texts that the user or the system is made to say,
/// without the facts in them, and the ids of the items. What the assistant is made to say is the model's to repeat.
pub fn inserted(placed: &[Placed], placement: Placement) -> Inserted {
    let mut inserted = Inserted::new();
    for placed in placed {
        let public: Vec<&str> = placed.items.iter().flat_map(|item| [item.title(), item.text()]).collect();
        for text in hidden(placed, placement) {
            inserted = inserted.hidden(&text, &public);
        }
        for item in placed.items.iter() {
            // An id that somebody has chosen may be an address's end too; one that is made from a heading is not.
            if item.id.contains('#') {
                inserted = inserted.mark(&item.id);
            }
        }
    }
    inserted
}

fn hidden(placed: &Placed, placement: Placement) -> Vec<String> {
    let Ok(bytes) = std::str::from_utf8(&placed.bytes) else { return Vec::new() };
    if let Some(messages) = bytes.strip_suffix(',').filter(|bytes| bytes.starts_with('{')) {
        let messages: Vec<Value> = serde_json::from_str(&format!("[{messages}]")).unwrap_or_default();
        let spoken = messages.iter().filter(|message| message["role"] != "assistant");
        return spoken.filter_map(|message| message["content"].as_str().map(str::to_owned)).collect();
    }
    let text = decode_string(bytes);
    match placement {
        // A pair is two lines, of which the first is the user's.
        Placement::Pairs | Placement::Lead => {
            text.split("\n\n").filter_map(|pair| pair.lines().next()).map(str::to_owned).collect()
        }
        Placement::Message | Placement::Inline => vec![text.into_owned()],
    }
}
