//! The report on a terminal.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::gate::{Gate, Status};
use super::results::{ArmResults, Comparison, KindResults, Results};
use super::words::{lift, moved, of, p_value, percent, rate, verdict};
use crate::measure::suite::Kind;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// The results as text with colours, which a stream may strip.
pub fn terminal(results: &Results, gates: &[(&Gate, Status, String)]) -> String {
    let mut text = String::new();
    let _infallible = write_report(&mut text, results, gates);
    text
}

fn write_report(text: &mut String, results: &Results, gates: &[(&Gate, Status, String)]) -> std::fmt::Result {
    writeln!(
        text,
        "{BOLD}{}{BOLD:#}: {} on {}, {} requests, {} repeats, temperature {}",
        results.suite,
        results.brand,
        results.sampling.model,
        results.requests,
        results.repeats,
        results.sampling.temperature
    )?;
    for kind in Kind::ALL {
        let arms: Vec<(&ArmResults, &KindResults)> =
            results.arms.iter().filter_map(|arm| Some((arm, arm.kind(kind)?))).collect();
        if let Some((_, first)) = arms.first() {
            writeln!(text, "\n{BOLD}{kind}{BOLD:#} {DIM}{} questions{DIM:#}", first.questions)?;
            for (arm, found) in &arms {
                write_row(text, results, arm, found)?;
            }
        }
    }
    write_changes(text, results)?;
    write_costs(text, results)?;
    for sweep in &results.sweeps {
        let (least, most) = sweep.range;
        writeln!(
            text,
            "\n{BOLD}spread over {}{BOLD:#}: {} to {} over {} arms, standard deviation {} points{}",
            sweep.topic,
            percent(least),
            percent(most),
            sweep.arms.len(),
            format_args!("{:.1}", 100.0 * sweep.between),
            sweep.p_value.map(|p| format!(", {}", p_value(p))).unwrap_or_default()
        )?;
    }
    if !results.missing.is_empty() {
        writeln!(text, "\n{BOLD}missing answers{BOLD:#}: {} of all", percent(results.missing_share()))?;
        for (reason, count) in &results.missing {
            writeln!(text, "  {count:>5}  {reason}")?;
        }
    }
    writeln!(text)?;
    for line in verdict(results) {
        writeln!(text, "{line}")?;
    }
    let warning = AnsiColor::Yellow.on_default();
    for line in &results.warnings {
        writeln!(text, "{warning}note{warning:#}: {line}")?;
    }
    for (gate, status, shown) in gates {
        let style = match status {
            Status::Passed => AnsiColor::Green.on_default(),
            Status::Inconclusive => AnsiColor::Yellow.on_default(),
            Status::Failed => AnsiColor::Red.on_default(),
        };
        writeln!(text, "{style}{status}{style:#}: {} ({shown})", gate.text)?;
    }
    Ok(())
}

fn write_row(
    text: &mut String,
    results: &Results,
    arm: &ArmResults,
    found: &KindResults,
) -> std::fmt::Result {
    let rate_found = found.rate.as_ref().map_or_else(|| "–".to_owned(), rate);
    write!(text, "  {:<24} {:>4}/{:<4} {rate_found:<20}", arm.arm, found.mentions, found.answered)?;
    if let Some(comparison) = results.comparison(&arm.arm, found.kind) {
        write!(text, " {}", difference(comparison))?;
    }
    if let Some((leaks, of)) = found.leaks {
        write!(text, " leaked {leaks} of {of}")?;
    }
    if let Some((yes, of)) = found.expected {
        write!(text, " as expected {yes} of {of}")?;
    }
    if found.injected > 0 && !matches!(found.kind, Kind::Organic | Kind::Branded) {
        write!(text, " {DIM}injected {}{DIM:#}", found.injected)?;
    }
    if found.missing > 0 {
        write!(text, " {DIM}missing {}{DIM:#}", found.missing)?;
    }
    writeln!(text)
}

fn difference(comparison: &Comparison) -> String {
    let Some(found) = &comparison.lift else { return String::new() };
    let p = comparison.p_adjusted.or(comparison.p_value).map(p_value).unwrap_or_default();
    format!("{} {p}", lift(found))
}

fn write_changes(text: &mut String, results: &Results) -> std::fmt::Result {
    if results.changes.is_empty() {
        return Ok(());
    }
    writeln!(text, "\n{BOLD}against the earlier run{BOLD:#}")?;
    for change in &results.changes {
        let difference = match (&change.lift, change.p_value) {
            (Some(found), p) => format!("{} {}", lift(found), p.map(p_value).unwrap_or_default()),
            (None, _) => "too few families of questions for an interval".to_owned(),
        };
        writeln!(
            text,
            "  {:<24} {:<16} {:>3} questions {:>12} → {:<12} {difference}",
            change.arm,
            change.kind.name(),
            change.questions,
            of(change.before),
            of(change.after),
        )?;
        if !change.moved.is_empty() {
            writeln!(text, "  {DIM}moved: {}{DIM:#}", moved(change))?;
        }
    }
    Ok(())
}

fn write_costs(text: &mut String, results: &Results) -> std::fmt::Result {
    writeln!(
        text,
        "\n{DIM}{:<26}{:>11}{:>9}{:>9}{:>11}{:>11}{:>27}{DIM:#}",
        "", "prompt tok", "added", "cached", "p50 ms", "p95 ms", "decide µs p50 / p95 / p99"
    )?;
    for arm in &results.arms {
        let [p50, p95, _] = arm.latency_ms.unwrap_or_default();
        let decide = arm
            .planning_us
            .map_or_else(|| "–".to_owned(), |[p50, p95, p99]| format!("{p50:.0} / {p95:.0} / {p99:.0}"));
        writeln!(
            text,
            "  {:<24}{:>11.0}{:>9.0}{:>9}{p50:>11.0}{p95:>11.0}{decide:>27}",
            arm.arm,
            arm.prompt_tokens,
            arm.added_tokens,
            percent(arm.cached_share)
        )?;
    }
    Ok(())
}
