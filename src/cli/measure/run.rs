//! A run: suite, endpoints, journal, answers, reports.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Map;

use super::endpoints::connect;
use super::progress::Progress;
use super::write::{read_results, write};
use crate::cli::Exit;
use crate::cli::arguments::{Common, Measure};
use crate::cli::print::{err, failure, out, problems};
use crate::config::{Settings, load};
use crate::document::{Problem, Severity};
use crate::knowledge::{Brand, load as load_knowledge};
use crate::measure::experiment::{
    Arm, Design, Heading, Journal, Kept, Limits, Outcome, Record, Sampling, arms, of_design, read_journal,
    run as run_design,
};
use crate::measure::judge::Material;
use crate::measure::report::{Context, Gate, Labels, Status, analyse, check, compare, judge, terminal};
use crate::measure::suite::{Kind, Suite, read_suite};
use crate::mentions::Lexicon;
use crate::snapshot::Treatment;
use crate::statistics::{Confidence, Question, Tally, clusters};

/// Attempts for each answer.
const ATTEMPTS: u32 = 5;

/// Answers between two looks at the precision.
const BETWEEN_LOOKS: usize = 20;

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
    problems(&found, Severity::Warning);
    let (material, brand, suite) = material(arguments, &settings, suite)?;
    let folder = folder(arguments, &suite)?;
    let journal_file = folder.join("journal.jsonl");
    let (design, records, started) = if arguments.offline {
        offline(arguments, suite, &journal_file)?
    } else {
        online(arguments, settings, suite, &brand, &journal_file)?
    };
    let judged = judge(&design, &material, of_design(&design, &records));
    if judged.is_empty() {
        err("foreword: there is no answer to judge\n");
        return Err(Exit::Runtime);
    }
    let results = analyse(&design, &judged, &Context { brand: brand.name.clone(), started, labels });
    let (judged_gates, worst) = check(&gates, &results);
    let page = write(&folder, &results, &judged_gates, &design, &material, &judged)?;
    if arguments.json {
        out(&format!("{}\n", serde_json::to_string_pretty(&results).unwrap_or_default()));
    } else {
        out(&terminal(&results, &judged_gates));
        for change in old.iter().flat_map(|old| compare(old, &results)) {
            out(&format!("{}\n", change.words()));
        }
        out(&format!("report: {}\n", page.display()));
    }
    if results.missing_share() > arguments.max_missing {
        err(
            "foreword: too many answers are missing (--max-missing): what the figures say may be owed to that\n",
        );
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

fn wrong(message: &str) -> Exit {
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
        None => Path::new(".foreword/measure").join(&suite.name),
    };
    std::fs::create_dir_all(&folder).map_err(|error| {
        wrong(&format!(
            "the report folder {} cannot be made: {error}; name another with --report",
            folder.display()
        ))
    })?;
    Ok(folder)
}

type Answered = (Design, HashMap<String, Record>, String);

/// The design of a journal that is judged anew: its own arms, repeats and sampling.
fn offline(arguments: &Measure, suite: Suite, file: &Path) -> Result<Answered, Exit> {
    let kept = read(file)?;
    let mut found: Vec<Arm> = Vec::new();
    for record in kept.records.values() {
        let arm = Arm::new(record.arm.clone());
        if !found.contains(&arm) {
            found.push(arm);
        }
    }
    // The order in which arms are shown: as asked for, else baselines first.
    found.sort_by_key(|arm| (!arm.is_baseline(), arm.name() != "injected", arm.name().to_owned()));
    if !arguments.arms.is_empty() {
        found = arms(&arguments.arms, &arguments.ablate, &[]).map_err(|error| wrong(&error))?;
    }
    let repeats = kept.records.values().map(|record| record.repeat + 1).max().unwrap_or(1);
    let Kept { heading, records, .. } = kept;
    if heading.suite != suite.name {
        return Err(wrong(&format!("the journal is of the suite {}, not {}", heading.suite, suite.name)));
    }
    let design = Design { suite, arms: found, repeats, sampling: heading.sampling, seed: heading.seed };
    Ok((design, records, heading.started))
}

fn read(file: &Path) -> Result<Kept, Exit> {
    let kept = read_journal(file).map_err(|error| {
        failure(&error);
        Exit::BadInput
    })?;
    if kept.torn {
        err("note: the journal's last line was cut off while it was written: its question is asked again\n");
    }
    Ok(kept)
}

