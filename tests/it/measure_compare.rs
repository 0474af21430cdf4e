//! `foreword measure --compare`: what has changed since an earlier run, and what else is not as it was.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::measure::{Ran, completion, measure, model, results, site};
use crate::support::proxy::Site;
use crate::support::run;
use crate::support::upstream::{Step, Upstream, json_answer};

/// The site after a run whose report is in `old`, and how it is asked again.
async fn again(site: &Site, url: &str, report: &str, more: &[&str]) -> Ran {
    let base = ["suite.yaml", "--direct", url, "--model", "m", "--repeats", "2", "--report", report];
    measure(site, &[&base[..], &["--arms", "passthrough,injected"], more].concat()).await
}

#[test]
fn a_run_is_paired_with_an_earlier_one_by_question() {
    run(async {
        let site = site();
        let is_forgetful = Arc::new(AtomicBool::new(false));
        let forgets = Arc::clone(&is_forgetful);
        // A model that later does not know the brand for one question.
        let upstream = Upstream::start(move |request| {
            let asks = String::from_utf8_lossy(&request.body).contains("Is there an anvil horn length rule?");
            match forgets.load(Ordering::SeqCst) && asks {
                true => vec![Step::Send(completion(&json!("Any.")))],
                false => model(request),
            }
        })
        .await;
        let first = again(&site, &upstream.url(), "old", &[]).await;
        assert_eq!(first.code, 0, "{}{}", first.out, first.err);

        // Against itself nothing has changed.
        let same = ["suite.yaml", "--offline", "--report", "old", "--compare", "old"];
        let ran = measure(&site, &same).await;
        assert!(ran.out.contains("20 of 22 → 20 of 22"), "{}", ran.out);
        assert!(ran.out.contains("+0.0 points") && !ran.out.contains("moved:"), "{}", ran.out);

        is_forgetful.store(true, Ordering::SeqCst);
        let ran = again(&site, &upstream.url(), "new", &["--compare", "old/results.json"]).await;
        assert!(ran.out.contains("20 of 22 → 18 of 22"), "{}", ran.out);
        assert!(ran.out.contains("moved: horn-length 2 of 2 → 0 of 2"), "{}", ran.out);
        let out = site.path("new");
        let found = results(&out);
        let change = found["changes"]
            .as_array()
            .unwrap()
            .iter()
            .find(|change| change["arm"] == "injected" && change["kind"] == "organic")
            .unwrap()
            .clone();
        assert_eq!((&change["before"]["mentions"], &change["after"]["mentions"]), (&json!(20), &json!(18)));
        assert_eq!(change["moved"].as_array().unwrap().len(), 1, "{change}");
        let page = fs::read_to_string(out.join("report.html")).unwrap();
        assert!(page.contains("Against the earlier run") && page.contains("18 of 22"), "{page}");
        let summary = fs::read_to_string(out.join("summary.md")).unwrap();
        assert!(summary.contains("| injected | 11 organic | 20 of 22 | 18 of 22 | -10 points"), "{summary}");
    });
}

#[test]
fn runs_that_have_little_in_common_are_told_so() {
    run(async {
        let (site, upstream) = (site(), Upstream::start(model).await);
        let ran = again(&site, &upstream.url(), "old", &[]).await;
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        let old = fs::read_to_string(site.path("old/results.json")).unwrap();
        for (found, other, said) in [
            (
                "\"brand\": \"Acme Anvils\"",
                "\"brand\": \"Hooli\"",
                "counted mentions of Hooli, this one those of Acme",
            ),
            ("\"suite\": \"anvils\"", "\"suite\": \"tongs\"", "is of the suite tongs"),
            (
                "\"max_tokens\": 256",
                "\"max_tokens\": 256, \"extra\": {\"top_p\": 0.5}",
                "a seed a repeat, {\"top_p\":0.5}; now",
            ),
            ("\"id\": \"", "\"id\": \"x", "nothing can be compared"),
            ("\"words\": \"", "\"words\": \"x", "12 questions have kept their id and not their words"),
        ] {
            assert!(old.contains(found), "{found}");
            site.write("other.json", &old.replace(found, other));
            let compared = ["suite.yaml", "--offline", "--report", "old", "--compare", "other.json"];
            let ran = measure(&site, &compared).await;
            assert!(ran.out.contains(said), "{said}: {}{}", ran.out, ran.err);
        }
    });
}

#[test]
fn another_model_behind_the_same_name_is_noticed() {
    run(async {
        let site = site();
        let is_new = Arc::new(AtomicBool::new(false));
        let served = Arc::clone(&is_new);
        let upstream = Upstream::start(move |_| {
            let version = if served.load(Ordering::SeqCst) { "fp_2" } else { "fp_1" };
            let answer = json!({
                "model": "m-2026",
                "system_fingerprint": version,
                "choices": [{"index": 0, "message": {"role": "assistant", "content": "Any."}}],
            });
            vec![Step::Send(json_answer(&answer.to_string()))]
        })
        .await;
        let ran = again(&site, &upstream.url(), "old", &[]).await;
        assert!(!ran.out.contains("models or versions"), "{}", ran.out);
        assert_eq!(results(&site.path("old"))["models"], json!(["m-2026 (fp_1)"]));

        is_new.store(true, Ordering::SeqCst);
        let ran = again(&site, &upstream.url(), "new", &["--compare", "old"]).await;
        let said = "was answered by m-2026 (fp_1), this one by m-2026 (fp_2)";
        assert!(ran.out.contains(said), "{}", ran.out);

        // Half of a run with each: the run itself says so.
        let journal = fs::read_to_string(site.path("old/journal.jsonl")).unwrap();
        let lines: Vec<&str> = journal.lines().collect();
        fs::create_dir(site.path("both")).unwrap();
        site.write("both/journal.jsonl", &format!("{}\n", lines[..lines.len() / 2].join("\n")));
        let ran = again(&site, &upstream.url(), "both", &["--resume"]).await;
        assert!(ran.out.contains("2 models or versions (m-2026 (fp_1), m-2026 (fp_2))"), "{}", ran.out);
    });
}
