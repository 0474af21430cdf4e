//! The section `[lints]`.

use super::reader::Reader;
use crate::lint::{Level, Levels, Lint};

/// The level of each lint. What is fixed may be written down, and not be changed.
pub(super) fn lints(reader: &mut Reader) -> Levels {
    let mut levels = Levels::default();
    for &lint in Lint::ALL {
        let level = reader.choice(lint.key(), lint.default_level(), &Level::NAMED);
        if lint.is_fixed() && level != lint.default_level() {
            reader.problem(lint.key(), &format!("is always {}", lint.default_level().name()));
        }
        levels.set(lint, level);
    }
    levels
}
