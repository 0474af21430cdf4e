//! Token usage as the upstream reports it: in the last event of a stream, or at the end of a JSON body.

use bytes::Bytes;
use memchr::memmem;
use serde::Deserialize;

use crate::chat::SseDecoder;

/// A JSON answer longer than this is not read along.
const MAX_JSON_BYTES: usize = 1 << 20;
/// An event longer than this is not read along.
const MAX_EVENT_BYTES: usize = 64 * 1024;

/// Tokens as the upstream counted them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Tokens of the prompt that came from the upstream's prompt cache.
    pub cached_tokens: u64,
    /// Tokens of the answer.
    pub completion_tokens: u64,
}

/// Reads an answer along. Memory is bounded; what cannot be read counts as not reported.
#[derive(Debug)]
pub struct UsageReader {
    form: Form,
    usage: Option<Usage>,
}

#[derive(Debug)]
enum Form {
    Events(SseDecoder),
    Json(Vec<u8>),
    /// Compressed, too long, or of another type.
    Unread,
}

impl UsageReader {
    /// A reader for an answer with this `Content-Type` and `Content-Encoding`.
    pub fn new(content_type: Option<&str>, content_encoding: Option<&str>) -> Self {
        let form = match (content_type, content_encoding) {
            (_, Some(encoding)) if encoding != "identity" => Form::Unread,
            (Some(media), _) if media.starts_with("text/event-stream") => {
                Form::Events(SseDecoder::new(MAX_EVENT_BYTES))
            }
            (Some(media), _) if media.starts_with("application/json") => Form::Json(Vec::new()),
            _ => Form::Unread,
        };
        UsageReader { form, usage: None }
    }

    /// Reads what goes by.
    pub fn data(&mut self, bytes: &Bytes) {
        match &mut self.form {
            Form::Events(decoder) => {
                let usage = &mut self.usage;
                decoder.feed(bytes, |event| {
                    // Most events hold none: a search is cheaper than parsing them.
                    if memmem::find(event.data, b"\"usage\"").is_some() {
                        *usage = parse(event.data).or(*usage);
                    }
                });
            }
            Form::Json(read) if read.len() + bytes.len() <= MAX_JSON_BYTES => {
                read.extend_from_slice(bytes);
            }
            Form::Json(_) => self.form = Form::Unread,
            Form::Unread => {}
        }
    }

    /// What was reported.
    pub fn finish(self) -> Option<Usage> {
        match self.form {
            Form::Json(read) => parse(&read),
            Form::Events(_) | Form::Unread => self.usage,
        }
    }
}

#[derive(Deserialize)]
struct Reported {
    usage: Option<Counts>,
    /// The last event of a Responses stream holds the whole response.
    response: Option<Box<Reported>>,
}

#[derive(Deserialize)]
struct Counts {
    #[serde(default, alias = "input_tokens")]
    prompt_tokens: u64,
    #[serde(default, alias = "output_tokens")]
    completion_tokens: u64,
    #[serde(default, alias = "input_tokens_details")]
    prompt_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

fn parse(json: &[u8]) -> Option<Usage> {
    let reported = serde_json::from_slice::<Reported>(json).ok()?;
    let counts = reported.usage.or_else(|| reported.response?.usage)?;
    Some(Usage {
        prompt_tokens: counts.prompt_tokens,
        cached_tokens: counts.prompt_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0),
        completion_tokens: counts.completion_tokens,
    })
}
