//! `foreword evaluate`: how good retrieval is on labelled queries.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use anstyle::Style;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Exit;
use super::arguments::{Common, Evaluate};
use super::print::{err, failure, not_started, out, problems};
use crate::app::open_embedder;
use crate::config::{Settings, load};
use crate::document::{Problem, Severity};
use crate::evaluate::{
    Asked, Collection, GateReport, Judged, MEASURES, Measure, Report, Run, Searcher, compare, items_of,
    read_collection, read_negatives, read_run, write_run,
};
use crate::knowledge::load as load_knowledge;
use crate::retrieval::{Embedder, Index, SearchSettings, VectorStore};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// Ranks that are looked at.
const DEPTH: usize = 100;
/// What rankings are compared and queries sorted by.
const MAIN: Measure = Measure::Ndcg(10);

pub(super) fn run(common: &Common, arguments: &Evaluate) -> Exit {
    match evaluate(common, arguments) {
        Ok(exit) => exit,
        Err(exit) => exit,
    }
}

fn evaluate(common: &Common, arguments: &Evaluate) -> Result<Exit, Exit> {
    let minima: Vec<Bound> =
        arguments.require.iter().map(|text| Bound::parse(text)).collect::<Result<_, _>>()?;
    let with_corpus = common.knowledge.is_none() && arguments.runs.is_empty();
    let collection = read_collection(&arguments.folder, with_corpus).map_err(|found| bad_input(&found))?;
    let negatives = match &arguments.negatives {
        Some(file) => read_negatives(file).map_err(|found| bad_input(&found))?,
        None => Vec::new(),
    };
    let mut details = Vec::new();
    let report = if arguments.runs.is_empty() {
        let found = look_up(common, &collection, &negatives)?;
        if let Some(folder) = &arguments.write_runs {
            write_runs(folder, &found)?;
        }
        details = found.details;
        found.report
    } else {
        judge_runs(&arguments.runs, &collection)?
    };
    if arguments.json {
        out(&format!("{}\n", document(&report, &details, arguments.worst)));
    } else {
        out(&table(&report, &details, arguments.worst));
    }
    let mut exit = Exit::Success;
    for bound in &minima {
        match report.value(&bound.name) {
            None => {
                err(&format!(
                    "foreword: --require {}: there is no such value; the values are: {}\n",
                    bound.name,
                    report.names().join(", ")
                ));
                return Err(Exit::BadInput);
            }
            Some(value) if !bound.holds(value) => {
                err(&format!("foreword: {} is {value:.4}, required is {}\n", bound.name, bound.text));
                exit = Exit::Missed;
            }
            Some(_) => {}
        }
    }
    Ok(exit)
}

/// A value that must be reached or kept below.
struct Bound {
    text: String,
    name: String,
    at_least: bool,
    limit: f64,
}

impl Bound {
    fn parse(text: &str) -> Result<Bound, Exit> {
        let parts = text.split_once(">=").map(|parts| (true, parts));
        let parts = parts.or_else(|| text.split_once("<=").map(|parts| (false, parts)));
        let bound = parts.and_then(|(at_least, (name, limit))| {
            let limit = limit.trim().parse().ok()?;
            Some(Bound { text: text.to_owned(), name: name.trim().to_owned(), at_least, limit })
        });
        bound.ok_or_else(|| {
            err(&format!(
                "foreword: --require \"{text}\" is no bound: write for instance \"fused.ndcg@10 >= 0.85\"\n"
            ));
            Exit::BadInput
        })
    }

    fn holds(&self, value: f64) -> bool {
        if self.at_least { value >= self.limit } else { value <= self.limit }
    }
}

fn bad_input(found: &[Problem]) -> Exit {
    problems(found, Severity::Note);
    Exit::BadInput
}

/// A query with what was found, for those who look closer.
struct Detail {
    id: String,
    text: String,
    value: f64,
    wanted: Vec<String>,
    found: Vec<String>,
    passes: bool,
}

