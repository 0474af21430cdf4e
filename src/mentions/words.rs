//! Which words are ordinary: lists of our own, by which a name that is also a word is known.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What a word is besides a possible name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ordinary {
    /// Written small in ordinary text: a capital in the middle of a sentence makes it a name.
    Word,
    /// Written with a capital anyway: days, months, German nouns.
    Capital,
    /// A given name.
    GivenName,
}

static WORDS: LazyLock<HashMap<&'static str, Ordinary>> = LazyLock::new(|| {
    let mut words = HashMap::new();
    // What stands later wins: "jasper" is a word, and first of all a given name; "may" and "will" stay words.
    for (text, kind) in [
        (include_str!("words/first_names.txt"), Ordinary::GivenName),
        (include_str!("words/german.txt"), Ordinary::Word),
        (include_str!("words/capitals.txt"), Ordinary::Capital),
        (include_str!("words/english.txt"), Ordinary::Word),
        (include_str!("words/days.txt"), Ordinary::Capital),
    ] {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        words.extend(lines.flat_map(str::split_whitespace).map(|word| (word, kind)));
    }
    words
});

/// What a folded word is; nothing when it can only be a name. Of the forms of a word only those count that
/// leave it what it is: "windows" is ordinary, "docker" is not.
pub(super) fn ordinary(word: &str) -> Option<Ordinary> {
    if let Some(kind) = WORDS.get(word) {
        return Some(*kind);
    }
    let bases = [
        base(word, "s", ""),
        base(word, "es", ""),
        base(word, "ies", "y"),
        base(word, "ed", ""),
        base(word, "ed", "e"),
        base(word, "ing", ""),
        base(word, "ing", "e"),
        base(word, "'s", ""),
        undoubled(word, "ing"),
        undoubled(word, "ed"),
    ];
    let kind = bases.into_iter().flatten().find_map(|base| WORDS.get(base.as_str()).copied());
    kind.filter(|kind| *kind == Ordinary::Word)
}

/// Whether a word, in lower case, is an everyday one of English or German in one of its forms.
pub fn is_ordinary_word(word: &str) -> bool {
    ordinary(word).is_some()
}

fn base(word: &str, ending: &str, with: &str) -> Option<String> {
    word.strip_suffix(ending).filter(|stem| stem.chars().count() >= 2).map(|stem| format!("{stem}{with}"))
}

/// "running" without its ending is "run".
fn undoubled(word: &str, ending: &str) -> Option<String> {
    let stem = word.strip_suffix(ending)?;
    let last = stem.chars().next_back()?;
    let shorter = stem.strip_suffix(last)?;
    (shorter.len() >= 2 && shorter.ends_with(last)).then(|| shorter.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Ordinary, ordinary};

    #[test]
    fn words_are_known_in_their_forms() {
        for (word, expected) in [
            ("apple", Some(Ordinary::Word)),
            ("windows", Some(Ordinary::Word)),
            ("running", Some(Ordinary::Word)),
            ("monday", Some(Ordinary::Capital)),
            ("spiegel", Some(Ordinary::Capital)),
            ("claude", Some(Ordinary::GivenName)),
            ("docarray", None),
            ("docker", None),
            ("google", None),
            ("nokia", None),
        ] {
            assert_eq!(ordinary(word), expected, "{word}");
        }
    }
}
