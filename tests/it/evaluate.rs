//! Measures, runs and the command `foreword evaluate`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use foreword::evaluate::{
    Judged, MEASURES, compare, read_collection, read_negatives, read_qrels, read_run, write_run,
};
use foreword::retrieval::Speaker;

use crate::support::proxy::Site;
use crate::support::retrieval::{model_folder, warm};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/evaluate").join(name)
}

/// The values in `expected.json` are trec_eval's own, computed with pytrec_eval-terrier 0.5 on the same files.
#[test]
fn the_measures_are_those_of_trec_eval() {
    let qrels = read_qrels(&fixture("qrels.txt")).unwrap();
    let run = read_run(&fixture("reference.run")).unwrap();
    let text = std::fs::read_to_string(fixture("expected.json")).unwrap();
    let expected: BTreeMap<String, BTreeMap<String, f64>> = serde_json::from_str(&text).unwrap();
    let judged = Judged::new("reference", &run, &qrels);
    assert!(expected.len() >= 10);
    for (query, values) in &expected {
        assert_eq!(values.len(), MEASURES.len());
        for (measure, value) in MEASURES.iter().zip(&judged.queries[query]) {
            let wanted = values[&measure.name()];
            assert!((value - wanted).abs() < 1e-6, "{query} {}: {value}, trec_eval {wanted}", measure.name());
        }
    }
    // A query that the run leaves out counts 0; one without a relevant item does not count.
    assert_eq!(judged.queries.len(), expected.len() + 1);
    assert!(judged.queries["q7"].iter().all(|value| *value == 0.0));
    assert!(!judged.queries.contains_key("q11"));
}

