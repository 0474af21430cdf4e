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
        let lifts =
            world.share(EXPERIMENTS, seed, |pairs, _| Ok(st::lift(pairs, LEVEL)?.interval.contains(lift)));
        let these = world.share(EXPERIMENTS, seed, |pairs, own| {
            Ok(st::lift_of_these_questions(pairs, LEVEL)?.interval.contains(own))
        });
        let found = format!("{}: rate {rates:.3}, lift {lifts:.3}, these questions {these:.3}", world.name);
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
