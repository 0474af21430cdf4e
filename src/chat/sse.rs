//! Server-sent events, read incrementally: the events do not depend on how the bytes were cut into
//! chunks. Follows the event stream format of the HTML standard, section 9.2.6, without reconnection.

use memchr::memchr2;

/// One dispatched event, borrowed from the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// The `event` field; empty means `message`.
    pub name: &'a [u8],
    /// The `data` fields, joined by a line feed.
    pub data: &'a [u8],
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
    pub fn feed(&mut self, mut chunk: &[u8], mut dispatch: impl FnMut(Event<'_>)) {
        while !chunk.is_empty() {
            if std::mem::take(&mut self.after_carriage_return) && chunk[0] == b'\n' {
                chunk = &chunk[1..];
                continue;
            }
            let Some(end) = memchr2(b'\n', b'\r', chunk) else {
                self.keep(chunk);
                return;
            };
            self.after_carriage_return = chunk[end] == b'\r';
            self.complete_line(&chunk[..end], &mut dispatch);
            chunk = &chunk[end + 1..];
        }
    }

    /// The rest of a line has come; most lines come whole and are not copied.
    fn complete_line(&mut self, rest: &[u8], dispatch: &mut impl FnMut(Event<'_>)) {
        let fits = !self.too_long && self.data.len() + rest.len() <= self.limit;
        if self.line.is_empty() && fits {
            return self.end_line(rest, dispatch);
        }
        self.keep(rest);
        let mut line = std::mem::take(&mut self.line);
        self.end_line(&line, dispatch);
        // The buffer is kept for the next line.
        line.clear();
        self.line = line;
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

    fn end_line(&mut self, line: &[u8], dispatch: &mut impl FnMut(Event<'_>)) {
        let at_start = std::mem::take(&mut self.at_start);
        let line = line.strip_prefix("\u{feff}".as_bytes()).filter(|_| at_start).unwrap_or(line);
        if line.is_empty() { self.end_event(dispatch) } else { self.field(line) }
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
            b"event" => {
                self.name.clear();
                self.name.extend_from_slice(value);
            }
            _ => {}
        }
    }

    fn end_event(&mut self, dispatch: &mut impl FnMut(Event<'_>)) {
        let has_data = std::mem::take(&mut self.has_data);
        if std::mem::take(&mut self.too_long) {
            self.skipped += 1;
        } else if has_data {
            dispatch(Event { name: &self.name, data: &self.data });
        }
        self.name.clear();
        self.data.clear();
    }
}
