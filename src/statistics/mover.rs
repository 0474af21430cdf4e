//! From the intervals of two quantities to the interval of their difference or ratio: the method of variance
//! estimates recovery (MOVER; Zou and Donner 2008, Statistics in Medicine 27; for ratios Donner and Zou 2012,
//! Statistical Methods in Medical Research 21). Each bound borrows the distances of those bounds that it
//! depends on, so skew near 0 and 1 carries over.

use super::estimate::Interval;

/// A point with bounds around it.
#[derive(Clone, Copy)]
pub(super) struct Bounded {
    pub(super) point: f64,
    pub(super) interval: Interval,
}

impl Bounded {
    /// The distance to the lower bound.
    pub(super) fn below(self) -> f64 {
        (self.point - self.interval.lower).max(0.0)
    }

    /// The distance to the upper bound.
    pub(super) fn above(self) -> f64 {
        (self.interval.upper - self.point).max(0.0)
    }
}

/// Bounds of `first - second`, whose estimates are correlated by `correlation`:
/// L = d - √(a² - 2r·a·b + b²) with a the first's distance to its lower bound and b the second's to its upper;
/// U the other way round.
pub(super) fn difference(first: Bounded, second: Bounded, correlation: f64) -> Interval {
    let point = first.point - second.point;
    Interval {
        lower: point - combined(first.below(), second.above(), correlation),
        upper: point + combined(first.above(), second.below(), correlation),
    }
}

fn combined(one: f64, other: f64, correlation: f64) -> f64 {
    (one * one - 2.0 * correlation * one * other + other * other).max(0.0).sqrt()
}

/// Bounds of `first / second` for a second whose lower bound is positive. A bound is the ratio R at which the
/// bound of `first - R·second` is zero, which is a root of A·R² - 2B·R + C. A negative R turns the bounds of
/// the second round.
pub(super) fn ratio(first: Bounded, second: Bounded, correlation: f64) -> Interval {
    let (for_lower, for_upper) = (
        if first.interval.lower >= 0.0 { second.above() } else { second.below() },
        if first.interval.upper >= 0.0 { second.below() } else { second.above() },
    );
    Interval {
        lower: lesser_root(coefficients(first.point, first.below(), second.point, for_lower, correlation)),
        upper: greater_root(coefficients(first.point, first.above(), second.point, for_upper, correlation)),
    }
}

/// A, B and C, where `a` and `b` are the distances of the bounds of numerator and denominator.
fn coefficients(first: f64, a: f64, second: f64, b: f64, correlation: f64) -> (f64, f64, f64) {
    (second * second - b * b, first * second - correlation * a * b, first * first - a * a)
}

/// (B - √(B² - AC))/A, in the form that does not divide by a leading coefficient near zero.
fn lesser_root((leading, middle, constant): (f64, f64, f64)) -> f64 {
    let root = (middle * middle - leading * constant).max(0.0).sqrt();
    match middle > 0.0 {
        true => constant / (middle + root),
        false if leading == 0.0 => 0.0,
        false => (middle - root) / leading,
    }
}

/// (B + √(B² - AC))/A, likewise.
fn greater_root((leading, middle, constant): (f64, f64, f64)) -> f64 {
    let root = (middle * middle - leading * constant).max(0.0).sqrt();
    match middle < 0.0 {
        true => constant / (middle - root),
        false if leading == 0.0 => f64::INFINITY,
        false => (middle + root) / leading,
    }
}
