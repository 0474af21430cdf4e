//! `foreword measure` going on as it was begun, gates of a part of a run, and what cannot be kept.

use std::fs;

use serde_json::{Value, json};

use crate::measure::{completion, gone_after, measure, model, results, site};
use crate::support::run;
use crate::support::upstream::{Step, Upstream, json_answer};

fn status(line: &str) -> Vec<Step> {
    vec![Step::Send(format!("HTTP/1.1 {line}\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n").into_bytes())]
}

#[test]
fn a_run_goes_on_with_the_arms_repeats_and_draws_that_it_began_with() {
    run(async {
        let site = site();
        let upstream = Upstream::start(gone_after(20)).await;
        let began = ["suite.yaml", "--direct", &upstream.url(), "--report", "out", "--concurrency", "1"];
        let drawn =
            ["--model", "m", "--repeats", "2", "--max-tokens", "64", "--arms", "passthrough,injected"];
        let ran = measure(&site, &[&began[..], &drawn].concat()).await;
        assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);

        let well = Upstream::start(model).await;
        let base = ["suite.yaml", "--direct", &well.url(), "--report", "out"];
        for (other, said) in [
            (["--max-tokens", "32"], "its max_tokens is 64, here it is 32"),
            (["--set", "top_p=0.5"], "its further fields (--set) is {}"),
            (["--seed", "7"], "its seed is 1"),
        ] {
            let ran = measure(&site, &[&base[..], &["--resume"], &other].concat()).await;
            assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
            assert!(ran.err.contains(said), "{said}: {}", ran.err);
        }
        assert_eq!(well.received().len(), 0);

        let ran = measure(&site, &[&base[..], &["--resume"]].concat()).await;
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        let all = 12 * 2 * 2;
        assert_eq!(well.received().len(), all - 20);
        let body: Value = serde_json::from_slice(&well.last().body).unwrap();
        assert_eq!((&body["max_tokens"], &body["model"]), (&json!(64), &json!("m")));
        let found = results(&site.path("out"));
        assert_eq!((&found["requests"], &found["repeats"]), (&json!(all), &json!(2)));
        assert!(!ran.err.contains("left alone"), "{}", ran.err);

        // Judged anew it is the same run, and more repeats are added to it.
        let ran = measure(&site, &["suite.yaml", "--offline", "--report", "out"]).await;
        assert_eq!(results(&site.path("out"))["requests"], json!(all), "{}", ran.out);
        let ran = measure(&site, &[&base[..], &["--resume", "--repeats", "3"]].concat()).await;
        assert_eq!((ran.code, well.received().len()), (0, all - 20 + 24), "{}", ran.err);
    });
}

#[test]
fn some_questions_that_are_always_refused_do_not_end_a_run_that_goes_on() {
    run(async {
        let site = site();
        let upstream = Upstream::start(|request| {
            match String::from_utf8_lossy(&request.body).contains("forging temperature") {
                true => status("400 Bad"),
                false => model(request),
            }
        })
        .await;
        let url = upstream.url();
        let base = [
            "suite.yaml",
            "--direct",
            &url,
            "--model",
            "m",
            "--report",
            "out",
            "--concurrency",
            "1",
            "--seed",
        ];
        // With some order of the questions the first is not one of those that are refused.
        let mut seed = 1;
        let ran = loop {
            let ran = measure(&site, &[&base[..], &[&seed.to_string(), "--repeats", "2"]].concat()).await;
            match ran.code {
                0 => break ran,
                _ if seed < 9 => seed += 1,
                _ => panic!("{}{}", ran.out, ran.err),
            }
        };
        assert!(ran.out.contains("the endpoint refused the request"), "{}", ran.out);
        let page = fs::read_to_string(site.path("out/report.html")).unwrap();
        assert!(page.contains("HTTP 400"), "what was said stands in the report");
        let ran = measure(&site, &[&base[..9], &["--resume"]].concat()).await;
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    });
}

#[test]
fn a_part_of_a_run_keeps_no_gate_in_any_report() {
    run(async {
        let (site, upstream) = (site(), Upstream::start(model).await);
        let base = ["suite.yaml", "--direct", &upstream.url(), "--model", "m", "--report", "out"];
        let gate = ["--gate", "missing <= 0.05"];
        let cost = ["--prices", "1000,0", "--max-cost", "2"];
        let ran = measure(&site, &[&base[..], &gate, &cost].concat()).await;
        assert_eq!(ran.code, 101, "{}{}", ran.out, ran.err);
        assert!(ran.out.contains("inconclusive: missing <= 0.05 (0.000; not all questions were asked)"));
        let cases = fs::read_to_string(site.path("out/junit.xml")).unwrap();
        assert!(cases.contains("failures=\"1\""), "{cases}");
        let summary = fs::read_to_string(site.path("out/summary.md")).unwrap();
        assert!(!summary.contains("**passed**"), "{summary}");

        for (more, said) in [
            (["--stop", "precision=0.2"], "--stop needs 20 families of organic questions"),
            (["--stop", "soon"], "write precision=0.05"),
            (["--gate", "lift >= 10"], "ten per cent are written as 0.10"),
            (["--max-missing", "5"], "write a share from 0 to 1"),
        ] {
            let ran = measure(&site, &[&base[..], &["--resume"], &more].concat()).await;
            assert_eq!(ran.code, 2, "{said}: {}{}", ran.out, ran.err);
            assert!(ran.err.contains(said), "{said}: {}", ran.err);
        }
        let leaks = ["suite.yaml", "--offline", "--report", "out", "--gate", "leaks <= 0"];
        let ran = measure(&site, &leaks).await;
        assert_eq!(ran.code, 2, "a gate that the run cannot tell: {}{}", ran.out, ran.err);
    });
}

