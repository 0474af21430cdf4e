//! Items as they are found become items that may serve: ids, sizes, dates.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::files::{Limits, Source};
use super::item::{Body, Item, Origin, Validity};
use crate::document::{Place, Problem, Table};

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

/// Gathers the items of one brand.
pub(super) struct Collector<'a> {
    root: &'a Path,
    brand: &'a str,
    limits: &'a Limits,
    now: Timestamp,
    items: Vec<Arc<Item>>,
    /// Line of each id's first item.
    seen: HashMap<String, String>,
    pub(super) problems: &'a mut Vec<Problem>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        root: &'a Path,
        brand: &'a str,
        limits: &'a Limits,
        now: Timestamp,
        problems: &'a mut Vec<Problem>,
    ) -> Collector<'a> {
        Collector { root, brand, limits, now, items: Vec::new(), seen: HashMap::new(), problems }
    }

    /// Takes an item in, or says why not.
    pub(super) fn add(&mut self, source: &Source, draft: Draft) {
        let place = || Place { text: Arc::clone(&source.text), span: draft.span.clone() };
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
                    .at(place())
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
                .at(place())
                .hint("split it into several items, or raise knowledge.max_item_bytes"),
            );
            return;
        }
        let here = format!("{}:{line}", source.file.display());
        if let Some(first) = self.seen.get(&item.id) {
            self.problems.push(
                Problem::error(&source.file, format!("the id `{}` is taken by the item at {first}", item.id))
                    .at(place())
                    .hint("give one of the two another title, or an id of its own: `# Title {#my-id}`"),
            );
            return;
        }
        self.seen.insert(item.id.clone(), here);
        self.note_validity(source, &item, place());
        self.items.push(Arc::new(item));
    }

    fn note_validity(&mut self, source: &Source, item: &Item, place: Place) {
        let (what, hint) = match item.validity {
            Validity { until: Some(until), .. } if until <= self.now => {
                (format!("the item has expired at {until}"), "renew or delete it")
            }
            Validity { from: Some(from), .. } if from > self.now => {
                (format!("the item is not valid before {from}"), "nothing to do: it joins in by itself")
            }
            _ => return,
        };
        self.problems.push(Problem::note(&source.file, what).at(place).hint(hint));
    }

    /// The items, sorted by id.
    pub(super) fn finish(mut self) -> Vec<Arc<Item>> {
        self.items.sort_by(|a, b| a.id.cmp(&b.id));
        self.items
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