#[test]
fn a_run_that_is_written_is_read_as_it_was() {
    let run = read_run(&fixture("reference.run")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("again.run");
    std::fs::write(&file, write_run(&run, "again")).unwrap();
    assert_eq!(read_run(&file).unwrap(), run);
}

#[test]
fn a_difference_has_an_interval_and_the_same_one_each_time() {
    let a: Vec<f64> = (0..60).map(|number| f64::from(number % 7) / 10.0).collect();
    let b: Vec<f64> =
        a.iter().enumerate().map(|(at, value)| value + if at % 3 == 0 { 0.2 } else { 0.0 }).collect();
    let better = compare(&a, &b).unwrap();
    assert!((better.mean - 0.2 / 3.0).abs() < 1e-9);
    assert!(0.0 < better.lower && better.lower < better.mean && better.mean < better.upper);
    assert!(better.p_value < 0.001);
    assert_eq!(compare(&a, &b), Some(better));
    let same = compare(&a, &a).unwrap();
    assert_eq!((same.mean, same.lower, same.upper), (0.0, 0.0, 0.0));
    assert!(same.p_value > 0.99);
    assert_eq!(compare(&[], &[]), None);
}

const CORPUS: &str = r#"{"_id":"hours","title":"Opening hours","text":"The smithy opens at eight in the morning and closes at six."}
{"_id":"anvil","title":"Lightest anvil","text":"The FeatherAnvil weighs twelve kilograms and is easy to carry."}
{"_id":"steel","title":"Forging steel","text":"Steel is forged at about 1100 degrees."}
"#;

fn collection(site: &Site) -> PathBuf {
    let folder = site.path("set");
    site.write("set/corpus.jsonl", CORPUS);
    site.write(
        "set/queries.jsonl",
        concat!(
            r#"{"_id":"q1","text":"When does the smithy open?"}"#,
            "\n",
            r#"{"_id":"q2","messages":[{"role":"user","content":"Which anvil is the lightest?"},{"role":"assistant","content":"The FeatherAnvil."},{"role":"user","content":"Is it easy to carry?"}]}"#,
            "\n",
            r#"{"_id":"q3","text":"Nobody judged this."}"#,
            "\n"
        ),
    );
    site.write("set/qrels.tsv", "query-id\tcorpus-id\tscore\nq1\thours\t1\nq2\tanvil\t1\n");
    site.write("negatives.jsonl", "{\"text\":\"What is the capital of France?\"}\n{\"text\":\"hi\"}\n");
    folder
}

fn evaluate(site: &Site, arguments: &[&str]) -> (i32, String, String) {
    site.write("foreword.toml", "");
    warm(&site.path(".foreword/cache/evaluate-set.bin"));
    let output = Command::new(env!("CARGO_BIN_EXE_foreword"))
        .current_dir(site.folder.path())
        .arg("evaluate")
        .args(arguments)
        .env_clear()
        .env("FOREWORD_RETRIEVAL__MODEL", model_folder())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_collection_is_searched_as_turns_are() {
    let site = Site::new();
    let folder = collection(&site);
    let read = read_collection(&folder, true).unwrap();
    assert_eq!(read.queries.len(), 2);
    let conversation = &read.queries[1].query;
    assert_eq!(conversation.text, "Is it easy to carry?");
    assert_eq!(conversation.before[1].by, Speaker::Assistant);
    let bounds = ["--require", "fused.ndcg@10 >= 0.9", "--require", "gate.false_injection <= 0"];
    let (code, stdout, stderr) = evaluate(
        &site,
        &[
            &["set", "--json", "--negatives", "negatives.jsonl", "--worst", "1", "--write-runs", "runs"],
            &bounds[..],
        ]
        .concat(),
    );
    assert_eq!(code, 0, "{stdout}{stderr}");
    let document: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(document["rankings"]["fused"]["mrr"], 1.0, "{document}");
    assert_eq!((&document["gate"]["negatives"], &document["gate"]["passed"]), (&2.into(), &2.into()));
    assert_eq!(document["worst"].as_array().map(Vec::len), Some(1));
    assert!(stderr.is_empty(), "{stderr}");
    site.write("gone/corpus.jsonl", CORPUS);
    site.write("gone/queries.jsonl", "{\"_id\":\"q\",\"text\":\"When does it open?\"}\n");
    site.write("gone/qrels.tsv", "q\thours\t1\nq\tburnt\t1\n");
    let (code, _, stderr) = evaluate(&site, &["gone"]);
    assert!(code == 0 && stderr.contains("1 relevant items") && stderr.contains("burnt"), "{stderr}");
    // The runs that were written, judged again, and one that is worse.
    site.write("reversed.run", "q1 Q0 steel 1 2 x\nq1 Q0 hours 2 1 x\nq2 Q0 hours 1 1 x\n");
    let (code, stdout, _) = evaluate(&site, &["set", "--run", "reversed.run", "--run", "runs/fused.run"]);
    assert_eq!(code, 0);
    assert!(stdout.contains("fused - reversed, ndcg@10: +0.68"), "{stdout}");
    let (code, _, stderr) =
        evaluate(&site, &["set", "--run", "reversed.run", "--require", "reversed.mrr>=0.5"]);
    assert_eq!(code, 100, "{stderr}");
    assert!(stderr.contains("reversed.mrr is 0.2500"), "{stderr}");
}

#[test]
fn what_is_wrong_with_a_collection_is_said_with_file_and_line() {
    let site = Site::new();
    collection(&site);
    site.write("set/queries.jsonl", "{\"_id\":\"q1\",\"text\":\"x\"}\nnot json\n");
    site.write("set/qrels.tsv", "query-id\tcorpus-id\tscore\nq1\thours\tmuch\nq1\thours\n");
    let (code, _, stderr) = evaluate(&site, &["set"]);
    assert_eq!(code, 2);
    for expected in ["queries.jsonl:2", "qrels.tsv:2", "qrels.tsv:3", "whole number", "JSON object a line"] {
        assert!(stderr.contains(expected), "{expected} in {stderr}");
    }
    let (code, _, stderr) = evaluate(&site, &["nowhere"]);
    assert!(code == 2 && stderr.contains("corpus.jsonl"), "{stderr}");
    let (code, _, stderr) = evaluate(&site, &["set", "--require", "fused"]);
    assert!(code == 2 && stderr.contains("write for instance"), "{stderr}");
    site.write("bad.run", "q1 Q0 hours 1 high x\n");
    collection(&site);
    let (code, _, stderr) = evaluate(&site, &["set", "--run", "bad.run"]);
    assert!(code == 2 && stderr.contains("bad.run:1"), "{stderr}");
    let (code, _, stderr) = evaluate(&site, &["set", "--run", "bad.run", "--require", "x.y >= 1"]);
    assert!(code == 2, "{stderr}");
    assert!(read_negatives(&site.path("set/none.jsonl")).is_err());
}
