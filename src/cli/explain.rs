//! `foreword explain`: a decision laid open, for people.

use std::fmt::Write;
use std::io::Read;
use std::path::Path;

use anstyle::{AnsiColor, Style};
use similar::{ChangeTag, TextDiff};

use super::Exit;
use super::arguments::{Common, Explain};
use super::print::{err, failure, not_started, out, problems};
use crate::app::core;
use crate::chat::{Dialect, quote_string};
use crate::config::load;
use crate::document::Severity;
use crate::inject::{Decision, TurnOutcome};
use crate::knowledge::{Body, Filter};
use crate::retrieval::{Candidate, Hits};
use crate::snapshot::{BrandChoice, Choice, ExplainedTurn, Explanation, Treatment, WatchMode};

pub(super) fn run(common: &Common, explain: &Explain) -> Exit {
    let (file, optional) = common.file();
    let (settings, found) = load(&file, optional, &common.overrides());
    problems(&found, Severity::Warning);
    let Some(mut settings) = settings else { return Exit::BadInput };
    settings.watch = WatchMode::Off;
    settings.snapshot.lexical_first = usize::MAX;
    let body = match request_body(explain) {
        Ok(body) => body,
        Err(error) => {
            let file = explain.request.as_deref().unwrap_or_else(|| Path::new("-")).display();
            err(&format!(
                "foreword: the request {file} cannot be read: {error}\n  --request takes the JSON body of a chat request; a \
                 question stands without it: foreword explain \"Your question\"\n"
            ));
            return Exit::BadInput;
        }
    };
    let core = match core(&settings, &mut |_, _| {}) {
        Ok(core) => core,
        Err(error) => return not_started(&error),
    };
    let treatment = match explain.arm.as_deref().map(str::parse::<Treatment>).transpose() {
        Ok(treatment) => treatment.unwrap_or_default(),
        Err(error) => {
            failure(&error);
            return Exit::BadInput;
        }
    };
    let snapshot = core.planner.snapshot();
    let brands: Vec<&str> = snapshot.brands.iter().map(|brand| brand.id.as_str()).collect();
    if let Some(brand) = explain.brand.as_deref().filter(|brand| !brands.contains(brand)) {
        err(&format!("foreword: there is no brand `{brand}`: the brands are {}\n", brands.join(", ")));
        return Exit::BadInput;
    }
    let brand = explain.brand.clone().map_or(BrandChoice::Default, BrandChoice::Named);
    let filter = Filter::new(explain.tags.clone(), explain.audience.clone(), explain.language.as_deref());
    let choice = Choice { brand, filter };
    match core.planner.explain(&body, Dialect::of_body(&body), &choice, &treatment) {
        Ok(explanation) if explain.json => {
            out(&format!("{:#}\n", explanation.document(explain.candidates)));
            Exit::Success
        }
        Ok(explanation) => {
            out(&report(&explanation, &body, explain.candidates));
            if let Err(reason) = &core.model {
                err(&format!("note: only words are compared, for there is no embedding model: {reason}\n"));
            }
            Exit::Success
        }
        Err(error) => {
            failure(&*error);
            Exit::Runtime
        }
    }
}

