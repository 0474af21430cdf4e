//! `foreword measure`: suites of every form, runs that are broken off and go on, endpoints that misbehave, gates and
//! reports, by the real binary against a scripted endpoint.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::proxy::Site;
use crate::support::run;
use crate::support::upstream::{Received, Step, Upstream, json_answer};

pub const SUITE: &str = "name: anvils
brand: acme
questions:
  - {id: light-1, text: Which anvil is the lightest to carry?, family: light, kind: organic}
  - {id: light-2, text: What is the lightest anvil to carry around?, family: light, kind: organic}
  - {id: warranty, text: How long is the anvil warranty?, family: warranty, kind: organic}
  - {id: forging, text: What is the forging temperature of steel?, family: forging, kind: organic}
  - {id: beginner, text: Which anvil should a beginner buy?, family: beginner, kind: organic}
  - {id: hammer, text: Which hammer goes with a small anvil?, family: hammer, kind: organic}
  - {id: paris, text: What is the capital of France?, family: paris, kind: negative-control}
";

/// A model that names the brand if it has read of it.
pub fn model(request: &Received) -> Vec<Step> {
    let said = if String::from_utf8_lossy(&request.body).contains("Acme") {
        "Take one by **Acme**."
    } else {
        "Any."
    };
    vec![Step::Send(completion(&json!(said)))]
}

pub fn completion(content: &Value) -> Vec<u8> {
    let body = json!({
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 40}},
    });
    json_answer(&body.to_string())
}

/// A model that is gone for good after so many answers.
pub fn gone_after(answers: usize) -> impl Fn(&Received) -> Vec<Step> + Send + Sync + 'static {
    let answered = AtomicUsize::new(0);
    move |request| match answered.fetch_add(1, Ordering::SeqCst) < answers {
        true => model(request),
        false => {
            vec![Step::Send(b"HTTP/1.1 503 Down\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n".to_vec())]
        }
    }
}

pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs the command in the site's folder without holding up the scripted endpoint.
pub async fn measure(site: &Site, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foreword"));
    command.current_dir(site.folder.path()).arg("measure").args(arguments).env_clear();
    command.env("FOREWORD_RETRIEVAL__MODEL", "off").env("FOREWORD_RETRIEVAL__DEADLINE", "10s");
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    Ran {
        code: status.code().unwrap(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

/// Families that each have an item of their own, besides those of [`SUITE`].
const MORE: [&str; 5] =
    ["stand height", "rust protection", "shipping weight", "face hardness", "horn length"];

/// Questions of all families.
const ORGANIC: usize = 6 + MORE.len();
const QUESTIONS: usize = ORGANIC + 1;

pub fn site() -> Site {
    let site = Site::new();
    let mut suite = SUITE.to_owned();
    let mut items = String::new();
    for topic in MORE {
        suite.push_str(&format!(
            "  - {{id: {}, text: Is there an anvil {topic} rule?, kind: organic}}\n",
            topic.replace(' ', "-")
        ));
        items.push_str(&format!("# Anvil {topic}\n\nAcme says all about the {topic} of an anvil.\n\n"));
    }
    site.write("suite.yaml", &suite);
    site.write("knowledge/acme/more.md", &items);
    site
}

pub fn results(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("results.json")).unwrap()).unwrap()
}

fn arm<'r>(results: &'r Value, name: &str) -> &'r Value {
    results["arms"].as_array().unwrap().iter().find(|arm| arm["arm"] == name).unwrap()
}

