//! The estimators: published values, values computed apart (`tests/vectors/statistics.py`), properties, and
//! whether intervals hold the truth as often as they promise.

use foreword::statistics as st;
use foreword::statistics::{
    Calibration, Cluster, Confidence, Decision, EProcess, Estimate, Interval, MissingnessVerdict, Paired,
    Question, QuestionPair, Resampling, StatisticsError, Tally, Variances, Warning,
};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::worlds::{Baseline, Effect, LEVEL, World};

#[track_caller]
fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "found {found}, expected {expected}");
}

fn tally(mentions: u32, silent: u32, missing: u32) -> Tally {
    Tally { mentions, silent, missing }
}

/// A family per pair of mention counts, each out of `repeats`.
fn plain(counts: &[(u32, u32)], repeats: u32) -> Vec<Paired> {
    let questions: Vec<QuestionPair> = counts
        .iter()
        .enumerate()
        .map(|(number, (baseline, treated))| QuestionPair {
            family: format!("{number:03}"),
            baseline: tally(*baseline, repeats - baseline, 0),
            treated: tally(*treated, repeats - treated, 0),
        })
        .collect();
    st::pairs(&questions)
}

fn baselines(pairs: &[Paired]) -> Vec<Cluster> {
    pairs.iter().map(|pair| Cluster { id: pair.id.clone(), share: pair.baseline }).collect()
}

fn swapped(pairs: &[Paired]) -> Vec<Paired> {
    pairs
        .iter()
        .map(|pair| Paired { id: pair.id.clone(), baseline: pair.treated, treated: pair.baseline })
        .collect()
}

