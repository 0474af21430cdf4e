//! What happens to answers in production: each chat request leaves a receipt, its answer is searched for mentions, and
//! both are counted by the arm of its conversation. All of it happens in a thread of its own, after the answer has
//! left: nobody waits for it, and losing the disk loses counts, never a request. No text of a request or an answer
//! is kept, but for questions that found nothing, redacted, where the operator asks for them.

mod audit;
mod cost;
mod finished;
mod parts;
mod questions;
mod receipt;
mod recorder;
mod redact;
mod report;
mod spans;
mod store;
mod unanswered;
mod writing;

pub use audit::AuditLog;
pub use cost::{Cost, Prices, money};
pub use finished::{Finished, Spoken};
pub use parts::{Part, PartArm};
pub use questions::Question;
pub use receipt::{Mentioned, Receipt, ReceiptItem};
pub use recorder::{LiveSettings, Recorder};
pub use report::{Arm, Bounded, DayRate, Decided, HalfCheck, LiveReport, Named, live_report};
pub use spans::Timing;
pub use store::{Filter, Page, Store, StoreError, Totals};
pub use unanswered::{Unanswered, unanswered};
