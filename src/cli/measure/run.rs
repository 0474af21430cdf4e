//! A run: suite, endpoints, journal, answers, reports.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::asking::{all_possible, arms_of, ask, others_left_alone};
use super::precision::Precision;
use super::write::{read_results, write};
use crate::cli::Exit;
use crate::cli::arguments::{Common, Measure};
use crate::cli::print::{err, failure, out, problems};
use crate::config::{Settings, load};
use crate::document::{Problem, Severity};
use crate::knowledge::{Brand, load as load_knowledge};
use crate::measure::experiment::{Design, Kept, Record, of_design, read_journal};
use crate::measure::judge::Material;
use crate::measure::report::{
    Context, Gate, Labels, Status, analyse, check, compare, differing, judge, terminal,
};
use crate::measure::suite::{Kind, Suite, read_suite};
use crate::mentions::Lexicon;

pub(super) fn run(common: &Common, arguments: &Measure) -> Result<Exit, Exit> {
    let gates: Vec<Gate> =
        arguments.gate.iter().map(|text| Gate::parse(text)).collect::<Result<_, _>>().map_err(|error| {
            failure(&error);
            Exit::BadInput
        })?;
    let old = arguments.compare.as_deref().map(read_results).transpose()?;
    let labels = arguments.labels.as_deref().map(read_labels).transpose()?;
    let settings = settings(common, arguments)?;
    let file = arguments.suite.as_deref().ok_or(Exit::BadInput)?;
    let (suite, found) = read_suite(file).map_err(|found| bad_input(&found))?;
    problems(&found, Severity::Note);
    let (material, brand, suite) = material(arguments, &settings, suite)?;
    let folder = folder(arguments, &suite)?;
    let journal_file = folder.join("journal.jsonl");
    let Answered { design, records, started, is_precise } = if arguments.offline {
        offline(arguments, &gates, suite, &material, &journal_file)?
    } else {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|error| {
            failure(&error);
            Exit::Runtime
        })?;
        runtime.block_on(ask(arguments, &gates, settings, suite, &material, &journal_file))?
    };
    let judged = judge(&design, &material, of_design(&design, &records));
    if judged.is_empty() {
        err("foreword: there is no answer to judge\n");
        return Err(Exit::Runtime);
    }
    let mut results = analyse(&design, &judged, &Context { brand: brand.name.clone(), started, labels });
    if results.missing_share() > arguments.max_missing {
        results.failed = Some(
            "Too many answers are missing (--max-missing): what the figures say may be owed to that."
                .to_owned(),
        );
    }
    if let Some(old) = &old {
        results.compared = differing(old, &results);
        results.changes = compare(old, &results);
        if results.changes.is_empty() {
            results.compared.push(
                "The earlier run has no arm and question in common with this one: nothing can be compared."
                    .to_owned(),
            );
        }
    }
    let mut judged_gates = check(&gates, &results);
    // Bounds that only a part of the questions has kept are not kept yet.
    if results.requests < results.planned && !is_precise {
        for (_, status, shown) in judged_gates.iter_mut().filter(|(_, status, _)| *status == Status::Passed) {
            *status = Status::Inconclusive;
            shown.push_str("; not all questions were asked");
        }
    }
    let worst = judged_gates.iter().map(|(_, status, _)| *status).max().unwrap_or(Status::Passed);
    if arguments.json {
        out(&format!("{}\n", serde_json::to_string_pretty(&results).unwrap_or_default()));
    } else {
        out(&terminal(&results, &judged_gates));
    }
    let page = write(&folder, &results, &judged_gates, &design, &material, &judged)?;
    if !arguments.json {
        out(&format!("report: {}\n", page.display()));
    }
    if results.failed.is_some() {
        err("foreword: too many answers are missing (--max-missing)\n");
        return Ok(Exit::Runtime);
    }
    Ok(match worst {
        Status::Passed => Exit::Success,
        Status::Inconclusive => Exit::Inconclusive,
        Status::Failed => Exit::Missed,
    })
}

fn read_labels(file: &Path) -> Result<Labels, Exit> {
    let bytes = std::fs::read(file)
        .map_err(|error| wrong(&format!("the labels {} cannot be read: {error}", file.display())))?;
    Labels::read(&bytes).map_err(|error| {
        failure(&error);
        Exit::BadInput
    })
}

fn bad_input(found: &[Problem]) -> Exit {
    problems(found, Severity::Warning);
    Exit::BadInput
}

pub(super) fn wrong(message: &str) -> Exit {
    err(&format!("foreword: {message}\n"));
    Exit::BadInput
}

