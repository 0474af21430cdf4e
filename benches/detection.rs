//! How well names are found in labelled text that nobody of this project wrote, and what an answer costs. Needs the
//! data sets WNUT17 (CoNLL), FinEntity (JSON) and Stockmark's Japanese entities (JSON) in the folder `mentions` of
//! `FOREWORD_DATA`; skips what is not there.
//!
//! The lists of names are the labelled names themselves, so recall is easy by construction: what is compared is how
//! many other uses of the same letters are kept out, and how many right ones are lost by it.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program for the person who runs it")]

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use foreword::mentions::{Answer, BrandNames, Lexicon, Polarity, Stream, find};
use serde::Deserialize;

/// Words that are labelled as names here and there, and are nobody's.
const STOP_WORDS: &[&str] =
    &["the", "and", "for", "you", "are", "was", "this", "that", "with", "all", "new", "one", "not", "but"];

/// A text with its labelled names: surface, and whether it is of the kinds that are looked for.
struct Labelled {
    text: String,
    names: Vec<(String, bool)>,
}

fn main() {
    let data = std::env::var_os("FOREWORD_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let folder = data.join("mentions");
    for name in ["wnut17-train.conll", "wnut17-dev.conll"] {
        match std::fs::read_to_string(folder.join(name)) {
            Ok(text) => judge(name, &conll(&text), 3),
            Err(_) => println!("{name}: not there, skipped"),
        }
    }
    match std::fs::read_to_string(folder.join("stockmark-ner-ja.json")) {
        Ok(text) => judge("stockmark-ner-ja.json", &stockmark(&text), 2),
        Err(_) => println!("stockmark-ner-ja.json: not there, skipped"),
    }
    match std::fs::read_to_string(folder.join("FinEntity.json")) {
        Ok(text) => {
            let reports = finentity(&text);
            judge("FinEntity.json", &reports.iter().map(Labelled::from).collect::<Vec<_>>(), 3);
            polarities(&reports);
        }
        Err(_) => println!("FinEntity.json: not there, skipped"),
    }
    cost();
}

/// Sentences of the CoNLL format, words parted by spaces as they were.
fn conll(text: &str) -> Vec<Labelled> {
    let mut found = Vec::new();
    for sentence in text.split("\n\n") {
        let (mut words, mut names): (Vec<&str>, Vec<(Vec<&str>, &str)>) = (Vec::new(), Vec::new());
        for line in sentence.lines() {
            let Some((word, label)) = line.split_once('\t') else { continue };
            words.push(word);
            match label.split_once('-') {
                Some(("B", kind)) => names.push((vec![word], kind)),
                Some(("I", _)) => names.last_mut().unwrap().0.push(word),
                _ => {}
            }
        }
        let wanted = |kind: &str| matches!(kind, "corporation" | "product");
        let names = names.into_iter().map(|(words, kind)| (words.join(" "), wanted(kind))).collect();
        found.push(Labelled { text: words.join(" "), names });
    }
    found
}

#[derive(Deserialize)]
struct Document {
    text: String,
    entities: Vec<Entity>,
}

#[derive(Deserialize)]
struct Entity {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

fn stockmark(text: &str) -> Vec<Labelled> {
    let documents: Vec<Document> = serde_json::from_str(text).unwrap();
    let wanted = |kind: &str| matches!(kind, "法人名" | "製品名");
    documents
        .into_iter()
        .map(|document| Labelled {
            names: document
                .entities
                .into_iter()
                .map(|entity| (wanted(&entity.kind), entity.name))
                .map(|(is, name)| (name, is))
                .collect(),
            text: document.text,
        })
        .collect()
}

/// A piece of financial news, its companies and what it means for each.
#[derive(Deserialize)]
struct Report {
    content: String,
    annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
struct Annotation {
    value: String,
    label: String,
}

fn finentity(text: &str) -> Vec<Report> {
    serde_json::from_str(text).unwrap()
}

impl From<&Report> for Labelled {
    fn from(report: &Report) -> Labelled {
        let names = report.annotations.iter().map(|found| (found.value.clone(), true)).collect();
        Labelled { text: report.content.clone(), names }
    }
}

/// What news that is good or bad for a company is taken for. None of it recommends a company or warns against it, so
/// what is not neutral is wrong, whatever its label.
fn polarities(reports: &[Report]) {
    let mut counts: BTreeMap<&str, BTreeMap<String, u32>> = BTreeMap::new();
    for report in reports {
        for company in &report.annotations {
            let names = BrandNames {
                id: "company".to_owned(),
                names: vec![company.value.as_str().into()],
                ..BrandNames::default()
            };
            let Ok(lexicon) = Lexicon::new(&[names]) else { continue };
            let found = find(&lexicon, &Answer { text: &report.content, question: None, disclosure: None });
            let row = counts.entry(&company.label).or_default();
            for mention in &found.mentions {
                let polarity = format!("{:?}", mention.polarity);
                if mention.polarity != Polarity::Neutral
                    && std::env::args().any(|argument| argument == "--show")
                {
                    println!("  {polarity} {}: {}", company.value, report.content);
                }
                *row.entry(polarity).or_default() += 1;
            }
        }
    }
    counts.iter().for_each(|(label, row)| println!("  {label}: {row:?}"));
}

/// Decides for each text and each name whether it is named there, and compares with the labels. A name that is
/// labelled as something else in a text is left out there.
fn judge(name: &str, documents: &[Labelled], letters: usize) {
    let mut brands: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (surface, wanted) in documents.iter().flat_map(|document| &document.names) {
        let key = surface.to_lowercase();
        let letters_found = surface.chars().filter(|letter| letter.is_alphanumeric()).count();
        if *wanted && letters_found >= letters && !STOP_WORDS.contains(&key.as_str()) {
            brands.entry(key).or_default().insert(surface.clone());
        }
    }
    // Spellings that are folded to one are one name; the first is kept.
    let mut names: Vec<BrandNames> = Vec::new();
    for (key, surfaces) in &brands {
        let names_of = surfaces.iter().map(|surface| surface.as_str().into()).collect();
        names.push(BrandNames { id: key.clone(), names: names_of, ..BrandNames::default() });
        if Lexicon::new(&names).is_err() {
            names.pop();
        }
    }
    let lexicon = Lexicon::new(&names).unwrap();
    let ids: BTreeSet<&str> = names.iter().map(|brand| brand.id.as_str()).collect();
    let (mut right, mut wrong, mut lost) = (0_u32, 0_u32, 0_u32);
    let (mut wrongs, mut losses) = (Vec::new(), Vec::new());
    for document in documents {
        let found = find(&lexicon, &Answer { text: &document.text, question: None, disclosure: None });
        let found: BTreeSet<&str> = found.mentions.iter().map(|mention| &*mention.brand).collect();
        let labelled: BTreeSet<String> = document
            .names
            .iter()
            .filter(|(_, wanted)| *wanted)
            .map(|(surface, _)| surface.to_lowercase())
            .collect();
        let others: BTreeSet<String> = document
            .names
            .iter()
            .filter(|(_, wanted)| !wanted)
            .map(|(surface, _)| surface.to_lowercase())
            .collect();
        for id in &ids {
            match (found.contains(id), labelled.contains(*id)) {
                (true, true) => right += 1,
                (true, false) if !others.contains(*id) => {
                    wrong += 1;
                    wrongs.push(format!("{id} in: {}", document.text));
                }
                (false, true) => {
                    lost += 1;
                    losses.push(format!("{id} in: {}", document.text));
                }
                _ => {}
            }
        }
    }
    println!(
        "{name}: {} names, precision {:.3}, recall {:.3}",
        names.len(),
        f64::from(right) / f64::from((right + wrong).max(1)),
        f64::from(right) / f64::from((right + lost).max(1))
    );
    if std::env::args().any(|argument| argument == "--show") {
        wrongs.iter().for_each(|line| println!("  wrong: {line}"));
        losses.iter().for_each(|line| println!("  lost:  {line}"));
    }
}

/// Time for an answer of two kilobytes that arrives in events of twenty bytes, with two hundred names.
fn cost() {
    let brands: Vec<BrandNames> = (0..200)
        .map(|number| BrandNames {
            id: format!("brand{number}"),
            names: vec![format!("Brandname {number}x").as_str().into()],
            ..BrandNames::default()
        })
        .collect();
    let lexicon = Lexicon::new(&brands).unwrap();
    let answer = "You could take **Brandname 17x** for that, or write it in plain Python with a few lines. "
        .repeat(23);
    let events: Vec<&str> =
        (0..answer.len() / 20).map(|event| &answer[20 * event..20 * event + 20]).collect();
    let rounds = 2_000_u32;
    let started = Instant::now();
    for _ in 0..rounds {
        let mut stream = Stream::new();
        events.iter().for_each(|event| stream.push(event));
        black_box(stream.finish(&lexicon, None, None));
    }
    let each = started.elapsed().as_secs_f64() * 1e6 / f64::from(rounds);
    println!(
        "an answer of {} bytes: {each:.1} µs, {:.2} µs an event of 20 bytes",
        answer.len(),
        each / events.len() as f64
    );
}
