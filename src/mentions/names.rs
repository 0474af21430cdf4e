//! What is asked for: brands with their names as they are written, and why such a list may be refused.

use thiserror::Error;

use super::inflect::Language;

/// Bytes: a longer name is a mistake, such as a whole paragraph in a list of names.
pub const LONGEST_NAME: usize = 200;

/// How upper and lower case are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CasePolicy {
    /// By what the name is. One that is no ordinary word matches in any case. One of three letters or fewer
    /// matches as it is written. One that is also a word ("Apple", "Monday", "Claude") matches as it is written
    /// and where a capital says something, or beside a word of `require_any`.
    #[default]
    Auto,
    /// As it is written, and beside a word of `require_any` where there are any.
    Exact,
    /// In any case, and beside a word of `require_any` where there are any.
    Ignore,
}

/// One spelling of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// As it is written.
    pub text: String,
    /// Languages whose endings it may take. Possessives ("Acme's") it always may.
    pub inflect: Vec<Language>,
    /// How case is compared.
    pub case: CasePolicy,
    /// Words or phrases of which one stands near where this name is meant.
    pub require_any: Vec<String>,
    /// Whether hyphens and spaces may stand for each other: "Coca Cola" for "Coca-Cola". On by default.
    pub loose_separators: bool,
    /// Whether one letter may be wrong, in names of six letters or more. Off by default.
    pub fuzzy: bool,
}

impl From<&str> for Alias {
    fn from(text: &str) -> Alias {
        Alias {
            text: text.to_owned(),
            inflect: Vec::new(),
            case: CasePolicy::Auto,
            require_any: Vec::new(),
            loose_separators: true,
            fuzzy: false,
        }
    }
}

/// What one brand is called, and what it is not to be taken for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrandNames {
    /// What the rest of the program calls the brand.
    pub id: String,
    /// Its names, the canonical one first.
    pub names: Vec<Alias>,
    /// Names of others that are ranked with it. One that is a name of another brand in the lexicon is that brand.
    pub competitors: Vec<Alias>,
    /// Phrases that hold a name and do not mean the brand: "apple pie".
    pub excludes: Vec<String>,
    /// Hosts whose addresses cite the brand, besides those that hold one of its names.
    pub domains: Vec<String>,
}

/// Why names cannot be looked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LexiconError {
    /// Two brands have one id.
    #[error("two brands are called `{id}`")]
    DuplicateBrand {
        /// The id.
        id: String,
    },
    /// A brand has no name.
    #[error("the brand `{brand}` has no name")]
    NoName {
        /// The brand's id.
        brand: String,
    },
    /// A name or exclusion holds no letter and no digit.
    #[error(
        "`{name}` of the brand `{brand}` holds no letter and no digit: it would match everything or nothing"
    )]
    Empty {
        /// The brand's id.
        brand: String,
        /// The name as written.
        name: String,
    },
    /// A name is longer than [`LONGEST_NAME`].
    #[error("a name of the brand `{brand}` is longer than {LONGEST_NAME} bytes: `{start}...`")]
    TooLong {
        /// The brand's id.
        brand: String,
        /// How it begins.
        start: String,
    },
    /// One name belongs to two brands.
    #[error("`{name}` is a name of `{first}` and of `{second}`: a mention would not say which is meant")]
    Ambiguous {
        /// The name as written.
        name: String,
        /// One brand's id.
        first: String,
        /// The other brand's id.
        second: String,
    },
    /// An exclusion is also a name, which would then never be found.
    #[error("`{phrase}` is excluded by `{brand}` and is also a name")]
    ExcludedName {
        /// The phrase as written.
        phrase: String,
        /// The id of the brand that excludes it.
        brand: String,
    },
    /// There are more names than can be searched for at once.
    #[error("the names cannot be searched for: {reason}")]
    TooMany {
        /// What the search says.
        reason: String,
    },
}