struct LookedUp {
    report: Report,
    runs: [(&'static str, Run); 3],
    details: Vec<Detail>,
}

fn look_up(common: &Common, collection: &Collection, negatives: &[Asked]) -> Result<LookedUp, Exit> {
    let (file, optional) = common.file();
    let (settings, found) = load(&file, optional, &common.overrides());
    let Some(settings) = settings else {
        return Err(bad_input(&found));
    };
    let (embedder, model) = open_embedder(&settings).map_err(|error| not_started(&error))?;
    if let Err(reason) = model {
        err(&format!("foreword: only words are compared: {reason}\n"));
    }
    let indexes = build(common, &settings, collection, embedder.as_deref())?;
    tell_absent(collection, &indexes);
    let search = SearchSettings { depth: DEPTH, ..settings.search };
    let searcher =
        Searcher { indexes: indexes.iter().collect(), embedder: embedder.as_deref(), settings: search };
    let ask = |asked: &Asked| {
        searcher.search(asked).map_err(|error| {
            failure(&error);
            Exit::Runtime
        })
    };
    let mut runs = [("lexical", Run::new()), ("dense", Run::new()), ("fused", Run::new())];
    let mut gate =
        GateReport { queries: collection.queries.len(), negatives: negatives.len(), ..GateReport::default() };
    let mut details = Vec::new();
    for (done, asked) in collection.queries.iter().enumerate() {
        let searched = ask(asked)?;
        gate.passed += usize::from(searched.passes);
        let grades = &collection.qrels[&asked.id];
        details.push(Detail {
            id: asked.id.clone(),
            text: asked.query.text.clone(),
            value: MAIN.of(&searched.fused, grades),
            wanted: grades.iter().filter(|(_, grade)| **grade > 0).map(|(item, _)| item.clone()).collect(),
            found: searched.fused.iter().take(3).cloned().collect(),
            passes: searched.passes,
        });
        for ((_, run), ranking) in runs.iter_mut().zip([searched.lexical, searched.dense, searched.fused]) {
            run.insert(asked.id.clone(), ranking);
        }
        progress("queries", done + 1, collection.queries.len());
    }
    for (done, asked) in negatives.iter().enumerate() {
        gate.injected += usize::from(ask(asked)?.passes);
        progress("negatives", done + 1, negatives.len());
    }
    let rankings = runs
        .iter()
        .filter(|(name, _)| embedder.is_some() || *name != "dense")
        .map(|(name, run)| Judged::new(name, run, &collection.qrels))
        .collect();
    let items = indexes.iter().map(Index::len).sum();
    let report = Report { name: collection.name.clone(), items, rankings, gate: Some(gate) };
    Ok(LookedUp { report, runs, details })
}

/// The brands to look in: those of the knowledge folder, or the collection as one. Vectors of a collection
/// are kept beside those that serve.
fn build(
    common: &Common,
    settings: &Settings,
    collection: &Collection,
    embedder: Option<&Embedder>,
) -> Result<Vec<Index>, Exit> {
    let now = Timestamp::now();
    let brands = if common.knowledge.is_some() {
        let loaded = load_knowledge(&settings.snapshot.knowledge, &settings.snapshot.limits, now);
        if loaded.problems.iter().any(Problem::is_error) {
            return Err(bad_input(&loaded.problems));
        }
        loaded.knowledge.brands
    } else {
        vec![items_of(collection)]
    };
    let identity = embedder.map(Embedder::identity);
    let cache = settings.snapshot.cache.as_ref().map(|serving| match common.knowledge {
        Some(_) => serving.clone(),
        None => serving.with_file_name(format!("evaluate-{}.bin", collection.name)),
    });
    let mut store = match &cache {
        Some(file) => VectorStore::open(file, identity).0,
        None => VectorStore::empty(identity),
    };
    let mut indexes = Vec::new();
    for brand in &brands {
        let index = Index::build(brand, now, &mut store, embedder, &settings.search, &mut |done, of| {
            progress("embedded", done, of);
        });
        indexes.push(index.map(|(index, _)| index).map_err(|error| {
            failure(&error);
            Exit::Runtime
        })?);
    }
    if let Some(file) = &cache
        && let Err(error) = store.save(file)
    {
        err(&format!("foreword: the vectors are not kept: {}: {error}\n", file.display()));
    }
    Ok(indexes)
}

/// Says where the judgements name relevant items that are not there: they count as never found.
fn tell_absent(collection: &Collection, indexes: &[Index]) {
    let judged = collection.qrels.values().flatten().filter(|(_, grade)| **grade > 0).map(|(item, _)| item);
    let absent: BTreeSet<&String> =
        judged.filter(|item| !indexes.iter().any(|index| index.holds(item))).collect();
    if let Some(first) = absent.first() {
        err(&format!(
            "foreword: {} relevant items of the judgements are not among the items, for instance {first}: they count as not found\n",
            absent.len()
        ));
    }
}

/// A line that is written over, on a terminal only.
fn progress(what: &str, done: usize, of: usize) {
    if std::io::IsTerminal::is_terminal(&std::io::stderr()) && (done == of || done.is_multiple_of(20)) {
        let end = if done == of { "\r\x1b[K" } else { "" };
        err(&format!("\r{what} {done} of {of}{end}"));
    }
}

fn write_runs(folder: &Path, found: &LookedUp) -> Result<(), Exit> {
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        for (name, run) in &found.runs {
            std::fs::write(folder.join(format!("{name}.run")), write_run(run, name))?;
        }
        Ok(())
    };
    write().map_err(|error| {
        err(&format!("foreword: the runs cannot be written to {}: {error}\n", folder.display()));
        Exit::Runtime
    })
}

fn judge_runs(files: &[std::path::PathBuf], collection: &Collection) -> Result<Report, Exit> {
    let mut rankings = Vec::new();
    for file in files {
        let run = read_run(file).map_err(|found| bad_input(&found))?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        rankings.push(Judged::new(&name, &run, &collection.qrels));
    }
    Ok(Report { name: collection.name.clone(), items: 0, rankings, gate: None })
}

/// The worst queries of the last ranking, worst first.
fn worst(details: &[Detail], count: usize) -> Vec<&Detail> {
    let mut sorted: Vec<&Detail> = details.iter().collect();
    sorted.sort_by(|a, b| a.value.total_cmp(&b.value).then_with(|| a.id.cmp(&b.id)));
    sorted.truncate(count);
    sorted
}

fn table(report: &Report, details: &[Detail], count: usize) -> String {
    let mut text = String::new();
    let _infallible = (|| -> std::fmt::Result {
        let queries = report.rankings.first().map_or(0, |judged| judged.queries.len());
        write!(text, "{BOLD}{}{BOLD:#}: {queries} queries", report.name)?;
        if report.items > 0 {
            write!(text, ", {} items", report.items)?;
        }
        write!(text, "\n\n{DIM}{:<14}", "")?;
        for measure in MEASURES {
            write!(text, "{:>11}", measure.name())?;
        }
        writeln!(text, "{DIM:#}")?;
        for judged in &report.rankings {
            write!(text, "{:<14}", judged.name)?;
            for measure in MEASURES {
                write!(text, "{:>11.4}", judged.mean(*measure))?;
            }
            writeln!(text)?;
        }
        if let [.., before, last] = &report.rankings[..]
            && let Some(difference) = compare(&before.values(MAIN), &last.values(MAIN))
        {
            writeln!(
                text,
                "\n{} - {}, {}: {:+.4}, 95 % interval {:+.4} to {:+.4}, p = {:.4} (paired bootstrap)",
                last.name,
                before.name,
                MAIN.name(),
                difference.mean,
                difference.lower,
                difference.upper,
                difference.p_value
            )?;
        }
        if let Some(gate) = &report.gate {
            writeln!(
                text,
                "\ngate: {:.1} % of {} queries get something",
                100.0 * gate.coverage(),
                gate.queries
            )?;
            if gate.negatives > 0 {
                let share = 100.0 * gate.false_injection();
                writeln!(text, "gate: {share:.2} % of {} negatives get something", gate.negatives)?;
            }
        }
        for detail in worst(details, count) {
            let passes = if detail.passes { "" } else { ", gate closed" };
            let question: String = detail.text.chars().take(100).collect();
            writeln!(
                text,
                "\n{BOLD}{}{BOLD:#} {} {:.3}{passes}: {}",
                detail.id,
                MAIN.name(),
                detail.value,
                question.replace('\n', " / ")
            )?;
            writeln!(text, "  wanted {}", detail.wanted.join(", "))?;
            writeln!(text, "  found  {}", detail.found.join(", "))?;
        }
        Ok(())
    })();
    text
}

fn document(report: &Report, details: &[Detail], count: usize) -> Value {
    let means = |judged: &Judged| -> Value {
        MEASURES
            .iter()
            .map(|measure| (measure.name(), json!(judged.mean(*measure))))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let rankings: serde_json::Map<String, Value> =
        report.rankings.iter().map(|judged| (judged.name.clone(), means(judged))).collect();
    let worst: Vec<Value> = worst(details, count)
        .into_iter()
        .map(|detail| {
            json!({
                "id": detail.id, "text": detail.text, "value": detail.value, "passes": detail.passes,
                "wanted": detail.wanted, "found": detail.found,
            })
        })
        .collect();
    json!({
        "name": report.name,
        "queries": report.rankings.first().map_or(0, |judged| judged.queries.len()),
        "items": report.items,
        "rankings": rankings,
        "gate": report.gate.map(|gate| json!({
            "queries": gate.queries, "passed": gate.passed, "coverage": gate.coverage(),
            "negatives": gate.negatives, "injected": gate.injected,
            "false_injection": if gate.negatives > 0 { json!(gate.false_injection()) } else { Value::Null },
        })),
        "worst": worst,
    })
}
