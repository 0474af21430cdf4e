//! Whether a text holds one of several names as whole words, in any case.

/// Names, ready to be looked for.
#[derive(Debug, Clone, Default)]
pub struct NameMatcher {
    /// Words in lower case with one space before, between and after.
    names: Vec<String>,
}

impl NameMatcher {
    /// Prepares names. Those without a letter or digit match nothing.
    pub fn new<'a>(names: impl Iterator<Item = &'a str>) -> NameMatcher {
        let mut names: Vec<String> = names.map(words).filter(|name| name.len() > 1).collect();
        names.sort();
        names.dedup();
        NameMatcher { names }
    }

    /// Whether one of the names stands in `text`.
    pub fn is_in(&self, text: &str) -> bool {
        if self.names.is_empty() {
            return false;
        }
        let text = words(text);
        self.names.iter().any(|name| text.contains(name.as_str()))
    }
}

fn words(text: &str) -> String {
    let mut out = String::from(" ");
    for word in text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty()) {
        out.extend(word.chars().flat_map(char::to_lowercase));
        out.push(' ');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::NameMatcher;

    #[test]
    fn names_are_whole_words() {
        let matcher = NameMatcher::new(["Jina AI", "DocArray", "CLIP-as-service", "", "--"].into_iter());
        for (text, expected) in [
            ("What is docarray?", true),
            ("What does JINA AI make?", true),
            ("Try CLIP as service.", true),
            ("jinaai", false),
            ("docarrays", false),
            ("Jina, and AI", false),
            ("", false),
        ] {
            assert_eq!(matcher.is_in(text), expected, "{text}");
        }
    }
}
