//! The three formats become the same tree.

use std::ops::Range;

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use saphyr_parser::{Event, Parser};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::node::{Fault, Key, Node, Value};

/// Deepest nesting of YAML that is read. People write two or three levels.
const MAX_YAML_DEPTH: usize = 32;

/// Reads TOML. Every fault of the text is reported.
pub fn parse_toml(text: &str) -> Result<Node, Vec<Fault>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(toml_table(table.span(), table.get_ref()));
    }
    let fault = |error: toml::de::Error| Fault {
        span: error.span().unwrap_or(0..0),
        message: format!("not TOML: {}", error.message()),
        hint: "texts stand in quotes, lists in [ ], each key once in its section",
    };
    Err(errors.into_iter().map(fault).collect())
}

fn toml_table(span: Range<usize>, table: &DeTable<'_>) -> Node {
    let mut entries: Vec<(Key, Node)> = table
        .iter()
        .map(|(key, value)| (Key { name: key.get_ref().to_string(), span: key.span() }, toml_value(value)))
        .collect();
    entries.sort_by_key(|(key, _)| key.span.start);
    Node { span, value: Value::Table(entries) }
}

fn toml_value(value: &Spanned<DeValue<'_>>) -> Node {
    let span = value.span();
    let value = match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::String(number.to_string()), Value::Integer),
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| Value::String(number.to_string()), Value::Float)
        }
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Datetime(date) => Value::String(date.to_string()),
        DeValue::Array(list) => Value::List(list.iter().map(toml_value).collect()),
        DeValue::Table(table) => return toml_table(span, table),
    };
    Node { span, value }
}

/// Reads YAML of one document. `offset` is where `text` stands in its file: spans count from the file's
/// beginning.
pub fn parse_yaml(text: &str, offset: usize) -> Result<Node, Fault> {
    let bytes = ByteOffsets::new(text, offset);
    // The tree is made by recursion: what would overflow the stack is refused before.
    if let Some(place) = too_deep(text) {
        let at = bytes.of(place);
        return Err(Fault {
            span: at..at,
            message: "not usable YAML: nested too deep".to_owned(),
            hint: "write lists of plain entries",
        });
    }
    let mut documents = MarkedYaml::load_from_str(text).map_err(|error| {
        let at = bytes.of(error.marker().index());
        Fault {
            span: at..at,
            message: format!("not YAML: {}", error.info()),
            hint: "indent with spaces, and put texts with `:` or `#` into quotes",
        }
    })?;
    if documents.len() > 1 {
        return Err(Fault {
            span: bytes.span(&documents[1]),
            message: "more than one YAML document".to_owned(),
            hint: "keep everything in one document",
        });
    }
    match documents.pop() {
        Some(document) => yaml_value(&document, &bytes),
        None => Ok(Node { span: offset..offset + text.len(), value: Value::Table(Vec::new()) }),
    }
}

/// Where the first list or table begins that nests deeper than the limit, counted in characters. The events of a
/// parser come without recursion.
fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    // What is no YAML is for the parser to say.
    for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
            Event::SequenceEnd | Event::MappingEnd => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_YAML_DEPTH {
            return Some(span.start.index());
        }
    }
    None
}

fn yaml_value(node: &MarkedYaml<'_>, bytes: &ByteOffsets) -> Result<Node, Fault> {
    let span = bytes.span(node);
    let value = match &node.data {
        YamlData::Value(Scalar::Null) => Value::Null,
        YamlData::Value(Scalar::Boolean(truth)) => Value::Bool(*truth),
        YamlData::Value(Scalar::Integer(number)) => Value::Integer(*number),
        YamlData::Value(Scalar::FloatingPoint(number)) => Value::Float(number.into_inner()),
        YamlData::Value(Scalar::String(text)) | YamlData::Representation(text, _, _) => {
            Value::String(text.to_string())
        }
        YamlData::Sequence(list) => {
            Value::List(list.iter().map(|node| yaml_value(node, bytes)).collect::<Result<_, _>>()?)
        }
        YamlData::Mapping(mapping) => {
            let mut entries = Vec::with_capacity(mapping.len());
            for (key, value) in mapping {
                let value = yaml_value(value, bytes)?;
                entries.push((yaml_key(key, bytes)?, value));
            }
            Value::Table(entries)
        }
        YamlData::Tagged(_, inner) => return yaml_value(inner, bytes),
        YamlData::BadValue | YamlData::Alias(_) => {
            return Err(Fault {
                span,
                message: "a value that cannot be read".to_owned(),
                hint: "write it out as a text in quotes",
            });
        }
    };
    Ok(Node { span, value })
}

