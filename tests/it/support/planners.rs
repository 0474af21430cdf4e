//! Planners over the anvil site, one for each recipe, and what they make of a body.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use foreword::app;
use foreword::chat::Dialect;
use foreword::snapshot::{Choice, Explanation, Planner, Request, Treatment};
use serde_json::Value;

use super::proxy::Site;

/// The standard recipes, one of each placement. The last is for lenient providers.
pub const RECIPES: &[&str] = &["pairs", "inline", "lead", "message"];

/// The planner of a recipe, over the standard site with one pinned item.
pub fn planner(recipe: &str) -> Arc<Planner> {
    static PLANNERS: OnceLock<Vec<(&str, Arc<Planner>)>> = OnceLock::new();
    let planners =
        PLANNERS.get_or_init(|| RECIPES.iter().map(|&recipe| (recipe, fresh_planner(recipe, &[]))).collect());
    Arc::clone(&planners.iter().find(|(name, _)| *name == recipe).unwrap().1)
}

/// A planner of its own, as a process that has just started has one.
pub fn fresh_planner(recipe: &'static str, config: &[(&'static str, &str)]) -> Arc<Planner> {
    let site = fresh_site();
    let mut keys = vec![("injection.recipe", recipe), ("upstream.profile", "lenient")];
    keys.extend(config.iter().copied());
    let settings = site.settings("http://127.0.0.1:1/v1", &keys);
    app::core(&settings, &mut |_, _| {}).unwrap_or_else(|error| panic!("{error:?}")).planner
}

/// The standard site with one pinned item.
pub fn fresh_site() -> Site {
    let site = Site::new();
    let pinned = "---\npinned: true\n---\n# About Acme\n\nAcme makes \"anvils\" & tongs.\n";
    site.write("knowledge/acme/pinned.md", pinned);
    site
}

/// What a recipe makes of a body.
pub fn explain(recipe: &str, dialect: Dialect, body: impl AsRef<[u8]>) -> Explanation {
    planner(recipe).explain(body.as_ref(), dialect, &Choice::default(), &Treatment::Served).unwrap()
}

/// What leaves as `planner` serves it, with all that it remembers.
pub async fn served(planner: &Planner, dialect: Dialect, body: &str) -> Vec<u8> {
    let request = Request {
        body: body.to_owned().into(),
        dialect,
        choice: &Choice::default(),
        treatment: None,
        conversation: None,
        holdout: None,
    };
    planner.plan(request).await.body.to_vec()
}

/// The elements of the list under `key` of what leaves.
pub fn list(body: &[u8], key: &str) -> Vec<Value> {
    let value: Value = serde_json::from_slice(body).expect("what leaves is JSON");
    value[key].as_array().expect("a list").clone()
}

/// `bytes` without `ranges`.
pub fn cut(bytes: &[u8], ranges: &[Range<usize>]) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut at = 0;
    for range in ranges {
        kept.extend_from_slice(&bytes[at..range.start]);
        at = range.end;
    }
    kept.extend_from_slice(&bytes[at..]);
    kept
}

/// Runs a future to its end on this thread.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