mod published {
    //! Values that anybody can look up.

    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (freedom, two_sided_five_percent) in
            [(1.0, 12.706), (4.0, 2.776), (9.0, 2.262), (19.0, 2.093), (30.0, 2.042), (120.0, 1.980)]
        {
            close(st::student_quantile(0.975, freedom).unwrap(), two_sided_five_percent, 5e-4);
        }
        close(st::normal_quantile(0.975).unwrap(), 1.959_964, 1e-6);
        close(st::normal_quantile(0.8).unwrap(), 0.841_621, 1e-6);
    }

    /// Newcombe 1998, Statistics in Medicine 17, 857-872, table I: the score method.
    #[test]
    fn wilson_is_that_of_newcombes_table() {
        for (successes, trials, lower, upper) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let (_, interval) = st::proportion(successes, trials, LEVEL).unwrap();
            close(interval.lower, lower, 5e-5);
            close(interval.upper, upper, 5e-5);
        }
    }

    /// The lady tasting tea, and a table with an empty row of one kind.
    #[test]
    fn fisher_is_that_of_the_tea() {
        close(st::fisher((3, 1), (1, 3)), 34.0 / 70.0, 1e-12);
        close(st::fisher((4, 0), (0, 4)), 2.0 / 70.0, 1e-12);
        close(st::fisher((0, 10), (0, 10)), 1.0, 1e-12);
        close(st::fisher((0, 0), (0, 0)), 1.0, 1e-12);
    }

    /// Nine pairs disagree, one of them the other way: 2·(1 + 9)/2⁹.
    #[test]
    fn mcnemar_counts_only_pairs_that_disagree() {
        let mut counts = vec![(0, 1); 8];
        counts.extend([(1, 0), (1, 1), (0, 0), (0, 0)]);
        close(st::mcnemar(&plain(&counts, 1)).unwrap(), 20.0 / 512.0, 1e-12);
        close(st::mcnemar(&plain(&[(1, 1), (0, 0)], 1)).unwrap(), 1.0, 0.0);
        let repeated = st::mcnemar(&plain(&[(1, 2)], 2));
        assert_eq!(repeated, Err(StatisticsError::NeedsSingleAnswers { cluster: "000".to_owned() }));
    }

    /// The fifteen p-values of Benjamini and Hochberg 1995, section 3.2: theirs rejects four at 5 %, where
    /// Bonferroni's (and Holm's) rejects three.
    #[test]
    fn adjustments_reject_what_they_do_in_the_papers() {
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
            0.6528, 0.7590, 1.000,
        ];
        assert_eq!(st::benjamini_hochberg(&p).iter().filter(|p| **p <= 0.05).count(), 4);
        assert_eq!(st::holm(&p).iter().filter(|p| **p <= 0.05).count(), 3);
        // By hand: 4·.005, 3·.01, then 2·.03 holds for the last.
        for (found, expected) in
            st::holm(&[0.01, 0.04, 0.03, 0.005]).into_iter().zip([0.03, 0.06, 0.06, 0.02])
        {
            close(found, expected, 1e-12);
        }
        assert!(st::holm(&[]).is_empty());
    }

    /// Families needed for 80 % power at a two-sided 5 %, where 30 % of p(1-p) lies between questions.
    #[test]
    fn planning_is_that_of_the_table() {
        let table: &[(f64, f64, [[usize; 4]; 3])] = &[
            (0.05, 0.05, [[303, 101, 61, 31], [365, 164, 124, 94], [491, 290, 249, 219]]),
            (0.05, 0.10, [[97, 33, 20, 10], [112, 48, 35, 26], [144, 80, 67, 57]]),
            (0.20, 0.05, [[764, 255, 153, 77], [827, 318, 216, 140], [953, 443, 342, 265]]),
            (0.20, 0.10, [[204, 68, 41, 21], [219, 84, 57, 37], [251, 115, 88, 68]]),
            (0.20, 0.20, [[55, 19, 11, 6], [59, 23, 15, 10], [67, 31, 23, 18]]),
            (0.40, 0.10, [[270, 90, 54, 27], [285, 106, 70, 43], [317, 137, 101, 75]]),
        ];
        for (rate, lift, blocks) in table {
            for (spread, block) in [0.0, 0.02, 0.06].into_iter().zip(blocks) {
                for (repeats, expected) in [1, 3, 5, 10].into_iter().zip(block) {
                    let variances = Variances::assumed(*rate, rate + lift, 0.3, spread);
                    let found = st::clusters_needed(&variances, repeats, *lift, LEVEL, 0.8).unwrap();
                    assert_eq!(found, *expected, "{rate} + {lift}, {repeats} repeats, spread {spread}");
                }
            }
        }
    }

    /// Thirty questions by five repeats from 20 %: about 14 to 17 points can be seen.
    #[test]
    fn planning_turns_round() {
        for (spread, about) in [(0.02, 0.14), (0.06, 0.17)] {
            let variances = Variances::assumed(0.2, 0.2 + about, 0.3, spread);
            let lift = st::detectable_lift(&variances, 5, 30, LEVEL, 0.8).unwrap();
            close(lift, about, 0.006);
            close(st::power(&variances, 5, 30, lift, LEVEL).unwrap(), 0.8, 1e-9);
        }
        assert!(st::clusters_needed(&Variances::assumed(0.2, 0.2, 0.3, 0.0), 5, 0.0, LEVEL, 0.8).is_err());
    }
}

mod vectors {
    //! Values computed with SciPy and statsmodels.

    use super::*;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../vectors/statistics.json")).unwrap()
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
            let (these, rate) =
                (these.unwrap(), st::rate_of_these_questions(&baselines(&pairs), LEVEL).unwrap());
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
        let clusters: Vec<(f64, f64)> =
            numbers(&case["top"]).into_iter().zip(numbers(&case["bottom"])).collect();
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
}

mod refusals {
    //! Where there is no number, or one with a warning.

    use super::*;

