//! Which items of a brand one request may be told.

use super::item::Item;

/// Conditions that an item meets to be told. The default admits what is for everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Of each of these lists an item has one tag at least.
    pub tags: Vec<Vec<String>>,
    /// To whom is spoken. An item that is for some is told to these alone.
    pub audience: Vec<String>,
    /// The primary subtag of the language that an item is in; `None`: any.
    pub language: Option<String>,
}

impl Filter {
    /// Of words as a client or a person writes them; a language may be any BCP 47 tag.
    pub fn new(tags: Vec<String>, audience: Vec<String>, language: Option<&str>) -> Filter {
        let primary = |tag: &str| tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        Filter {
            tags: if tags.is_empty() { Vec::new() } else { vec![tags] },
            audience,
            language: language.map(primary),
        }
    }

    /// Whether an item may be told that is in a language, given by its primary subtag.
    pub fn admits(&self, item: &Item, language: &str) -> bool {
        self.tags.iter().all(|any| item.tags.iter().any(|tag| any.contains(tag)))
            && self.admits_audience(item)
            && self.language.as_deref().is_none_or(|only| only == language)
    }

    /// Whether an item is for those to whom is spoken.
    pub fn admits_audience(&self, item: &Item) -> bool {
        item.audience.is_empty() || item.audience.iter().any(|who| self.audience.contains(who))
    }

    /// Both this one's conditions and those of a client's key: what the client states narrows what its key admits,
    /// and never widens it.
    #[must_use]
    pub fn within(mut self, tags: &[String], audience: &[String]) -> Filter {
        if !tags.is_empty() {
            self.tags.push(tags.to_vec());
        }
        if !audience.is_empty() {
            if self.audience.is_empty() {
                self.audience = audience.to_vec();
            }
            self.audience.retain(|who| audience.contains(who));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Filter;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn a_key_narrows_and_is_never_widened() {
        let stated = |tags: &[&str], audience: &[&str]| Filter::new(words(tags), words(audience), None);
        let key = (words(&["shop"]), words(&["staff", "trade"]));
        let within = |filter: Filter| filter.within(&key.0, &key.1);
        assert_eq!(within(stated(&[], &[])), stated(&["shop"], &["staff", "trade"]));
        assert_eq!(within(stated(&[], &["staff", "board"])), stated(&["shop"], &["staff"]));
        assert_eq!(within(stated(&["new"], &["board"])).tags, [words(&["new"]), words(&["shop"])]);
        assert!(within(stated(&[], &["board"])).audience.is_empty());
        assert_eq!(stated(&["new"], &["board"]).within(&[], &[]), stated(&["new"], &["board"]));
    }
}
