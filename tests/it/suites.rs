//! Question sets of every form: what is read from them, and that it can be written as our own.

use std::fs;
use std::path::Path;

use foreword::measure::experiment::Reply;
use foreword::measure::judge::Material;
use foreword::measure::suite::{Kind, Question, read_suite, write_yaml};

#[test]
fn suites_of_every_form_are_read_and_written_as_our_own() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text, expected) in [
        (
            "a.txt",
            "# notes\nFirst question?\n\nSecond question?\n",
            vec![("first-question", Kind::Organic), ("second-question", Kind::Organic)],
        ),
        (
            "b.csv",
            "question,kind,family,__expected\nFirst?,organic,\" one\n\",x\n\"Capital, of France?\",negative-control, ,\n",
            vec![("first", Kind::Organic), ("capital-of-france", Kind::NegativeControl)],
        ),
        (
            "c.jsonl",
            "{\"input\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"First?\"}],\"ideal\":\"x\"}\n{\"vars\":{\"question\":\"First?\"},\"metadata\":{\"kind\":\"attack\"}}\n",
            vec![("first", Kind::Organic), ("first-2", Kind::Attack)],
        ),
        (
            "d.yaml",
            "prompts: ['{{question}}', 'Be brief. {{question}}']\ntests:\n  - vars: {question: First?}\n    assert: [{type: contains, value: x}]\n",
            vec![("first", Kind::Organic), ("be-brief-first", Kind::Organic)],
        ),
        (
            "e.yaml",
            "questions:\n  - {id: x, text: First?, language: en, brand: acme, tags: [a, b], expect: '(?i)yes'}\n",
            vec![("x", Kind::Organic)],
        ),
    ] {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        let (suite, _) = read_suite(&file).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        let found: Vec<(&str, Kind)> =
            suite.questions.iter().map(|question| (&*question.id, question.kind)).collect();
        assert_eq!(found, expected, "{name}");
        let own = folder.path().join("own.yaml");
        fs::write(&own, write_yaml(&suite)).unwrap();
        let (read, problems) = read_suite(&own).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        assert!(problems.is_empty(), "{name}: {problems:?}");
        for (one, other) in suite.questions.iter().zip(&read.questions) {
            assert_eq!(
                (&one.messages, &one.family, one.kind, &one.tags, &one.brand),
                (&other.messages, &other.family, other.kind, &other.tags, &other.brand)
            );
            assert_eq!(
                one.expect.as_ref().map(regex::Regex::as_str),
                other.expect.as_ref().map(regex::Regex::as_str)
            );
        }
    }
    // Two prompts around one question are two wordings of it.
    let (suite, _) = read_suite(&folder.path().join("d.yaml")).unwrap();
    assert_eq!(suite.questions[0].family, suite.questions[1].family);
}

#[test]
fn a_question_may_expect_another_brand_than_the_suite() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("two.yaml");
    fs::write(
        &file,
        "brand: acme\nquestions:\n  - {id: a, text: An anvil?}\n  - {id: b, text: Tongs?, brand: forge}\n",
    )
    .unwrap();
    let (suite, _) = read_suite(&file).unwrap();
    let brands = [("acme", "Acme"), ("forge", "Forgewell")].map(|(id, name)| {
        let brand = crate::support::retrieval::brand(id, Vec::new());
        foreword::knowledge::Brand { name: name.to_owned(), aliases: Vec::new(), ..brand }
    });
    let lexicon = foreword::mentions::Lexicon::of_brands(&brands).unwrap();
    let material = Material::new(lexicon, &brands[0], &brands);
    for (text, expected) in [("Acme has both.", [true, false]), ("Forgewell has both.", [false, true])] {
        let reply = Reply { text: text.to_owned(), ..Reply::default() };
        let found: Vec<bool> =
            suite.questions.iter().map(|question| material.judge(question, &reply).mentioned).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn the_suites_of_the_project_are_sound() {
    for (name, organic) in [("docarray", 40), ("docarray-held-out", 24), ("docarray-held-out-2", 24)] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("measure/{name}.yaml"));
        let (suite, problems) = read_suite(&file).unwrap_or_else(|problems| panic!("{problems:?}"));
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(suite.questions.iter().filter(|question| question.kind == Kind::Organic).count(), organic);
    }
}

/// What a question expects and how it is labelled: an answer that fits, one that does not, tags.
fn expects(question: &Question) -> (&str, &[String]) {
    (question.expect.as_ref().map_or("", regex::Regex::as_str), &question.tags)
}

