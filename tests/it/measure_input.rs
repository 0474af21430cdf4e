//! `foreword measure` with wrong input, and with endpoints and prices that end a run.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::measure::{SUITE, measure, model, site};
use crate::support::run;
use crate::support::upstream::{Step, Upstream};

#[test]
fn an_endpoint_that_wants_to_be_left_alone_for_long_ends_the_run() {
    run(async {
        let site = site();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let upstream = Upstream::start(move |request| {
            if count.fetch_add(1, Ordering::SeqCst) >= 6 {
                return vec![Step::Send(
                    b"HTTP/1.1 429 Slow\r\nretry-after: 3600\r\ncontent-length: 0\r\n\r\n".to_vec(),
                )];
            }
            model(request)
        })
        .await;
        let url = upstream.url();
        let base = ["suite.yaml", "--direct", &url, "--model", "m", "--repeats", "1", "--report", "out"];
        let ran = measure(&site, &base).await;
        assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
        assert!(
            ran.err.contains("asks to be left alone for 3600 s") && ran.err.contains("--resume"),
            "{}",
            ran.err
        );
        // The six answers are there.
        let kept = fs::read_to_string(site.path("out/journal.jsonl")).unwrap();
        assert_eq!(kept.lines().count(), 1 + 6, "{kept}");
    });
}

#[test]
fn who_answers_and_knows_no_arm_is_not_taken_for_one() {
    run(async {
        let (site, upstream) = (site(), Upstream::start(model).await);
        let url = upstream.url();
        let mut command = Command::new(env!("CARGO_BIN_EXE_foreword"));
        let folder = site.folder.path().to_owned();
        let ran = tokio::task::spawn_blocking(move || {
            command
                .current_dir(folder)
                .args(["measure", "suite.yaml", "--model", "m", "--proxy", &url])
                .env_clear();
            command
                .env("FOREWORD_RETRIEVAL__MODEL", "off")
                .env("FOREWORD_MEASURE_TOKEN", "a-token-of-some-length");
            command.output().unwrap()
        })
        .await
        .unwrap();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(1), "{said}");
        assert!(said.contains("does not take arms"), "{said}");
    });
}

#[test]
fn an_ablation_leaves_out_what_the_profile_forbids_and_prices_bound_a_run_with_its_resumption() {
    run(async {
        let (site, upstream) = (site(), Upstream::start(model).await);
        let url = upstream.url();
        let base = ["suite.yaml", "--direct", &url, "--model", "m", "--repeats", "1", "--report", "out"];
        // A prompt costs 100 × 1000 / 10⁶, an answer nothing: 0.1 each.
        let more = ["--ablate", "placement", "--prices", "1000,0", "--max-cost", "2", "--concurrency", "2"];
        let ran = measure(&site, &[&base[..], &more].concat()).await;
        assert!(ran.err.contains("placement:message is left out"), "{}", ran.err);
        assert!(ran.err.contains("--max-cost is reached"), "{}", ran.err);
        let sent = upstream.received().len();
        assert!((18..=20).contains(&sent), "{sent} requests for 2.0 at 0.1 each");
        assert!(ran.out.contains("were not asked for"), "{}", ran.out);
        let ran = measure(&site, &[&base[..], &more, &["--resume", "--gate", "missing <= 0"]].concat()).await;
        assert!(upstream.received().len() <= 20, "{}", upstream.received().len());
        assert_eq!(ran.code, 101, "a part of a run keeps no bound: {}{}", ran.out, ran.err);
    });
}

