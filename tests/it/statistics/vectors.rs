//! Values computed with SciPy and statsmodels.

use super::*;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../vectors/statistics.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn counts(value: &Value) -> Vec<u32> {
    numbers(value).into_iter().map(|number| number as u32).collect()
}

fn calibration(value: &Value) -> Calibration {
    let counts = counts(value);
    Calibration {
        true_positives: counts[0],
        false_negatives: counts[1],
        true_negatives: counts[2],
        false_positives: counts[3],
    }
}

fn questions(case: &Value) -> Vec<QuestionPair> {
    let arm = |value: &Value| {
        let counts = counts(value);
        tally(counts[0], counts[1], counts[2])
    };
    let question = |value: &Value| QuestionPair {
        family: value["family"].as_str().unwrap().to_owned(),
        baseline: arm(&value["baseline"]),
        treated: arm(&value["treated"]),
    };
    case["questions"].as_array().unwrap().iter().map(question).collect()
}

#[track_caller]
fn same_bounds(name: &str, found: Interval, expected: &[f64]) {
    let (lower, upper) = (found.lower - expected[0], found.upper - expected[1]);
    assert!(lower.abs() < 1e-7 && upper.abs() < 1e-7, "{name}: {found:?} instead of {expected:?}");
}

#[track_caller]
fn same(name: &str, found: &Estimate, expected: &[f64]) {
    close(found.point, expected[0], 1e-9);
    same_bounds(name, found.interval, &expected[1..]);
}

#[test]
fn quantiles() {
    let quantiles = &vectors()["quantiles"];
    for case in quantiles["student"].as_array().unwrap().iter().map(numbers) {
        // With tens of thousands of degrees of freedom the inversion stops a little early.
        let tolerance = if case[1] > 10_000.0 { 2e-6 } else { 1e-10 };
        close(st::student_quantile(case[0], case[1]).unwrap() / case[2], 1.0, tolerance);
    }
    for case in quantiles["beta"].as_array().unwrap().iter().map(numbers) {
        close(st::beta_quantile(case[0], case[1], case[2]).unwrap(), case[3], 1e-9);
    }
    for case in quantiles["normal"].as_array().unwrap().iter().map(numbers) {
        close(st::normal_quantile(case[0]).unwrap(), case[1], 1e-9);
    }
    for case in quantiles["binomial"].as_array().unwrap().iter().map(numbers) {
        close(st::binomial_at_most(case[0] as u64, case[1] as u64, case[2]).unwrap(), case[3], 1e-10);
    }
}

#[test]
fn rates_and_lifts() {
    for (name, case) in vectors()["arms"].as_object().unwrap() {
        let pairs = st::pairs(&questions(case));
        let baseline = baselines(&pairs);
        let rate = st::rate(&baseline, LEVEL).unwrap();
        let expected = numbers(&case["rate"]);
        close(rate.standard_error.unwrap(), expected[1], 1e-12);
        same(name, &rate, &[expected[0], expected[2], expected[3]]);
        let ninety = st::rate(&baseline, Confidence::new(0.9).unwrap()).unwrap();
        same_bounds(name, ninety.interval, &numbers(&case["rate_90"]));
        let korn = st::rate_korn_graubard(&baseline, LEVEL).unwrap();
        same_bounds(name, korn.interval, &numbers(&case["korn_graubard"]));
        same(name, &st::lift(&pairs, LEVEL).unwrap(), &numbers(&case["lift"]));
        let student = st::lift_student(&pairs, LEVEL).unwrap();
        let expected = numbers(&case["student"]);
        close(student.standard_error.unwrap(), expected[0], 1e-12);
        same_bounds(name, student.interval, &expected[1..]);
        match st::relative_lift(&pairs, LEVEL).unwrap() {
            Some(relative) => same(name, &relative, &numbers(&case["relative"])),
            None => assert!(case["relative"].is_null(), "{name}"),
        }
    }
}

#[test]
fn tests_and_the_questions_at_hand() {
    for (name, case) in vectors()["arms"].as_object().unwrap() {
        let pairs = st::pairs(&questions(case));
        if let Some(expected) = case["sign_flip"].as_f64() {
            let found = st::sign_flip(&pairs, 1).unwrap();
            assert!(found.exact);
            close(found.p_value, expected, 1e-12);
        }
        if let Some(expected) = case["mcnemar"].as_f64() {
            close(st::mcnemar(&pairs).unwrap(), expected, 1e-10);
        }
        let these = st::lift_of_these_questions(&pairs, LEVEL);
        if case["these"].is_null() {
            assert!(matches!(these, Err(StatisticsError::NeedsRepeats { .. })), "{name}");
            continue;
        }
        let (these, rate) = (these.unwrap(), st::rate_of_these_questions(&baselines(&pairs), LEVEL).unwrap());
        close(these.standard_error.unwrap(), case["these"]["se"].as_f64().unwrap(), 1e-12);
        same_bounds(name, these.interval, &numbers(&case["these"]["lift"]));
        same_bounds(name, rate.interval, &numbers(&case["these"]["baseline"]));
    }
}

