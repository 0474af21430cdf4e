//! An answer read along: the token usage that the upstream reports, and, where it is asked for, the text of each
//! choice. Memory is bounded; what cannot be read is missing, never wrong.

use std::borrow::Cow;
use std::io::Read;

use bytes::Bytes;
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::SseDecoder;
use crate::mentions::Stream;

/// A JSON answer longer than this is not read along.
const MAX_JSON_BYTES: usize = 1 << 20;
/// An event longer than this is not read along.
const MAX_EVENT_BYTES: usize = 64 * 1024;
/// Bytes of a compressed answer that are kept.
const MAX_COMPRESSED_BYTES: usize = 256 << 10;
/// Bytes that a compressed answer may unfold to.
const MAX_UNFOLDED_BYTES: u64 = 4 << 20;
/// Choices whose text is read.
const MAX_CHOICES: usize = 16;

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

/// What was read of an answer.
#[derive(Debug, Default)]
pub struct Reading {
    /// Tokens, as far as they were reported.
    pub usage: Option<Usage>,
    /// The text of each choice, in the order of their numbers; none where it was not asked for or cannot be read.
    pub texts: Vec<Stream>,
    /// A copy of a compressed answer, to be unfolded where nobody waits.
    pub compressed: Option<Compressed>,
}

/// A bounded copy of a compressed answer.
#[derive(Debug)]
pub struct Compressed {
    bytes: Vec<u8>,
    encoding: Encoding,
    media: Media,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Gzip,
    Deflate,
    Brotli,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Media {
    Events,
    Json,
}

/// Reads an answer along.
#[derive(Debug)]
pub struct AnswerReader {
    form: Form,
    with_text: bool,
    reading: Reading,
}

#[derive(Debug)]
enum Form {
    Events(SseDecoder),
    Json(Vec<u8>),
    Compressed(Compressed),
    /// Too long, or of another type.
    Unread,
}

impl AnswerReader {
    /// A reader for an answer with this `Content-Type` and `Content-Encoding`.
    pub fn new(content_type: Option<&str>, content_encoding: Option<&str>, with_text: bool) -> Self {
        let media = match content_type {
            Some(media) if media.starts_with("text/event-stream") => Some(Media::Events),
            Some(media) if media.starts_with("application/json") => Some(Media::Json),
            _ => None,
        };
        let form = match (media, content_encoding) {
            (None, _) => Form::Unread,
            (Some(media), None | Some("identity")) => Form::plain(media),
            // A copy is worth its memory only for the sake of the text.
            (Some(media), Some(encoding)) => match Encoding::of(encoding).filter(|_| with_text) {
                Some(encoding) => Form::Compressed(Compressed { bytes: Vec::new(), encoding, media }),
                None => Form::Unread,
            },
        };
        AnswerReader { form, with_text, reading: Reading::default() }
    }

    /// Reads what goes by.
    pub fn data(&mut self, bytes: &Bytes) {
        self.feed(bytes);
    }

    fn feed(&mut self, bytes: &[u8]) {
        match &mut self.form {
            Form::Events(decoder) => {
                let (reading, with_text) = (&mut self.reading, self.with_text);
                decoder.feed(bytes, |event| {
                    // Most events hold no usage: a search is cheaper than parsing them.
                    if with_text || memmem::find(event.data, b"\"usage\"").is_some() {
                        reading.take(event.data, with_text);
                    }
                });
            }
            Form::Json(read) if read.len() + bytes.len() <= MAX_JSON_BYTES => read.extend_from_slice(bytes),
            Form::Compressed(kept) if kept.bytes.len() + bytes.len() <= MAX_COMPRESSED_BYTES => {
                kept.bytes.extend_from_slice(bytes);
            }
            Form::Json(_) | Form::Compressed(_) => self.form = Form::Unread,
            Form::Unread => {}
        }
    }

