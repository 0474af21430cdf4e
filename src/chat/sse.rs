//! Server-sent events, read incrementally: the events do not depend on how the bytes were cut into
//! chunks. Follows the event stream format of the HTML standard, section 9.2.6, without reconnection.

use memchr::memchr2;

/// One dispatched event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The `event` field; empty means `message`.
    pub name: String,
    /// The `data` fields, joined by a line feed.
    pub data: Vec<u8>,
}

/// Turns bytes into events. Memory is bounded by `limit` bytes an event: what is longer is skipped and
/// counted, never kept.
#[derive(Debug)]
pub struct SseDecoder {
    limit: usize,
    line: Vec<u8>,
    name: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    too_long: bool,
    after_carriage_return: bool,
    at_start: bool,
    skipped: usize,
}

impl SseDecoder {
    /// A decoder that keeps at most `limit` bytes of an event.
    pub fn new(limit: usize) -> Self {
        SseDecoder {
            limit,
            line: Vec::new(),
            name: Vec::new(),
            data: Vec::new(),
            has_data: false,
            too_long: false,
            after_carriage_return: false,
            at_start: true,
            skipped: 0,
        }
    }

    /// Reads a chunk and hands each event that it completes to `dispatch`.
    pub fn feed(&mut self, mut chunk: &[u8], mut dispatch: impl FnMut(Event)) {
        while !chunk.is_empty() {
            if std::mem::take(&mut self.after_carriage_return) && chunk[0] == b'\n' {
                chunk = &chunk[1..];
                continue;
            }
            match memchr2(b'\n', b'\r', chunk) {
                None => {
                    self.keep(chunk);
                    return;
                }
                Some(end) => {
                    self.after_carriage_return = chunk[end] == b'\r';
                    self.keep(&chunk[..end]);
                    chunk = &chunk[end + 1..];
                    if let Some(event) = self.end_line() {
                        dispatch(event);
                    }
                }
            }
        }
    }

    /// How many events were longer than the limit.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.line.len() + self.data.len() + bytes.len() > self.limit {
            self.too_long = true;
            self.line.clear();
        }
        if !self.too_long {
            self.line.extend_from_slice(bytes);
        } else if self.line.is_empty() && !bytes.is_empty() {
            // Remembers only that the line is not empty: an empty one ends the event.
            self.line.push(b':');
        }
    }

    fn end_line(&mut self) -> Option<Event> {
        let mut line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.at_start) && line.starts_with("\u{feff}".as_bytes()) {
            line.drain(..3);
        }
        let event = if line.is_empty() { self.end_event() } else { None };
        self.field(&line);
        line.clear();
        // The buffer is kept for the next line.
        self.line = line;
        event
    }

    fn field(&mut self, line: &[u8]) {
        let colon = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            b"event" => self.name = value.to_vec(),
            _ => {}
        }
    }

    fn end_event(&mut self) -> Option<Event> {
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        let has_data = std::mem::take(&mut self.has_data);
        if std::mem::take(&mut self.too_long) {
            self.skipped += 1;
            return None;
        }
        has_data.then(|| Event { name: String::from_utf8_lossy(&name).into_owned(), data })
    }
}
