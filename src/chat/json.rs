//! A validating cursor over JSON text that reports where values are. One pass, no allocation, no
//! recursion. It accepts what RFC 8259 accepts, up to a fixed depth, and decodes nothing.
//!
//! `serde_json` is not used for this because it reports neither the offset of an object nor a repeated
//! key, and needs a second pass for the fields of each message. The tests hold this cursor against it.

use std::ops::Range;

use memchr::memchr2;

/// Deepest nesting of arrays and objects that is read; the same bound as `serde_json`'s.
pub const MAX_DEPTH: u32 = 128;

/// Why a text was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Not JSON; the byte offset at which that became clear.
    Syntax(usize),
    /// JSON nested deeper than [`MAX_DEPTH`].
    TooDeep,
}

/// What a value is, told by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    String,
    Null,
    Scalar,
}

/// Checks that `text` is exactly one JSON value.
pub fn check(text: &str) -> Result<(), Malformed> {
    let mut cursor = Cursor::new(text);
    cursor.skip_value()?;
    cursor.finish()
}

/// A place in a JSON text. Every method leaves it after what it has read.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Nesting of the value that the caller has entered by hand.
    depth: u32,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Cursor { text, bytes: text.as_bytes(), at: 0, depth: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The text of a range that was read.
    pub(super) fn slice(&self, span: Range<usize>) -> &'a str {
        &self.text[span]
    }

    /// The kind of the next value, which is not read.
    pub(super) fn kind(&mut self) -> Result<Kind, Malformed> {
        self.skip_space();
        match self.bytes.get(self.at) {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'n') => Ok(Kind::Null),
            Some(b'-' | b'0'..=b'9' | b't' | b'f') => Ok(Kind::Scalar),
            _ => Err(self.syntax()),
        }
    }

    /// Requires that nothing but white space is left.
    pub(super) fn finish(&mut self) -> Result<(), Malformed> {
        self.skip_space();
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.syntax()) }
    }

    /// Enters the array or object that `open` begins. `false`: it is empty, and has been left again.
    pub(super) fn enter(&mut self, open: u8) -> Result<bool, Malformed> {
        self.skip_space();
        self.expect(open)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Malformed::TooDeep);
        }
        self.skip_space();
        if self.bytes.get(self.at) == Some(&closing(open)) {
            self.at += 1;
            self.depth -= 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// After a value inside the array or object that `open` began: `true` when another follows, `false`
    /// when the container has ended.
    pub(super) fn another(&mut self, open: u8) -> Result<bool, Malformed> {
        self.skip_space();
        match self.bytes.get(self.at) {
            Some(b',') => {
                self.at += 1;
                self.skip_space();
                Ok(true)
            }
            Some(&byte) if byte == closing(open) => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            _ => Err(self.syntax()),
        }
    }

    /// Reads a key and its colon; the raw text between the quotes, escapes as they stand.
    pub(super) fn key(&mut self) -> Result<&'a str, Malformed> {
        self.skip_space();
        let span = self.string()?;
        self.skip_space();
        self.expect(b':')?;
        Ok(&self.text[span])
    }

    /// Reads a string; the byte range between its quotes.
    pub(super) fn string(&mut self) -> Result<Range<usize>, Malformed> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            let rest = &self.bytes[self.at..];
            let Some(run) = memchr2(b'"', b'\\', rest) else {
                self.at = self.bytes.len();
                return Err(self.syntax());
            };
            // Control characters must be escaped. The fold has no early exit, so that it is vectorised.
            if rest[..run].iter().fold(false, |found, &byte| found | (byte < 0x20)) {
                return Err(self.syntax());
            }
            self.at += run;
            if self.bytes[self.at] == b'"' {
                let span = start..self.at;
                self.at += 1;
                return Ok(span);
            }
            self.escape()?;
        }
    }

    /// Reads any value; its byte range.
    pub(super) fn skip_value(&mut self) -> Result<Range<usize>, Malformed> {
        self.skip_space();
        let start = self.at;
        // One bit a level: set for an object.
        let mut objects = 0_u128;
        let mut depth = 0_u32;
        loop {
            if let Some(open) = self.leaf_or_open()? {
                if self.depth + depth >= MAX_DEPTH {
                    return Err(Malformed::TooDeep);
                }
                objects = (objects << 1) | u128::from(open == b'{');
                depth += 1;
                if open == b'{' {
                    self.key()?;
                }
                continue;
            }
            loop {
                if depth == 0 {
                    return Ok(start..self.at);
                }
                let in_object = objects & 1 == 1;
                self.skip_space();
                match self.bytes.get(self.at) {
                    Some(b',') => {
                        self.at += 1;
                        if in_object {
                            self.key()?;
                        }
                        break;
                    }
                    Some(b'}') if in_object => {}
                    Some(b']') if !in_object => {}
                    _ => return Err(self.syntax()),
                }
                self.at += 1;
                objects >>= 1;
                depth -= 1;
            }
        }
    }

    /// Reads a scalar or an empty container whole (`None`), or the opening of a filled one.
    fn leaf_or_open(&mut self) -> Result<Option<u8>, Malformed> {
        self.skip_space();
        match self.bytes.get(self.at) {
            Some(&open @ (b'{' | b'[')) => {
                self.at += 1;
                self.skip_space();
                if self.bytes.get(self.at) == Some(&closing(open)) {
                    self.at += 1;
                    return Ok(None);
                }
                return Ok(Some(open));
            }
            Some(b'"') => {
                self.string()?;
            }
            Some(b't') => self.literal(b"true")?,
            Some(b'f') => self.literal(b"false")?,
            Some(b'n') => self.literal(b"null")?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => return Err(self.syntax()),
        }
        Ok(None)
    }

    fn escape(&mut self) -> Result<(), Malformed> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            // Surrogates need not pair up: what a client wrote is passed on, not judged.
            Some(b'u') => match self.bytes.get(self.at + 2..self.at + 6) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => self.at += 6,
                _ => return Err(self.syntax()),
            },
            _ => return Err(self.syntax()),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Malformed> {
        if self.bytes[self.at] == b'-' {
            self.at += 1;
        }
        match self.bytes.get(self.at) {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(self.syntax()),
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let count = self.bytes[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Err(self.syntax());
        }
        self.at += count;
        Ok(())
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Malformed> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(self.syntax());
        }
        self.at += word.len();
        Ok(())
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.bytes.get(self.at) != Some(&byte) {
            return Err(self.syntax());
        }
        self.at += 1;
        Ok(())
    }

    pub(super) fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    fn syntax(&self) -> Malformed {
        Malformed::Syntax(self.at)
    }
}

fn closing(open: u8) -> u8 {
    if open == b'{' { b'}' } else { b']' }
}
