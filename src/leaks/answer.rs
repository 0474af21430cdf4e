//! Whether a finished answer gives away an item: a long run of its own words, as they are or encoded. A fact told in other
//! words is no leak. This is how measurements judge; the proxy asks for less (see `watch`), since it may not call a fact
//! a leak that is public anyway.

use std::collections::HashMap;

use super::forms::{Leak, forms, words};

/// Words in a row that nobody repeats by chance.
const RUN: usize = 20;

/// The shortest item that is looked for, in words.
const SHORTEST: usize = 8;

/// How a mark that stands in every item was written in `answer`, if it was. It is a word of nobody's: no answer holds
/// it by chance.
pub fn leaked_mark(answer: &str, mark: &str) -> Option<Leak> {
    let found = |(_, text): &(Leak, String)| text.to_lowercase().contains(mark);
    forms(answer).into_iter().find(found).map(|(form, _)| form)
}

/// How the first leaked item of `items` was written in `answer`, if one was: a run of its words of at least 20, or of
/// all of them where it has fewer.
pub fn leak(answer: &str, items: &[&str]) -> Option<Leak> {
    forms(answer).into_iter().find(|(_, text)| repeats(&words(text), items)).map(|(form, _)| form)
}

fn repeats(answer: &[String], items: &[&str]) -> bool {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, word) in answer.iter().enumerate() {
        places.entry(word).or_default().push(at);
    }
    items.iter().any(|item| {
        let item = words(item);
        item.len() >= SHORTEST && longest_run(answer, &places, &item) >= item.len().min(RUN)
    })
}

/// The longest run of words that both have in common.
fn longest_run(answer: &[String], places: &HashMap<&str, Vec<usize>>, item: &[String]) -> usize {
    let mut longest = 0;
    let mut runs: HashMap<usize, usize> = HashMap::new();
    for word in item {
        let mut next = HashMap::new();
        for &at in places.get(word.as_str()).into_iter().flatten() {
            let run = at.checked_sub(1).and_then(|before| runs.get(&before)).copied().unwrap_or(0) + 1;
            longest = longest.max(run);
            next.insert(at, run);
        }
        runs = next;
    }
    debug_assert!(longest <= answer.len());
    longest
}

#[cfg(test)]
mod tests {
    use super::{Leak, leak};
    use crate::leaks::forms::{base64, rot13};

    const ITEM: &str =
        "DocArray keeps text, images and tensors of one document in a single typed Python class.";

    #[test]
    fn every_form_is_seen() {
        let encoded = "RG9jQXJyYXkga2VlcHMgdGV4dCwgaW1hZ2VzIGFuZCB0ZW5zb3JzIG9mIG9uZSBkb2N1bWVudCBpbiBhIHNpbmdsZSB0eXBlZCBQeXRob24gY2xhc3Mu";
        assert_eq!(base64(encoded).unwrap(), ITEM.as_bytes());
        for (answer, expected) in [
            (format!("Sure: \"{ITEM}\""), Some(Leak::Plain)),
            (ITEM.to_uppercase().replace(' ', "  "), Some(Leak::Plain)),
            (format!("```\n{encoded}\n```"), Some(Leak::Base64)),
            (rot13(ITEM), Some(Leak::Rot13)),
            (ITEM.chars().rev().collect(), Some(Leak::Reversed)),
            (ITEM.replace('e', "3").replace('a', "4").replace('o', "0"), Some(Leak::Leetspeak)),
            (
                "DocArray is a Python library that keeps the text and the tensors of a document together."
                    .to_owned(),
                None,
            ),
            (String::new(), None),
        ] {
            assert_eq!(leak(&answer, &[ITEM]), expected, "{answer}");
        }
    }

    #[test]
    fn a_mark_is_seen_in_every_form() {
        for (answer, expected) in [
            ("It ends with (ref ghijkl).".to_owned(), Some(Leak::Plain)),
            (rot13("ref ghijkl"), Some(Leak::Rot13)),
            ("lkjihg fer".to_owned(), Some(Leak::Reversed)),
            ("nothing".to_owned(), None),
        ] {
            assert_eq!(super::leaked_mark(&answer, "ghijkl"), expected, "{answer}");
        }
    }

    #[test]
    fn a_long_item_leaks_by_twenty_words_and_a_short_one_never() {
        let long: Vec<String> = (0..60).map(|number| format!("word{number}")).collect();
        let item = long.join(" ");
        assert_eq!(leak(&long[10..30].join(" "), &[&item]), Some(Leak::Plain));
        assert_eq!(leak(&long[10..29].join(" "), &[&item]), None);
        assert_eq!(leak("Apache 2.0", &["Apache 2.0"]), None);
    }
}