#[test]
fn counted_tests_and_adjustments() {
    let vectors = vectors();
    for case in vectors["wilson"].as_array().unwrap().iter().map(numbers) {
        let (_, interval) = st::proportion(case[0] as u32, case[1] as u32, LEVEL).unwrap();
        same_bounds("wilson", interval, &case[2..]);
    }
    for case in vectors["fisher"].as_array().unwrap() {
        let table: Vec<u64> = numbers(&case[0]).into_iter().map(|count| count as u64).collect();
        let found = st::fisher((table[0], table[1]), (table[2], table[3]));
        close(found, case[1].as_f64().unwrap(), 1e-9);
    }
    for case in vectors["adjusted"].as_array().unwrap() {
        let p = numbers(&case[0]);
        for (found, expected) in st::holm(&p).into_iter().zip(numbers(&case[1])) {
            close(found, expected, 1e-12);
        }
        for (found, expected) in st::benjamini_hochberg(&p).into_iter().zip(numbers(&case[2])) {
            close(found, expected, 1e-12);
        }
    }
}

#[test]
fn corrections_for_the_detector() {
    let vectors = vectors();
    for case in vectors["corrected"].as_array().unwrap() {
        let (name, labels) = (case[0].as_str().unwrap(), calibration(&case[1]));
        let pairs = st::pairs(&questions(&vectors["arms"][name]));
        let rate = st::corrected_rate(&baselines(&pairs), &labels, LEVEL).unwrap();
        same(name, &rate, &numbers(&case[2]));
        let lift = st::corrected_lift(&pairs, &labels, LEVEL).unwrap();
        same(name, &lift, &numbers(&case[3]));
    }
}

#[test]
fn spread_over_variants() {
    let case = &vectors()["spread"];
    let repeats = case["repeats"].as_u64().unwrap() as u32;
    let variants: Vec<Vec<Cluster>> = case["tallies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let question = |(number, mentions): (usize, u32)| Question {
                family: format!("{number:02}"),
                tally: tally(mentions, repeats - mentions, 0),
            };
            st::clusters(&counts(row).into_iter().enumerate().map(question).collect::<Vec<_>>())
        })
        .collect();
    let found = st::spread(&variants).unwrap();
    for (rate, expected) in found.rates.iter().zip(numbers(&case["rates"])) {
        close(*rate, expected, 1e-12);
    }
    close(found.between, case["between"].as_f64().unwrap(), 1e-9);
    close(found.interaction.unwrap(), case["interaction"].as_f64().unwrap(), 1e-9);
    close(found.repeats.unwrap(), case["noise"].as_f64().unwrap(), 1e-9);
    close(found.p_value.unwrap(), case["p_value"].as_f64().unwrap(), 1e-8);
    assert!(matches!(st::spread(&variants[..1]), Err(StatisticsError::TooFewVariants { found: 1 })));
}

/// The expected bounds come from all resamples, ours from drawn ones.
#[test]
fn bootstrap_of_a_ratio() {
    let case = &vectors()["bootstrap"];
    let clusters: Vec<(f64, f64)> = numbers(&case["top"]).into_iter().zip(numbers(&case["bottom"])).collect();
    let found = ratio_interval(&clusters, Resampling { resamples: 20_000, seed: 4 });
    close(found.point, case["point"].as_f64().unwrap(), 1e-12);
    close(found.standard_error.unwrap(), case["se"].as_f64().unwrap(), 2e-3);
    close(found.interval.lower, case["lower"].as_f64().unwrap(), 0.01);
    close(found.interval.upper, case["upper"].as_f64().unwrap(), 0.01);
    let defaults = Resampling::default();
    assert_eq!(ratio_interval(&clusters, defaults), ratio_interval(&clusters, defaults));
    assert_ne!(found.interval, ratio_interval(&clusters, Resampling { seed: 5, ..defaults }).interval);
}

fn ratio_interval(clusters: &[(f64, f64)], resampling: Resampling) -> Estimate {
    let ratio = |sample: &[&(f64, f64)]| {
        let top: f64 = sample.iter().map(|cluster| cluster.0).sum();
        Some(top / sample.iter().map(|cluster| cluster.1).sum::<f64>())
    };
    st::bca_bootstrap(clusters, ratio, LEVEL, resampling).unwrap()
}

#[test]
fn bets() {
    for case in vectors()["e_process"].as_array().unwrap() {
        let mut process = EProcess::new(LEVEL);
        for lift in numbers(&case["lifts"]) {
            process.observe(lift);
        }
        close(process.wealth().0 / case["higher"].as_f64().unwrap(), 1.0, 1e-9);
        close(process.wealth().1 / case["lower"].as_f64().unwrap(), 1.0, 1e-9);
        close(process.p_value(), case["p_value"].as_f64().unwrap(), 1e-12);
    }
}

#[test]
fn repeats_that_differ() {
    for case in vectors()["cochran"].as_array().unwrap() {
        let answers = |row: &Value| -> Vec<bool> {
            row.as_array().unwrap().iter().map(|said| said == true || said == 1).collect()
        };
        let questions: Vec<Vec<bool>> = case[0].as_array().unwrap().iter().map(answers).collect();
        close(st::cochran_q(&questions).unwrap(), case[1].as_f64().unwrap(), 1e-9);
    }
    assert_eq!(st::cochran_q(&[]), None);
    assert_eq!(st::cochran_q(&[vec![true], vec![false]]), None);
    assert_eq!(st::cochran_q(&[vec![true, true], vec![false, false]]), None, "nothing differs");
}
