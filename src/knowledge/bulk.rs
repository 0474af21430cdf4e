//! Items in bulk: YAML lists, JSONL, CSV.

use std::ops::Range;

use super::collect::{Collector, Draft, DraftId, Meta, slug};
use super::files::Source;
use super::item::Body;
use crate::document::{Fault, Key, Node, Problem, Table, Value, parse_json, parse_yaml};

/// Reads a YAML file: a list of entries, or a table with the list under `items`.
pub(super) fn read_yaml(source: &Source, collector: &mut Collector<'_>) {
    let node = match parse_yaml(&source.text, 0) {
        Ok(node) => node,
        Err(fault) => return fail(source, fault, collector),
    };
    let list = match &node.value {
        Value::Table(entries) => entries.iter().find(|(key, _)| key.name == "items").map(|(_, list)| list),
        _ => Some(&node),
    };
    match list.map(|list| &list.value) {
        Some(Value::List(entries)) => {
            entries.iter().for_each(|entry| read_entry(source, entry, collector));
        }
        _ => collector.problems.push(
            Problem::error(&source.file, "the file is no list of items")
                .at(source.place(node.span.start..node.span.start))
                .hint("begin each item with `- title: ...`, or put the list under `items:`"),
        ),
    }
}

/// Reads a JSONL file: an object a line.
pub(super) fn read_jsonl(source: &Source, collector: &mut Collector<'_>) {
    let mut at = 0;
    for line in source.text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let text = line.trim_end();
        if text.is_empty() {
            continue;
        }
        match parse_json(text, start) {
            Ok(node) => read_entry(source, &node, collector),
            Err(fault) => fail(source, fault, collector),
        }
    }
}

/// Reads a CSV file: the first row names the keys.
pub(super) fn read_csv(source: &Source, collector: &mut Collector<'_>) {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(source.text.as_bytes());
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => {
            let fault = csv_fault(source, &error, 0..0);
            return fail(source, fault, collector);
        }
    };
    let mut record = csv::StringRecord::new();
    loop {
        let start = byte(reader.position());
        match reader.read_record(&mut record) {
            Ok(false) => return,
            Ok(true) => {
                let end = byte(reader.position()).min(source.text.len());
                let row = source.text[start..end].trim_end().len();
                read_row(source, &header, &record, start..start + row, collector);
            }
            Err(error) => {
                let fault = csv_fault(source, &error, start..start);
                return fail(source, fault, collector);
            }
        }
    }
}

fn read_row(
    source: &Source,
    header: &csv::StringRecord,
    record: &csv::StringRecord,
    span: Range<usize>,
    collector: &mut Collector<'_>,
) {
    if record.len() != header.len() {
        collector.problems.push(
            Problem::error(
                &source.file,
                format!("the row has {} fields, the first row {}", record.len(), header.len()),
            )
            .at(source.place(span))
            .hint("put texts with commas or line breaks into double quotes"),
        );
        return;
    }
    let entries = header
        .iter()
        .zip(record)
        .filter(|(_, cell)| !cell.trim().is_empty())
        .map(|(name, cell)| {
            let key = Key { name: name.trim().to_owned(), span: span.clone() };
            let value = match cell.trim() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                text => Value::String(text.to_owned()),
            };
            (key, Node { span: span.clone(), value })
        })
        .collect();
    read_entry(source, &Node { span: span.clone(), value: Value::Table(entries) }, collector);
}

fn read_entry(source: &Source, node: &Node, collector: &mut Collector<'_>) {
    let mut table = Table::new(node, &source.file, &source.text, &mut collector.problems);
    let explicit = table.string("id").filter(|id| !id.is_empty());
    let question = table.string("question");
    let answer = table.string("answer");
    let title = table.string("title");
    let text = table.string("text");
    let context = table.strings("context");
    let meta = Meta::read(&mut table);
    table.finish();
    let body = match (question, answer, title, text) {
        (Some(question), Some(answer), None, None) => Body::Example { question, answer },
        (None, None, Some(title), Some(text)) => Body::Fact { title, context, text },
        _ => {
            collector.problems.push(
                Problem::error(&source.file, "the item is neither a fact nor an example")
                    .at(source.place(node.span.clone()))
                    .hint("a fact has `title` and `text`, an example `question` and `answer`"),
            );
            return;
        }
    };
    let id = match (explicit, &body) {
        (Some(id), _) => DraftId::Explicit(id),
        (None, Body::Fact { title, .. }) => DraftId::Derived(slug(title)),
        (None, Body::Example { question, .. }) => DraftId::Derived(format!("q-{}", slug(question))),
    };
    collector.add(source, Draft { id, body, meta, span: node.span.clone() });
}

fn fail(source: &Source, fault: Fault, collector: &mut Collector<'_>) {
    collector.problems.push(fault.into_problem(&source.file, &source.text));
}

fn csv_fault(source: &Source, error: &csv::Error, span: Range<usize>) -> Fault {
    let at = error.position().map_or(span.start, byte).min(source.text.len());
    Fault {
        span: at..at,
        message: format!("not CSV: {error}"),
        hint: "the first row names the keys; texts with commas stand in double quotes",
    }
}

fn byte(position: &csv::Position) -> usize {
    usize::try_from(position.byte()).unwrap_or(usize::MAX)
}
