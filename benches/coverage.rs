//! How often the intervals hold the truth and the tests alarm falsely, over thousands of experiments on worlds
//! whose truth is known. Not about time: it takes a minute, and a change of an estimator should be seen here.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program for the person who runs it")]

#[path = "../tests/it/support/worlds.rs"]
mod worlds;

use foreword::statistics::{
    self as st, Calibration, Cluster, Decision, EProcess, Estimate, Paired, Resampling, StatisticsError,
    Tally,
};
use worlds::{Baseline, Chance, Effect, LEVEL, World};

/// Answers that people label for each of the two kinds.
const LABELS: u32 = 60;

type Estimator = fn(&[Paired]) -> Result<Estimate, StatisticsError>;

fn main() {
    let trial = std::env::args().any(|argument| argument == "--test");
    let experiments = if trial { 20 } else { 4_000 };
    rates(experiments);
    lifts(experiments);
    corrections(experiments);
    shares_of_voice(experiments / 10);
    alarms(experiments);
    early_stops(experiments);
}

/// The cells of questions by repeats, with the distribution of the questions' rates.
fn cells() -> Vec<World> {
    let cell = |name, questions, repeats, baseline| World {
        name,
        questions,
        repeats,
        baseline,
        effect: Effect::None,
    };
    let (spread, rare, mild) =
        (Baseline::Beta(0.6, 1.4), Baseline::Beta(0.25, 4.75), Baseline::Beta(6.0, 14.0));
    vec![
        cell("spread", 10, 5, spread),
        cell("spread", 20, 5, spread),
        cell("spread", 20, 10, spread),
        cell("rare", 10, 5, rare),
        cell("rare", 20, 10, rare),
        cell("rare", 50, 5, rare),
        cell("mild", 20, 5, mild),
    ]
}

/// Coverage in per cent, and mean width.
fn coverage(
    world: &World,
    experiments: u32,
    estimator: impl Fn(&[Paired]) -> Result<Estimate, StatisticsError>,
    truth: impl Fn(f64) -> f64,
) -> String {
    let width = std::cell::Cell::new(0.0);
    let held = world.share(experiments, 1, |pairs, own| {
        let interval = estimator(pairs)?.interval;
        width.set(width.get() + interval.width());
        Ok(interval.contains(truth(own)))
    });
    format!("{:5.1} ({:.3})", 100.0 * held, width.get() / f64::from(experiments))
}

fn of_baseline(pairs: &[Paired]) -> Vec<Cluster> {
    pairs.iter().map(|pair| Cluster { id: pair.id.clone(), share: pair.baseline }).collect()
}

fn label(world: &World) -> String {
    format!("{} {}x{}", world.name, world.questions, world.repeats)
}

fn rates(experiments: u32) {
    println!("\nrate, 95 %: coverage (width) | Wilson on n_eff | Korn-Graubard");
    for world in cells() {
        let truth = world.rate();
        let wilson = coverage(&world, experiments, |pairs| st::rate(&of_baseline(pairs), LEVEL), |_| truth);
        let korn = coverage(
            &world,
            experiments,
            |pairs| st::rate_korn_graubard(&of_baseline(pairs), LEVEL),
            |_| truth,
        );
        println!("{:24} {wilson} {korn}", label(&world));
    }
}

fn lifts(experiments: u32) {
    println!("\nlift, 95 %: coverage (width) | MOVER-Wilson | paired t | these questions");
    let raised = cells().into_iter().map(|world| World { effect: Effect::Raises(0.5), ..world });
    let extreme =
        [(0.01, 0.05), (0.01, 0.95), (0.0, 1.0), (0.02, 0.02)].into_iter().flat_map(|(from, to)| {
            [10, 20].map(|questions| World {
                name: match to {
                    0.05 => "0.01 to 0.05",
                    0.95 => "0.01 to 0.95",
                    1.0 => "never to always",
                    _ => "0.02 to 0.02",
                },
                questions,
                repeats: 5,
                baseline: Baseline::Fixed(from),
                effect: Effect::Becomes(to),
            })
        });
    for world in cells().into_iter().chain(raised).chain(extreme) {
        let truth = world.lift();
        let of_all = |estimator: Estimator| coverage(&world, experiments, estimator, |_| truth);
        let (mover, student) =
            (of_all(|pairs| st::lift(pairs, LEVEL)), of_all(|pairs| st::lift_student(pairs, LEVEL)));
        let own = coverage(&world, experiments, |pairs| st::lift_of_these_questions(pairs, LEVEL), |own| own);
        println!("{:24} {mover} {student} {own}   lift {truth:.3}", label(&world));
    }
}