    /// What was read.
    pub fn finish(mut self) -> Reading {
        match self.form {
            Form::Json(read) => self.reading.take(&read, self.with_text),
            Form::Compressed(kept) => self.reading.compressed = Some(kept),
            Form::Events(_) | Form::Unread => {}
        }
        self.reading
    }
}

impl Form {
    fn plain(media: Media) -> Form {
        match media {
            Media::Events => Form::Events(SseDecoder::new(MAX_EVENT_BYTES)),
            Media::Json => Form::Json(Vec::new()),
        }
    }
}

impl Encoding {
    fn of(name: &str) -> Option<Encoding> {
        match name.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Some(Encoding::Gzip),
            "deflate" => Some(Encoding::Deflate),
            "br" => Some(Encoding::Brotli),
            _ => None,
        }
    }
}

impl Compressed {
    /// The answer, read whole; `None` where it is broken or unfolds to too much.
    pub fn unfold(&self) -> Option<Reading> {
        let bytes = self.bytes.as_slice();
        let mut plain = Vec::new();
        let mut read = |source: &mut dyn Read| {
            source.take(MAX_UNFOLDED_BYTES + 1).read_to_end(&mut plain).map(|length| length as u64)
        };
        let length = match self.encoding {
            Encoding::Gzip => read(&mut flate2::read::MultiGzDecoder::new(bytes)),
            Encoding::Deflate => read(&mut flate2::read::ZlibDecoder::new(bytes)),
            Encoding::Brotli => read(&mut brotli_decompressor::Decompressor::new(bytes, 4 << 10)),
        };
        length.ok().filter(|&length| length <= MAX_UNFOLDED_BYTES)?;
        let mut reader =
            AnswerReader { form: Form::plain(self.media), with_text: true, reading: Reading::default() };
        reader.feed(&plain);
        Some(reader.finish())
    }
}

/// An answer, or a piece of one, in any dialect.
#[derive(Deserialize)]
struct Piece<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    choices: Vec<Choice<'a>>,
    /// A text in the events of Responses, an object elsewhere.
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output: Vec<Output<'a>>,
    usage: Option<Counts>,
    /// The last event of a Responses stream holds the whole response, whose texts have gone by.
    response: Option<Whole>,
}

#[derive(Deserialize)]
struct Whole {
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: usize,
    #[serde(borrow, alias = "delta")]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Output<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
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

impl Reading {
    fn take(&mut self, json: &[u8], with_text: bool) {
        let Ok(piece) = serde_json::from_slice::<Piece<'_>>(json) else { return };
        let counts = piece.usage.or_else(|| piece.response?.usage);
        self.usage = counts.map(Usage::from).or(self.usage);
        if !with_text {
            return;
        }
        for choice in piece.choices {
            if let Some(text) = choice.text {
                self.push(choice.index, &text);
            }
            if let Some(content) = choice.message.and_then(|message| message.content) {
                self.push_content(choice.index, content);
            }
        }
        for output in &piece.output {
            // Reasoning and calls are items of their own, without a content of text.
            if let Some(content) = output.content {
                self.push_content(0, content);
            }
        }
        if piece.kind.as_deref() == Some("response.output_text.delta")
            && let Some(text) =
                piece.delta.and_then(|delta| serde_json::from_str::<Cow<'_, str>>(delta.get()).ok())
        {
            self.push(0, &text);
        }
    }

    /// A content: a text, or a list of parts.
    fn push_content(&mut self, index: usize, content: &RawValue) {
        if let Ok(text) = serde_json::from_str::<Cow<'_, str>>(content.get()) {
            return self.push(index, &text);
        }
        let parts = serde_json::from_str::<Vec<Part<'_>>>(content.get()).unwrap_or_default();
        for part in parts {
            self.push(index, part.text.as_deref().unwrap_or_default());
        }
    }

    fn push(&mut self, index: usize, text: &str) {
        if index >= MAX_CHOICES || text.is_empty() {
            return;
        }
        if self.texts.len() <= index {
            self.texts.resize_with(index + 1, Stream::new);
        }
        self.texts[index].push(text);
    }
}

impl From<Counts> for Usage {
    fn from(counts: Counts) -> Usage {
        Usage {
            prompt_tokens: counts.prompt_tokens,
            cached_tokens: counts
                .prompt_tokens_details
                .and_then(|details| details.cached_tokens)
                .unwrap_or(0),
            completion_tokens: counts.completion_tokens,
        }
    }
}