    #[test]
    fn too_few_families_give_no_interval_and_few_give_a_warning() {
        let four = plain(&[(0, 5); 4], 5);
        assert_eq!(st::lift(&four, LEVEL), Err(StatisticsError::TooFewClusters { found: 4 }));
        assert_eq!(st::rate(&baselines(&four), LEVEL), Err(StatisticsError::TooFewClusters { found: 4 }));
        assert!(
            st::lift_student(&four, LEVEL).is_err() && st::lift_of_these_questions(&four, LEVEL).is_err()
        );
        assert!(st::bca_bootstrap(&four, |_| Some(1.0), LEVEL, Resampling::default()).is_err());
        let warned = |count: usize| st::lift(&plain(&vec![(1, 3); count], 5), LEVEL).unwrap().warning;
        assert_eq!(warned(5), Some(Warning::FewClusters { found: 5 }));
        assert_eq!(warned(19), Some(Warning::FewClusters { found: 19 }));
        assert_eq!(warned(20), None);
        assert!(st::sign_flip(&[], 1).is_err());
    }

    #[test]
    fn numbers_out_of_range_are_errors() {
        for level in [0.0, 0.5, 1.0, 95.0, f64::NAN] {
            assert!(Confidence::new(level).is_err(), "{level}");
        }
        assert!(st::normal_quantile(1.0).is_err() && st::student_quantile(0.5, 0.0).is_err());
        assert!(st::beta_quantile(0.5, -1.0, 1.0).is_err() && st::binomial_at_most(1, 2, 1.5).is_err());
        assert!(st::proportion(1, 0, LEVEL).is_err() && st::proportion(3, 2, LEVEL).is_err());
    }

    #[test]
    fn a_statistic_without_variation_or_value_has_no_interval() {
        let clusters: Vec<f64> = (0..8).map(f64::from).collect();
        let bootstrap = |statistic: fn(&[&f64]) -> Option<f64>| {
            st::bca_bootstrap(&clusters, statistic, LEVEL, Resampling { resamples: 200, seed: 1 })
        };
        assert_eq!(bootstrap(|_| Some(0.4)), Err(StatisticsError::NoVariation));
        assert_eq!(bootstrap(|_| None), Err(StatisticsError::Undefined { undefined: 1, of: 1 }));
        // Undefined wherever the first cluster was not drawn: about a third of the resamples.
        let often = bootstrap(|sample| sample.contains(&&0.0).then(|| sample.iter().copied().sum()));
        assert!(
            matches!(often, Err(StatisticsError::Undefined { undefined: 40..=100, of: 200 })),
            "{often:?}"
        );
    }

    #[test]
    fn labels_that_cannot_correct_are_refused() {
        let pairs = plain(&[(2, 4); 20], 5);
        let labels = |true_positives, false_negatives, true_negatives, false_positives| Calibration {
            true_positives,
            false_negatives,
            true_negatives,
            false_positives,
        };
        let with = |labels: Calibration| st::corrected_rate(&baselines(&pairs), &labels, LEVEL);
        assert!(matches!(with(labels(0, 0, 90, 10)), Err(StatisticsError::NoLabels { .. })));
        assert!(matches!(with(labels(90, 10, 0, 0)), Err(StatisticsError::NoLabels { .. })));
        assert!(matches!(with(labels(6, 4, 5, 5)), Err(StatisticsError::DetectorNotInformative { .. })));
        assert_eq!(with(labels(20, 1, 20, 1)).unwrap().warning, Some(Warning::FewLabels { found: 42 }));
        // Nine of ten answers alarm without a mention, but far fewer were seen to.
        let disagree = labels(1_000, 0, 100, 900);
        let seldom = plain(&[(0, 4); 40], 5);
        let found = st::corrected_rate(&baselines(&seldom), &disagree, LEVEL);
        assert!(matches!(found, Err(StatisticsError::LabelsDisagree { .. })), "{found:?}");
    }

    /// A detector that misses a fifth but never invents: the ratio stays, the lift shrinks from 30 to 24 points.
    #[test]
    fn a_correction_undoes_what_the_detector_does() {
        let pairs = plain(&vec![(8, 32); 30], 100);
        let labels = Calibration {
            true_positives: 800,
            false_negatives: 200,
            true_negatives: 1_000,
            false_positives: 0,
        };
        close(st::corrected_lift(&pairs, &labels, LEVEL).unwrap().point, 0.30, 1e-9);
        let each = st::corrected_lift_per_arm(&pairs, &labels, &labels, LEVEL).unwrap();
        close(each.point, 0.30, 1e-9);
        assert!(each.interval.contains(0.30));
        let raw = st::lift(&pairs, LEVEL).unwrap();
        assert!(each.interval.width() > raw.interval.width());
    }
}

