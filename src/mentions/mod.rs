//! Which brands an answer names, where, and how: rules alone, each hit with its place and reason. The same room
//! serves measurements and whoever watches answers as they pass.
//!
//! An answer is read as a person sees it (`visible`), folded to what names are compared by (`fold`), searched
//! for all names at once (`lexicon`), and each candidate is held against boundaries, endings, case and context
//! (`detect`). What the answer quotes from the question, a disclosure footer and addresses are no mentions.

mod brands;
mod choose;
mod citation;
mod context;
mod detect;
mod findings;
mod fold;
mod fuzzy;
mod heads;
mod html;
mod inflect;
mod lexicon;
mod names;
mod offsets;
mod own;
mod phrases;
mod polarity;
mod script;
mod stream;
mod tokens;
mod visible;
mod words;

pub use detect::{Answer, explain, find};
pub use findings::{Citation, Considered, Findings, Mention, Outcome, Polarity, Rejection, Rule};
pub use inflect::Language;
pub use lexicon::Lexicon;
pub use names::{Alias, BrandNames, CasePolicy, LONGEST_NAME, LexiconError};
pub use stream::{LONGEST_STREAM, Stream};
pub use words::is_ordinary_word;
