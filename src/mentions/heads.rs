//! What a name stands at the head of: an item of a list, a numbered line or heading, a cell of a table. Answers that
//! compare products are mostly written so, and there every word has a capital.

use super::visible::Visible;

/// Bytes of the line in front of a list that are looked at: its end introduces the list.
const LEAD: usize = 200;

/// Bytes between the start of a block and the name at its head: marks, brackets and a number.
const LONGEST_MARK: usize = 64;

/// A place at the head of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) group: Group,
    /// As shown in front of the block, or its place in a list without numbers.
    pub(super) number: Option<u32>,
    /// The block in front of the list.
    lead: Option<usize>,
}

/// Blocks of one kind, of which each may name another product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Group {
    /// Items of one list.
    List(usize),
    /// All headings.
    Headings,
    /// Cells of tables.
    Cells,
    /// Lines that begin with a number, and are no list to Markdown.
    Numbered,
}

/// What the name at an offset of the visible text heads.
pub(super) fn head_at(page: &Visible, at: usize) -> Option<Head> {
    let block = &page.blocks[page.block_at(at)?];
    let before = page.text.get(block.start..at).filter(|before| before.len() <= LONGEST_MARK)?;
    let number = written_number(before);
    if number.is_none() && before.contains(char::is_alphanumeric) {
        return None;
    }
    let head = |group, number| Some(Head { group, number, lead: None });
    match block.item {
        Some(item) => {
            Some(Head { group: Group::List(item.list), number: Some(item.number), lead: item.lead })
        }
        None if block.heading => head(Group::Headings, number),
        None if block.cell => head(Group::Cells, None),
        None => number.and_then(|number| head(Group::Numbered, Some(number))),
    }
}

/// The number in "1. " or "**2)** ", and nothing else.
fn written_number(text: &str) -> Option<u32> {
    let text =
        text.trim_matches(|character: char| !character.is_alphanumeric() && !matches!(character, '.' | ')'));
    text.strip_suffix(['.', ')'])?.parse().ok()
}

/// The end of the line that introduces the list of a head.
pub(super) fn lead<'p>(page: &'p Visible, head: &Head) -> &'p str {
    let text = head.lead.map_or("", |block| page.block_text(block));
    &text[text.ceil_char_boundary(text.len().saturating_sub(LEAD))..]
}

#[cfg(test)]
mod tests {
    use super::{Group, head_at, lead};
    use crate::mentions::visible::visible;

    #[test]
    fn heads_are_known() {
        use Group::{Cells, Headings, List, Numbered};
        for (raw, expected) in [
            ("Two:\n\n1. a\n2. **X** b", Some((List(0), Some(2), "Two:"))),
            ("- the X", None),
            ("- [ ] X", Some((List(0), Some(1), ""))),
            ("### 3. X", Some((Headings, Some(3), ""))),
            ("## X", Some((Headings, None, ""))),
            ("**4) X**", Some((Numbered, Some(4), ""))),
            ("**4. X**", Some((Numbered, Some(4), ""))),
            ("| n | m |\n|---|---|\n| `X` | b |", Some((Cells, None, ""))),
            ("X is", None),
            ("Year 4. X", None),
        ] {
            let page = visible(raw);
            let found = head_at(&page, page.text.find('X').unwrap());
            let found = found.map(|head| (head.group, head.number, lead(&page, &head).trim()));
            assert_eq!(found, expected, "{raw}");
        }
    }
}
