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
