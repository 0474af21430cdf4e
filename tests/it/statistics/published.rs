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
    for (successes, trials, lower, upper) in
        [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
    {
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
    for (found, expected) in st::holm(&[0.01, 0.04, 0.03, 0.005]).into_iter().zip([0.03, 0.06, 0.06, 0.02]) {
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
