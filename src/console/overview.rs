//! What serves now, and what has happened since this process started.

use http::StatusCode;
use jiff::Timestamp;
use minijinja::{Value, context};

use super::experiments::{Subject, chooser, decision_row, live};
use super::form::Form;
use super::knowledge::{last_reload, problems};
use super::reply::Reply;
use super::service::Console;
use crate::metrics::Samples;

impl Console {
    pub(super) async fn overview(&self, query: Form) -> Reply {
        let subject = Subject::of(&query);
        let told = self.told(&subject).await;
        let (state, failure) = told.state();
        let told = told.read();
        let snapshot = self.planner.snapshot();
        let samples = self.metrics.samples();
        let last = self.reloader.last();
        let brands: Vec<Value> = snapshot
            .brands
            .iter()
            .map(
                |brand| context! { id => brand.id.clone(), name => brand.name.clone(), items => brand.len() },
            )
            .collect();
        let values = context! {
            state, failure,
            chooser_values => told.as_ref().map(|told| chooser(&snapshot, &subject, told)),
            live => told.as_ref().and_then(|told| told.report.as_ref()).map(|report| live(&snapshot, report)),
            brands,
            items => snapshot.report.items,
            recipe => snapshot.recipe.name.clone(),
            model => self.model.clone().ok(),
            no_model => self.model.clone().err(),
            built => moment(snapshot.built),
            next_boundary => snapshot.next_boundary.map(moment),
            endpoint => self.endpoint().map(|endpoint| endpoint.url),
            reload => last_reload(&last),
            problems => problems(&last.problems),
            counted => counted(&samples),
        };
        self.show(StatusCode::OK, "overview.html", "overview", values)
    }
}

/// A point in time, to the minute, as pages say it.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn counted(samples: &Samples) -> Option<Value> {
    let decisions = samples.by("decisions_total", "decision");
    let all: f64 = decisions.iter().map(|(_, count)| count).sum();
    if all == 0.0 {
        return None;
    }
    let injected = decisions.iter().find(|(name, _)| name == "injected").map_or(0.0, |(_, count)| *count);
    let rows: Vec<Value> =
        decisions.iter().map(|(name, count)| decision_row(name, *count as u64, all as u64)).collect();
    let prompt = samples.value("upstream_prompt_tokens_total");
    let cached = samples.value("upstream_cached_tokens_total");
    Some(context! {
        requests => all as u64,
        injected => format!("{:.0} %", 100.0 * injected / all),
        rows,
        tokens => samples.value("injected_tokens_total") as u64,
        tokens_each => if injected > 0.0 { (samples.value("injected_tokens_total") / injected).round() as u64 } else { 0 },
        cached => (prompt > 0.0).then(|| format!("{:.0} %", 100.0 * cached / prompt)),
        plan => range(samples, "plan_duration_seconds"),
        first_byte => range(samples, "upstream_first_byte_duration_seconds"),
    })
}

/// The bounds below which half, and 95 of 100, of a histogram lie.
fn range(samples: &Samples, name: &str) -> Option<Value> {
    let bound = |share| samples.quantile(name, share).map(duration);
    Some(context! { half => bound(0.5)?, most => bound(0.95) })
}

fn duration(seconds: f64) -> String {
    if seconds < 1.0 { format!("{} ms", 1e3 * seconds) } else { format!("{seconds} s") }
}
