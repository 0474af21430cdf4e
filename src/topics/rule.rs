//! Rules: phrases that a turn must hold, and ones that it must not.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Ways of writing one rule: `(a|b) (c|d)` has four. More than this is a mistake.
const MOST_WAYS: usize = 512;

/// Endings of a word within a phrase. That of the last word is free.
const ENDINGS: &[&str] = &["", "s", "es", "d", "ed", "ing", "ly", "e", "n", "en", "r"];

/// A rule over phrases that are numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// Each of these, in one of its ways.
    pub(super) wanted: Vec<Vec<usize>>,
    /// None of these.
    pub(super) unwanted: Vec<usize>,
}

/// Phrases as they are looked for, with their numbers.
#[derive(Debug, Default)]
pub(super) struct Phrases {
    numbers: HashMap<String, usize>,
    pub(super) texts: Vec<String>,
}

impl Phrases {
    fn number(&mut self, text: String) -> usize {
        *self.numbers.entry(text.clone()).or_insert_with(|| {
            self.texts.push(text);
            self.texts.len() - 1
        })
    }
}

impl Rule {
    /// Reads a rule; `None` where it says nothing.
    pub(super) fn read(text: &str, phrases: &mut Phrases) -> Option<Rule> {
        let mut rule = Rule { wanted: Vec::new(), unwanted: Vec::new() };
        let mut unwanted = false;
        let words: Vec<&str> = text.split_whitespace().collect();
        for part in words.split_inclusive(|word| matches!(*word, "+" | "-")) {
            let (words, sign) = match part.split_last() {
                Some((last, words)) if matches!(*last, "+" | "-") => (words, Some(*last)),
                _ => (part, None),
            };
            let ways: Vec<usize> = ways(&words.join(" "))
                .iter()
                .flat_map(|way| with_endings(way))
                .filter_map(|way| pattern(&way))
                .map(|pattern| phrases.number(pattern))
                .collect();
            if unwanted {
                rule.unwanted.extend(ways);
            } else if !ways.is_empty() {
                rule.wanted.push(ways);
            }
            unwanted = sign == Some("-");
        }
        (!rule.wanted.is_empty()).then_some(rule)
    }
}

/// Every way of reading the alternatives and numbers of a phrase.
fn ways(phrase: &str) -> Vec<String> {
    let mut ways = vec![String::new()];
    let mut rest = phrase;
    while let Some(open) = rest.find(['(', '{']) {
        let close = if rest[open..].starts_with('(') { ')' } else { '}' };
        let Some(length) = rest[open..].find(close) else { break };
        let (plain, inside) = (&rest[..open], &rest[open + 1..open + length]);
        let after = &rest[open + length + 1..];
        // `(own )life`: what ends in a space may be left out.
        let mut choices: Vec<String> = match inside.split_once('-') {
            Some((from, to)) if close == '}' => match (from.parse::<u32>(), to.parse::<u32>()) {
                (Ok(from), Ok(to)) => (from..=to).take(MOST_WAYS).map(|number| number.to_string()).collect(),
                _ => Vec::new(),
            },
            _ => inside.split('|').map(str::to_owned).collect(),
        };
        if inside.ends_with(' ') {
            choices.push(String::new());
        }
        ways = ways
            .iter()
            .flat_map(|way| choices.iter().map(move |choice| format!("{way}{plain}{choice}")))
            .take(MOST_WAYS)
            .collect();
        rest = after;
    }
    ways.iter().map(|way| format!("{way}{rest}")).collect()
}

/// A phrase with each usual ending of a word that may be longer and is not the last.
fn with_endings(phrase: &str) -> Vec<String> {
    let Some((before, after)) = phrase.trim_end().split_once("* ") else { return vec![phrase.to_owned()] };
    with_endings(after)
        .iter()
        .flat_map(|after| ENDINGS.iter().map(move |ending| format!("{before}{ending} {after}")))
        .take(MOST_WAYS)
        .collect()
}

/// A phrase as it is looked for in normalised text: with a space before, and one behind unless longer words match.
fn pattern(phrase: &str) -> Option<String> {
    if let Some(unspaced) = phrase.trim().strip_prefix('~') {
        let text = normalised(unspaced);
        return (!text.trim().is_empty()).then(|| text.trim().to_owned());
    }
    let open = phrase.trim_end().ends_with('*');
    let text = normalised(phrase);
    let text = if open { text.trim_end().to_owned() } else { text };
    (!text.trim().is_empty()).then_some(text)
}

/// Words in lower case without accents and apostrophes, one space before, between and behind them.
pub(super) fn normalised(text: &str) -> String {
    let mut out = String::from(" ");
    for character in text.nfkd().filter(|character| !is_combining_mark(*character)) {
        match character {
            'ß' => out.push_str("ss"),
            '\'' | '’' | 'ʼ' | '`' => {}
            character if character.is_alphanumeric() => out.extend(character.to_lowercase()),
            _ if out.ends_with(' ') => {}
            _ => out.push(' '),
        }
    }
    if !out.ends_with(' ') {
        out.push(' ');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{MOST_WAYS, Phrases, Rule, normalised, ways, with_endings};

    #[test]
    fn rules_are_read() {
        let mut phrases = Phrases::default();
        let rule = Rule::read("(a|b) c + d* - e", &mut phrases).unwrap();
        assert_eq!(phrases.texts, [" a c ", " b c ", " d", " e "]);
        assert_eq!((rule.wanted, rule.unwanted), (vec![vec![0, 1], vec![2]], vec![3]));
        assert_eq!(ways("my (own )life"), ["my own life", "my life"]);
        assert_eq!(ways("{6-8} x"), ["6 x", "7 x", "8 x"]);
        assert_eq!(ways("{1-4000000000} x").len(), MOST_WAYS);
        assert_eq!(with_endings("a* b* c* d* e* f* g").len(), MOST_WAYS);
        assert_eq!(Rule::read(" * ", &mut phrases), None);
    }

    #[test]
    fn spelling_does_not_count() {
        assert_eq!(normalised("I don’t, über-Größe!"), " i dont uber grosse ");
        assert_eq!(normalised(""), " ");
    }
}
