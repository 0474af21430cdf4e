//! The report for a pull request.

use std::fmt::Write as _;

use super::gate::{Gate, Status};
use super::results::Results;
use super::words::{lift, moved, of, p_value, percent, rate, verdict};
use crate::measure::suite::Kind;

/// The results as GitHub-flavoured Markdown.
pub fn markdown(results: &Results, gates: &[(&Gate, Status, String)]) -> String {
    let mut text = String::new();
    let _infallible = (|| -> std::fmt::Result {
        writeln!(
            text,
            "### {} on {}: {}\n",
            results.brand,
            cell(&results.sampling.model),
            cell(&results.suite)
        )?;
        for line in verdict(results) {
            writeln!(text, "{line}\n")?;
        }
        for (gate, status, shown) in gates {
            writeln!(text, "- **{status}**: `{}` ({shown})", gate.text)?;
        }
        if !gates.is_empty() {
            writeln!(text)?;
        }
        writeln!(
            text,
            "| questions | arm | mentions | rate (95 %) | lift (95 %) | |\n|---|---|---|---|---|---|"
        )?;
        for kind in Kind::ALL {
            for arm in &results.arms {
                let Some(found) = arm.kind(kind) else { continue };
                let comparison = results.comparison(&arm.arm, kind);
                writeln!(
                    text,
                    "| {kind} | {} | {} of {} | {} | {} | {} |",
                    cell(&arm.arm),
                    found.mentions,
                    found.answered,
                    found.rate.as_ref().map(rate).unwrap_or_default(),
                    comparison.and_then(|found| found.lift.as_ref()).map(lift).unwrap_or_default(),
                    comparison
                        .and_then(|found| found.p_adjusted.or(found.p_value))
                        .map(p_value)
                        .unwrap_or_default(),
                )?;
            }
        }
        write_changes(&mut text, results)?;
        if !results.missing.is_empty() {
            let reasons: Vec<String> =
                results.missing.iter().map(|(reason, count)| format!("{count} × {}", cell(reason))).collect();
            writeln!(
                text,
                "\nMissing: {} of all answers ({}).",
                percent(results.missing_share()),
                reasons.join(", ")
            )?;
        }
        if !results.unsupported.is_empty() {
            writeln!(
                text,
                "\n{} answers state numbers or names about {} that nothing supports: see report.html.",
                results.unsupported.len(),
                cell(&results.brand)
            )?;
        }
        for line in &results.warnings {
            writeln!(text, "\n> {line}")?;
        }
        Ok(())
    })();
    text
}

fn write_changes(text: &mut String, results: &Results) -> std::fmt::Result {
    if !results.changes.is_empty() {
        writeln!(
            text,
            "\n| against the earlier run | questions | before | now | change (95 %) | | moved |\n|---|---|---|---|---|---|---|"
        )?;
    }
    for change in &results.changes {
        writeln!(
            text,
            "| {} | {} {} | {} | {} | {} | {} | {} |",
            cell(&change.arm),
            change.questions,
            change.kind,
            of(change.before),
            of(change.after),
            change.lift.as_ref().map(lift).unwrap_or_default(),
            change.p_value.map(p_value).unwrap_or_default(),
            cell(&moved(change)),
        )?;
    }
    Ok(())
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
