//! Where there is no number, or one with a warning.

use super::*;

#[test]
fn too_few_families_give_no_interval_and_few_give_a_warning() {
    let four = plain(&[(0, 5); 4], 5);
    assert_eq!(st::lift(&four, LEVEL), Err(StatisticsError::TooFewClusters { found: 4 }));
    assert_eq!(st::rate(&baselines(&four), LEVEL), Err(StatisticsError::TooFewClusters { found: 4 }));
    assert!(st::lift_student(&four, LEVEL).is_err() && st::lift_of_these_questions(&four, LEVEL).is_err());
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
    assert!(matches!(often, Err(StatisticsError::Undefined { undefined: 40..=100, of: 200 })), "{often:?}");
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
    let labels =
        Calibration { true_positives: 800, false_negatives: 200, true_negatives: 1_000, false_positives: 0 };
    close(st::corrected_lift(&pairs, &labels, LEVEL).unwrap().point, 0.30, 1e-9);
    let each = st::corrected_lift_per_arm(&pairs, &labels, &labels, LEVEL).unwrap();
    close(each.point, 0.30, 1e-9);
    assert!(each.interval.contains(0.30));
    let raw = st::lift(&pairs, LEVEL).unwrap();
    assert!(each.interval.width() > raw.interval.width());
}
