//! The part of a run that asks: a proxy, a journal, requests.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Map;
use tokio::sync::Notify;

use super::endpoints::connect;
use super::precision::Precision;
use super::progress::Progress;
use super::run::{Answered, read, wrong};
use crate::cli::Exit;
use crate::cli::arguments::Measure;
use crate::cli::print::{err, failure};
use crate::config::Settings;
use crate::measure::experiment::{
    Arm, Design, Endpoints, Follow, Heading, Journal, JournalError, Kept, Limits, Outcome, Record, RunError,
    Sampling, Seeds, arms, of_design, read_journal, run as run_design,
};
use crate::measure::judge::Material;
use crate::measure::report::Gate;
use crate::measure::suite::Suite;
use crate::snapshot::{Snapshot, Treatment};

/// Attempts for each answer.
const ATTEMPTS: u32 = 5;

/// What holds where neither the command line nor an earlier run says otherwise.
const REPEATS: u32 = 5;
const MAX_TOKENS: u32 = 256;
const TEMPERATURE: f64 = 0.7;
const SEED: u64 = 1;

/// Asks what the journal `file` does not hold yet.
pub(super) async fn ask(
    arguments: &Measure,
    gates: &[Gate],
    settings: Settings,
    suite: Suite,
    material: &Material,
    file: &Path,
) -> Result<Answered, Exit> {
    if settings.upstream.is_none() && arguments.proxy.is_none() {
        return Err(wrong(
            "there is nothing to ask: pass --direct URL, set upstream.url, or name a running proxy with --proxy",
        ));
    }
    let is_kept =
        |file: &Path| file.exists() && !read_journal(file).is_ok_and(|kept| kept.records.is_empty());
    if !arguments.resume && is_kept(file) {
        failure(&JournalError::Exists(file.to_owned()));
        return Err(Exit::BadInput);
    }
    let kept = if arguments.resume { Some(read(file)?) } else { None };
    let kept = kept.filter(|kept| !kept.records.is_empty());
    let timeout = Duration::from_secs(arguments.timeout);
    let connected = connect(arguments, settings, timeout).await?;
    let arms = arms_of(arguments, kept.as_ref(), &connected.recipes)?;
    let arms = possible(arguments, arms, connected.snapshot.as_deref())?;
    let design = designed(arguments, suite, arms, kept.as_ref(), &connected.endpoints).await?;
    all_possible(gates, &design)?;
    let started =
        kept.as_ref().map_or_else(|| Timestamp::now().to_string(), |kept| kept.heading.started.clone());
    let heading = Heading::new(&design, &material.brand, started.clone());
    let journal = match &kept {
        Some(kept) => Journal::resume(file, kept, &heading),
        None => Journal::create(file, &heading),
    };
    let mut journal = journal.map_err(|error| {
        failure(&error);
        Exit::BadInput
    })?;
    let known = known(&design, kept.as_ref());
    let prices = arguments.prices.unwrap_or_default();
    let limits = Limits {
        concurrency: arguments.concurrency as usize,
        timeout,
        attempts: ATTEMPTS,
        prices,
        spent: kept.as_ref().map_or(0.0, |kept| cost(kept, prices)),
        max_cost: arguments.max_cost,
    };
    let mut progress = Progress::new(arguments.prices.is_some());
    let mut precision = Precision::new(arguments.stop.as_deref(), &design, material)?;
    if let Some(kept) = &kept {
        of_design(&design, &kept.records).into_iter().for_each(|(_, record)| precision.count(record));
    }
    let stop = Notify::new();
    let ended = {
        let follow = Follow {
            progress: &mut |event| progress.tell(event),
            enough: &mut |record| precision.reached(record),
            stop: &stop,
        };
        until_stopped(run_design(&design, &connected.endpoints, &limits, &known, &mut journal, follow), &stop)
            .await
    };
    progress.end();
    connected.end().await;
    let is_precise = told(ended, file)?;
    let records = read(file)?.records;
    Ok(Answered { design, records, started, is_precise })
}

/// Follows a run until it ends. Told to stop, it asks no more and waits for what is on its way; told again, it does not.
async fn until_stopped(
    running: impl Future<Output = Result<Outcome, RunError>>,
    stop: &Notify,
) -> Result<Outcome, RunError> {
    tokio::pin!(running);
    tokio::select! {
        ended = &mut running => return ended,
        _ = tokio::signal::ctrl_c() => {}
    }
    err("\nforeword: stopping; answers that are on their way are waited for, or until told again\n");
    stop.notify_one();
    tokio::select! {
        ended = running => ended,
        _ = tokio::signal::ctrl_c() => Ok(Outcome::Stopped),
    }
}

