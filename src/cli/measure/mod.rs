//! `foreword measure`: the run from suite to reports, and what goes with it.

mod asking;
mod convert;
mod detect;
mod endpoints;
mod plan;
mod precision;
mod progress;
mod run;
mod scripted;
mod selftest;
mod write;

use super::Exit;
use super::arguments::{Common, Measure, MeasureCommand};

pub(super) fn run(common: &Common, arguments: &Measure) -> Exit {
    let ended = match &arguments.command {
        None => run::run(common, arguments),
        Some(MeasureCommand::Convert { suite }) => convert::run(suite),
        Some(MeasureCommand::Plan(plan)) => plan::run(plan),
        Some(MeasureCommand::Detect { file, question }) => {
            detect::run(common, arguments, file, question.as_deref())
        }
        Some(MeasureCommand::Selftest { runs, seed }) => selftest::run(*runs, *seed),
    };
    ended.unwrap_or_else(|exit| exit)
}