#[test]
fn wrong_suites_say_what_to_do() {
    run(async {
        let site = site();
        let write = |name: &str, text: &str| {
            site.write(name, text);
            name.to_owned()
        };
        let question = |rest: &str| format!("questions:\n  - {{id: a, text: Which anvil?, {rest}}}\n");
        for (arguments, said) in [
            (
                vec![write("twice.yaml", &SUITE.replace("light-2", "light-1"))],
                "two questions have the id `light-1`",
            ),
            (vec![write("none.yaml", &question("kind: negative-control"))], "there is no organic question"),
            (vec![write("kind.yaml", &question("kind: organik"))], "`kind` must be one of"),
            (
                vec![write("brand.yaml", &question("brand: nobody"))],
                "expects `nobody`, and there is no such brand",
            ),
            (vec![write("regex.yaml", &question("expect: '(a'"))], "does not compile"),
            (vec![write("empty.yaml", "questions: []\n")], "there is no question in it"),
            (vec![write("key.yaml", &question("famly: x"))], "did you mean `family`?"),
            (vec![write("suite.pdf", "x")], "of no known form"),
            (vec!["absent.yaml".to_owned()], "cannot be read"),
            (vec![write("bad.jsonl", "{\"text\":\"a?\"}\nno\n")], "bad.jsonl:2:1"),
            (vec![write("cols.csv", "a,b\n1,2\n")], "no column holds the questions"),
            (
                vec![
                    write("named.txt", "Which anvil of Acme is the lightest?\n"),
                    "--brand".to_owned(),
                    "acme".to_owned(),
                ],
                "there is no organic question",
            ),
            (
                vec![write(
                    "vars.yaml",
                    "prompts: ['Briefly: {{question}}']\ntests:\n  - vars: {topic: anvils}\n",
                )],
                "give the test every variable of the prompt",
            ),
            (
                vec![write(
                    "lists.yaml",
                    "prompts: ['{{question}}']\ntests:\n  - vars: {question: [a?, b?]}\n",
                )],
                "is not one text",
            ),
            (
                vec![write("far.yaml", "prompts: [file://p.txt]\ntests:\n  - vars: {question: a?}\n")],
                "stands in another file",
            ),
            (vec!["suite.yaml".to_owned(), "--prices".to_owned(), "0.15".to_owned()], "0.15,0.60"),
            (vec!["suite.yaml".to_owned()], "pass --direct URL"),
            (vec!["suite.yaml".to_owned(), "--gate".to_owned(), "lift".to_owned()], "cannot be understood"),
            (vec!["suite.yaml".to_owned(), "--brand".to_owned(), "nobody".to_owned()], "the brands are acme"),
            (
                vec![
                    "suite.yaml".to_owned(),
                    "--offline".to_owned(),
                    "--report".to_owned(),
                    "new".to_owned(),
                ],
                "there is no journal",
            ),
            (
                vec!["suite.yaml".to_owned(), "--report".to_owned(), "suite.yaml/x".to_owned()],
                "cannot be made",
            ),
        ] {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let ran = measure(&site, &arguments).await;
            assert_eq!(ran.code, 2, "{said}: {}{}", ran.out, ran.err);
            assert!(ran.err.contains(said), "{said}: {}", ran.err);
        }
    });
}

#[test]
fn what_a_run_cannot_do_is_said_before_anything_is_asked() {
    run(async {
        let site = site();
        let url = "http://127.0.0.1:9/v1";
        for (more, said) in [
            (vec!["--model", "m", "--arms", "no-such-arm"], "names no arm"),
            (vec!["--model", "m", "--ablate", "colour"], "there is no ablation `colour`"),
            (vec!["--model", "m", "--set", "x"], "KEY=JSON"),
            (vec!["--model", "m", "--stop", "p<0.05"], "precision=0.05"),
            (vec!["--model", "m", "--proxy", url], "measure.token_env"),
            (vec!["--model", "m", "--arms", "recipe:nope"], "nope"),
            (vec!["--model", "m", "--arms", "passthrough,placement:message"], "upstream.profile"),
            (vec!["--model", "m", "--gate", "lift >= nan"], "stands no share"),
            (vec!["--model", "m", "--gate", "leaks.upper <= 0.1"], "has no interval"),
            (vec!["--model", "m", "--gate", "leaks <= 0"], "the suite has no attack"),
            (vec!["--model", "m", "--gate", "lift.nosuch >= 0"], "the run has no such arm"),
            (vec!["--model", "m", "--arms", "injected", "--gate", "lift >= 0"], "nothing to compare with"),
        ] {
            let out = tempfile::tempdir().unwrap();
            let folder = out.path().to_str().unwrap();
            let ran =
                measure(&site, &[&["suite.yaml", "--direct", url, "--report", folder][..], &more].concat())
                    .await;
            assert_eq!(ran.code, 2, "{more:?}: {}{}", ran.out, ran.err);
            assert!(ran.err.contains(said), "{more:?}: {}", ran.err);
        }
    });
}