mod counting {
    //! From answers to families, and what missing ones could hide.

    use super::*;

    fn pair(family: &str, baseline: Tally, treated: Tally) -> QuestionPair {
        QuestionPair { family: family.to_owned(), baseline, treated }
    }

    #[test]
    fn answers_are_averaged_to_questions_and_questions_to_families() {
        let of = |family: &str, tally: Tally| Question { family: family.to_owned(), tally };
        let questions = [
            of("b", tally(1, 3, 1)),
            of("a", tally(2, 2, 0)),
            of("b", tally(2, 0, 0)),
            of("c", tally(0, 0, 5)),
        ];
        let clusters = st::clusters(&questions);
        let ids: Vec<&str> = clusters.iter().map(|cluster| cluster.id.as_str()).collect();
        assert_eq!(ids, ["a", "b"], "a family without an answer has no share");
        let share = clusters[1].share;
        close(share.rate, (0.25 + 1.0) / 2.0, 1e-12);
        assert_eq!((share.answered, share.missing), (6, 1));
        close(share.sampling_variance.unwrap(), (0.25 * 0.75 / 3.0) / 4.0, 1e-12);
    }

    #[test]
    fn a_question_counts_where_both_arms_answered() {
        let pairs = st::pairs(&[
            pair("a", tally(0, 4, 0), tally(4, 0, 0)),
            pair("a", tally(4, 0, 0), tally(0, 0, 4)),
            pair("b", tally(1, 0, 0), tally(1, 1, 0)),
        ]);
        close(pairs[0].difference(), 1.0, 0.0);
        assert_eq!(pairs[1].baseline.sampling_variance, None);
    }

    #[test]
    fn missing_answers_are_bounded_by_their_worst_case() {
        let questions: Vec<QuestionPair> =
            (0..10).map(|n| pair(&n.to_string(), tally(1, 3, 1), tally(3, 2, 0))).collect();
        let worst = st::worst_case_lift(&questions, LEVEL).unwrap();
        close(worst.points.lower, 0.6 - 0.4, 1e-12);
        close(worst.points.upper, 0.6 - 0.2, 1e-12);
        let lift = st::lift(&st::pairs(&questions), LEVEL).unwrap();
        assert!(worst.points.contains(lift.point));
        assert!(worst.interval.lower < worst.points.lower && worst.points.upper < worst.interval.upper);
        let ones: Vec<Question> = questions
            .iter()
            .map(|question| Question { family: question.family.clone(), tally: question.baseline })
            .collect();
        let worst = st::worst_case_rate(&ones, LEVEL).unwrap();
        close(worst.points.lower, 0.2, 1e-12);
        close(worst.points.upper, 0.4, 1e-12);
    }

    #[test]
    fn missing_answers_are_judged() {
        for (missing, expected) in [
            ((0, 0), MissingnessVerdict::Negligible),
            ((2, 2), MissingnessVerdict::Negligible),
            ((3, 3), MissingnessVerdict::ShowWorstCase),
            ((0, 3), MissingnessVerdict::ShowWorstCase),
            ((0, 9), MissingnessVerdict::Unequal),
        ] {
            let found = st::missingness(&[pair(
                "a",
                tally(10, 90 - missing.0, missing.0),
                tally(50, 50 - missing.1, missing.1),
            )]);
            assert_eq!(found.verdict, expected, "{missing:?}: p = {}", found.p_value);
            assert_eq!(found.treated, (u64::from(missing.1), 100));
        }
        assert_eq!(st::missingness(&[]).verdict, MissingnessVerdict::Negligible);
    }

