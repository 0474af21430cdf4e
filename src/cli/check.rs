//! `foreword check`: every problem of configuration, knowledge and recipes at once.

use jiff::Timestamp;

use super::Exit;
use super::arguments::{Check, Common};
use super::print::{err, not_started, out, problems, tally};
use crate::app;
use crate::config::{Settings, load};
use crate::document::{Problem, Severity, nearest};
use crate::lint::Lint;
use crate::snapshot::Builder;

pub(super) fn run(common: &Common, check: &Check) -> Exit {
    let (file, optional) = common.file();
    let (mut settings, mut found) = load(&file, optional, &common.overrides());
    if let Some(settings) = &mut settings {
        settings.snapshot.lexical_first = usize::MAX;
    }
    if let Some(asked) = &check.explain {
        return explain(asked.as_deref(), settings.as_ref());
    }
    if let Some(settings) = &settings {
        let builder = Builder::new(settings.snapshot.clone(), None, settings.search.clone());
        found.extend(builder.check(Timestamp::now()));
    }
    problems(&found, Severity::Note);
    let tally = tally(&found);
    if found.iter().any(Problem::is_error) {
        out(&format!("not sound: {tally}\n"));
        return Exit::BadInput;
    }
    if let Some(exit) = settings.as_ref().and_then(gate) {
        return exit;
    }
    out(&if tally.is_empty() { "sound\n".to_owned() } else { format!("sound, with {tally}\n") });
    Exit::Success
}

/// Says what a lint is about, or what each is.
fn explain(asked: Option<&str>, settings: Option<&Settings>) -> Exit {
    let levels = settings.map(|settings| settings.snapshot.lints.clone()).unwrap_or_default();
    let line = |lint: Lint| format!("{} ({})", lint.name(), levels.of(lint).name());
    match asked {
        None => {
            for &lint in Lint::ALL {
                let first = lint.explanation().split_inclusive(". ").next().unwrap_or_default();
                out(&format!("{:<32} {}\n", line(lint), first.trim_end()));
            }
            out(
                "\nMore: foreword check --explain NAME. Levels: [lints] NAME = \"allow\", \"warn\" or \"deny\" in foreword.toml.\n",
            );
            Exit::Success
        }
        Some(name) => match Lint::from_name(name) {
            Some(lint) => {
                out(&format!("{}\n\n{}\n", line(lint), lint.explanation()));
                Exit::Success
            }
            None => {
                let names = Lint::ALL.iter().map(|lint| lint.name());
                let hint = nearest(name, names).map(|name| format!(": did you mean `{name}`?"));
                err(&format!("foreword: there is no lint `{name}`{}\n", hint.unwrap_or_default()));
                Exit::BadInput
            }
        },
    }
}

/// Builds what would serve and says what the gate holds questions against.
fn gate(settings: &Settings) -> Option<Exit> {
    let core = match app::core(settings, &mut |_, _| {}) {
        Ok(core) => core,
        Err(error) => return Some(not_started(&error)),
    };
    if let Err(reason) = &core.model {
        err(&format!("foreword: only words are compared: {reason}\n"));
    }
    let rate = 100.0 * settings.search.false_injection_rate;
    for brand in &core.planner.snapshot().brands {
        let (items, threshold) = (brand.len(), brand.threshold(&settings.search));
        let prompts = brand.calibration().prompts();
        out(&format!(
            "{}: {items} items; a question must score {threshold:.3}, which {rate:.1} % of {prompts} prompts about other things reach at most\n",
            brand.id
        ));
    }
    None
}
