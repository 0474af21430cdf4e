//! Items that look like the retrieved ones and do not say what these say: the controls of an experiment. What an
//! answer owes to the form of the examples stays, what it owes to their content goes (Min et al. 2022,
//! arXiv 2202.12837; Zhao et al. 2021, arXiv 2102.09690).

use aho_corasick::{AhoCorasick, MatchKind};

use crate::knowledge::{Body, Item};

/// A brand that does not exist, in place of the one that does.
const FICTIONAL: &str = "Quavelo";

/// What a neutral item is about, and says. Its text is repeated up to the length that is wanted.
const NEUTRAL_TITLE: &str = "the way along the river";
const NEUTRAL_TEXT: &str = "The path follows the water from the old mill to the bridge, passes two meadows and a row \
    of willows, and is dry for most of the year. Herons stand in the shallows in the morning. ";

/// What takes the place of an item's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Placebo {
    /// The same statements about a brand that does not exist.
    Fictional,
    /// The item's question or title with the text of another item.
    Shuffled,
    /// Text about something else, of the same length.
    Length,
}

impl Placebo {
    /// What this placebo calls a brand.
    pub fn brand(self, name: &str) -> &str {
        match self {
            Placebo::Fictional | Placebo::Length => FICTIONAL,
            Placebo::Shuffled => name,
        }
    }

    /// `item` as this placebo tells it. `names` are the spellings of the brand, `other` is another of its items.
    pub fn apply(self, item: &Item, names: &[&str], other: &Item) -> Item {
        let body = match self {
            Placebo::Fictional => renamed(&item.body, names),
            Placebo::Shuffled => with_texts(&item.body, item.title().to_owned(), other.text().to_owned()),
            Placebo::Length => {
                with_texts(&item.body, NEUTRAL_TITLE.to_owned(), neutral_text(item.text().chars().count()))
            }
        };
        Item { body, source: None, ..item.clone() }
    }
}

/// The item with a mark at the end of its text, by which it is known again wherever it turns up.
pub fn marked(item: &Item, mark: &str) -> Item {
    let text = format!("{} (ref {mark})", item.text());
    Item { body: with_texts(&item.body, item.title().to_owned(), text), ..item.clone() }
}

fn with_texts(body: &Body, title: String, text: String) -> Body {
    match body {
        Body::Fact { .. } => Body::Fact { title, context: Vec::new(), text },
        Body::Example { .. } => Body::Example { question: title, answer: text },
    }
}

/// All spellings of the brand, in any case and within addresses too, become the fictional one.
fn renamed(body: &Body, names: &[&str]) -> Body {
    let names: Vec<&str> = names.iter().copied().filter(|name| !name.is_empty()).collect();
    let matcher = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .build(&names);
    // Names are a handful of short strings: the automaton cannot be too large.
    let Ok(matcher) = matcher else { return body.clone() };
    let replacements = vec![FICTIONAL; names.len()];
    let rename = |text: &String| matcher.replace_all(text, &replacements);
    match body {
        Body::Fact { title, context, text } => Body::Fact {
            title: rename(title),
            context: context.iter().map(rename).collect(),
            text: rename(text),
        },
        Body::Example { question, answer } => {
            Body::Example { question: rename(question), answer: rename(answer) }
        }
    }
}

fn neutral_text(characters: usize) -> String {
    let mut text: String = NEUTRAL_TEXT.chars().cycle().take(characters).collect();
    // A last word that is cut is left out.
    if let Some(end) = text.rfind(' ').filter(|end| *end > 0) {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{FICTIONAL, Placebo, neutral_text, renamed};
    use crate::knowledge::Body;

    #[test]
    fn every_spelling_is_renamed() {
        let body = Body::Example {
            question: "What is DocArray?".to_owned(),
            answer: "pip install docarray; see docarray.example".to_owned(),
        };
        let Body::Example { question, answer } = renamed(&body, &["DocArray", "Doc"]) else {
            unreachable!("an example stays one")
        };
        assert_eq!(question, format!("What is {FICTIONAL}?"));
        assert_eq!(answer, format!("pip install {FICTIONAL}; see {FICTIONAL}.example"));
    }

    #[test]
    fn neutral_text_is_about_as_long() {
        for length in [1, 40, 400, 4_000] {
            let text = neutral_text(length);
            assert!(text.chars().count() <= length && text.chars().count() + 12 > length, "{length}: {text}");
        }
        assert_eq!(Placebo::Length, Placebo::Length);
    }
}
