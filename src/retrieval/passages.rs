//! The texts that stand for an item among vectors. A long text blurs in one vector, so that it also gets
//! one for each passage; a title has its own, since a question often asks for it.

use crate::knowledge::{Body, Item};

/// Words of an item up to which it has no passages.
const WHOLE_WORDS: usize = 50;
/// Words that a passage is filled with: whole sentences, as many as fit.
const PASSAGE_WORDS: usize = 40;
/// Passages of one item. What stands behind them is found by its words and by the whole.
const MAX_PASSAGES: usize = 32;

/// The texts of an item: the whole, then its title and its passages.
pub(super) fn texts(item: &Item) -> Vec<String> {
    let heading = match &item.body {
        Body::Fact { title, context, .. } => {
            let headings = context.iter().chain(std::iter::once(title)).map(String::as_str);
            headings.filter(|heading| !heading.is_empty()).collect::<Vec<_>>().join(", ")
        }
        Body::Example { question, .. } => question.clone(),
    };
    let headed = |text: &str| if heading.is_empty() { text.to_owned() } else { format!("{heading}. {text}") };
    let mut texts = vec![headed(item.text())];
    if !heading.is_empty() {
        texts.push(heading.clone());
    }
    if texts[0].split_whitespace().count() > WHOLE_WORDS {
        texts.extend(passages(item.text()).iter().map(|passage| headed(passage)));
    }
    texts
}

/// A text as passages of about [`PASSAGE_WORDS`] words that end where sentences do, if they do.
fn passages(text: &str) -> Vec<String> {
    let mut passages = Vec::new();
    let mut current: Vec<&str> = Vec::new();
    for sentence in sentences(text) {
        let words: Vec<&str> = sentence.split_whitespace().collect();
        if !current.is_empty() && current.len() + words.len() > PASSAGE_WORDS {
            passages.push(std::mem::take(&mut current).join(" "));
        }
        current.extend(words);
        while current.len() > 2 * PASSAGE_WORDS {
            let rest = current.split_off(PASSAGE_WORDS);
            passages.push(std::mem::replace(&mut current, rest).join(" "));
        }
    }
    if !current.is_empty() {
        passages.push(current.join(" "));
    }
    passages.truncate(MAX_PASSAGES);
    passages
}

/// Pieces that end after a full stop and its like before white space, or with a line.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| {
        let mut rest = line;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let end = rest
                .char_indices()
                .zip(rest.chars().skip(1))
                .find(|((_, mark), next)| matches!(mark, '.' | '!' | '?') && next.is_whitespace())
                .map_or(rest.len(), |((at, mark), _)| at + mark.len_utf8());
            let (sentence, after) = rest.split_at(end);
            rest = after;
            Some(sentence)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{MAX_PASSAGES, PASSAGE_WORDS, passages};

    #[test]
    fn passages_hold_whole_sentences_and_every_word() {
        let sentence = "One two three four five six seven eight nine ten. ";
        let found = passages(&sentence.repeat(10));
        assert_eq!(found.iter().map(|passage| passage.split(' ').count()).collect::<Vec<_>>(), [40, 40, 20]);
        assert!(found.iter().all(|passage| passage.ends_with("ten.")));
        let endless = passages(&"word ".repeat(1_000));
        assert!(endless.iter().all(|passage| passage.split(' ').count() <= 2 * PASSAGE_WORDS));
        assert_eq!(endless.iter().map(|passage| passage.split(' ').count()).sum::<usize>(), 1_000);
        assert_eq!(passages(&"word ".repeat(100_000)).len(), MAX_PASSAGES);
        assert_eq!(passages(" \n\n "), Vec::<String>::new());
    }
}