#[test]
fn a_run_measures_what_the_model_does() {
    run(async {
        let (site, upstream) = (site(), Upstream::start(model).await);
        let url = upstream.url();
        let base = ["suite.yaml", "--direct", &url, "--model", "m", "--repeats", "2", "--report", "out"];
        let arms = ["--arms", "direct,passthrough,injected,placebo-fictional"];
        let gates =
            ["--gate", "lift.lower >= 0.05", "--gate", "intrusion.estimate <= 0", "--gate", "missing <= 0"];
        let ran = measure(&site, &[&base[..], &arms, &gates].concat()).await;
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert_eq!(upstream.received().len(), QUESTIONS * 4 * 2);
        let out = site.path("out");
        let found = results(&out);
        let organic = |name: &str| arm(&found, name)["kinds"][0].clone();
        // All but the question about hammers hold words of an item.
        assert_eq!(
            (organic("injected")["mentions"].as_u64(), organic("injected")["answered"].as_u64()),
            (Some(2 * ORGANIC as u64 - 2), Some(2 * ORGANIC as u64))
        );
        for name in ["direct", "passthrough", "placebo-fictional"] {
            assert_eq!(organic(name)["mentions"], 0, "{name}");
        }
        assert!(arm(&found, "injected")["added_tokens"].as_f64().unwrap() > 10.0);
        assert_eq!(arm(&found, "injected")["cached_share"], 0.4);
        assert!(ran.out.contains("It works"), "{}", ran.out);
        assert!(ran.out.contains("0 of 2 answers name it"), "{}", ran.out);
        let html = fs::read_to_string(out.join("report.html")).unwrap();
        assert!(html.contains("<mark class=\"own\">Acme</mark>") && !html.contains("http://"), "{html}");
        // Three gates, and the run as a whole.
        assert!(fs::read_to_string(out.join("junit.xml")).unwrap().contains("tests=\"4\""));
        assert!(
            fs::read_to_string(out.join("summary.md")).unwrap().contains("| organic | injected | 20 of 22 |")
        );
        assert_eq!(
            fs::read_to_string(out.join("answers.csv")).unwrap().lines().count(),
            1 + QUESTIONS * 4 * 2
        );

        // A bound that is missed, and one that six families cannot tell.
        for (gate, code) in [("lift <= 0.1", 100), ("lift >= 0.9", 101), ("lift.estimate >= 0.95", 100)] {
            let ran = measure(&site, &["suite.yaml", "--offline", "--report", "out", "--gate", gate]).await;
            assert_eq!(ran.code, code, "{gate}: {}{}", ran.out, ran.err);
        }
        assert_eq!(upstream.received().len(), QUESTIONS * 4 * 2, "--offline asks nothing");

        // A detector that is right on every label changes little; labels that it contradicts are told apart.
        fs::copy(out.join("answers.csv"), site.path("labels.csv")).unwrap();
        let ran =
            measure(&site, &["suite.yaml", "--offline", "--report", "out", "--labels", "labels.csv"]).await;
        assert!(ran.out.contains("Corrected for the detector's errors"), "{}{}", ran.out, ran.err);
        let corrected = &results(&out)["comparisons"][1]["lift_corrected"];
        assert!(corrected["estimate"].as_f64().unwrap() > 0.85, "{corrected}");
        for (labels, said) in [
            ("question,arm,repeat\n", "no column `mentioned`"),
            ("question,arm,repeat,mentioned\na,b,0,maybe\n", "line 2"),
        ] {
            site.write("wrong.csv", labels);
            let ran =
                measure(&site, &["suite.yaml", "--offline", "--report", "out", "--labels", "wrong.csv"])
                    .await;
            assert_eq!(ran.code, 2);
            assert!(ran.err.contains(said), "{}", ran.err);
        }

        // Aliases change what is found, without a request.
        site.write("knowledge/acme/brand.toml", "name = \"Anvil Works\"\n");
        let ran = measure(&site, &["suite.yaml", "--offline", "--report", "out"]).await;
        assert_eq!(results(&out)["arms"][1]["kinds"][0]["mentions"], 0, "{}", ran.out);

        let plan = measure(&site, &["plan", "out", "--lift", "0.2"]).await;
        assert_eq!(plan.code, 0, "{}", plan.err);
        assert!(plan.out.contains("From the pilot"), "{}", plan.out);
    });
}

