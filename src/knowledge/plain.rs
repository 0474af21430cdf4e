//! Markdown as a person would read it aloud: no marks of emphasis, no link targets, code as it is.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The readable text of some Markdown. Paragraphs are separated by an empty line.
pub(super) fn plain(markdown: &str) -> String {
    let mut text = String::new();
    let mut lists = 0_usize;
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Text(part) | Event::Code(part) => text.push_str(&part),
            Event::SoftBreak => text.push(' '),
            Event::HardBreak => text.push('\n'),
            Event::Start(Tag::List(_)) => {
                if lists > 0 {
                    end_line(&mut text);
                }
                lists += 1;
            }
            Event::End(TagEnd::List(_)) => {
                lists -= 1;
                if lists == 0 {
                    end_block(&mut text);
                }
            }
            Event::Start(Tag::Item) => {
                end_line(&mut text);
                text.push_str(&"  ".repeat(lists.saturating_sub(1)));
                text.push_str("- ");
            }
            Event::End(TagEnd::TableCell) => text.push_str(" | "),
            Event::End(TagEnd::TableRow | TagEnd::TableHead) => {
                text.truncate(text.trim_end_matches([' ', '|']).len());
                end_line(&mut text);
            }
            Event::End(TagEnd::Paragraph | TagEnd::Heading(_)) if lists > 0 => end_line(&mut text),
            Event::End(
                TagEnd::Paragraph
                | TagEnd::Heading(_)
                | TagEnd::CodeBlock
                | TagEnd::BlockQuote(_)
                | TagEnd::Table,
            ) => end_block(&mut text),
            _ => {}
        }
    }
    text.trim().to_owned()
}

fn end_line(text: &mut String) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}

fn end_block(text: &mut String) {
    if !text.is_empty() {
        text.truncate(text.trim_end().len());
        text.push_str("\n\n");
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn marks_are_taken_off_and_words_stay() {
        for (markdown, expected) in [
            ("**Bold** and [a link](https://example.com).", "Bold and a link."),
            ("one\ntwo\n\nthree", "one two\n\nthree"),
            ("- a\n- b\n  - c\n\nafter", "- a\n- b\n  - c\n\nafter"),
            ("```\nlet x = 1;\n```\ntext", "let x = 1;\n\ntext"),
            ("`pip install docarray`", "pip install docarray"),
            ("| a | b |\n|---|---|\n| 1 | 2 |", "a | b\n1 | 2"),
            ("<b>html</b> stays words", "html stays words"),
        ] {
            assert_eq!(plain(markdown), expected, "{markdown:?}");
        }
    }
}