/// Says how a run has ended; whether early because enough is known. `Err`: there is nothing to judge yet.
fn told(ended: Result<Outcome, RunError>, file: &Path) -> Result<bool, Exit> {
    let go_on = format!("the answers so far are in {}: go on with --resume\n", file.display());
    match ended {
        Ok(Outcome::Complete) => Ok(false),
        Ok(Outcome::CostReached) => {
            err("note: --max-cost is reached: what is asked for is not complete\n");
            Ok(false)
        }
        Ok(Outcome::Precise) => {
            err("note: every arm's rate is known precisely enough (--stop): the rest is not asked\n");
            Ok(true)
        }
        Ok(Outcome::Stopped) => {
            err(&format!("foreword: stopped; {go_on}"));
            Err(Exit::Runtime)
        }
        Err(error) => {
            failure(&error);
            err(&format!("  {go_on}"));
            Err(Exit::Runtime)
        }
    }
}

/// The arms that are asked for. A run that goes on without naming any has those that it had.
pub(super) fn arms_of(
    arguments: &Measure,
    kept: Option<&Kept>,
    recipes: &[String],
) -> Result<Vec<Arm>, Exit> {
    match kept.map(Kept::arms) {
        Some(arms) if arguments.arms.is_empty() && arguments.ablate.is_empty() => Ok(arms),
        _ => arms(&arguments.arms, &arguments.ablate, recipes).map_err(|error| wrong(&error)),
    }
}

/// Refuses gates about which a run can say nothing.
pub(super) fn all_possible(gates: &[Gate], design: &Design) -> Result<(), Exit> {
    gates.iter().try_for_each(|gate| gate.possible(design)).map_err(|error| {
        failure(&error);
        Exit::BadInput
    })
}

/// What is asked: questions, arms and how answers are drawn. What a run that goes on does not say is as it was.
async fn designed(
    arguments: &Measure,
    suite: Suite,
    arms: Vec<Arm>,
    kept: Option<&Kept>,
    endpoints: &Endpoints,
) -> Result<Design, Exit> {
    let before = kept.map(|kept| &kept.heading.sampling);
    let model = match (&arguments.model, before) {
        (Some(model), _) => model.clone(),
        (None, Some(before)) => before.model.clone(),
        (None, None) => only_model(endpoints).await?,
    };
    let sampling = Sampling {
        model,
        max_tokens: arguments.max_tokens.or(before.map(|before| before.max_tokens)).unwrap_or(MAX_TOKENS),
        temperature: arguments.temperature.or(before.map(|before| before.temperature)).unwrap_or(TEMPERATURE),
        seeds: arguments
            .seeds
            .as_deref()
            .and_then(Seeds::from_name)
            .or(before.map(|before| before.seeds))
            .unwrap_or_default(),
        extra: match before {
            Some(before) if arguments.set.is_empty() => before.extra.clone(),
            _ => extra(&arguments.set)?,
        },
    };
    let repeats = arguments.repeats.or(kept.map(Kept::repeats)).unwrap_or(REPEATS);
    let seed = arguments.seed.or(kept.map(|kept| kept.heading.seed)).unwrap_or(SEED);
    Ok(Design { suite, arms, repeats, sampling, seed })
}

/// The arms that the proxy can take. One that was asked for by name and that it cannot is an error; of an ablation it is
/// left out.
fn possible(arguments: &Measure, arms: Vec<Arm>, snapshot: Option<&Snapshot>) -> Result<Vec<Arm>, Exit> {
    let mut possible = Vec::with_capacity(arms.len());
    for arm in arms {
        let taken = match arm.is_direct() {
            true => Ok(()),
            false => arm
                .name()
                .parse::<Treatment>()
                .and_then(|treatment| snapshot.map_or(Ok(()), |snapshot| snapshot.allows(&treatment))),
        };
        match taken {
            Ok(()) => possible.push(arm),
            Err(error)
                if arguments.arms.iter().any(|named| named == arm.name()) || arguments.ablate.is_empty() =>
            {
                failure(&error);
                return Err(Exit::BadInput);
            }
            Err(error) => err(&format!("note: the arm {arm} is left out: {error}\n")),
        }
    }
    Ok(possible)
}

/// What the answers of a journal have cost.
fn cost(kept: &Kept, (prompt, answer): (f64, f64)) -> f64 {
    let replies = kept.records.values().filter_map(|record| record.reply.as_ref());
    replies
        .map(|reply| (reply.prompt_tokens as f64 * prompt + reply.completion_tokens as f64 * answer) / 1e6)
        .sum()
}

/// The keys of the journal that need not be asked for again. A missing answer does.
fn known(design: &Design, kept: Option<&Kept>) -> HashSet<String> {
    let Some(kept) = kept else { return HashSet::new() };
    others_left_alone(design, &kept.records);
    kept.records.values().filter(|record| record.reply.is_some()).map(|record| record.key.clone()).collect()
}

/// Says how many answers of a journal are not those of the run.
pub(super) fn others_left_alone(design: &Design, records: &HashMap<String, Record>) {
    let wanted: HashSet<String> = design.cells().iter().map(|cell| design.key(cell)).collect();
    let others = records.keys().filter(|key| !wanted.contains(*key)).count();
    if others > 0 {
        err(&format!(
            "note: {others} answers of the journal belong to other questions, arms or settings and are left alone\n"
        ));
    }
}

/// The model that the endpoint offers, where it offers one alone.
async fn only_model(endpoints: &Endpoints) -> Result<String, Exit> {
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