#[test]
fn what_other_tools_expect_of_an_answer_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        read_suite(&file)
    };

    let (suite, notes) = read(
        "a.csv",
        "question,tags,__expected,__expected2\n\
         One?,\"x, y\",icontains: Acme (Inc.),\n\
         Two?,,Paris: the capital,\n\
         Three?,,llm-rubric: is kind,not-contains: x\n\
         Four?,,\"contains-any: a+, b\",contains: c\n",
    )
    .unwrap();
    let found: Vec<_> = suite.questions.iter().map(expects).collect();
    let tags = ["x".to_owned(), "y".to_owned()];
    assert_eq!(
        found,
        [
            (r"(?i)Acme \(Inc\.\)", &tags[..]),
            (r"^\s*(?:Paris: the capital)\s*$", &[]),
            ("", &[]),
            (r"a\+|b", &[]),
        ]
    );
    let note = notes.iter().map(|note| note.render(false)).collect::<String>();
    assert!(
        note.contains("a second assertion (contains), llm-rubric,") && note.contains("not-contains"),
        "{note}"
    );

    let (suite, notes) = read(
        "b.jsonl",
        "{\"input\":\"One?\",\"ideal\":[\"yes\",\"ja\"]}\n\
         {\"vars\":{\"question\":\"Two?\"},\"assert\":[{\"type\":\"regex\",\"value\":\"[0-9]+\"}],\"metadata\":{\"tags\":[\"x\",\"y\"]}}\n\
         {\"text\":\"Three?\",\"tags\":\"x,y\",\"expect\":\"^no\"}\n",
    )
    .unwrap();
    let found: Vec<_> = suite.questions.iter().map(expects).collect();
    assert_eq!(found, [("yes|ja", &[][..]), ("[0-9]+", &tags[..]), ("^no", &tags[..])]);
    assert!(notes.is_empty(), "{notes:?}");

    let (suite, _) = read(
        "c.yaml",
        "prompts: ['{{tone}}: {{question}}']\n\
         defaultTest:\n  vars: {tone: Briefly}\n  assert: [{type: starts-with, value: Well}]\n  metadata: {tags: [x, y]}\n\
         tests:\n  - vars: {question: One?}\n  - vars: {question: Two?, tone: At length}\n    assert: [{type: contains, value: so}]\n",
    )
    .unwrap();
    let found: Vec<_> = suite.questions.iter().map(expects).collect();
    assert_eq!(found, [("^(?:Well)", &tags[..]), ("so", &tags[..])]);
    let asked: Vec<&str> = suite.questions.iter().map(Question::text).collect();
    assert_eq!(asked, ["Briefly: One?", "At length: Two?"]);

    let words = "question,__expected\nOne?,python\nTwo?,is-json\n";
    let (suite, notes) = read("h.csv", words).unwrap();
    let found: Vec<_> = suite.questions.iter().map(|question| expects(question).0).collect();
    assert_eq!((found, notes.len()), (vec![r"^\s*(?:python)\s*$", ""], 1));

    // Another tool's expression may be of another language; ours must compile.
    let lookahead =
        "question,__expected\nOne?,regex: (?=a)\nTwo?,similar(0.8): x\nThree?,\"factuality: it, too\"\n";
    let (suite, notes) = read("d.csv", lookahead).unwrap();
    assert!(suite.questions.iter().all(|question| question.expect.is_none()));
    let note = notes.iter().map(|note| note.render(false)).collect::<String>();
    assert!(note.contains("factuality, regex `(?=a)`, similar(0.8)"), "{note}");
    let own = "question,id,expect\r\nOne?,a,b\r\nTwo?,c,(?=a)\r\n";
    let shown = read("e.csv", own).unwrap_err()[0].render(false);
    assert!(shown.contains("does not compile") && shown.contains("e.csv:3:1"), "{shown}");

    let (suite, _) = read(
        "f.jsonl",
        "{\"input\":\"One?\",\"ideal\":\"Paris, France\"}\n{\"input\":\"Two?\",\"ideal\":\"\"}\n\
         {\"text\":\"Three?\",\"metadata\":{\"expect\":\"a$\"}}\n",
    )
    .unwrap();
    let found: Vec<_> = suite.questions.iter().map(|question| expects(question).0).collect();
    assert_eq!(found, ["Paris, France", "", "a$"]);

    let labelled = "question,__metadata:kind,__metadata:family,id\nOne?,attack,f,x\nTwo?,,,\n";
    let (suite, _) = read("g.csv", labelled).unwrap();
    let found: Vec<_> =
        suite.questions.iter().map(|asked| (&*asked.id, asked.kind, &*asked.family)).collect();
    assert_eq!(found, [("x", Kind::Attack, "f"), ("two", Kind::Organic, "two")]);
}

#[test]
fn names_of_files_and_folders_are_not_taken_for_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    for (text, said) in [
        ("prompts: [prompts/p1.txt]\ntests:\n  - vars: {question: One?}\n", "stands in another file"),
        (
            "defaultTest: file://d.yaml\ntests:\n  - vars: {question: One?}\n",
            "`defaultTest` stands in another file",
        ),
    ] {
        fs::write(&file, text).unwrap();
        let shown =
            read_suite(&file).unwrap_err().iter().map(|problem| problem.render(false)).collect::<String>();
        assert!(shown.contains(said), "{shown}");
    }
    // White space around a text is none of it: what is written is read as it was.
    let spaced = "{\"id\":\" a \",\"messages\":[{\"role\":\"user\",\"content\":\"One?\\t\"}],\"assert\":[{\"type\":\"contains\",\"value\":\" x\"}]}\n";
    fs::write(folder.path().join("c.jsonl"), spaced).unwrap();
    let (suite, _) = read_suite(&folder.path().join("c.jsonl")).unwrap();
    let asked = &suite.questions[0];
    assert_eq!((&*asked.id, &*asked.family, asked.text(), expects(asked).0), ("a", "a", "One?", "x"));

    let ids = "a 2\na\na\n?\n??\n";
    fs::write(folder.path().join("b.txt"), ids).unwrap();
    let (suite, _) = read_suite(&folder.path().join("b.txt")).unwrap();
    let ids: Vec<&str> = suite.questions.iter().map(|question| &*question.id).collect();
    assert_eq!(ids, ["a-2", "a", "a-3", "question", "question-2"]);
    fs::write(&file, "name: ../../x/é\nquestions:\n  - {id: a, text: One?}\n").unwrap();
    assert_eq!(read_suite(&file).unwrap().0.folder(), "-..-x-é");
}
