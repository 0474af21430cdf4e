//! The whole folder: one sub-folder a brand.

use std::path::Path;

use jiff::Timestamp;

use super::brand::read_brand;
use super::bulk::{read_csv, read_jsonl, read_yaml};
use super::collect::Collector;
use super::files::{Format, Limits, brand_files, brand_folders, read_source};
use super::item::{Brand, Knowledge};
use super::markdown::read_markdown;
use crate::document::Problem;

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
    let mut problems = Vec::new();
    let mut brands = Vec::new();
    for folder in brand_folders(root, &mut problems) {
        brands.extend(load_brand(root, &folder, limits, now, &mut problems));
    }
    Loaded { knowledge: Knowledge { brands }, problems }
}

fn load_brand(
    root: &Path,
    id: &str,
    limits: &Limits,
    now: Timestamp,
    problems: &mut Vec<Problem>,
) -> Option<Brand> {
    let folder = root.join(id);
    let brand = read_brand(&folder, id, limits, problems);
    let mut collector = Collector::new(root, id, limits, now, problems);
    for (file, format) in brand_files(root, &folder, collector.problems) {
        let Some(source) = read_source(&folder, &file, limits, collector.problems) else { continue };
        match format {
            Format::Markdown => read_markdown(&source, limits, &mut collector),
            Format::Yaml => read_yaml(&source, &mut collector),
            Format::Jsonl => read_jsonl(&source, &mut collector),
            Format::Csv => read_csv(&source, &mut collector),
        }
    }
    let items = collector.finish();
    if items.is_empty() && !problems.iter().any(Problem::is_error) {
        problems.push(
            Problem::warning(&folder, format!("the brand `{id}` has no item: nothing will be injected for it"))
                .hint("write what should be told into a Markdown file of this folder: a heading and a text under it"),
        );
    }
    brand.map(|brand| Brand { items, ..brand })
}