fn online(
    arguments: &Measure,
    settings: Settings,
    suite: Suite,
    brand: &Brand,
    file: &Path,
) -> Result<Answered, Exit> {
    if settings.upstream.is_none() && arguments.proxy.is_none() {
        return Err(wrong(
            "there is nothing to ask: pass --direct URL, set upstream.url, or name a running proxy with --proxy",
        ));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| {
        failure(&error);
        Exit::Runtime
    })?;
    runtime.block_on(ask(arguments, settings, suite, brand, file))
}

async fn ask(
    arguments: &Measure,
    settings: Settings,
    suite: Suite,
    brand: &Brand,
    file: &Path,
) -> Result<Answered, Exit> {
    if !arguments.resume && file.exists() {
        failure(&crate::measure::experiment::JournalError::Exists(file.to_owned()));
        return Err(Exit::BadInput);
    }
    let kept = if arguments.resume { Some(read(file)?) } else { None };
    let timeout = Duration::from_secs(arguments.timeout.max(1));
    let connected = connect(arguments, settings, timeout).await?;
    let arms = arms(&arguments.arms, &arguments.ablate, &connected.recipes).map_err(|error| wrong(&error))?;
    for arm in arms.iter().filter(|arm| !arm.is_direct()) {
        if let Err(error) = arm.name().parse::<Treatment>() {
            failure(&error);
            return Err(Exit::BadInput);
        }
    }
    let model = match &arguments.model {
        Some(model) => model.clone(),
        None => only_model(&connected.endpoints).await?,
    };
    let sampling = Sampling {
        model,
        max_tokens: arguments.max_tokens,
        temperature: arguments.temperature,
        extra: extra(&arguments.set)?,
    };
    let design = Design { suite, arms, repeats: arguments.repeats, sampling, seed: arguments.seed };
    let started =
        kept.as_ref().map_or_else(|| Timestamp::now().to_string(), |kept| kept.heading.started.clone());
    let heading =
        Heading::new(&design.suite.name, &brand.id, design.sampling.clone(), design.seed, started.clone());
    let journal = match &kept {
        Some(kept) => Journal::resume(file, kept, &heading),
        None => Journal::create(file, &heading),
    };
    let mut journal = journal.map_err(|error| {
        failure(&error);
        Exit::BadInput
    })?;
    let known = known(&design, kept.as_ref());
    let limits = Limits {
        concurrency: arguments.concurrency as usize,
        timeout,
        attempts: ATTEMPTS,
        prices: (
            arguments.prices.first().copied().unwrap_or(0.0),
            arguments.prices.get(1).copied().unwrap_or(0.0),
        ),
        max_cost: arguments.max_cost,
    };
    let mut progress = Progress::new(!arguments.prices.is_empty());
    let mut precision = Precision::new(arguments.stop.as_deref(), &design, brand)?;
    let mut enough = |record: &Record| precision.reached(record);
    let mut tell = |event: &_| progress.tell(event);
    let running =
        run_design(&design, &connected.endpoints, &limits, &known, &mut journal, &mut tell, &mut enough);
    let ended = tokio::select! {
        ended = running => ended,
        _ = tokio::signal::ctrl_c() => {
            progress.end();
            err(&format!("foreword: stopped; the answers so far are in {}: go on with --resume\n", file.display()));
            return Err(Exit::Runtime);
        }
    };
    progress.end();
    connected.end().await;
    match ended {
        Ok(Outcome::Complete) => {}
        Ok(Outcome::CostReached) => err("note: --max-cost is reached: what is asked for is not complete\n"),
        Ok(Outcome::Precise) => {
            err("note: the lift is known precisely enough (--stop): the rest is not asked\n");
        }
        Err(error) => {
            failure(&error);
            err(&format!("  the answers so far are in {}: go on with --resume\n", file.display()));
            return Err(Exit::Runtime);
        }
    }
    let records = read(file)?.records;
    Ok((design, records, started))
}

