//! `foreword measure convert`

use std::path::Path;

use crate::cli::Exit;
use crate::cli::print::{out, problems};
use crate::document::Severity;
use crate::measure::suite::{read_suite, write_yaml};

pub(super) fn run(file: &Path) -> Result<Exit, Exit> {
    let (suite, found) = read_suite(file).map_err(|found| {
        problems(&found, Severity::Warning);
        Exit::BadInput
    })?;
    problems(&found, Severity::Note);
    out(&write_yaml(&suite));
    Ok(Exit::Success)
}
