//! How a mention speaks of the brand: by the words of its clause, in English and German. A rule of thumb: what the
//! headline counts is whether a brand is named; this says how much of that is not meant well.

use super::findings::Polarity;
use super::tokens::{Break, Tokens};

/// Words in front of a name that are looked at.
const BEFORE: usize = 8;

/// Words behind it.
const BEHIND: usize = 6;

/// Phrases right in front of a name: something else is to be taken.
const INSTEAD: &[&str] = &[
    "instead of",
    "rather than",
    "in place of",
    "alternative to",
    "alternatives to",
    "replacement for",
    "replacing",
    "replace",
    "replaces",
    "over",
    "migrate from",
    "migrating from",
    "migrate away from",
    "moving away from",
    "move away from",
    "switch from",
    "switching from",
    "unlike",
    "statt",
    "anstatt",
    "anstelle von",
    "alternative zu",
    "alternativen zu",
    "ersatz für",
    "ersetzt",
    "im gegensatz zu",
    "anders als",
];

/// Phrases in front of a name: it is advised against.
const AGAINST: &[&str] = &[
    "avoid",
    "avoid using",
    "stay away from",
    "steer clear of",
    "don't use",
    "do not use",
    "never use",
    "don't recommend",
    "do not recommend",
    "wouldn't recommend",
    "would not recommend",
    "can't recommend",
    "cannot recommend",
    "shouldn't use",
    "should not use",
    "beware of",
    "vermeide",
    "vermeiden sie",
    "verwende nicht",
    "finger weg von",
    "rate ich von",
    "abraten von",
    "nicht empfehlen",
    "empfehle nicht",
];

/// Words in front of a name that deny it.
const NOT: &[&str] =
    &["not", "no", "neither", "nor", "without", "isn't", "aren't", "kein", "keine", "nicht", "weder", "ohne"];

/// What behind a name denies something of it.
const IS_NOT: &[&str] = &[
    "is not",
    "isn't",
    "are not",
    "aren't",
    "was not",
    "wasn't",
    "does not",
    "doesn't",
    "do not",
    "don't",
    "did not",
    "didn't",
    "cannot",
    "can't",
    "could not",
    "couldn't",
    "will not",
    "won't",
    "would not",
    "wouldn't",
    "should not",
    "shouldn't",
    "has no",
    "lacks",
    "is no longer",
    "is never",
    "fails to",
    "ist nicht",
    "ist kein",
    "ist keine",
    "hat kein",
    "hat keine",
    "kann nicht",
    "kann das nicht",
    "kann dies nicht",
    "nicht empfehlen",
    "nicht verwenden",
    "nicht nutzen",
    "kann kein",
    "wird nicht",
    "bietet keine",
    "bietet kein",
    "unterstützt nicht",
];

/// Phrases in front of a name that recommend it.
const FOR: &[&str] = &[
    "recommend",
    "recommend using",
    "recommended",
    "suggest",
    "suggest using",
    "try",
    "try using",
    "use",
    "using",
    "consider",
    "consider using",
    "check out",
    "go with",
    "choose",
    "look at",
    "take a look at",
    "you can use",
    "you could use",
    "best choice is",
    "best option is",
    "good choice is",
    "good option is",
    "great choice is",
    "empfehle",
    "empfehlen",
    "empfehlenswert ist",
    "nutze",
    "nutzen sie",
    "verwende",
    "verwenden sie",
    "probiere",
    "schau dir",
    "mit",
];

/// What behind a name recommends it.
const IS_GOOD: &[&str] = &[
    "is a good",
    "is a great",
    "is a popular",
    "is an excellent",
    "is an ideal",
    "is ideal",
    "is perfect",
    "is the best",
    "is one of the best",
    "is well suited",
    "is a solid",
    "is a strong",
    "is a perfect",
    "is a powerful",
    "is a fantastic",
    "would be a good",
    "would be a great",
    "works well",
    "fits",
    "eignet sich",
    "ist ideal",
    "ist gut geeignet",
    "ist eine gute",
    "ist ein gutes",
    "ist ein guter",
    "ist perfekt",
    "passt",
];

/// The polarity of the name that is words `first..behind` of the folded text. `heads_item`: it heads an item of a list.
pub(super) fn polarity(
    text: &str,
    tokens: &Tokens,
    first: usize,
    behind: usize,
    heads_item: bool,
) -> Polarity {
    let before = words_before(text, tokens, first);
    let after = words_behind(text, tokens, behind);
    // Articles and the like between a phrase and the name: "instead of the older X".
    let ends = |phrases: &[&str], gap: usize| {
        (0..=gap.min(before.len())).any(|skip| {
            let left = before[..before.len() - skip].join(" ");
            phrases.iter().any(|phrase| is_at_end(&left, phrase))
        })
    };
    let begins = |phrases: &[&str], gap: usize| {
        (0..=gap.min(after.len())).any(|skip| {
            let right = after[skip..].join(" ");
            phrases.iter().any(|phrase| is_at_start(&right, phrase))
        })
    };
    // "no, X" does not deny X.
    let parted = tokens.list.get(first).is_some_and(|token| token.before >= Break::Comma);
    if ends(INSTEAD, 2) {
        Polarity::InsteadOf
    } else if ends(AGAINST, 3) {
        Polarity::WarnedAgainst
    } else if !parted && ends(NOT, 1) || begins(IS_NOT, 1) {
        Polarity::Negated
    } else if ends(FOR, 2) || begins(IS_GOOD, 2) || heads_item {
        Polarity::Recommended
    } else {
        Polarity::Neutral
    }
}

fn is_at_end(words: &str, phrase: &str) -> bool {
    words.strip_suffix(phrase).is_some_and(|rest| rest.is_empty() || rest.ends_with(' '))
}

fn is_at_start(words: &str, phrase: &str) -> bool {
    words.strip_prefix(phrase).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// The words of the clause in front of a name.
fn words_before<'t>(text: &'t str, tokens: &Tokens, first: usize) -> Vec<&'t str> {
    let mut words = Vec::new();
    let mut index = first;
    while index > 0
        && words.len() < BEFORE
        && tokens.list.get(index).is_some_and(|token| token.before < Break::Clause)
    {
        index -= 1;
        words.push(&text[tokens.list[index].range.clone()]);
    }
    words.reverse();
    words
}

/// The words of the clause behind it. A possessive is part of the name.
fn words_behind<'t>(text: &'t str, tokens: &Tokens, behind: usize) -> Vec<&'t str> {
    let rest = tokens.list.get(behind..).unwrap_or_default();
    rest.iter()
        .take_while(|token| token.before < Break::Comma)
        .take(BEHIND)
        .map(|token| &text[token.range.clone()])
        .collect()
}