/// The keys of the journal that need not be asked for again. A missing answer does.
fn known(design: &Design, kept: Option<&Kept>) -> HashSet<String> {
    let Some(kept) = kept else { return HashSet::new() };
    let wanted: HashSet<String> = design.cells().iter().map(|cell| design.key(cell)).collect();
    let others = kept.records.keys().filter(|key| !wanted.contains(*key)).count();
    if others > 0 {
        err(&format!(
            "note: {others} answers of the journal belong to other questions, arms or settings and are left alone\n"
        ));
    }
    kept.records.values().filter(|record| record.reply.is_some()).map(|record| record.key.clone()).collect()
}

/// The model that the endpoint offers, where it offers one alone.
async fn only_model(endpoints: &crate::measure::experiment::Endpoints) -> Result<String, Exit> {
    let Some(endpoint) = endpoints.direct.as_ref().or(endpoints.proxy.as_ref()) else {
        return Err(wrong("there is nothing to ask for its models: pass --model NAME"));
    };
    let models = endpoint.models(Duration::from_secs(10)).await.map_err(|reason| {
        err(&format!("foreword: {} cannot be reached: {reason}; see that it runs there\n", endpoint.url));
        Exit::Runtime
    })?;
    match models.as_slice() {
        [model] => Ok(model.clone()),
        [] => Err(wrong("the endpoint does not say which models it has: pass --model NAME")),
        several => Err(wrong(&format!("pass --model NAME: the endpoint offers {}", several.join(", ")))),
    }
}

fn extra(set: &[String]) -> Result<Map<String, serde_json::Value>, Exit> {
    set.iter()
        .map(|text| {
            let parsed = text
                .split_once('=')
                .and_then(|(key, value)| Some((key.to_owned(), serde_json::from_str(value).ok()?)));
            parsed.ok_or_else(|| {
                wrong(&format!(
                    "--set {text}: write KEY=JSON, such as top_p=0.9 or reasoning_effort='\"low\"'"
                ))
            })
        })
        .collect()
}

/// The rule that ends a run when its lift is known to a half-width.
struct Precision<'a> {
    half_width: Option<f64>,
    design: &'a Design,
    lexicon: Option<Lexicon>,
    brand: String,
    tallies: HashMap<(String, String), Tally>,
    seen: usize,
}

impl<'a> Precision<'a> {
    fn new(rule: Option<&str>, design: &'a Design, brand: &Brand) -> Result<Precision<'a>, Exit> {
        let half_width = match rule {
            None => None,
            Some(rule) => {
                let width = rule.strip_prefix("precision=").and_then(|width| width.parse::<f64>().ok());
                Some(width.filter(|width| *width > 0.0 && *width < 1.0).ok_or_else(|| {
                    wrong(&format!("--stop {rule}: write precision=0.05 for a half-width of five points"))
                })?)
            }
        };
        let lexicon = Lexicon::of_brands(std::slice::from_ref(brand)).ok();
        Ok(Precision {
            half_width,
            design,
            lexicon,
            brand: brand.id.clone(),
            tallies: HashMap::new(),
            seen: 0,
        })
    }

    fn reached(&mut self, record: &Record) -> bool {
        let (Some(half_width), Some(lexicon), Some(reply)) = (self.half_width, &self.lexicon, &record.reply)
        else {
            return false;
        };
        let answer = crate::mentions::Answer { text: &reply.text, question: None, disclosure: None };
        let mentioned = crate::mentions::find(lexicon, &answer).is_mentioned(&self.brand);
        let tally = self.tallies.entry((record.arm.clone(), record.question.clone())).or_default();
        if mentioned {
            tally.mentions += 1;
        } else {
            tally.silent += 1;
        }
        self.seen += 1;
        self.seen.is_multiple_of(BETWEEN_LOOKS) && self.is_precise(half_width)
    }

    /// Whether every arm's rate is known to the half-width: then their differences are known to little more.
    fn is_precise(&self, half_width: f64) -> bool {
        self.design.arms.iter().all(|arm| {
            let organic =
                self.design.suite.questions.iter().filter(|question| question.kind == Kind::Organic);
            let questions: Vec<Question> = organic
                .filter_map(|question| {
                    let tally = *self.tallies.get(&(arm.to_string(), question.id.clone()))?;
                    Some(Question { family: question.family.clone(), tally })
                })
                .collect();
            crate::statistics::rate(&clusters(&questions), Confidence::NINETY_FIVE)
                .is_ok_and(|rate| crate::statistics::precision_reached(&rate, half_width))
        })
    }
}
