//! What a reader sees of an answer: Markdown and HTML without their marks, without invisible code points, and
//! without a model's own thinking, with a way back to every byte. Code counts, addresses of links do not: they
//! are listed apart.

use std::ops::Range;

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd};

use super::html::{self, Piece};
use super::offsets::Offsets;
use super::script::is_invisible;

/// The text that is seen, a line a block.
#[derive(Debug, Default)]
pub(super) struct Visible {
    pub(super) text: String,
    /// Back to the answer as it came.
    pub(super) offsets: Offsets,
    /// In order; the first one starts at 0 unless there is no text.
    pub(super) blocks: Vec<Block>,
    /// Targets of links and images.
    pub(super) addresses: Vec<String>,
}

/// One line of the visible text: a paragraph, a heading, an item, a cell, a line of code.
#[derive(Debug, Clone, Default)]
pub(super) struct Block {
    /// Where its text starts.
    pub(super) start: usize,
    pub(super) heading: bool,
    pub(super) quoted: bool,
    /// A cell of a table.
    pub(super) cell: bool,
    /// Where it opens an item of a list.
    pub(super) item: Option<Item>,
}

/// An item of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    /// Which list of the answer.
    pub(super) list: usize,
    /// Its number as shown, or its place in a list without numbers.
    pub(super) number: u32,
    /// The block in front of the list, which introduces it.
    pub(super) lead: Option<usize>,
}

impl Visible {
    /// The block that holds an offset.
    pub(super) fn block_at(&self, offset: usize) -> Option<usize> {
        self.blocks.partition_point(|block| block.start <= offset).checked_sub(1)
    }

    /// The text of a block.
    pub(super) fn block_text(&self, index: usize) -> &str {
        let start = self.blocks.get(index).map_or(self.text.len(), |block| block.start);
        let end = self.blocks.get(index + 1).map_or(self.text.len(), |block| block.start);
        &self.text[start..end]
    }
}

/// Reads an answer.
pub(super) fn visible(raw: &str) -> Visible {
    let base = end_of_thinking(raw);
    let mut reader = Reader { raw, base, ..Reader::default() };
    reader.out.text.reserve(raw.len());
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    for (event, range) in Parser::new_ext(&raw[base..], options).into_offset_iter() {
        reader.read(event, range.start + base..range.end + base);
    }
    reader.out
}

/// Where the answer proper starts. Some servers leave a model's thinking in the text, in front of the answer.
fn end_of_thinking(raw: &str) -> usize {
    let trimmed = raw.trim_start();
    for (open, close) in [("<think>", "</think>"), ("<thinking>", "</thinking>")] {
        if trimmed.starts_with(open) {
            return raw.find(close).map_or(raw.len(), |at| at + close.len());
        }
    }
    0
}

#[derive(Default)]
struct Reader<'a> {
    raw: &'a str,
    base: usize,
    out: Visible,
    lists: Vec<List>,
    lists_seen: usize,
    pending_item: Option<Item>,
    /// Set when the next text starts a block.
    at_block_start: bool,
    headings: usize,
    quotes: usize,
    cell: bool,
    html: bool,
}

struct List {
    id: usize,
    next: u64,
    lead: Option<usize>,
}

