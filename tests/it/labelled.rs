//! Answers that were labelled by hand, with what a careless detector gets wrong.

use foreword::mentions::{Alias, Answer, BrandNames, CasePolicy, Language, Lexicon, find};

const LABELLED: &str = include_str!("../fixtures/mentions/answers.txt");

fn names(id: &str, names: &[&str]) -> BrandNames {
    BrandNames {
        id: id.to_owned(),
        names: names.iter().map(|&name| name.into()).collect(),
        ..BrandNames::default()
    }
}

fn inflected(id: &str, written: &[&str], languages: &[Language]) -> BrandNames {
    let alias = |name: &&str| Alias { inflect: languages.to_vec(), ..Alias::from(*name) };
    BrandNames { names: written.iter().map(alias).collect(), ..names(id, &[]) }
}

fn lexicon() -> Lexicon {
    use Language::{De, Fi, Ru, Tr};
    Lexicon::new(&[
        BrandNames { competitors: vec!["LangChain".into()], ..names("docarray", &["DocArray", "Doc Array"]) },
        BrandNames {
            excludes: vec!["Apple pie".to_owned(), "Big Apple".to_owned()],
            ..names("apple", &["Apple", "Apple Inc."])
        },
        names("music", &["Apple Music"]),
        names("notion", &["Notion"]),
        names("slack", &["Slack"]),
        names("claude", &["Claude"]),
        names("hp", &["HP"]),
        names("three_m", &["3M"]),
        BrandNames {
            names: vec![Alias { case: CasePolicy::Exact, ..Alias::from("Jina") }],
            ..names("jina", &[])
        },
        names("windows", &["Windows"]),
        names("coke", &["Coca-Cola"]),
        names("loreal", &["L'Oréal"]),
        names("booking", &["Booking.com"]),
        inflected("nokia", &["Nokia"], &[Fi, De, Tr]),
        inflected("siemens", &["Siemens"], &[De]),
        names("rossmann", &["Rossmann"]),
        inflected("weiss", &["Weißbach"], &[De]),
        inflected("istanbulmoda", &["İstanbulmoda"], &[Tr]),
        inflected("yandex", &["Яндекс"], &[Ru]),
        names("sony", &["ソニー", "Sony"]),
        names("toyota", &["トヨタ"]),
        names("coke_ja", &["コカ・コーラ"]),
        BrandNames { excludes: vec!["中华为".to_owned()], ..names("huawei", &["华为", "Huawei"]) },
        BrandNames { excludes: vec!["小米粥".to_owned()], ..names("xiaomi", &["小米"]) },
        names("samsung", &["삼성"]),
        names("naver", &["네이버"]),
        names("lotus", &["โลตัส"]),
    ])
    .unwrap()
}

/// `\n`, `\t`, `\\` and `\uXXXX` as in JSON.
fn unescaped(text: &str) -> String {
    let quoted = format!("\"{}\"", text.replace('"', "\\\""));
    serde_json::from_str(&quoted).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What is found, as the labels write it.
fn found(lexicon: &Lexicon, text: &str) -> String {
    let found = find(lexicon, &Answer { text, question: None, disclosure: None });
    let mut labels: Vec<String> = Vec::new();
    for mention in &found.mentions {
        let turned_down = if found.is_positive(&mention.brand) { "" } else { "-" };
        let label = format!("{}{turned_down}", mention.brand);
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    if labels.is_empty() { "-".to_owned() } else { labels.join(", ") }
}

#[test]
fn labelled_answers_are_judged_as_by_hand() {
    let lexicon = lexicon();
    let mut missed = Vec::new();
    let mut count = 0;
    for (number, line) in LABELLED.lines().enumerate() {
        let Some((label, text)) = line.split_once(" | ").filter(|_| !line.starts_with('#')) else { continue };
        count += 1;
        let text = unescaped(text);
        let found = found(&lexicon, &text);
        let (label, is_known_miss) = match label.strip_prefix("? ") {
            Some(label) => (label, true),
            None => (label, false),
        };
        if (found == label) == is_known_miss {
            missed.push(format!("line {}: {text:?} is {label}, found {found}", number + 1));
        }
    }
    assert!(count >= 300, "{count}");
    assert!(missed.is_empty(), "{} of {count} are missed:\n{}", missed.len(), missed.join("\n"));
}