#[test]
fn a_run_that_breaks_off_goes_on_without_a_call_lost_or_repeated() {
    run(async {
        let site = site();
        let upstream = Upstream::start(gone_after(20)).await;
        let url = upstream.url();
        let common = [
            "suite.yaml",
            "--model",
            "m",
            "--repeats",
            "2",
            "--arms",
            "passthrough,injected",
            "--report",
            "out",
        ];
        let ran = measure(&site, &[&common[..], &["--direct", &url, "--concurrency", "1"]].concat()).await;
        assert_eq!(ran.code, 1, "too many are missing: {}{}", ran.out, ran.err);
        let journal = site.path("out/journal.jsonl");
        let answers = |text: &str| text.lines().filter(|line| line.contains("\"reply\"")).count();
        let before = fs::read_to_string(&journal).unwrap();
        assert_eq!(answers(&before), 20);

        let again = measure(&site, &[&common[..], &["--direct", &url]].concat()).await;
        assert_eq!(again.code, 2);
        assert!(again.err.contains("--resume"), "{}", again.err);
        assert_eq!(fs::read_to_string(&journal).unwrap(), before, "nothing is lost");

        // A line that was cut off while it was written.
        fs::write(&journal, format!("{before}{{\"key\":\"ab")).unwrap();
        let well = Upstream::start(model).await;
        let ran = measure(&site, &[&common[..], &["--direct", &well.url(), "--resume"]].concat()).await;
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert!(ran.err.contains("cut off"), "{}", ran.err);
        assert_eq!(well.received().len(), QUESTIONS * 2 * 2 - 20);
        let after = fs::read_to_string(&journal).unwrap();
        assert!(after.starts_with(&before));
        assert_eq!(answers(&after), QUESTIONS * 2 * 2);

        let ran = measure(&site, &[&common[..], &["--direct", &well.url(), "--resume"]].concat()).await;
        assert_eq!(
            (ran.code, well.received().len()),
            (0, QUESTIONS * 2 * 2 - 20),
            "all is there: nothing is asked"
        );

        // Another model, another version, not a journal at all, a damaged line.
        for (text, said) in [
            (after.replace("\"model\":\"m\"", "\"model\":\"n\""), "its model is n"),
            (after.replace("\"foreword_journal\":1", "\"foreword_journal\":9"), "has version 9"),
            ("hello\n".to_owned(), "is no journal"),
            (after.replacen("\n{", "\nx{", 1), "line 2"),
        ] {
            fs::write(&journal, &text).unwrap();
            let ran = measure(&site, &[&common[..], &["--direct", &well.url(), "--resume"]].concat()).await;
            assert_eq!(ran.code, 2, "{said}: {}{}", ran.out, ran.err);
            assert!(ran.err.contains(said), "{said}: {}", ran.err);
            assert_eq!(fs::read_to_string(&journal).unwrap(), text, "{said}: nothing is lost");
        }
    });
}