/// A detector that finds 85 of 100 mentions and invents one in 20 other answers, labelled anew each time.
fn corrections(experiments: u32) {
    println!("\ncorrected for the detector, 95 %: coverage (width) | rate | lift | lift, labels per arm");
    for world in cells() {
        let (rate, lift) = (world.rate(), (1.0 - world.rate()) * 0.25);
        let world = World { effect: Effect::Raises(0.5), ..world };
        let mut chance = Chance::new(3);
        let (mut held, mut widths) = ([0_u32; 3], [0.0; 3]);
        for _ in 0..experiments {
            let pairs = detected(&world, &mut chance);
            let (one, other) = (labelled(&mut chance), labelled(&mut chance));
            let estimates = [
                (st::corrected_rate(&of_baseline(&pairs), &one, LEVEL), rate),
                (st::corrected_lift(&pairs, &one, LEVEL), lift),
                (st::corrected_lift_per_arm(&pairs, &one, &other, LEVEL), lift),
            ];
            for (place, (estimate, truth)) in estimates.into_iter().enumerate() {
                // A refusal is no interval, so it holds nothing.
                let Ok(estimate) = estimate else { continue };
                held[place] += u32::from(estimate.interval.contains(truth));
                widths[place] += estimate.interval.width();
            }
        }
        let shown = |place: usize| {
            let count = f64::from(experiments);
            format!("{:5.1} ({:.3})", 100.0 * f64::from(held[place]) / count, widths[place] / count)
        };
        println!("{:24} {} {} {}", label(&world), shown(0), shown(1), shown(2));
    }
}

/// What the detector makes of the answers of one experiment.
fn detected(world: &World, chance: &mut Chance) -> Vec<Paired> {
    let (mut questions, _) = world.questions(chance);
    for tally in questions.iter_mut().flat_map(|question| [&mut question.baseline, &mut question.treated]) {
        let found = chance.tally(0.85, tally.mentions).mentions + chance.tally(0.05, tally.silent).mentions;
        *tally = Tally { mentions: found, silent: tally.answered() - found, missing: 0 };
    }
    st::pairs(&questions)
}

fn labelled(chance: &mut Chance) -> Calibration {
    let (hits, alarms) = (chance.tally(0.85, LABELS), chance.tally(0.05, LABELS));
    Calibration {
        true_positives: hits.mentions,
        false_negatives: hits.silent,
        true_negatives: alarms.silent,
        false_positives: alarms.mentions,
    }
}

/// The treated arm's part of all mentions: a ratio of sums, for which only resampling gives an interval.
fn shares_of_voice(experiments: u32) {
    println!("\nratio of sums, 95 %: coverage (width) | BCa bootstrap");
    for world in cells() {
        let world = World { effect: Effect::Raises(0.5), ..world };
        let treated = world.rate() + world.lift();
        let truth = treated / (treated + world.rate());
        let share = |sample: &[&Paired]| {
            let sum = |arm: fn(&Paired) -> f64| sample.iter().map(|pair| arm(pair)).sum::<f64>();
            let (own, other) = (sum(|pair| pair.treated.rate), sum(|pair| pair.baseline.rate));
            (own + other > 0.0).then(|| own / (own + other))
        };
        let resampling = Resampling { resamples: 1_000, seed: 2 };
        let mut refused = 0;
        let (mut held, mut width, mut chance) = (0, 0.0, Chance::new(9));
        for _ in 0..experiments {
            let pairs = st::pairs(&world.questions(&mut chance).0);
            match st::bca_bootstrap(&pairs, share, LEVEL, resampling) {
                Ok(estimate) => {
                    held += u32::from(estimate.interval.contains(truth));
                    width += estimate.interval.width();
                }
                Err(_) => refused += 1,
            }
        }
        let given = f64::from((experiments - refused).max(1));
        let covered = 100.0 * f64::from(held) / given;
        println!("{:24} {covered:5.1} ({:.3}), refused {refused}", label(&world), width / given);
    }
}

/// Twelve questions: all signs are tried, which is quick for so few.
fn no_lift() -> [World; 3] {
    let world = |name, baseline, effect| World { name, questions: 12, repeats: 5, baseline, effect };
    [
        world("alike, one half", Baseline::Fixed(0.5), Effect::None),
        world("alike, spread", Baseline::Beta(0.6, 1.4), Effect::None),
        world("scattered by 35 points", Baseline::Fixed(0.5), Effect::Scatters(0.35)),
    ]
}

fn alarms(experiments: u32) {
    println!("\nfalse alarms at 5 %: sign-flip | bets, at any look");
    for world in no_lift() {
        let flips = world.share(experiments, 5, |pairs, _| Ok(st::sign_flip(pairs, 5)?.p_value < 0.05));
        let longer = World { questions: 100, ..world };
        let bets = longer.share(experiments, 6, |pairs, _| Ok(stopped(pairs).is_some()));
        println!("{:24} {:5.1} {:5.1}", label(&world), 100.0 * flips, 100.0 * bets);
    }
}

/// After how many families the bets decide.
fn stopped(pairs: &[Paired]) -> Option<u32> {
    let mut process = EProcess::new(LEVEL);
    pairs
        .iter()
        .any(|pair| process.observe(pair.difference()) != Decision::Undecided)
        .then(|| process.families())
}

fn early_stops(experiments: u32) {
    println!("\nbets on up to 100 questions by 5 repeats: found | mean questions where found");
    for (name, most) in [("spread, +7 points", 0.2), ("spread, +10.5", 0.3), ("spread, +21", 0.6)] {
        let world = World {
            name,
            questions: 100,
            repeats: 5,
            baseline: Baseline::Beta(0.6, 1.4),
            effect: Effect::Raises(most),
        };
        let families = std::cell::Cell::new(0.0);
        let found = world.share(experiments, 8, |pairs, _| {
            let seen = stopped(pairs);
            families.set(families.get() + f64::from(seen.unwrap_or(0)));
            Ok(seen.is_some())
        });
        let mean = families.get() / (found * f64::from(experiments)).max(1.0);
        println!("{name:24} {:5.1} {mean:5.1}", 100.0 * found);
    }
}