fn yaml_key(key: &MarkedYaml<'_>, bytes: &ByteOffsets) -> Result<Key, Fault> {
    let span = bytes.span(key);
    match yaml_value(key, bytes)?.value {
        Value::String(name) => Ok(Key { name, span }),
        Value::Integer(number) => Ok(Key { name: number.to_string(), span }),
        Value::Bool(truth) => Ok(Key { name: truth.to_string(), span }),
        _ => Err(Fault {
            span,
            message: "a key that is no plain text".to_owned(),
            hint: "keys are single words",
        }),
    }
}

/// The parser counts characters, this project bytes.
struct ByteOffsets {
    /// Byte offset in the file of each character, and of the end.
    offsets: Vec<usize>,
}

impl ByteOffsets {
    fn new(text: &str, offset: usize) -> ByteOffsets {
        let ends = std::iter::once(offset + text.len());
        ByteOffsets { offsets: text.char_indices().map(|(at, _)| offset + at).chain(ends).collect() }
    }

    fn of(&self, character: usize) -> usize {
        self.offsets[character.min(self.offsets.len() - 1)]
    }

    fn span(&self, node: &MarkedYaml<'_>) -> Range<usize> {
        let start = self.of(node.span.start.index());
        start..self.of(node.span.end.index()).max(start)
    }
}

/// Reads one JSON value, for instance a line of JSONL. Its parts all have the place of the whole;
/// a syntax error has its own.
pub fn parse_json(text: &str, offset: usize) -> Result<Node, Fault> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| {
        let line_start: usize = text.split_inclusive('\n').take(error.line() - 1).map(str::len).sum();
        let at = offset
            + text.floor_char_boundary((line_start + error.column().saturating_sub(1)).min(text.len()));
        Fault {
            span: at..at,
            message: format!("not JSON: {error}"),
            hint: "each line is one object with keys and texts in double quotes",
        }
    })?;
    Ok(json_value(&value, &(offset..offset + text.len())))
}

fn json_value(value: &serde_json::Value, span: &Range<usize>) -> Node {
    let value = match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(truth) => Value::Bool(*truth),
        serde_json::Value::Number(number) => {
            number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap_or(f64::NAN)), Value::Integer)
        }
        serde_json::Value::String(text) => Value::String(text.clone()),
        serde_json::Value::Array(list) => {
            Value::List(list.iter().map(|value| json_value(value, span)).collect())
        }
        serde_json::Value::Object(entries) => Value::Table(
            entries
                .iter()
                .map(|(name, value)| {
                    (Key { name: name.clone(), span: span.clone() }, json_value(value, span))
                })
                .collect(),
        ),
    };
    Node { span: span.clone(), value }
}

/// Byte ranges of the front matter and of the rest.
pub type FrontMatter = (Range<usize>, Range<usize>);

/// Splits a file that begins with a line `---` into front matter and the rest. `None`: it does not.
pub fn split_front_matter(text: &str) -> Result<Option<FrontMatter>, Fault> {
    let first = text.split_inclusive('\n').next().unwrap_or_default();
    if first.trim_end() != "---" {
        return Ok(None);
    }
    let mut at = first.len();
    for line in text[first.len()..].split_inclusive('\n') {
        if line.trim_end() == "---" {
            return Ok(Some((first.len()..at, at + line.len()..text.len())));
        }
        at += line.len();
    }
    Err(Fault {
        span: 0..first.trim_end().len(),
        message: "the front matter does not end".to_owned(),
        hint: "close it with a line `---`",
    })
}
