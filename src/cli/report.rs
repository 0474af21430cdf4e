//! `foreword report`: what the live counts say.

use std::fmt::Write;
use std::path::PathBuf;

use jiff::Timestamp;

use super::Exit;
use super::arguments::{Common, Report};
use super::print::{err, failure, out, problems};
use crate::config::{Settings, load};
use crate::document::Severity;
use crate::live::{Bounded, Cost, LiveReport, Part, Prices, Store, StoreError, live_report, money};
use crate::snapshot::{HOLDOUT, INJECTED};

/// Topics and languages that are printed; all are in the JSON.
const SHOWN_PARTS: usize = 15;

pub(super) fn run(common: &Common, report: &Report) -> Exit {
    let (path, prices) = match place(common, report) {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let reports = match reports(&path, report, prices.as_ref()) {
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

/// The store, and what tokens cost. With --store the configuration is read for prices alone, and may be unsound.
fn place(common: &Common, report: &Report) -> Result<(PathBuf, Option<Prices>), Exit> {
    let (file, optional) = common.file();
    let (settings, found) = load(&file, optional, &common.overrides());
    if let Some(path) = &report.store {
        return Ok((path.clone(), settings.and_then(|settings| settings.prices)));
    }
    problems(&found, Severity::Warning);
    let Settings { live, prices, .. } = settings.ok_or(Exit::BadInput)?;
    let path = live.store.ok_or_else(|| {
        err("foreword: live.store is not set: set it to a file such as .foreword/live.sqlite and serve, or pass --store FILE\n");
        Exit::BadInput
    })?;
    Ok((path, prices))
}

fn reports(
    path: &std::path::Path,
    report: &Report,
    prices: Option<&Prices>,
) -> Result<Vec<LiveReport>, StoreError> {
    let store = Store::read(path)?;
    let now = Timestamp::now().as_millisecond();
    let brands = match &report.brand {
        Some(brand) => vec![brand.clone()],
        None => store.brands(0)?,
    };
    brands.iter().map(|brand| live_report(&store, brand, report.since, now, prices)).collect()
}

fn text(report: &LiveReport) -> String {
    let mut text = format!("{}, {} to {}\n{}\n\n", report.brand, report.since, report.until, report.verdict);
    let any_look = any_look(report);
    let mut line = |cells: [&str; 6]| {
        let [arm, conversations, answers, rate, lift, always] = cells;
        let _never =
            writeln!(text, "  {arm:<22} {conversations:>13} {answers:>8}  {rate:<22} {lift:<22} {always}");
    };
    line(["arm", "conversations", "answers", "names the brand", "lift, one look", &any_look]);
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
    parts(&mut text, ["by topic", "without a tag", &any_look], &report.topics);
    parts(&mut text, ["by language", "cannot be told", &any_look], &report.languages);
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
    if let Some(found) = &report.cost {
        cost(&mut text, found);
    }
    text
}

/// The bounds for any look begin with the first day that is kept, whatever the days of the report.
fn any_look(report: &LiveReport) -> String {
    let since = report.kept_since.as_ref().filter(|first| **first < report.since);
    since.map_or_else(|| "lift, any look".to_owned(), |first| format!("lift since {first}, any look"))
}

/// The hold-out beside what is served, for each topic or language; other arms are in the JSON.
fn parts(text: &mut String, [title, nameless, any_look]: [&str; 3], parts: &[Part]) {
    if parts.is_empty() {
        return;
    }
    let _never =
        writeln!(text, "\n  {title:<22} {:>8}  {:<22} {:<22} {any_look}", "answers", "held out", "injected");
    for part in parts.iter().take(SHOWN_PARTS) {
        let arm = |name: &str| part.arms.iter().find(|arm| arm.arm == name);
        let rate = |name: &str| percent(arm(name).and_then(|arm| arm.rate), false);
        let name = if part.name.is_empty() { nameless } else { &part.name };
        let _never = writeln!(
            text,
            "  {name:<22} {:>8}  {:<22} {:<22} {}",
            part.answers,
            rate(HOLDOUT),
            rate(INJECTED),
            percent(arm(INJECTED).and_then(|arm| arm.lift_always), true)
        );
    }
}

fn cost(text: &mut String, cost: &Cost) {
    let say = |amount| money(amount, &cost.currency);
    let each =
        cost.added_per_thousand.map(|each| format!(", {} for 1,000 requests that got something", say(each)));
    let answers = cost.completions.map(|completions| format!(", of all answers {}", say(completions)));
    let _never = writeln!(
        text,
        "Cost of what was added: {}{}, at most {}{}{}",
        say(cost.added),
        each.unwrap_or_default(),
        say(cost.added_at_most),
        cost.prompts.map(|prompts| format!("; of all prompts {}", say(prompts))).unwrap_or_default(),
        answers.unwrap_or_default()
    );
    if let Some(each) = cost.per_extra_mention {
        let [point, lower, upper] = [each.point, each.lower, each.upper].map(say);
        let _never =
            writeln!(text, "Cost of one answer more that names the brand: {point} ({lower} to {upper})");
    }
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
