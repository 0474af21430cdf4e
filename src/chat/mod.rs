//! The OpenAI wire: byte spans of messages, turns, roles, event streams and error bodies. Pure: bytes
//! in, values out. It never writes JSON of a client anew; it only says where things are.

mod conversation;
mod dialect;
mod error_body;
mod json;
mod sse;
mod text;
mod turn;

pub use conversation::{Content, Conversation, Message, Role, Unreadable};
pub use dialect::Dialect;
pub use error_body::error_body;
pub use json::{MAX_DEPTH, Malformed, check as check_json};
pub use sse::{Event, SseDecoder};
pub use text::{decode_string, encode_string, quote_string};
pub use turn::Turn;
