//! "Try it": what one request would get and why, with other limits than those that serve if somebody wants so.

use std::ops::Range;

use http::StatusCode;
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde_json::Value as Json;

use super::conversation::{Pasted, read};
use super::form::Form;
use super::messages::{difference, messages};
use super::reply::Reply;
use super::service::Console;
use crate::inject::{Decision, SkipReason};
use crate::snapshot::{BrandChoice, Explanation, Treatment};

/// Candidates that are shown for a turn.
const SHOWN_CANDIDATES: usize = 8;

/// A try: the form as it was filled in.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) form: Form,
}

impl Attempt {
    /// The words of the treatment that the form asks for; empty for what is served.
    pub(super) fn words(&self) -> String {
        let words = [("recipe", "recipe"), ("k", "k"), ("threshold", "threshold")];
        let given =
            words.iter().filter_map(|(field, word)| Some(format!("{word}:{}", self.form.given(field)?)));
        given.collect::<Vec<_>>().join("+")
    }

    pub(super) fn treatment(&self) -> Result<Treatment, String> {
        match self.words().as_str() {
            "" => Ok(Treatment::Served),
            words => words.parse().map_err(|_| {
                "The items must be a number from 1 to 32 and the threshold one from 0 to 2.".to_owned()
            }),
        }
    }

    pub(super) fn brand(&self) -> BrandChoice {
        self.form.given("brand").map_or(BrandChoice::Default, |brand| BrandChoice::Named(brand.to_owned()))
    }

    pub(super) fn pasted(&self) -> Result<Pasted, String> {
        read(self.form.text("conversation"))
    }
}

impl Console {
    /// The explanation of a try; where vectors are made, so on a thread that may block.
    pub(super) async fn explain(&self, attempt: &Attempt) -> Result<(Pasted, Explanation), String> {
        let pasted = attempt.pasted()?;
        let treatment = attempt.treatment()?;
        self.planner.can_treat(&treatment).map_err(|error| format!("{error}."))?;
        let (planner, brand) = (self.planner.clone(), attempt.brand());
        let explaining = tokio::task::spawn_blocking(move || {
            let explained = planner.explain(&pasted.body, pasted.dialect, &brand.into(), &treatment);
            (pasted, explained.map_err(|error| format!("Retrieval failed: {error}.")))
        });
        match explaining.await {
            Ok((pasted, explained)) => Ok((pasted, explained?)),
            Err(_) => Err("Retrieval broke off; the log says more.".to_owned()),
        }
    }

    pub(super) async fn try_page(&self, form: Form) -> Reply {
        let attempt = Attempt { form };
        let snapshot = self.planner.snapshot();
        let asked = !attempt.form.text("conversation").is_empty() || attempt.form.given("asked").is_some();
        let outcome = if asked { Some(self.explain(&attempt).await) } else { None };
        let (result, problem) = match &outcome {
            None => (None, None),
            Some(Err(problem)) => (None, Some(problem.clone())),
            Some(Ok((pasted, explanation))) => (Some(result(pasted, explanation)), None),
        };
        let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
        let field = |name: &str| attempt.form.text(name).to_owned();
        let brands: Vec<Value> = snapshot
            .brands
            .iter()
            .map(|brand| context! { id => brand.id.clone(), name => brand.name.clone() })
            .collect();
        let recipes: Vec<String> = snapshot.recipes.keys().cloned().collect();
        let model = match &outcome {
            Some(Ok((pasted, _))) => model_of(&pasted.body),
            _ => None,
        };
        let values = context! {
            conversation => field("conversation"),
            brand => field("brand"),
            recipe => field("recipe"),
            k => field("k"),
            threshold => field("threshold"),
            changed => !attempt.words().is_empty(),
            serving => snapshot.recipe.name.clone(),
            max_items => snapshot.recipe.max_items,
            examples => self.examples(),
            brands, recipes, result, problem, model,
            endpoint => self.endpoint().map(|endpoint| context! { url => endpoint.url, has_key => endpoint.has_key }),
            lexical => self.planner.is_lexical_only(),
        };
        self.show(status, "try.html", "try", values)
    }

