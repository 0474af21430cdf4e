//! "Requests": receipts, newest first, by what was decided; one of them in full; and new ones as they come.

use http::StatusCode;
use jiff::Timestamp;
use minijinja::value::Serde;
use minijinja::{Value, context};

use super::counts::{Counts, first_of};
use super::experiments::{milliseconds, name_of};
use super::form::{Form, encode};
use super::reply::Reply;
use super::service::{Console, not_found};
use crate::inject::SkipReason;
use crate::live::{Filter, Page, Receipt};
use crate::snapshot::Snapshot;

/// Receipts on a page.
const PAGE: usize = 50;
/// Days whose decisions can be chosen.
const LOOK_BACK: u32 = 90;

/// The form's fields as a filter.
fn filter(query: &Form) -> Filter {
    let text = |name| query.given(name).map(str::to_owned);
    let number = |name: &str| query.given(name).and_then(|number| number.parse().ok());
    Filter {
        brand: text("brand"),
        arm: text("arm"),
        decision: text("decision"),
        mentioned: match query.text("named") {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        },
        before: number("before"),
        after: number("after"),
    }
}

/// The filter as a query, without the place in the list.
fn link(query: &Form) -> String {
    let fields = ["brand", "arm", "decision", "named"].into_iter();
    fields.filter_map(|name| Some(format!("{name}={}&", encode(query.given(name)?)))).collect()
}

impl Console {
    pub(super) async fn requests_page(&self, query: Form) -> Reply {
        let wanted = filter(&query);
        let asked = wanted.clone();
        let counts = self
            .counts(move |store| {
                let since = first_of(LOOK_BACK);
                Ok((store.receipts(&asked, PAGE)?, store.decisions(since)?, store.brands(since)?))
            })
            .await;
        let (state, failure) = counts.state();
        let snapshot = self.planner.snapshot();
        let (page, decisions, brands) = counts.read().unwrap_or_default();
        let is_newest = wanted.before.is_none();
        let last = page.receipts.last().map(|(number, _)| *number);
        let newest = page.receipts.first().map_or(0, |(number, _)| *number);
        let query_text = link(&query);
        let brands: Vec<Value> =
            brands.iter().map(|id| context! { id => id.clone(), name => name_of(&snapshot, id) }).collect();
        let decisions: Vec<Value> = decisions
            .into_iter()
            .map(|(name, count)| context! { words => name.replace('_', " "), name, count })
            .collect();
        let values = context! {
            state, failure, brands, decisions,
            rows => rows(&snapshot, &page),
            filtered => !query_text.is_empty(),
            brand => wanted.brand, arm => wanted.arm, decision => wanted.decision, named => query.text("named").to_owned(),
            newest, is_newest,
            tail => format!("/console/requests/new?{query_text}after="),
            older => last.filter(|_| page.has_more).map(|last| format!("?{query_text}before={last}")),
            to_newest => (!is_newest).then(|| format!("?{query_text}")),
        };
        self.show(StatusCode::OK, "requests.html", "requests", values)
    }

    /// The rows that are newer than one, as a fragment of a page.
    pub(super) async fn new_requests(&self, query: Form) -> Reply {
        let wanted = filter(&query);
        let after = wanted.after.unwrap_or(0);
        let page = self.counts(move |store| store.receipts(&wanted, PAGE)).await.read().unwrap_or_default();
        let newest = page.receipts.first().map_or(after, |(number, _)| *number);
        let values = context! { rows => rows(&self.planner.snapshot(), &page), newest };
        self.show(StatusCode::OK, "rows.html", "", values)
    }

    pub(super) async fn receipt_page(&self, id: &str) -> Reply {
        let wanted = id.to_owned();
        match self.counts(move |store| store.receipt(&wanted)).await {
            Counts::Read(Some(receipt)) => {
                let snapshot = self.planner.snapshot();
                let values = context! { receipt => Serde(&receipt), shown => view(&snapshot, 0, &receipt) };
                self.show(StatusCode::OK, "receipt.html", "requests", values)
            }
            Counts::Failed(reason) => {
                let values = context! { state => "failed", failure => reason };
                self.show(StatusCode::OK, "requests.html", "requests", values)
            }
            _ => not_found(),
        }
    }
}

fn rows(snapshot: &Snapshot, page: &Page) -> Vec<Value> {
    page.receipts.iter().map(|(number, receipt)| view(snapshot, *number, receipt)).collect()
}

fn view(snapshot: &Snapshot, number: i64, receipt: &Receipt) -> Value {
    let at = Timestamp::from_millisecond(receipt.time).ok();
    let items: Vec<Value> = receipt
        .items
        .iter()
        .map(|item| {
            let brand = item.id.split('/').next().unwrap_or_default();
            context! { id => item.id.clone(), turn => item.turn + 1, hash => item.hash.clone(), link => format!("/console/knowledge/{}?q={}", encode(brand), encode(&item.id)) }
        })
        .collect();
    let names = receipt.mentioned.iter().flat_map(|mentioned| &mentioned.names);
    context! {
        number,
        id => receipt.id.clone(),
        time => at.map(|at| at.strftime("%Y-%m-%d %H:%M:%S").to_string()),
        brand => name_of(snapshot, &receipt.brand),
        arm => receipt.arm.clone(),
        decision => receipt.decision.replace('_', " "),
        why => SkipReason::of(&receipt.decision).map(SkipReason::explain),
        injected => receipt.decision == "injected",
        // Without a brand that fits, any of ours counts as named.
        named => receipt.mentioned.as_ref().map(|mentioned| if mentioned.brand { "yes" } else { "no" }),
        names => names.map(|name| name_of(snapshot, name)).collect::<Vec<_>>().join(", "),
        items,
        tokens => receipt.tokens,
        planning => milliseconds(receipt.planning_us),
        first_byte => receipt.first_byte_us.map(milliseconds),
        total => milliseconds(receipt.total_us),
        status => receipt.status,
        ending => receipt.ending.clone(),
        failed => receipt.status >= 400 || receipt.ending != "complete",
    }
}