impl Reader<'_> {
    fn read(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.open(tag, range),
            Event::End(tag) => self.close(tag),
            Event::Text(_) | Event::Html(_) if self.html => {}
            Event::Text(text) | Event::InlineMath(text) | Event::DisplayMath(text) => self.text(&text, range),
            Event::Code(text) => self.text(&text, range),
            Event::Html(_) => self.html(range),
            Event::InlineHtml(_) => self.html(range),
            Event::SoftBreak => self.atom(" ", range),
            Event::HardBreak | Event::Rule => self.end_block(),
            Event::FootnoteReference(_) | Event::TaskListMarker(_) => {}
        }
    }

    fn open(&mut self, tag: Tag<'_>, range: Range<usize>) {
        match tag {
            Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Superscript | Tag::Subscript => return,
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.out.addresses.push(dest_url.into_string());
                return;
            }
            Tag::Heading { .. } => self.headings += 1,
            Tag::BlockQuote(_) => self.quotes += 1,
            Tag::TableCell => self.cell = true,
            Tag::List(first) => {
                let lead = self.out.blocks.len().checked_sub(1);
                self.lists.push(List { id: self.lists_seen, next: first.unwrap_or(1), lead });
                self.lists_seen += 1;
            }
            Tag::Item => {
                if let Some(list) = self.lists.last_mut() {
                    let number = u32::try_from(list.next).unwrap_or(u32::MAX);
                    self.pending_item = Some(Item { list: list.id, number, lead: list.lead });
                    list.next = list.next.saturating_add(1);
                }
            }
            Tag::HtmlBlock => {
                self.end_block();
                self.html(range);
                self.html = true;
            }
            _ => {}
        }
        self.end_block();
    }

    fn close(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Emphasis
            | TagEnd::Strong
            | TagEnd::Strikethrough
            | TagEnd::Superscript
            | TagEnd::Subscript
            | TagEnd::Link
            | TagEnd::Image => return,
            TagEnd::Heading(_) => self.headings = self.headings.saturating_sub(1),
            TagEnd::BlockQuote(_) => self.quotes = self.quotes.saturating_sub(1),
            TagEnd::TableCell => self.cell = false,
            TagEnd::HtmlBlock => self.html = false,
            TagEnd::Item => self.pending_item = None,
            TagEnd::List(_) => {
                self.lists.pop();
            }
            _ => {}
        }
        self.end_block();
    }

    /// Text of the parser, whose bytes are in `range` of the answer, as they are or decoded.
    fn text(&mut self, text: &CowStr<'_>, range: Range<usize>) {
        let source = &self.raw[range.clone()];
        if let Some(found) = if source == &**text { Some(0) } else { source.find(&**text) } {
            let start = range.start + found;
            self.copy(start..start + text.len());
        } else if let Some(found) = source.replace('\n', " ").find(&**text) {
            // Code within a line shows its line ends as spaces.
            self.copy_line(range.start + found..range.start + found + text.len());
        } else {
            self.atom(text, range);
        }
    }

    /// The same, with line ends as spaces.
    fn copy_line(&mut self, range: Range<usize>) {
        let mut from = range.start;
        for (at, _) in self.raw[range.clone()].match_indices('\n') {
            let at = range.start + at;
            self.copy(from..at);
            self.atom(" ", at..at + 1);
            from = at + 1;
        }
        self.copy(from..range.end);
    }

    /// Bytes of the answer that are seen, less the invisible ones.
    fn copy(&mut self, range: Range<usize>) {
        let mut from = range.start;
        let mut at = range.start;
        while at < range.end {
            let Some(character) = self.raw[at..range.end].chars().next() else { break };
            let next = at + character.len_utf8();
            if character == '\n' || is_invisible(character) {
                self.piece(from..at);
                from = next;
                if character == '\n' {
                    self.end_block();
                }
            }
            at = next;
        }
        self.piece(from..range.end);
    }

    fn piece(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        self.begin();
        let to = self.out.text.len();
        self.out.text.push_str(&self.raw[range.clone()]);
        self.out.offsets.copy(to, range);
    }

    /// Text that stands for other bytes.
    fn atom(&mut self, text: &str, range: Range<usize>) {
        let mut shown: String = text.chars().filter(|&character| !is_invisible(character)).collect();
        if shown.contains('\n') {
            shown = shown.replace('\n', " ");
        }
        if shown.is_empty() || self.at_block_start && shown == " " {
            return;
        }
        self.begin();
        let to = self.out.text.len();
        self.out.text.push_str(&shown);
        self.out.offsets.atom(to..to + shown.len(), range);
    }

    fn end_block(&mut self) {
        self.at_block_start = true;
    }

    /// Opens a block where one is due.
    fn begin(&mut self) {
        if !self.at_block_start && !self.out.blocks.is_empty() {
            return;
        }
        self.at_block_start = false;
        if !self.out.text.is_empty() {
            let to = self.out.text.len();
            self.out.text.push('\n');
            // A line end of ours: it comes from nowhere, and no name reaches over it.
            self.out.offsets.atom(to..to + 1, self.base..self.base);
        }
        self.out.blocks.push(Block {
            start: self.out.text.len(),
            heading: self.headings > 0,
            quoted: self.quotes > 0,
            cell: self.cell,
            item: self.pending_item.take(),
        });
    }

    fn html(&mut self, range: Range<usize>) {
        let raw = self.raw;
        for piece in html::pieces(&raw[range.clone()]) {
            match piece {
                Piece::Text(part) => self.copy(range.start + part.start..range.start + part.end),
                Piece::Entity(part, character) => {
                    let mut buffer = [0; 4];
                    let text: &str = character.encode_utf8(&mut buffer);
                    self.atom(text, range.start + part.start..range.start + part.end);
                }
                Piece::Break => self.end_block(),
                Piece::Address(part) => {
                    self.out.addresses.push(raw[range.start + part.start..range.start + part.end].to_owned());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Item, visible};

    #[test]
    fn marks_go_and_words_stay() {
        for (raw, expected) in [
            ("**Doc**Array and `code`", "DocArray and code"),
            ("Doc\u{ad}Ar\u{200b}ray", "DocArray"),
            ("AT&amp;T &eacute;", "AT&T é"),
            ("# One\n\nTwo\nthree", "One\nTwo three"),
            ("1. a\n2. b\n", "a\nb"),
            ("| a | b |\n|---|---|\n| c | d |\n", "a\nb\nc\nd"),
            ("```py\nimport a\nb\n```", "import a\nb"),
            ("[text](https://a.b) ![alt](x.png)", "text alt"),
            ("Doc<b>Array</b> Vec<T> <DocArray>", "DocArray Vec<T> <DocArray>"),
            ("<think>Acme</think>\nYes", "Yes"),
            ("<think>Acme", ""),
            ("a\\*b", "a*b"),
            ("`Doc\nArray`", "Doc Array"),
            ("<div>a<br>b</div>", "a\nb"),
            ("> quoted\n\nnot", "quoted\nnot"),
        ] {
            assert_eq!(visible(raw).text, expected, "{raw}");
        }
    }

    #[test]
    fn items_know_their_number_and_lead() {
        let page = visible("Here are two:\n\n3. **a** x\n4. b\n   - c\n\nend");
        let items: Vec<Option<Item>> = page.blocks.iter().map(|block| block.item).collect();
        let item = |list, number, lead| Some(Item { list, number, lead: Some(lead) });
        assert_eq!(items, vec![None, item(0, 3, 0), item(0, 4, 0), item(1, 1, 2), None]);
    }
}