    /// Two answers to a question that is answered at random half of the time change in half of the pairs.
    #[test]
    fn answers_change_by_repeating_alone() {
        let found = st::answer_change(&[pair("a", tally(1, 1, 0), tally(1, 1, 0))]).unwrap();
        close(found.between, 0.5, 1e-12);
        close(found.within.unwrap(), 1.0, 1e-12);
        let found = st::answer_change(&[
            pair("a", tally(0, 4, 0), tally(4, 0, 0)),
            pair("a", tally(3, 1, 0), tally(3, 1, 0)),
            pair("a", tally(0, 0, 4), tally(3, 1, 0)),
        ])
        .unwrap();
        close(found.between, (1.0 + 0.375) / 2.0, 1e-12);
        close(found.within.unwrap(), 0.25, 1e-12);
        assert_eq!(found.questions, 2);
        assert!(st::answer_change(&[]).is_none());
        let single = st::answer_change(&[pair("a", tally(1, 0, 0), tally(0, 1, 0))]).unwrap();
        assert_eq!(single.within, None);
    }

    #[test]
    fn a_pilot_tells_the_variances() {
        // Lifts of one and of a quarter alternate; the baseline is never noisy, the treated arm in every other family.
        let counts: Vec<(u32, u32)> =
            (0..20).map(|number| (0, if number % 2 == 0 { 4 } else { 1 })).collect();
        let found = Variances::from_pilot(&plain(&counts, 4)).unwrap();
        close(found.baseline, 0.0, 1e-12);
        close(found.treated, (0.25 * 0.75) * 4.0 / 3.0 / 2.0, 1e-12);
        let seen = 0.375 * 0.375 * 20.0 / 19.0;
        close(found.lift, seen - found.treated / 4.0, 1e-12);
        let alike = Variances::from_pilot(&plain(&[(2, 2); 6], 4)).unwrap();
        close(alike.lift, 0.0, 0.0);
        assert!(matches!(
            Variances::from_pilot(&plain(&[(0, 1); 6], 1)),
            Err(StatisticsError::NeedsRepeats { .. })
        ));
    }
}

mod stopping {
    //! Looking again and again.

    use super::*;

    #[test]
    fn a_large_lift_is_found_early_and_on_the_right_side() {
        for (lift, decision) in [(0.6, Decision::Higher), (-0.6, Decision::Lower)] {
            let mut process = EProcess::new(LEVEL);
            while process.decision() == Decision::Undecided && process.families() < 100 {
                process.observe(lift);
            }
            assert_eq!(process.decision(), decision);
            assert!(process.families() <= 25, "{} families", process.families());
            assert!(process.p_value() <= 0.05);
            assert_eq!(process.observe(-lift), decision, "a decision is final");
        }
    }

    #[test]
    fn nothing_is_found_in_nothing() {
        let mut process = EProcess::new(LEVEL);
        for _ in 0..1_000 {
            assert_eq!(process.observe(0.0), Decision::Undecided);
        }
        assert_eq!(process.wealth(), (1.0, 1.0));
        close(process.p_value(), 1.0, 0.0);
    }

    #[test]
    fn precision_needs_enough_families() {
        let narrow = |count: usize| st::lift(&plain(&vec![(0, 0); count], 5), LEVEL).unwrap();
        assert!(!st::precision_reached(&narrow(19), 0.5));
        assert!(st::precision_reached(&narrow(20), 0.5));
        assert!(!st::precision_reached(&narrow(20), 0.05));
    }

    #[test]
    fn an_order_is_a_permutation_that_its_seed_gives() {
        let mut order = st::shuffled(100, 9);
        assert_eq!(order, st::shuffled(100, 9));
        assert_ne!(order, st::shuffled(100, 10));
        order.sort_unstable();
        assert!(order.into_iter().eq(0..100));
        assert!(st::shuffled(0, 1).is_empty());
        // Written down once: a draw that changes with a machine or a version breaks resumed runs.
        assert_eq!(st::shuffled(8, 1), FIRST_ORDER);
    }

    const FIRST_ORDER: [usize; 8] = [6, 1, 0, 7, 5, 4, 2, 3];
}

mod properties {
    //! What holds for any counts.

    use super::*;

