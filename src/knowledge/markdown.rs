//! Markdown files: each heading's section is a fact, `Q:` / `A:` blocks are examples.

use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::collect::{Collector, Draft, DraftId, Meta, slug};
use super::cut::cut;
use super::files::{Limits, Source};
use super::item::Body;
use super::plain::plain;
use crate::document::{Problem, Table, parse_yaml, split_front_matter};

/// A heading and the text up to the next.
struct Section {
    level: HeadingLevel,
    title: String,
    id: Option<String>,
    /// Place of the heading.
    heading: Range<usize>,
    /// Place of the text under it.
    text: Range<usize>,
}

/// A part of a section.
enum Block {
    Prose(Range<usize>),
    Example { question: String, answer: Range<usize>, place: Range<usize> },
}

/// Reads the items of a Markdown file.
pub(super) fn read_markdown(source: &Source, limits: &Limits, collector: &mut Collector<'_>) {
    let Some((meta, file_title, body)) = front_matter(source, collector) else { return };
    let sections = sections(&source.text, body, file_title);
    let mut context: Vec<(HeadingLevel, String)> = Vec::new();
    for (number, section) in sections.iter().enumerate() {
        context.retain(|(level, _)| *level < section.level);
        let above: Vec<String> = context.iter().map(|(_, title)| title.clone()).collect();
        let followed_by_deeper = sections.get(number + 1).is_some_and(|next| next.level > section.level);
        read_section(source, section, &above, &meta, followed_by_deeper, limits, collector);
        context.push((section.level, section.title.clone()));
    }
}

/// The file's front matter, its title, and where its text begins and ends.
fn front_matter(source: &Source, collector: &mut Collector<'_>) -> Option<(Meta, String, Range<usize>)> {
    let stem = source.stem.rsplit('/').next().unwrap_or(&source.stem).replace(['-', '_'], " ");
    let (front, body) = match split_front_matter(&source.text) {
        Ok(Some(parts)) => parts,
        Ok(None) => return Some((Meta::default(), stem, 0..source.text.len())),
        Err(fault) => {
            collector.problems.push(fault.into_problem(&source.file, &source.text));
            return None;
        }
    };
    match parse_yaml(&source.text[front.clone()], front.start) {
        Ok(node) => {
            let mut table = Table::new(&node, &source.file, &source.text, &mut collector.problems);
            let meta = Meta::read(&mut table);
            let title = table.string("title").unwrap_or(stem);
            table.finish();
            Some((meta, title, body))
        }
        Err(fault) => {
            collector.problems.push(fault.into_problem(&source.file, &source.text));
            None
        }
    }
}

/// The headings of `text[body]` with what is under them. Text before the first heading stands under the
/// file's title.
fn sections(text: &str, body: Range<usize>, file_title: String) -> Vec<Section> {
    let mut sections = vec![Section {
        // Not above anything: the headings that follow do not have it as context.
        level: HeadingLevel::H6,
        title: file_title,
        id: None,
        heading: body.start..body.start,
        text: body.clone(),
    }];
    let mut heading: Option<Section> = None;
    let mut nesting = 0_usize;
    for (event, range) in
        Parser::new_ext(&text[body.clone()], Options::ENABLE_HEADING_ATTRIBUTES).into_offset_iter()
    {
        let place = body.start + range.start..body.start + range.end;
        match event {
            Event::Start(Tag::Heading { level, id, .. }) if nesting == 0 => {
                if let Some(last) = sections.last_mut() {
                    last.text.end = place.start;
                }
                let text = place.end..body.end;
                let id = id.map(|id| id.to_string());
                heading = Some(Section { level, title: String::new(), id, heading: place, text });
            }
            Event::End(TagEnd::Heading(_)) if nesting == 0 => sections.extend(heading.take()),
            Event::Text(part) | Event::Code(part) => {
                if let Some(heading) = &mut heading {
                    heading.title.push_str(&part);
                }
            }
            Event::Start(Tag::List(_) | Tag::BlockQuote(_)) => nesting += 1,
            Event::End(TagEnd::List(_) | TagEnd::BlockQuote(_)) => nesting -= 1,
            _ => {}
        }
    }
    if text[sections[0].text.clone()].trim().is_empty() {
        sections.remove(0);
    }
    sections
}

