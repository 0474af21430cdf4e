//! `foreword check`: every problem of configuration, knowledge and recipes at once.

use jiff::Timestamp;

use super::Exit;
use super::arguments::Common;
use super::print::{out, problems, tally};
use crate::config::load;
use crate::document::{Problem, Severity};
use crate::snapshot::Builder;

pub(super) fn run(common: &Common) -> Exit {
    let (file, optional) = common.file();
    let (settings, mut found) = load(&file, optional, &common.overrides());
    if let Some(settings) = settings {
        found.extend(Builder::new(settings.snapshot, None, settings.search).check(Timestamp::now()));
    }
    problems(&found, Severity::Note);
    let tally = tally(&found);
    if found.iter().any(Problem::is_error) {
        out(&format!("not sound: {tally}\n"));
        return Exit::BadInput;
    }
    out(&if tally.is_empty() { "sound\n".to_owned() } else { format!("sound, with {tally}\n") });
    Exit::Success
}
