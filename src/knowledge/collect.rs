//! Items as they are found in a file become items that may serve: ids, sizes, dates.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::files::{Limits, Source};
use super::item::{Body, Item, Origin, Validity};
use crate::document::{Problem, Table};

/// Longest slug, in characters.
const LONGEST_SLUG: usize = 60;

/// What a file says about all of its items, or an entry about itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Meta {
    pub(super) tags: Vec<String>,
    pub(super) source: Option<String>,
    pub(super) language: Option<String>,
    pub(super) validity: Validity,
    pub(super) pinned: bool,
    pub(super) audience: Vec<String>,
}

impl Meta {
    /// Reads the keys that front matter and bulk entries share.
    pub(super) fn read(table: &mut Table<'_>) -> Meta {
        let validity = Validity { from: table.instant("valid_from"), until: table.instant("valid_until") };
        if let (Some(from), Some(until)) = (validity.from, validity.until)
            && from >= until
        {
            table.error(
                "valid_until",
                "the item ends before it begins",
                "valid_until must be later than valid_from",
            );
        }
        Meta {
            tags: split(&table.strings("tags")),
            source: table.string("source").filter(|source| !source.is_empty()),
            language: table.string("language").filter(|language| !language.is_empty()),
            validity,
            pinned: table.flag("pinned"),
            audience: split(&table.strings("audience")),
        }
    }
}

/// A cell of a CSV file holds several tags with `;` between them.
fn split(texts: &[String]) -> Vec<String> {
    texts
        .iter()
        .flat_map(|text| text.split(';'))
        .map(|tag| tag.trim().to_owned())
        .filter(|tag| !tag.is_empty())
        .collect()
}

/// An item as it was found.
pub(super) struct Draft {
    /// The explicit id, or the part after `#` that is made from its title.
    pub(super) id: DraftId,
    pub(super) body: Body,
    pub(super) meta: Meta,
    /// The place that problems with it show.
    pub(super) span: Range<usize>,
}

/// How an item gets its id.
pub(super) enum DraftId {
    /// `brand/<this>`
    Explicit(String),
    /// `brand/<file>#<this>`
    Derived(String),
}

/// An item with the place in its file.
pub(super) struct Found {
    pub(super) item: Arc<Item>,
    /// The place that problems with it show.
    pub(super) span: Range<usize>,
}

/// Gathers the items of one file.
pub(super) struct Collector<'a> {
    root: &'a Path,
    brand: &'a str,
    limits: &'a Limits,
    pub(super) found: Vec<Found>,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(root: &'a Path, brand: &'a str, limits: &'a Limits) -> Collector<'a> {
        Collector { root, brand, limits, found: Vec::new(), problems: Vec::new() }
    }

    /// Takes an item in, or says why not.
    pub(super) fn add(&mut self, source: &Source, draft: Draft) {
        let line = source.line(draft.span.start);
        let id = match &draft.id {
            DraftId::Explicit(id) => format!("{}/{id}", self.brand),
            DraftId::Derived(slug) => format!("{}/{}#{slug}", self.brand, source.stem),
        };
        let item = Item {
            id,
            body: draft.body,
            tags: draft.meta.tags,
            source: draft.meta.source,
            language: draft.meta.language,
            validity: draft.meta.validity,
            pinned: draft.meta.pinned,
            audience: draft.meta.audience,
            origin: Origin {
                file: source.file.strip_prefix(self.root).unwrap_or(&source.file).to_owned(),
                line,
            },
        };
        if item.title().trim().is_empty() || item.text().trim().is_empty() {
            self.problems.push(
                Problem::warning(&source.file, "the item is empty and is left out")
                    .at(source.place(draft.span))
                    .hint("write what it should say, or delete it"),
            );
            return;
        }
        let size = item.title().len() + item.text().len();
        if size > self.limits.max_item_bytes {
            self.problems.push(
                Problem::error(
                    &source.file,
                    format!("the item has {size} bytes, more than {}", self.limits.max_item_bytes),
                )
                .at(source.place(draft.span))
                .hint("split it into several items, or raise knowledge.max_item_bytes"),
            );
            return;
        }
        self.found.push(Found { item: Arc::new(item), span: draft.span });
    }
}

/// A title as part of an id: letters and digits in lower case, everything else a hyphen.
pub(super) fn slug(title: &str) -> String {
    let mut slug = String::new();
    for character in title.chars().flat_map(char::to_lowercase) {
        if character.is_alphanumeric() {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let short: String = slug.chars().take(LONGEST_SLUG).collect();
    let short = short.trim_end_matches('-');
    if short.is_empty() { "item".to_owned() } else { short.to_owned() }
}
