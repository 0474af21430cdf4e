//! `foreword check`: every problem of configuration, knowledge and recipes at once.

use jiff::Timestamp;

use super::Exit;
use super::arguments::Common;
use super::print::{err, not_started, out, problems, tally};
use crate::app;
use crate::config::{Settings, load};
use crate::document::{Problem, Severity};
use crate::knowledge::load as load_knowledge;
use crate::mentions::Lexicon;
use crate::snapshot::Builder;

pub(super) fn run(common: &Common) -> Exit {
    let (file, optional) = common.file();
    let (settings, mut found) = load(&file, optional, &common.overrides());
    if let Some(settings) = &settings {
        let builder = Builder::new(settings.snapshot.clone(), None, settings.search.clone());
        found.extend(builder.check(Timestamp::now()));
        found.extend(names(settings));
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

/// Names by which mentions could not be told apart. They serve all the same, and cannot be measured.
fn names(settings: &Settings) -> Option<Problem> {
    let snapshot = &settings.snapshot;
    let brands = load_knowledge(&snapshot.knowledge, &snapshot.limits, Timestamp::now()).knowledge.brands;
    let error = Lexicon::of_brands(&brands).err()?;
    let problem = Problem::warning(&snapshot.knowledge, format!("mentions cannot be counted: {error}"));
    Some(problem.hint("mend `name`, `aliases`, `competitors` or `excludes` in brand.toml"))
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
