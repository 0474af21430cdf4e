//! From answers to families, and what missing ones could hide.

use super::*;

fn pair(family: &str, baseline: Tally, treated: Tally) -> QuestionPair {
    QuestionPair { family: family.to_owned(), baseline, treated }
}

#[test]
fn answers_are_averaged_to_questions_and_questions_to_families() {
    let of = |family: &str, tally: Tally| Question { family: family.to_owned(), tally };
    let questions =
        [of("b", tally(1, 3, 1)), of("a", tally(2, 2, 0)), of("b", tally(2, 0, 0)), of("c", tally(0, 0, 5))];
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
    let counts: Vec<(u32, u32)> = (0..20).map(|number| (0, if number % 2 == 0 { 4 } else { 1 })).collect();
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
