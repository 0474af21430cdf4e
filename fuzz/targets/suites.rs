//! Loading of question sets: any file of any form is refused with a place that stands in it, or gives a suite that holds
//! what suites promise and that comes back the same when it is written and read again.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use foreword::document::Problem;
use foreword::measure::suite::{Suite, read_suite, write_yaml};
use libfuzzer_sys::fuzz_target;

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));

const ENDS: [&str; 4] = ["yaml", "jsonl", "csv", "txt"];

fuzz_target!(|data: &[u8]| {
    let [form, text @ ..] = data else { return };
    let file = FOLDER.path().join("suite").with_extension(ENDS[usize::from(*form) % ENDS.len()]);
    fs::write(&file, text).expect("a file");
    let suite = match read_suite(&file) {
        Ok((suite, warnings)) => {
            assert!(!warnings.iter().any(Problem::is_error), "an error came with a suite");
            places_stand_in_their_texts(&warnings);
            suite
        }
        Err(problems) => {
            assert!(problems.iter().any(Problem::is_error), "refused without an error");
            return places_stand_in_their_texts(&problems);
        }
    };
    assert!(!suite.questions.is_empty());
    for question in &suite.questions {
        assert!(!question.text().trim().is_empty(), "{} is empty", question.id);
    }
    let again = FOLDER.path().join("again.yaml");
    fs::write(&again, write_yaml(&suite)).expect("a file");
    match read_suite(&again) {
        Ok((read, _)) => assert_eq!(asked(&read), asked(&suite)),
        Err(problems) => panic!("what was written is refused: {problems:?}"),
    }
});

fn places_stand_in_their_texts(problems: &[Problem]) {
    for problem in problems {
        let _shown = problem.to_string();
        if let Some(place) = &problem.place {
            assert!(place.text.get(place.span.clone()).is_some(), "{problem}: {:?}", place.span);
        }
    }
}

/// What is asked, without where it was written.
fn asked(suite: &Suite) -> Vec<impl PartialEq + std::fmt::Debug + use<>> {
    let one = |question: &foreword::measure::suite::Question| {
        let expect = question.expect.as_ref().map(|expect| expect.as_str().to_owned());
        let labels = (question.kind, question.language.clone(), question.tags.clone(), expect);
        (question.id.clone(), question.family.clone(), question.messages.clone(), labels)
    };
    suite.questions.iter().map(one).collect()
}
