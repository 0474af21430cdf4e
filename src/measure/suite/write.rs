//! A suite as the project's own YAML.

use std::fmt::Write as _;

use super::{Message, Question, Suite};

/// The suite as YAML that [`super::read_suite`] reads back. Texts are written as JSON strings, which YAML 1.2 takes as
/// they are.
pub fn write_yaml(suite: &Suite) -> String {
    let mut text = String::new();
    let _infallible = (|| -> std::fmt::Result {
        writeln!(text, "name: {}", quoted(&suite.name))?;
        if let Some(brand) = &suite.brand {
            writeln!(text, "brand: {}", quoted(brand))?;
        }
        if !suite.description.is_empty() {
            writeln!(text, "description: {}", quoted(&suite.description))?;
        }
        writeln!(text, "questions:")?;
        suite.questions.iter().try_for_each(|question| write_question(&mut text, question))
    })();
    text
}

fn write_question(text: &mut String, question: &Question) -> std::fmt::Result {
    writeln!(text, "\n  - id: {}", quoted(&question.id))?;
    match question.messages.as_slice() {
        [Message { content, .. }] => writeln!(text, "    text: {}", quoted(content))?,
        messages => {
            writeln!(text, "    messages:")?;
            for message in messages {
                writeln!(
                    text,
                    "      - role: {}\n        content: {}",
                    message.role,
                    quoted(&message.content)
                )?;
            }
        }
    }
    writeln!(text, "    family: {}\n    kind: {}", quoted(&question.family), question.kind)?;
    if let Some(language) = &question.language {
        writeln!(text, "    language: {}", quoted(language))?;
    }
    if !question.tags.is_empty() {
        writeln!(text, "    tags: {}", serde_json::json!(question.tags))?;
    }
    if let Some(brand) = &question.brand {
        writeln!(text, "    brand: {}", quoted(brand))?;
    }
    if let Some(expect) = &question.expect {
        writeln!(text, "    expect: {}", quoted(expect.as_str()))?;
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
