//! Which of the OpenAI request shapes a path carries.

/// A request shape that injection knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `POST .../chat/completions`: a `messages` list.
    ChatCompletions,
    /// `POST .../responses`: an `input` that is a text or a list of items.
    Responses,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Dialect; 2] = [Dialect::ChatCompletions, Dialect::Responses];

    /// Recognises a request path by its end, so that base paths of every provider are covered.
    pub fn of_path(path: &str) -> Option<Dialect> {
        Dialect::ALL.into_iter().find(|dialect| path.ends_with(dialect.path_end()))
    }

    fn path_end(self) -> &'static str {
        match self {
            Dialect::ChatCompletions => "/chat/completions",
            Dialect::Responses => "/responses",
        }
    }

    /// The `type` of a part of a user message that holds text.
    pub fn text_part(self) -> &'static str {
        match self {
            Dialect::ChatCompletions => "text",
            Dialect::Responses => "input_text",
        }
    }

    /// The key of the list that injection inserts into.
    pub fn list_key(self) -> &'static str {
        match self {
            Dialect::ChatCompletions => "messages",
            Dialect::Responses => "input",
        }
    }
}
