//! Whether the repeats of a run are alike.

use statrs::distribution::{ChiSquared, ContinuousCDF};

/// The p-value of Cochran's Q (Cochran 1950, Biometrika 37, 256-266): were all repeats draws of the same kind, each
/// question's mentions would be as likely in one of them as in another. `questions` has for each question whether its
/// answer mentions the brand, repeat by repeat, as many for each. Q is compared with χ² of one degree of freedom less than
/// there are repeats. None with fewer than two repeats, or where no question's answers differ.
///
/// A small p says that the answers of a repeat have something in common, such as a seed from which an endpoint draws the
/// same numbers for each question: intervals, which take questions for independent, are then too narrow.
#[must_use]
pub fn cochran_q(questions: &[Vec<bool>]) -> Option<f64> {
    let repeats = questions.first()?.len();
    let mentions = |answers: &[bool]| answers.iter().filter(|mentions| **mentions).count() as f64;
    let of_questions: Vec<f64> = questions.iter().map(|answers| mentions(answers)).collect();
    let count = repeats as f64;
    let varying: f64 = of_questions.iter().map(|mentions| mentions * (count - mentions)).sum();
    if repeats < 2 || varying == 0.0 || questions.iter().any(|answers| answers.len() != repeats) {
        return None;
    }
    let of_repeat = |repeat: usize| questions.iter().filter(|answers| answers[repeat]).count() as f64;
    let squares: f64 = (0..repeats).map(|repeat| of_repeat(repeat).powi(2)).sum();
    let total: f64 = of_questions.iter().sum();
    let q = (count - 1.0) * (count * squares - total * total) / varying;
    Some(ChiSquared::new(count - 1.0).ok()?.sf(q))
}