#[test]
fn s15_what_is_no_answer_is_missing_and_said() {
    run(async {
        let site = site();
        for (answer, said) in [
            (completion(&Value::Null), "holds no text"),
            (json_answer("{\"choices\":[]}"), "holds no choice"),
            (
                json_answer(
                    "{\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":[{\"id\":\"1\"}]},\"finish_reason\":\"tool_calls\"}]}",
                ),
                "called a tool",
            ),
        ] {
            let upstream = Upstream::start(move |_| vec![Step::Send(answer.clone())]).await;
            let url = upstream.url();
            let out = tempfile::tempdir().unwrap();
            let folder = out.path().to_str().unwrap();
            let ran = measure(
                &site,
                &["suite.yaml", "--direct", &url, "--model", "m", "--repeats", "1", "--report", folder],
            )
            .await;
            assert_eq!(ran.code, 1, "{said}: {}{}", ran.out, ran.err);
            assert!(ran.out.contains(said), "{said}: {}{}", ran.out, ran.err);
            assert_eq!(
                upstream.received().len(),
                QUESTIONS * 3,
                "{said}: what the model said is not asked for again"
            );
            assert_eq!(arm(&results(out.path()), "injected")["kinds"][0]["answered"], 0);
        }
    });
}

#[test]
fn an_endpoint_that_cannot_answer_ends_the_run_at_once() {
    run(async {
        let site = site();
        let html =
            b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<h1>Hello</h1".to_vec();
        let denied =
            b"HTTP/1.1 401 No\r\ncontent-length: 33\r\n\r\n{\"error\":{\"message\":\"wrong key\"}}".to_vec();
        let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{\"choices\":".to_vec();
        for (steps, said, most) in [
            (vec![Step::Send(html)], "is not JSON", 8),
            (vec![Step::Send(denied)], "wrong key", 8),
            (vec![Step::Send(cut), Step::Close], "broke off", 80),
            (vec![Step::Reset], "could not be reached", 80),
        ] {
            let upstream = Upstream::start(move |_| steps.clone()).await;
            let out = tempfile::tempdir().unwrap();
            let ran = measure(
                &site,
                &[
                    "suite.yaml",
                    "--direct",
                    &upstream.url(),
                    "--model",
                    "m",
                    "--arms",
                    "direct",
                    "--report",
                    out.path().to_str().unwrap(),
                ],
            )
            .await;
            assert_eq!(ran.code, 1, "{said}: {}{}", ran.out, ran.err);
            assert!(ran.err.contains(said) && ran.err.contains("--resume"), "{said}: {}", ran.err);
            assert!(upstream.received().len() <= most, "{said}: {}", upstream.received().len());
        }
    });
}

#[test]
fn without_a_model_the_endpoint_is_asked_for_its_own() {
    run(async {
        let site = site();
        let one = json_answer(&json!({"data": [{"id": "only"}, {"object": "x"}]}).to_string());
        let two = json_answer(&json!({"data": [{"id": "a"}, {"id": "b"}]}).to_string());
        let page = b"HTTP/1.1 404 No\r\ncontent-length: 13\r\n\r\n<h1>Hello</h1".to_vec();
        for (steps, code, said) in [
            (vec![Step::Send(one)], 1, "too many answers are missing"),
            (vec![Step::Send(two)], 2, "offers a, b"),
            (vec![Step::Send(page)], 2, "pass --model"),
            (vec![Step::Reset], 1, "cannot be reached"),
        ] {
            let upstream = Upstream::start(move |_| steps.clone()).await;
            let out = tempfile::tempdir().unwrap();
            let folder = out.path().to_str().unwrap();
            let ran = measure(
                &site,
                &["suite.yaml", "--direct", &upstream.url(), "--arms", "direct", "--report", folder],
            )
            .await;
            assert_eq!(ran.code, code, "{said}: {}{}", ran.out, ran.err);
            assert!(ran.err.contains(said), "{said}: {}", ran.err);
        }
    });
}

#[test]
fn too_many_requests_are_waited_out() {
    run(async {
        let site = site();
        let refused = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&refused);
        let upstream = Upstream::start(move |request| {
            if count.fetch_add(1, Ordering::SeqCst).is_multiple_of(3) {
                return vec![Step::Send(
                    b"HTTP/1.1 429 Slow\r\nretry-after: 0.05\r\ncontent-length: 0\r\n\r\n".to_vec(),
                )];
            }
            model(request)
        })
        .await;
        let url = upstream.url();
        let ran = measure(
            &site,
            &["suite.yaml", "--direct", &url, "--model", "m", "--repeats", "1", "--report", "out"],
        )
        .await;
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        let found = results(&site.path("out"));
        assert_eq!(
            (found["requests"].as_u64(), found["missing"].as_object().unwrap().len()),
            (Some(3 * QUESTIONS as u64), 0)
        );
    });
}

#[test]
fn intervals_hold_the_truth_of_a_scripted_model() {
    run(async {
        let ran = measure(&Site::new(), &["selftest", "--runs", "20"]).await;
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert_eq!(ran.out.matches("as promised").count(), 4, "{}", ran.out);
    });
}