    /// Questions to begin with: those that the examples of the knowledge answer.
    fn examples(&self) -> Vec<String> {
        let snapshot = self.planner.snapshot();
        let items = snapshot.knowledge.brands.iter().flat_map(|brand| brand.items.iter());
        items
            .filter(|item| matches!(item.body, crate::knowledge::Body::Example { .. }))
            .map(|item| item.title().to_owned())
            .filter(|title| title.len() < 80)
            .take(3)
            .collect()
    }
}

fn model_of(body: &[u8]) -> Option<String> {
    let fields: Json = serde_json::from_slice(body).ok()?;
    fields["model"].as_str().map(str::to_owned)
}

fn result(pasted: &Pasted, explanation: &Explanation) -> Value {
    let mut document = explanation.document(SHOWN_CANDIDATES);
    if let Some(turns) = document["turns"].as_array_mut() {
        turns.iter_mut().for_each(scale);
    }
    let (body, inserted) = (&explanation.spliced.body, &explanation.spliced.inserted);
    let inserted: &[Range<usize>] = inserted;
    context! {
        advice => advice(explanation),
        messages => messages(body, pasted.dialect, inserted),
        difference => difference(body, inserted),
        added_bytes => inserted.iter().map(ExactSizeIterator::len).sum::<usize>(),
        document => Serde(&document),
    }
}

/// Gives each candidate the length of its bar and the place of its threshold, on one scale a turn.
fn scale(turn: &mut Json) {
    let gate = turn["gate"]["threshold"].as_f64().unwrap_or(0.0);
    let Some(candidates) = turn["candidates"].as_array_mut() else { return };
    let scores = candidates.iter().map(|candidate| candidate["score"].as_f64().unwrap_or(0.0));
    let most = scores.fold(gate, f64::max).max(1.0);
    for candidate in candidates {
        let place = |value: &Json| (100.0 * value.as_f64().unwrap_or(0.0) / most).clamp(0.0, 100.0);
        let (bar, needed) = (place(&candidate["score"]), place(&candidate["threshold"]));
        candidate["bar"] = bar.into();
        candidate["needed"] = needed.into();
    }
}

/// What to do where nothing was added, for the last turn.
fn advice(explanation: &Explanation) -> Option<String> {
    let Decision::Skipped(reason) = explanation.decision else { return None };
    let best = explanation.turns.last().and_then(|turn| turn.hits.as_ref()?.candidates.first());
    Some(match (reason, best) {
        (SkipReason::BelowThreshold, None) => {
            "No item shares anything with this question. If it should get something, write an item that answers it."
                .to_owned()
        }
        (SkipReason::BelowThreshold, Some(best)) => format!(
            "The nearest item is “{}”. If it answers the question, say so in its words: a heading or an example \
             (“Q: …”) that is worded as people ask. If none does, write one. Questions about other things are meant \
             to get nothing.",
            best.item.title()
        ),
        (SkipReason::AlreadyTold, _) => {
            "An item is told once in a conversation; the model still has it from the turn before.".to_owned()
        }
        (SkipReason::Vetoed, _) => {
            "The question holds a word or phrase from “never” in the brand's brand.toml.".to_owned()
        }
        (SkipReason::SensitiveTopic, _) => {
            "The question touches a topic that no brand is told into (topics.never). Where such questions are the brand's \
             business, name the topic in topics_allowed of its brand.toml."
                .to_owned()
        }
        (SkipReason::OverBudget, _) => {
            "Raise injection.conversation_tokens or the recipe's max_tokens, or shorten the items.".to_owned()
        }
        (SkipReason::NoItems, _) => {
            "Look under Knowledge: every item of this brand has expired, is not valid yet, or is missing.".to_owned()
        }
        (SkipReason::UnknownBrand, _) => "Choose a brand of the list: the knowledge has changed meanwhile.".to_owned(),
        (reason, _) => format!("The proxy leaves such a request as it came: {}.", reason.explain()),
    })
}
