//! `foreword report`: what the live counts say.

use std::fmt::Write;
use std::path::PathBuf;

use jiff::Timestamp;

use super::Exit;
use super::arguments::{Common, Report};
use super::print::{err, failure, out, problems};
use crate::config::load;
use crate::document::Severity;
use crate::live::{Bounded, LiveReport, Store, StoreError, live_report};

pub(super) fn run(common: &Common, report: &Report) -> Exit {
    let path = match store_path(common, report) {
        Ok(path) => path,
        Err(exit) => return exit,
    };
    let reports = match reports(&path, report) {
        Ok(reports) => reports,
        Err(error) => {
            failure(&error);
            return Exit::Runtime;
        }
    };
    if let (Some(brand), true) = (&report.brand, reports.iter().all(|report| report.arms.is_empty())) {
        err(&format!("foreword: nothing was counted for the brand `{brand}` in these days\n"));
    }
    if report.json {
        let json = serde_json::to_string_pretty(&reports).unwrap_or_default();
        out(&format!("{json}\n"));
    } else if reports.is_empty() {
        out("No chat request has been answered with something fitting yet.\n");
    } else {
        out(&reports.iter().map(text).collect::<Vec<_>>().join("\n"));
    }
    Exit::Success
}

fn store_path(common: &Common, report: &Report) -> Result<PathBuf, Exit> {
    if let Some(path) = &report.store {
        return Ok(path.clone());
    }
    let (file, optional) = common.file();
    let (settings, found) = load(&file, optional, &common.overrides());
    problems(&found, Severity::Warning);
    let settings = settings.ok_or(Exit::BadInput)?;
    settings.live.store.ok_or_else(|| {
        err("foreword: live.store is not set: set it to a file such as .foreword/live.sqlite and serve, or pass --store FILE\n");
        Exit::BadInput
    })
}

fn reports(path: &std::path::Path, report: &Report) -> Result<Vec<LiveReport>, StoreError> {
    let store = Store::read(path)?;
    let now = Timestamp::now().as_millisecond();
    let brands = match &report.brand {
        Some(brand) => vec![brand.clone()],
        None => store.brands(0)?,
    };
    brands.iter().map(|brand| live_report(&store, brand, report.since, now)).collect()
}

fn text(report: &LiveReport) -> String {
    let mut text = format!("{}, {} to {}\n{}\n\n", report.brand, report.since, report.until, report.verdict);
    let mut line = |cells: [&str; 6]| {
        let [arm, conversations, answers, rate, lift, always] = cells;
        let _never =
            writeln!(text, "  {arm:<22} {conversations:>13} {answers:>8}  {rate:<20} {lift:<22} {always}");
    };
    line(["arm", "conversations", "answers", "names the brand", "lift, one look", "lift, any look"]);
    for arm in &report.arms {
        line([
            &arm.name,
            &arm.conversations.to_string(),
            &arm.answers.to_string(),
            &percent(arm.rate, false),
            &percent(arm.lift, true),
            &percent(arm.lift_always, true),
        ]);
    }
    let missing: u64 = report.arms.iter().map(|arm| arm.missing).sum();
    if missing > 0 {
        let _never =
            writeln!(text, "  {missing} answers could not be read: they count as missing, not as silent");
    }
    if let Some(halves) = &report.halves {
        let verdict =
            if halves.is_sound { "as it should be" } else { "something is wrong with the assignment" };
        let _never = writeln!(
            text,
            "\nA/A: the halves of the held-out conversations differ by {}: {verdict}",
            percent(Some(halves.difference), true)
        );
    }
    let decisions: Vec<String> =
        report.decisions.iter().map(|decided| format!("{} {}", decided.decision, decided.requests)).collect();
    let _never = writeln!(text, "\nChat requests of all brands: {}", decisions.join(", "));
    text
}

fn percent(bounded: Option<Bounded>, signed: bool) -> String {
    let Some(Bounded { point, lower, upper }) = bounded else { return "-".to_owned() };
    let [point, lower, upper] = [point, lower, upper].map(|share| share * 100.0);
    if signed {
        format!("{point:+.1} ({lower:+.1} to {upper:+.1})")
    } else {
        format!("{point:.1} % ({lower:.1} to {upper:.1})")
    }
}
