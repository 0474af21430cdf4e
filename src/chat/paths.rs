//! Which paths carry which dialect.

use super::dialect::Dialect;

/// Paths by their ends, so that the base paths of every provider are covered:
/// `/openai/deployments/NAME/chat/completions` is one of the ends `/chat/completions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The longest end first: `/chat/completions` also ends with `/completions`.
    ends: Vec<(String, Dialect)>,
}

impl Paths {
    /// The paths that end so. A dialect without an end is not recognised.
    pub fn new(ends: impl IntoIterator<Item = (Dialect, String)>) -> Paths {
        let mut ends: Vec<_> = ends.into_iter().map(|(dialect, end)| (end, dialect)).collect();
        ends.sort_by_key(|(end, _)| std::cmp::Reverse(end.len()));
        Paths { ends }
    }

    /// The dialect of a path, without its query. One slash too many at the end does not count.
    pub fn dialect_of(&self, path: &str) -> Option<Dialect> {
        let path = path.strip_suffix('/').unwrap_or(path);
        self.ends.iter().find(|(end, _)| path.ends_with(end)).map(|(_, dialect)| *dialect)
    }
}

impl Default for Paths {
    /// The paths of OpenAI's own interface.
    fn default() -> Self {
        Paths::new(Dialect::ALL.map(|dialect| (dialect, dialect.path_end().to_owned())))
    }
}
