//! Every answer as a row.

use super::analyse::Judged;
use crate::measure::experiment::Design;

/// The answers as CSV (RFC 4180). A cell that a spreadsheet would take for a formula is written as text.
///
/// # Errors
///
/// Writing into memory does not fail; the writer's error is passed on all the same.
pub fn csv(design: &Design, judged: &[Judged<'_>]) -> Result<Vec<u8>, ::csv::Error> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "question",
        "family",
        "kind",
        "arm",
        "repeat",
        "mentioned",
        "positive",
        "rank",
        "missing",
        "decision",
        "items",
        "prompt_tokens",
        "cached_tokens",
        "completion_tokens",
        "added_tokens",
        "ms",
        "answer",
    ])?;
    for judged in judged {
        let question = design.question(&judged.cell);
        let record = judged.record;
        let verdict = judged.verdict.as_ref();
        let reply = record.reply.clone().unwrap_or_default();
        let truth = |value: Option<bool>| value.map(|value| u8::from(value).to_string()).unwrap_or_default();
        writer.write_record([
            safe(&question.id),
            safe(&question.family),
            question.kind.name().to_owned(),
            record.arm.clone(),
            record.repeat.to_string(),
            truth(verdict.map(|verdict| verdict.mentioned)),
            truth(verdict.map(|verdict| verdict.positive)),
            verdict.and_then(|verdict| verdict.rank).map(|rank| rank.to_string()).unwrap_or_default(),
            safe(&record.why_missing().unwrap_or_default()),
            reply.decision,
            reply.items.join(" "),
            reply.prompt_tokens.to_string(),
            reply.cached_tokens.to_string(),
            reply.completion_tokens.to_string(),
            reply.added_tokens.to_string(),
            record.ms.to_string(),
            safe(&reply.text),
        ])?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// What a spreadsheet takes for a formula begins with.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Text that a spreadsheet does not run.
fn safe(text: &str) -> String {
    if text.starts_with(FORMULA) { format!("'{text}") } else { text.to_owned() }
}

/// A cell as it was before it was made safe.
pub(super) fn as_it_was(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| text.starts_with(FORMULA)).unwrap_or(cell)
}
