//! The OpenAI wire: byte spans of messages, turns, roles, event streams and error bodies. Pure: bytes
//! in, values out. It never writes JSON of a client anew; it only says where things are.

mod conversation;
mod cut;
mod dialect;
mod error_body;
mod events;
mod footer;
mod json;
mod markers;
mod message;
mod paths;
mod prompt;
mod sse;
mod strings;
mod text;
mod transcript;
mod turn;

pub use conversation::{Conversation, Unreadable};
pub use cut::{Cutter, MustNotBeTold};
pub use dialect::Dialect;
pub use error_body::error_body;
pub use footer::Footer;
pub use json::{MAX_DEPTH, Malformed, check as check_json};
pub use markers::{MarkerKind, marker, without_markers, without_tokens};
pub use message::{Content, Message, Role};
pub use paths::Paths;
pub use sse::{Event, SseDecoder};
pub use text::{decode_string, encode_string, quote_string};
pub use turn::Turn;