    fn some_pairs() -> impl Strategy<Value = Vec<Paired>> {
        (2_u32..7).prop_flat_map(|repeats| {
            proptest::collection::vec((0..=repeats, 0..=repeats), 5..24)
                .prop_map(move |counts| plain(&counts, repeats))
        })
    }

    fn check(estimate: &Estimate, lowest: f64, highest: f64) {
        let Interval { lower, upper } = estimate.interval;
        let point = estimate.point;
        assert!(lowest <= lower && lower <= point && point <= upper && upper <= highest, "{estimate:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

        #[test]
        fn points_lie_within_bounds_and_bounds_within_the_possible(pairs in some_pairs()) {
            let baseline = baselines(&pairs);
            for rate in [st::rate, st::rate_korn_graubard, st::rate_of_these_questions] {
                check(&rate(&baseline, LEVEL).unwrap(), 0.0, 1.0);
            }
            for lift in [st::lift, st::lift_student, st::lift_of_these_questions] {
                check(&lift(&pairs, LEVEL).unwrap(), -1.0, 1.0);
            }
            if let Some(relative) = st::relative_lift(&pairs, LEVEL).unwrap() {
                check(&relative, 0.0, f64::INFINITY);
            }
            let labels = Calibration {
                true_positives: 90,
                false_negatives: 10,
                true_negatives: 97,
                false_positives: 3,
            };
            check(&st::corrected_lift(&pairs, &labels, LEVEL).unwrap(), -1.0, 1.0);
            if let Ok(rate) = st::corrected_rate(&baseline, &labels, LEVEL) {
                check(&rate, 0.0, 1.0);
            }
            if let Ok(each) = st::corrected_lift_per_arm(&pairs, &labels, &labels, LEVEL) {
                check(&each, -1.0, 1.0);
            }
        }

        #[test]
        fn swapping_the_arms_turns_the_lift_round(pairs in some_pairs()) {
            for lift in [st::lift, st::lift_student, st::lift_of_these_questions] {
                let (there, back) = (lift(&pairs, LEVEL).unwrap(), lift(&swapped(&pairs), LEVEL).unwrap());
                close(there.point, -back.point, 1e-12);
                close(there.interval.lower, -back.interval.upper, 1e-9);
                close(there.interval.upper, -back.interval.lower, 1e-9);
            }
            let labels = Calibration {
                true_positives: 90,
                false_negatives: 10,
                true_negatives: 97,
                false_positives: 3,
            };
            let (there, back) = (
                st::corrected_lift(&pairs, &labels, LEVEL).unwrap(),
                st::corrected_lift(&swapped(&pairs), &labels, LEVEL).unwrap(),
            );
            close(there.interval.lower, -back.interval.upper, 1e-9);
            let (there, back) = (st::sign_flip(&pairs, 3).unwrap(), st::sign_flip(&swapped(&pairs), 3).unwrap());
            close(there.p_value, back.p_value, if there.exact { 0.0 } else { 0.03 });
        }

        #[test]
        fn the_order_of_families_does_not_matter(pairs in some_pairs()) {
            let mut turned = pairs.clone();
            turned.reverse();
            let (one, other) = (st::lift(&pairs, LEVEL).unwrap(), st::lift(&turned, LEVEL).unwrap());
            close(one.interval.lower, other.interval.lower, 1e-9);
            close(one.interval.upper, other.interval.upper, 1e-9);
        }

        #[test]
        fn surer_is_wider(pairs in some_pairs()) {
            let at = |level: f64| st::lift(&pairs, Confidence::new(level).unwrap()).unwrap().interval;
            let (less, more) = (at(0.8), at(0.99));
            prop_assert!(more.lower <= less.lower && less.upper <= more.upper);
        }

        #[test]
        fn adjusted_p_values_are_ordered(p in proptest::collection::vec(0.0..=1.0_f64, 1..20)) {
            let (holm, hochberg) = (st::holm(&p), st::benjamini_hochberg(&p));
            for place in 0..p.len() {
                prop_assert!(p[place] <= hochberg[place] + 1e-15 && hochberg[place] <= holm[place] + 1e-15);
                prop_assert!(holm[place] <= 1.0);
            }
        }
    }

    /// Twenty differing families are listed, twenty-one are drawn; the two agree.
    #[test]
    fn drawn_flips_agree_with_listed_ones() {
        let mut counts: Vec<(u32, u32)> = (0..16).map(|number| (number % 4, (number * 7) % 5)).collect();
        counts.extend([(1, 2); 4]);
        counts.extend([(3, 3); 30]);
        let listed = st::sign_flip(&plain(&counts, 5), 1).unwrap();
        assert!(listed.exact && listed.differing <= 20);
        counts.extend([(1, 2), (2, 1), (1, 2), (2, 1), (1, 2), (2, 1)]);
        let drawn = st::sign_flip(&plain(&counts, 5), 1).unwrap();
        assert!(!drawn.exact);
        assert_eq!(drawn, st::sign_flip(&plain(&counts, 5), 1).unwrap());
        close(drawn.p_value, listed.p_value, 0.05);
    }
}

mod coverage {
    //! Intervals hold the truth, and tests alarm, as often as they promise: in small; `benches/coverage.rs`
    //! does it in full.