pub(super) fn settings(common: &Common, arguments: &Measure) -> Result<Settings, Exit> {
    let (file, optional) = common.file();
    let mut overrides = common.overrides();
    overrides.values.extend(arguments.direct.clone().map(|url| ("upstream.url", url)));
    let (settings, found) = load(&file, optional, &overrides);
    problems(&found, Severity::Warning);
    settings.ok_or(Exit::BadInput)
}

/// What answers are judged by: the brand's names from the knowledge folder, and its items.
fn material(
    arguments: &Measure,
    settings: &Settings,
    mut suite: Suite,
) -> Result<(Material, Brand, Suite), Exit> {
    let loaded = load_knowledge(&settings.snapshot.knowledge, &settings.snapshot.limits, Timestamp::now());
    if loaded.problems.iter().any(Problem::is_error) {
        return Err(bad_input(&loaded.problems));
    }
    let brands = loaded.knowledge.brands;
    let ids: Vec<&str> = brands.iter().map(|brand| &*brand.id).collect();
    let wanted = arguments.brand.clone().or_else(|| suite.brand.clone());
    let wanted = wanted.or_else(|| (ids.len() == 1).then(|| ids[0].to_owned()));
    let Some(wanted) = wanted else {
        return Err(wrong(&format!("the suite names no brand: pass --brand, one of {}", ids.join(", "))));
    };
    let Some(brand) = brands.iter().find(|brand| brand.id == wanted).cloned() else {
        let folder = settings.snapshot.knowledge.display();
        return Err(wrong(&format!(
            "there is no brand `{wanted}` in {folder}: the brands are {}",
            ids.join(", ")
        )));
    };
    let lexicon = Lexicon::of_brands(&brands).map_err(|error| {
        failure(&error);
        Exit::BadInput
    })?;
    let unknown = suite.unknown_brands(&ids);
    if !unknown.is_empty() {
        return Err(bad_input(&unknown));
    }
    let notes = suite.settle_kinds(&lexicon, &brand.id);
    problems(&notes, Severity::Note);
    if let Some(problem) = suite.without_organic().filter(|_| arguments.kinds.is_empty()) {
        return Err(bad_input(&[problem]));
    }
    if !arguments.kinds.is_empty() {
        let kinds: Vec<Kind> = arguments
            .kinds
            .iter()
            .map(|name| {
                Kind::from_name(name).ok_or_else(|| wrong(&format!("--kinds {name}: there is no such kind")))
            })
            .collect::<Result<_, _>>()?;
        suite.questions.retain(|question| kinds.contains(&question.kind));
        if suite.questions.is_empty() {
            return Err(wrong("--kinds leaves no question"));
        }
    }
    Ok((Material::new(lexicon, &brand, &brands), brand, suite))
}

fn folder(arguments: &Measure, suite: &Suite) -> Result<PathBuf, Exit> {
    let folder = match &arguments.report {
        Some(folder) => folder.clone(),
        None => Path::new(".foreword/measure").join(suite.folder()),
    };
    std::fs::create_dir_all(&folder).map_err(|error| {
        wrong(&format!(
            "the report folder {} cannot be made: {error}; name another with --report",
            folder.display()
        ))
    })?;
    Ok(folder)
}

/// What was asked and answered.
pub(super) struct Answered {
    pub(super) design: Design,
    /// By key.
    pub(super) records: HashMap<String, Record>,
    /// When it began (RFC 3339).
    pub(super) started: String,
    /// Whether it ended early because enough is known.
    pub(super) is_precise: bool,
}

/// The design of a journal that is judged anew: its own arms, repeats and sampling.
fn offline(
    arguments: &Measure,
    gates: &[Gate],
    suite: Suite,
    material: &Material,
    file: &Path,
) -> Result<Answered, Exit> {
    let kept = read(file)?;
    if kept.heading.suite != suite.name {
        return Err(wrong(&format!(
            "the journal is of the suite {}, not {}",
            kept.heading.suite, suite.name
        )));
    }
    let arms = arms_of(arguments, Some(&kept), &[])?;
    let repeats = kept.repeats();
    let Kept { heading, records, .. } = kept;
    let design = Design { suite, arms, repeats, sampling: heading.sampling, seed: heading.seed };
    all_possible(gates, &design)?;
    others_left_alone(&design, &records);
    let mut precision = Precision::new(arguments.stop.as_deref(), &design, material)?;
    of_design(&design, &records).into_iter().for_each(|(_, record)| precision.count(record));
    let is_precise = precision.is_kept();
    Ok(Answered { design, records, started: heading.started, is_precise })
}

pub(super) fn read(file: &Path) -> Result<Kept, Exit> {
    let kept = read_journal(file).map_err(|error| {
        failure(&error);
        Exit::BadInput
    })?;
    if kept.torn {
        err(
            "note: the journal's last line was cut off while it was written: its answer is left out, and --resume asks for it again\n",
        );
    }
    Ok(kept)
}
