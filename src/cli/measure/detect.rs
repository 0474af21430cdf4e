//! `foreword measure detect`: what the detector finds in a text, and what it turns down.

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;

use anstyle::{AnsiColor, Style};

use super::run::settings;
use crate::cli::Exit;
use crate::cli::arguments::{Common, Measure};
use crate::cli::print::{err, failure, out, problems};
use crate::document::{Problem, Severity};
use crate::knowledge::load as load_knowledge;
use crate::mentions::{Answer, Lexicon, Outcome, explain, find};

const DIM: Style = Style::new().dimmed();

/// Characters of text that are shown on both sides of a name.
const AROUND: usize = 30;

pub(super) fn run(
    common: &Common,
    arguments: &Measure,
    file: &Path,
    question: Option<&str>,
) -> Result<Exit, Exit> {
    let settings = settings(common, arguments)?;
    let knowledge = &settings.snapshot;
    let loaded = load_knowledge(&knowledge.knowledge, &knowledge.limits, jiff::Timestamp::now());
    if loaded.problems.iter().any(Problem::is_error) {
        problems(&loaded.problems, Severity::Warning);
        return Err(Exit::BadInput);
    }
    let brands = loaded.knowledge.brands;
    let lexicon = Lexicon::of_brands(&brands).map_err(|error| {
        failure(&error);
        Exit::BadInput
    })?;
    let text = read(file)?;
    let disclosure = brands.iter().find_map(|brand| brand.disclosure.in_answer(&text));
    let answer = Answer { text: &text, question, disclosure };
    let mut shown = String::new();
    for considered in explain(&lexicon, &answer) {
        let before = tail(&text[..considered.range.start]);
        let behind = head(&text[considered.range.end..]);
        let name = &text[considered.range.clone()];
        let (style, words) = match &considered.outcome {
            Outcome::Mention(mention) => {
                let item = mention.item.map(|number| format!(", heads item {number}")).unwrap_or_default();
                let words = format!(
                    "{} as `{}`, {:?}, {:?}{item}",
                    mention.brand, mention.alias, mention.rule, mention.polarity
                );
                (AnsiColor::Green.on_default(), words)
            }
            Outcome::Rejected(reason) => {
                (AnsiColor::Yellow.on_default(), format!("not `{}`: {reason}", considered.alias))
            }
        };
        let line = text[..considered.range.start].matches('\n').count() + 1;
        let _infallible = writeln!(
            shown,
            "line {line}: {DIM}{before}{DIM:#}{style}{name}{style:#}{DIM}{behind}{DIM:#}\n  {words}"
        );
    }
    let found = find(&lexicon, &answer);
    for citation in &found.citations {
        let _infallible = writeln!(shown, "cites {}: {}", citation.brand, citation.url);
    }
    for brand in &brands {
        let verdict = match found.rank_of(&brand.id) {
            None => "not named".to_owned(),
            Some(rank) if found.is_positive(&brand.id) => format!("named, rank {rank}"),
            Some(rank) => format!("named and turned down, rank {rank}"),
        };
        let _infallible = writeln!(shown, "{}: {verdict}", brand.name);
    }
    out(&shown);
    Ok(Exit::Success)
}

fn read(file: &Path) -> Result<String, Exit> {
    let bytes = if file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(file)
    };
    let bytes = bytes.map_err(|error| {
        err(&format!("foreword: {} cannot be read: {error}\n", file.display()));
        Exit::BadInput
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn tail(text: &str) -> String {
    let line = text.rsplit('\n').next().unwrap_or_default();
    let skip = line.chars().count().saturating_sub(AROUND);
    line.chars().skip(skip).collect()
}

fn head(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(AROUND).collect()
}
