//! The whole folder: one sub-folder a brand.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::brand::read_brand;
use super::bulk::{read_csv, read_jsonl, read_yaml};
use super::collect::{Collector, Found};
use super::files::{Format, Limits, Source, brand_files, brand_folders, read_source};
use super::item::{Brand, Item, Knowledge, Validity};
use super::markdown::read_markdown;
use crate::document::{Place, Problem};
use crate::parallel;

/// What loading gave: everything that is sound, and everything that is not.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The sound part. It may serve only if no problem is an error.
    pub knowledge: Knowledge,
    /// All problems, in the order of the files.
    pub problems: Vec<Problem>,
}

/// Reads a knowledge folder. `now` decides which items are noted as expired or not yet valid; they are
/// loaded all the same.
pub fn load(root: &Path, limits: &Limits, now: Timestamp) -> Loaded {
    Reader::new(*limits).load(root, now)
}

/// Reads a knowledge folder again and again. A file that says what it said the last time is not parsed anew, and its
/// items are the same ones.
pub struct Reader {
    limits: Limits,
    /// The files of the last time.
    files: Files,
}

type Files = HashMap<PathBuf, Arc<Parsed>>;

/// What a file says.
struct Parsed {
    /// Of its text.
    hash: blake3::Hash,
    found: Vec<Found>,
    problems: Vec<Problem>,
}

impl Reader {
    /// Reads with these bounds.
    pub fn new(limits: Limits) -> Reader {
        Reader { limits, files: Files::new() }
    }

    /// As [`load`].
    pub fn load(&mut self, root: &Path, now: Timestamp) -> Loaded {
        let mut problems = Vec::new();
        let mut brands = Vec::new();
        let mut files = Files::new();
        for folder in brand_folders(root, &mut problems) {
            let folder = Folder { root, brand: &folder, limits: &self.limits, now };
            brands.extend(folder.load(&self.files, &mut files, &mut problems));
        }
        self.files = files;
        Loaded { knowledge: Knowledge { brands }, problems }
    }
}

/// One brand's folder.
struct Folder<'a> {
    root: &'a Path,
    brand: &'a str,
    limits: &'a Limits,
    now: Timestamp,
}

impl Folder<'_> {
    /// `known` are the files of the last time; those of now go into `read`.
    fn load(&self, known: &Files, read: &mut Files, problems: &mut Vec<Problem>) -> Option<Brand> {
        let folder = self.root.join(self.brand);
        let brand = read_brand(&folder, self.brand, self.limits, problems);
        let files = brand_files(self.root, &folder, problems);
        let mut looked = parallel::each(&files, |(file, format)| {
            let mut problems = Vec::new();
            let Some(source) = read_source(&folder, file, self.limits, &mut problems) else {
                return (None, problems);
            };
            let parsed = self.parse(&source, *format, known.get(file));
            problems.extend(parsed.problems.iter().cloned());
            problems.extend(parsed.found.iter().filter_map(|found| self.untimely(&source, found)));
            (Some(parsed), problems)
        });
        let (items, doubles) = merged(looked.iter().map(|(parsed, _)| parsed.as_deref()));
        let mut texts = HashMap::new();
        for Double { file, item, span, first } in doubles {
            let path = &files[file].0;
            let text = texts
                .entry(file)
                .or_insert_with(|| Some(read_source(&folder, path, self.limits, &mut Vec::new())?.text));
            let place = text.clone().map(|text| Place { text, span });
            looked[file].1.push(self.doubled(path, &item, &first, place));
        }
        for ((path, _), (parsed, mut of_file)) in files.into_iter().zip(looked) {
            of_file.sort_by_key(|problem| problem.place.as_ref().map(|place| place.span.start));
            problems.extend(of_file);
            read.extend(parsed.map(|parsed| (path, parsed)));
        }
        if items.is_empty() && !problems.iter().any(Problem::is_error) {
            let id = self.brand;
            problems.push(
                Problem::warning(&folder, format!("the brand `{id}` has no item: nothing will be injected for it"))
                    .hint("write what should be told into a Markdown file of this folder: a heading and a text under it"),
            );
        }
        brand.map(|brand| Brand { items, ..brand })
    }

    /// What a file says; as it was `known`, where it still says that.
    fn parse(&self, source: &Source, format: Format, known: Option<&Arc<Parsed>>) -> Arc<Parsed> {
        let hash = blake3::hash(source.text.as_bytes());
        if let Some(known) = known.filter(|known| known.hash == hash) {
            return Arc::clone(known);
        }
        let mut collector = Collector::new(self.root, self.brand, self.limits);
        match format {
            Format::Markdown => read_markdown(source, self.limits, &mut collector),
            Format::Yaml => read_yaml(source, &mut collector),
            Format::Jsonl => read_jsonl(source, &mut collector),
            Format::Csv => read_csv(source, &mut collector),
        }
        let Collector { found, problems, .. } = collector;
        Arc::new(Parsed { hash, found, problems })
    }

    /// A note on an item that may not be told now.
    fn untimely(&self, source: &Source, found: &Found) -> Option<Problem> {
        let (what, hint) = match found.item.validity {
            Validity { until: Some(until), .. } if until <= self.now => {
                (format!("the item has expired at {until}"), "renew or delete it")
            }
            Validity { from: Some(from), .. } if from > self.now => {
                (format!("the item is not valid before {from}"), "nothing to do: it joins in by itself")
            }
            _ => return None,
        };
        Some(Problem::note(&source.file, what).at(source.place(found.span.clone())).hint(hint))
    }

    fn doubled(&self, file: &Path, item: &Item, first: &Item, place: Option<Place>) -> Problem {
        let at = format!("{}:{}", self.root.join(&first.origin.file).display(), first.origin.line);
        let problem = Problem::error(file, format!("the id `{}` is taken by the item at {at}", item.id))
            .hint("give one of the two another title, or an id of its own: `# Title {#my-id}`");
        match place {
            Some(place) => problem.at(place),
            None => problem,
        }
    }
}

/// An item whose id is taken.
struct Double {
    /// The position of its file.
    file: usize,
    item: Arc<Item>,
    span: Range<usize>,
    /// The item that has it.
    first: Arc<Item>,
}

/// The items of all files, sorted by id, and those whose id an earlier one has.
fn merged<'a>(files: impl Iterator<Item = Option<&'a Parsed>>) -> (Vec<Arc<Item>>, Vec<Double>) {
    let mut all: Vec<(usize, &Found)> = files
        .enumerate()
        .flat_map(|(file, parsed)| {
            parsed.into_iter().flat_map(move |parsed| parsed.found.iter().map(move |found| (file, found)))
        })
        .collect();
    // Stable: of equal ids the first in the order of the files comes first.
    all.sort_by(|(_, one), (_, other)| one.item.id.cmp(&other.item.id));
    let mut items: Vec<Arc<Item>> = Vec::with_capacity(all.len());
    let mut doubles = Vec::new();
    for (file, Found { item, span }) in all {
        match items.last().filter(|first| first.id == item.id) {
            None => items.push(Arc::clone(item)),
            Some(first) => doubles.push(Double {
                file,
                item: Arc::clone(item),
                span: span.clone(),
                first: Arc::clone(first),
            }),
        }
    }
    (items, doubles)
}
