//! What a model sees, as files: a change of a recipe or of the rendering shows up here for a person to
//! read.

use foreword::app;
use foreword::chat::Dialect;
use foreword::snapshot::{Choice, Treatment};
use serde_json::Value;

use crate::support::legality::{LENIENT, all_strict};
use crate::support::proxy::Site;

const CONVERSATION: &str = r#"{"model":"m","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Which anvil is the lightest to carry?"},{"role":"assistant","content":"The FeatherAnvil."},{"role":"user","content":[{"type":"text","text":"What is the anvil warranty length?"}]}]}"#;

/// The messages that leave, one a line.
fn outbound(recipe: &'static str) -> String {
    let site = Site::new();
    site.write(
        "knowledge/acme/pinned.md",
        "---\npinned: true\n---\n# About Acme\n\nAcme makes \"anvils\" & tongs.\n",
    );
    let config = [("injection.recipe", recipe), ("upstream.profile", "lenient")];
    let settings = site.settings("http://127.0.0.1:1/v1", &config);
    let core = app::core(&settings, &mut |_, _| {}).unwrap_or_else(|error| panic!("{error:?}"));
    let explanation = core
        .planner
        .explain(CONVERSATION.as_bytes(), Dialect::ChatCompletions, &Choice::default(), &Treatment::Served)
        .unwrap();
    let body: Value = serde_json::from_slice(&explanation.spliced.body).unwrap();
    let before: Value = serde_json::from_str(CONVERSATION).unwrap();
    // Only `message` is for lenient providers alone.
    let strict = all_strict().filter(|_| recipe != "message");
    for rules in strict.chain([&LENIENT]) {
        let accepts = |body: &Value| rules.check(body["messages"].as_array().unwrap());
        if accepts(&before).is_ok() {
            assert_eq!(accepts(&body), Ok(()), "{}", rules.name);
        }
    }
    let lines = body["messages"].as_array().unwrap().iter().map(|message| {
        let content =
            message["content"].as_str().map_or_else(|| message["content"].to_string(), str::to_owned);
        format!("{}: {}\n", message["role"].as_str().unwrap(), content.replace('\n', "\\n"))
    });
    lines.collect()
}

#[test]
fn what_a_model_sees_under_pairs() {
    insta::assert_snapshot!(outbound("pairs"));
}

#[test]
fn what_a_model_sees_under_inline() {
    insta::assert_snapshot!(outbound("inline"));
}

#[test]
fn what_a_model_sees_under_lead() {
    insta::assert_snapshot!(outbound("lead"));
}

#[test]
fn what_a_model_sees_under_message() {
    insta::assert_snapshot!(outbound("message"));
}