    use super::*;

    const WORLDS: &[World] = &[
        World {
            name: "spread",
            questions: 20,
            repeats: 5,
            baseline: Baseline::Beta(0.6, 1.4),
            effect: Effect::Raises(0.5),
        },
        World {
            name: "rare",
            questions: 20,
            repeats: 10,
            baseline: Baseline::Beta(0.25, 4.75),
            effect: Effect::Raises(0.4),
        },
        World {
            name: "floor to ceiling",
            questions: 20,
            repeats: 5,
            baseline: Baseline::Fixed(0.01),
            effect: Effect::Becomes(0.95),
        },
    ];

    const EXPERIMENTS: u32 = 400;

    /// 92 % less two standard errors of four hundred experiments.
    const LEAST: f64 = 0.92 - 2.0 * 0.0136;

    #[test]
    fn intervals_hold_the_truth() {
        for (seed, world) in (1..).zip(WORLDS) {
            let (rate, lift) = (world.rate(), world.lift());
            let rates = world.share(EXPERIMENTS, seed, |pairs, _| {
                Ok(st::rate(&baselines(pairs), LEVEL)?.interval.contains(rate))
            });
            let lifts = world
                .share(EXPERIMENTS, seed, |pairs, _| Ok(st::lift(pairs, LEVEL)?.interval.contains(lift)));
            let these = world.share(EXPERIMENTS, seed, |pairs, own| {
                Ok(st::lift_of_these_questions(pairs, LEVEL)?.interval.contains(own))
            });
            let found =
                format!("{}: rate {rates:.3}, lift {lifts:.3}, these questions {these:.3}", world.name);
            assert!(rates >= LEAST && lifts >= LEAST && these >= LEAST, "{found}");
        }
    }

    #[test]
    fn no_lift_no_alarm() {
        for (seed, effect) in [(7, Effect::Scatters(0.35)), (9, Effect::None)] {
            let world =
                World { name: "no lift", questions: 12, repeats: 5, baseline: Baseline::Fixed(0.5), effect };
            let share =
                |holds: fn(&[Paired]) -> bool| world.share(EXPERIMENTS, seed, |pairs, _| Ok(holds(pairs)));
            let covered = share(|pairs| st::lift(pairs, LEVEL).unwrap().interval.contains(0.0));
            assert!(covered >= LEAST, "{covered}");
            let alarms = share(|pairs| st::sign_flip(pairs, 7).unwrap().p_value < 0.05);
            assert!(alarms <= 0.055 + 2.0 * 0.011, "{alarms}");
            let at_any_look = share(|pairs| {
                let mut process = EProcess::new(LEVEL);
                pairs.iter().any(|pair| process.observe(pair.difference()) != Decision::Undecided)
            });
            assert!(at_any_look <= 0.05, "{at_any_look}");
        }
    }
}