fn read_section(
    source: &Source,
    section: &Section,
    above: &[String],
    meta: &Meta,
    followed_by_deeper: bool,
    limits: &Limits,
    collector: &mut Collector<'_>,
) {
    let blocks = blocks(source, section.text.clone(), collector);
    let empty = blocks.is_empty();
    for block in blocks {
        match block {
            Block::Prose(range) => read_fact(source, section, above, meta, range, limits, collector),
            Block::Example { question, answer, place } => {
                let (answer, meta) = own_meta(&source.text[answer], meta);
                let id = DraftId::Derived(format!("q-{}", slug(&question)));
                let body = Body::Example { question, answer: plain(&answer) };
                collector.add(source, Draft { id, body, meta, span: place });
            }
        }
    }
    if empty && !followed_by_deeper {
        collector.problems.push(
            Problem::warning(&source.file, format!("there is nothing under the heading `{}`", section.title))
                .at(source.place(section.heading.start..section.heading.end.max(section.heading.start)))
                .hint("write what it should say, or delete it"),
        );
    }
}

fn read_fact(
    source: &Source,
    section: &Section,
    above: &[String],
    meta: &Meta,
    range: Range<usize>,
    limits: &Limits,
    collector: &mut Collector<'_>,
) {
    let (text, meta) = own_meta(&source.text[range.clone()], meta);
    for (number, part) in cut(&plain(&text), limits.max_section_bytes).into_iter().enumerate() {
        let numbered = |id: &str| if number == 0 { id.to_owned() } else { format!("{id}/{}", number + 1) };
        let id = match &section.id {
            Some(id) => DraftId::Explicit(numbered(id)),
            None => DraftId::Derived(numbered(&slug(&section.title))),
        };
        let body = Body::Fact { title: section.title.clone(), context: above.to_vec(), text: part };
        let span = if section.heading.is_empty() { range.clone() } else { section.heading.clone() };
        collector.add(source, Draft { id, body, meta: meta.clone(), span });
    }
}

/// Cuts a section into prose and examples. Lines in code fences are prose.
fn blocks(source: &Source, range: Range<usize>, collector: &mut Collector<'_>) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut prose = range.start..range.start;
    let mut question: Option<(String, Range<usize>)> = None;
    let mut answer: Option<Range<usize>> = None;
    let mut in_fence = false;
    let mut at = range.start;
    let mut faults = Vec::new();
    for line in source.text[range.clone()].split_inclusive('\n') {
        let place = at..at + line.trim_end().len();
        at += line.len();
        let is_fence = line.starts_with("```") || line.starts_with("~~~");
        in_fence ^= is_fence;
        let start = if in_fence || is_fence { "" } else { line };
        if let Some(text) = start.strip_prefix("Q:") {
            end_example(&mut blocks, question.take(), answer.take(), &mut faults);
            question = Some((text.trim().to_owned(), place));
        } else if let Some(text) = start.strip_prefix("A:") {
            if question.is_some() && answer.is_none() {
                answer = Some(place.start + start.len() - text.len()..at);
            } else {
                faults.push((place, "an answer without a question"));
            }
        } else if let Some(answer) = &mut answer {
            answer.end = at;
        } else if let Some((text, place)) = &mut question {
            if !line.trim().is_empty() {
                text.push(' ');
                text.push_str(line.trim());
                place.end = at;
            }
        } else {
            prose.end = at;
        }
    }
    end_example(&mut blocks, question, answer, &mut faults);
    for (place, message) in faults {
        collector.problems.push(
            Problem::error(&source.file, message)
                .at(source.place(place))
                .hint("an example is a line `Q: question` with a line `A: answer` under it"),
        );
    }
    if !source.text[prose.clone()].trim().is_empty() {
        blocks.insert(0, Block::Prose(prose));
    }
    blocks
}

fn end_example(
    blocks: &mut Vec<Block>,
    question: Option<(String, Range<usize>)>,
    answer: Option<Range<usize>>,
    faults: &mut Vec<(Range<usize>, &'static str)>,
) {
    match (question, answer) {
        (Some((question, place)), Some(answer)) => {
            blocks.push(Block::Example { question: plain(&question), answer, place });
        }
        (Some((_, place)), None) => faults.push((place, "a question without an answer")),
        (None, _) => {}
    }
}

/// Takes `Source:` and `Tags:` lines off the end of a text: they are about this item alone.
fn own_meta(text: &str, meta: &Meta) -> (String, Meta) {
    let mut meta = meta.clone();
    let mut lines: Vec<&str> = text.trim_end().lines().collect();
    while let Some(last) = lines.last() {
        if let Some(source) = last.strip_prefix("Source:") {
            meta.source = Some(source.trim().trim_matches(['<', '>']).to_owned());
        } else if let Some(tags) = last.strip_prefix("Tags:") {
            meta.tags.extend(tags.split(',').map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()));
        } else if !last.trim().is_empty() {
            break;
        }
        lines.pop();
    }
    (lines.join("\n"), meta)
}
