//! Which of the OpenAI request shapes a path carries.

/// A request shape that injection knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `POST .../chat/completions`: a `messages` list.
    ChatCompletions,
}

impl Dialect {
    /// Recognises a request path by its end, so that base paths of every provider are covered.
    pub fn of_path(path: &str) -> Option<Dialect> {
        path.ends_with("/chat/completions").then_some(Dialect::ChatCompletions)
    }

    /// The key of the list that injection inserts into.
    pub fn list_key(self) -> &'static str {
        match self {
            Dialect::ChatCompletions => "messages",
        }
    }
}