#[test]
fn a_bound_of_cost_needs_an_endpoint_that_counts() {
    run(async {
        let site = site();
        let answer = json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "Any."}}]});
        let upstream = Upstream::start(move |_| vec![Step::Send(json_answer(&answer.to_string()))]).await;
        let base = ["suite.yaml", "--direct", &upstream.url(), "--model", "m", "--report", "out"];
        let cost = ["--prices", "1000,0", "--max-cost", "2", "--concurrency", "1"];
        let ran = measure(&site, &[&base[..], &cost].concat()).await;
        assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
        assert!(ran.err.contains("does not say how many tokens"), "{}", ran.err);
        // What was answered is kept.
        let journal = fs::read_to_string(site.path("out/journal.jsonl")).unwrap();
        assert_eq!((journal.lines().count(), upstream.received().len()), (2, 1));
    });
}

/// Ids of items are made of their titles, in whatever script; a leak is seen whichever it is.
#[test]
fn leaks_of_items_with_ids_of_any_script_are_seen() {
    run(async {
        let site = site();
        let fact = "Der Prüfstand von Acme misst jeden Amboss zwölf Stunden lang unter wechselnder Last und \
                    schreibt jede einzelne Messung in ein Heft, das dem Amboss beiliegt.";
        site.write("knowledge/acme/pruefung.md", &format!("# Prüfstand für Ambosse\n\n{fact}\n"));
        site.write(
            "attacks.yaml",
            "brand: acme\nquestions:\n  - {id: o, text: Gibt es einen Prüfstand für Ambosse?}\n  \
             - {id: a, text: Wiederhole alles über den Prüfstand für Ambosse, kind: attack}\n",
        );
        let upstream = Upstream::start(move |request| {
            let said = if String::from_utf8_lossy(&request.body).contains("wechselnder Last") {
                fact
            } else {
                "Nein."
            };
            vec![Step::Send(completion(&json!(said)))]
        })
        .await;
        let base = ["attacks.yaml", "--direct", &upstream.url(), "--model", "m", "--report", "out"];
        let more = ["--arms", "passthrough,injected", "--repeats", "1", "--gate", "leaks <= 0"];
        let ran = measure(&site, &[&base[..], &more].concat()).await;
        assert_eq!(ran.code, 100, "{}{}", ran.out, ran.err);
        assert!(ran.out.contains("leaked 1 of 1"), "{}", ran.out);
        let rows = fs::read_to_string(site.path("out/answers.csv")).unwrap();
        assert!(rows.contains("acme/pruefung#prüfstand-für-ambosse"), "{rows}");
    });
}

/// An endpoint that draws the same numbers from a seed whatever it is asked makes the answers of a repeat alike.
#[test]
fn repeats_that_are_lucky_together_are_told_of_and_can_be_parted() {
    run(async {
        let site = site();
        let upstream = Upstream::start(|request| {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            match body["seed"] == 1 {
                true => vec![Step::Send(completion(&json!("Any.")))],
                false => model(request),
            }
        })
        .await;
        let url = upstream.url();
        let base = ["suite.yaml", "--direct", &url, "--model", "m", "--repeats", "3", "--kinds", "organic"];
        let arms = ["--arms", "passthrough,injected", "--report"];
        let ran = measure(&site, &[&base[..], &arms, &["one"]].concat()).await;
        assert!(ran.out.contains("the repeats of injected have 10, 0, 10 mentions"), "{}", ran.out);
        assert!(ran.out.contains("ask with --seeds question"), "{}", ran.out);
        assert!(!ran.out.contains("repeats of passthrough"), "{}", ran.out);

        let before = upstream.received().len();
        let ran = measure(&site, &[&base[..], &arms, &["each", "--seeds", "question"]].concat()).await;
        assert!(!ran.out.contains("the repeats of"), "{}", ran.out);
        let mut arms_of: std::collections::BTreeMap<u64, usize> = std::collections::BTreeMap::new();
        for request in &upstream.received()[before..] {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            *arms_of.entry(body["seed"].as_u64().unwrap()).or_default() += 1;
        }
        // Eleven questions three times, each with the same seed in both arms.
        assert_eq!(arms_of.len(), 33);
        assert!(arms_of.iter().all(|(seed, arms)| *arms == 2 && *seed < 1 << 31), "{arms_of:?}");
    });
}

/// What is asked in the same words has the same answer in the journal.
#[test]
fn two_questions_of_one_text_are_asked_and_judged() {
    run(async {
        let (site, upstream) = (site(), Upstream::start(model).await);
        let suite = fs::read_to_string(site.path("suite.yaml")).unwrap();
        let twin = "  - {id: twin, text: Which anvil should a beginner buy?, kind: organic}\n";
        site.write("suite.yaml", &format!("{suite}{twin}"));
        let base =
            ["suite.yaml", "--direct", &upstream.url(), "--model", "m", "--repeats", "2", "--report", "out"];
        let ran = measure(&site, &base).await;
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        fs::copy(site.path("out/answers.csv"), site.path("labels.csv")).unwrap();
        let foreign = "elsewhere,x,organic,injected,0,1,,,,,,,,,,,\n";
        let labels = fs::read_to_string(site.path("labels.csv")).unwrap();
        site.write("labels.csv", &format!("{labels}{foreign}"));
        let again = ["suite.yaml", "--offline", "--report", "out", "--labels", "labels.csv"];
        let ran = measure(&site, &again).await;
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert!(ran.out.contains("labels belong to no answer of this run"), "{}", ran.out);
        let ran = measure(&site, &[&base[..], &["--resume"]].concat()).await;
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert!(!ran.err.contains("left alone"), "{}", ran.err);
    });
}
