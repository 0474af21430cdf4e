//! What was written (file, environment, flags) becomes what is true, or every problem at once.

mod experiment;
mod keys;
mod lints;
mod reader;
mod settings;
mod telemetry;
mod upstream;

pub use keys::KEYS;
pub use settings::{LogFormat, Overrides, Settings, load};
