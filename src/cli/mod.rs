//! The command line: arguments in, text and an exit code out.

mod arguments;
mod check;
mod evaluate;
mod explain;
mod init;
mod key;
mod log;
mod measure;
mod print;
mod reload;
mod report;
mod serve;

use clap::Parser;

pub use arguments::Arguments;
use arguments::{Command, KeyCommand};

/// What a command ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Success = 0,
    /// Something failed while it ran.
    Runtime = 1,
    /// The configuration, the knowledge or the recipes are wrong, or the arguments.
    BadInput = 2,
    /// A required value was missed.
    Missed = 100,
    /// Whether a required value was missed cannot be told.
    Inconclusive = 101,
}

/// Runs the command that the arguments name.
pub fn run() -> Exit {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::BadInput } else { Exit::Success };
            return if error.print().is_ok() { exit } else { Exit::Runtime };
        }
    };
    match &arguments.command {
        Command::Serve(serve) => serve::run(&arguments.common, serve),
        Command::Check(check) => check::run(&arguments.common, check),
        Command::Evaluate(evaluate) => evaluate::run(&arguments.common, evaluate),
        Command::Explain(explain) => explain::run(&arguments.common, explain),
        Command::Key { command: KeyCommand::New(new) } => key::new(new),
        Command::Measure(measure) => measure::run(&arguments.common, measure),
        Command::Report(report) => report::run(&arguments.common, report),
        Command::Init(init) => init::run(init),
    }
}
