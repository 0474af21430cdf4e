//! Whether an answer gives away what was put into its request. Pure: texts in, values out.

mod answer;
mod forms;
mod inserted;
mod watch;

pub use answer::{leak, leaked_mark};
pub use forms::Leak;
pub use inserted::Inserted;
pub use watch::Watch;
