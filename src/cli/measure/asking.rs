//! The part of a run that asks: a proxy, a journal, requests.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Map;

use super::endpoints::connect;
use super::precision::Precision;
use super::progress::Progress;
use super::run::{Answered, read, wrong};
use crate::cli::Exit;
use crate::cli::arguments::Measure;
use crate::cli::print::{err, failure};
use crate::config::Settings;
use crate::knowledge::Brand;
use crate::measure::experiment::{
    Arm, Design, Endpoints, Heading, Journal, JournalError, Kept, Limits, Outcome, Record, Sampling, arms,
    read_journal, run as run_design,
};
use crate::measure::report::Gate;
use crate::measure::suite::Suite;
use crate::snapshot::{Snapshot, Treatment};

/// Attempts for each answer.
const ATTEMPTS: u32 = 5;

/// Asks what the journal `file` does not hold yet.
pub(super) async fn ask(
    arguments: &Measure,
    gates: &[Gate],
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
    let is_kept =
        |file: &Path| file.exists() && !read_journal(file).is_ok_and(|kept| kept.records.is_empty());
    if !arguments.resume && is_kept(file) {
        failure(&JournalError::Exists(file.to_owned()));
        return Err(Exit::BadInput);
    }
    let kept = if arguments.resume { Some(read(file)?) } else { None };
    let kept = kept.filter(|kept| !kept.records.is_empty());
    let timeout = Duration::from_secs(arguments.timeout.max(1));
    let connected = connect(arguments, settings, timeout).await?;
    let arms = arms(&arguments.arms, &arguments.ablate, &connected.recipes).map_err(|error| wrong(&error))?;
    let arms = possible(arguments, arms, connected.snapshot.as_deref())?;
    let design = designed(arguments, gates, suite, arms, &connected.endpoints).await?;
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

/// What is asked: questions, arms and how answers are drawn. Gates about which it can say nothing are refused.
async fn designed(
    arguments: &Measure,
    gates: &[Gate],
    suite: Suite,
    arms: Vec<Arm>,
    endpoints: &Endpoints,
) -> Result<Design, Exit> {
    let model = match &arguments.model {
        Some(model) => model.clone(),
        None => only_model(endpoints).await?,
    };
    let sampling = Sampling {
        model,
        max_tokens: arguments.max_tokens,
        temperature: arguments.temperature,
        extra: extra(&arguments.set)?,
    };
    let design = Design { suite, arms, repeats: arguments.repeats, sampling, seed: arguments.seed };
    for gate in gates {
        gate.possible(&design).map_err(|error| {
            failure(&error);
            Exit::BadInput
        })?;
    }
    Ok(design)
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