fn request_body(explain: &Explain) -> std::io::Result<Vec<u8>> {
    match (&explain.request, &explain.question) {
        (Some(file), _) if file.as_os_str() == "-" => {
            let mut body = Vec::new();
            std::io::stdin().read_to_end(&mut body)?;
            Ok(body)
        }
        (Some(file), _) => std::fs::read(file),
        (None, question) => {
            let question = quote_string(question.as_deref().unwrap_or_default());
            Ok(format!("{{\"messages\":[{{\"role\":\"user\",\"content\":{question}}}]}}").into_bytes())
        }
    }
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();

fn report(explanation: &Explanation, body: &[u8], limit: usize) -> String {
    let mut text = String::new();
    for (number, turn) in explanation.turns.iter().enumerate() {
        explain_turn(&mut text, number + 1, turn, limit);
    }
    let decision = match explanation.decision {
        Decision::Injected { items, tokens } => format!("injected: {items} items, {tokens} tokens"),
        Decision::Skipped(reason) => format!("nothing is added ({reason}): {}", reason.explain()),
    };
    let _infallible = writeln!(text, "{BOLD}decision{BOLD:#}  {decision}");
    if !explanation.spliced.inserted.is_empty() {
        let _infallible = writeln!(text, "\n{BOLD}the request that leaves{BOLD:#}");
        text.push_str(&difference(body, explanation));
    }
    text
}

fn explain_turn(text: &mut String, number: usize, turn: &ExplainedTurn, limit: usize) {
    let _infallible = (|| -> std::fmt::Result {
        writeln!(text, "{BOLD}turn {number}{BOLD:#}  {DIM}{:.1} ms{DIM:#}", turn.took.as_secs_f64() * 1e3)?;
        writeln!(text, "  looked up: {}", turn.query.text.replace('\n', " / "))?;
        if let Some(hits) = &turn.hits {
            candidates(text, hits, limit)?;
        }
        match turn.outcome {
            TurnOutcome::Skipped(reason) => {
                let topic = turn.topic.as_ref().map(|topic| format!(": {topic}")).unwrap_or_default();
                writeln!(text, "  gets nothing ({reason}): {}{topic}", reason.explain())?;
            }
            TurnOutcome::Injected(items) => {
                let tokens = turn.placed.as_ref().map_or(0, |placed| placed.tokens);
                writeln!(text, "  gets {items} items, {tokens} tokens:")?;
            }
        }
        if let Some(placed) = &turn.placed {
            for item in &*placed.items {
                writeln!(text, "    {GREEN}+ {}{GREEN:#}", item.id)?;
            }
            writeln!(text, "  {DIM}inserted:{DIM:#} {}", String::from_utf8_lossy(&placed.bytes))?;
        }
        writeln!(text)
    })();
}

fn candidates(text: &mut String, hits: &Hits, limit: usize) -> std::fmt::Result {
    writeln!(text, "  gate: {}", hits.gate.reason)?;
    writeln!(text, "  {DIM} fused  score  words  likeness  topic  item{DIM:#}")?;
    for candidate in hits.candidates.iter().take(limit) {
        let Candidate { fused, score, lexical, topic, .. } = candidate;
        let likeness = candidate.likeness.map_or_else(|| "    -".to_owned(), |value| format!("{value:>5.3}"));
        let mark = if candidate.passes { "*" } else { " " };
        let name = if candidate.name_match { " [name]" } else { "" };
        let same = candidate
            .duplicate_of
            .as_ref()
            .map_or_else(String::new, |id| format!(" [says the same as {id}]"));
        let about = match &candidate.item.body {
            Body::Fact { title, .. } => title,
            Body::Example { question, .. } => question,
        };
        writeln!(
            text,
            "  {mark}{fused:>5.3}  {score:>5.3}  {lexical:>5.3}     {likeness}  {topic:>5.3}  {}{name}{same}  {DIM}{}{DIM:#}",
            candidate.item.id,
            shorten(about)
        )?;
    }
    Ok(())
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    short
}

/// The two bodies as lines, one message a line, inserted lines in colour.
fn difference(body: &[u8], explanation: &Explanation) -> String {
    let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("},{", "},\n{");
    let (before, after) = (lines(body), lines(&explanation.spliced.body));
    let mut text = String::new();
    for change in TextDiff::from_lines(&before, &after).iter_all_changes() {
        let line = change.value().trim_end_matches('\n');
        let _infallible = match change.tag() {
            ChangeTag::Insert => writeln!(text, "{GREEN}+ {line}{GREEN:#}"),
            ChangeTag::Delete => writeln!(text, "- {line}"),
            ChangeTag::Equal => writeln!(text, "  {line}"),
        };
    }
    text
}
