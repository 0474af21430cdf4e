//! What the vector of one question costs, part by part, and other ways to run the model. A process of its own: it
//! opens ONNX Runtime itself, which a process may do once.

use std::hint::black_box;
use std::path::Path;
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use foreword::retrieval::Vector;
use ort::environment::Environment;
use ort::ep::CPU;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::Tensor;
use tokenizers::Tokenizer;

use super::{Row, cpu, give_back, memory, quantiles, timed};

/// Questions of about fifteen tokens that are asked one after the other.
const QUESTIONS: usize = 300;

/// How a session is opened.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    threads: usize,
    arena: bool,
    spinning: bool,
    level: GraphOptimizationLevel,
}

const SERVED: Way = Way {
    name: "as it serves: one thread, no arena, no spinning, all optimisations",
    threads: 1,
    arena: false,
    spinning: false,
    level: GraphOptimizationLevel::All,
};

const OTHERS: [Way; 6] = [
    Way { name: "with the arena", arena: true, ..SERVED },
    Way { name: "no optimisation of the graph", level: GraphOptimizationLevel::Disable, ..SERVED },
    Way { name: "basic optimisations", level: GraphOptimizationLevel::Level1, ..SERVED },
    Way { name: "extended optimisations", level: GraphOptimizationLevel::Level2, ..SERVED },
    Way { name: "two threads", threads: 2, ..SERVED },
    Way { name: "two threads that spin", threads: 2, spinning: true, ..SERVED },
];

/// A model and its tokenizer.
struct Parts {
    session: Session,
    tokenizer: Tokenizer,
}

/// A question's tokens.
struct Tokens {
    ids: Vec<i64>,
    mask: Vec<i64>,
    types: Vec<i64>,
}

fn question(number: usize) -> String {
    format!("How do I find the {number} nearest images to a text in Python?")
}

/// Prints both tables.
pub fn measure(folder: &Path) {
    let library = std::fs::read_dir(folder.join("../../lib")).unwrap();
    let library = library.map(|entry| entry.unwrap().path()).max().unwrap();
    let environment = ort::init_from(library).unwrap().with_telemetry(false).build().unwrap();
    parts(&environment, folder);
    println!("\n| way to run the model | p50 / p99 | mean CPU | MB more |\n|---|---|---|---|");
    for way in std::iter::once(SERVED).chain(OTHERS) {
        let before = resting();
        let mut opened = open(&environment, folder, way);
        let mut row = (way.name, Vec::new(), Duration::ZERO);
        for number in 0..QUESTIONS {
            let tokens = opened.tokens(&question(number));
            timed(&mut row, || opened.run(&tokens));
        }
        let (name, mut times, spent) = row;
        let more = resting().saturating_sub(before);
        println!("| {name} | {} | {:.2?} | {more} |", quantiles(&mut times), spent / QUESTIONS as u32);
    }
    sessions(&environment, folder);
}

/// The parts of one question's vector.
fn parts(environment: &Environment, folder: &Path) {
    let mut opened = open(environment, folder, SERVED);
    let mut rows: [Row; 3] =
        ["tokenizer", "model", "pooling, length, rounding"].map(|name| (name, Vec::new(), Duration::ZERO));
    let mut length = 0;
    for number in 0..QUESTIONS {
        let [tokenizer, model, pooling] = &mut rows;
        let tokens = timed(tokenizer, || opened.tokens(&question(number)));
        length = tokens.ids.len();
        let states = timed(model, || opened.run(&tokens));
        timed(pooling, || pooled(&states));
    }
    println!("\n| a question of {length} tokens | p50 / p99 | mean CPU |\n|---|---|---|");
    for (name, mut times, spent) in rows {
        println!("| {name} | {} | {:.2?} |", quantiles(&mut times), spent / QUESTIONS as u32);
    }
}

/// Two threads that ask at once: one session in turns, or one each.
fn sessions(environment: &Environment, folder: &Path) {
    println!("\n| two threads ask at once | questions a second | mean CPU | MB more |\n|---|---|---|---|");
    for count in [1, 2] {
        let before = resting();
        let sessions: Vec<Mutex<Parts>> =
            (0..count).map(|_| Mutex::new(open(environment, folder, SERVED))).collect();
        let barrier = Barrier::new(2);
        let ask = |thread: usize| {
            barrier.wait();
            let (started, before) = (Instant::now(), cpu());
            for number in 0..QUESTIONS {
                let mut session = sessions[thread % count].lock().unwrap();
                let tokens = session.tokens(&question(number));
                black_box(pooled(&session.run(&tokens)));
            }
            (started.elapsed(), cpu() - before)
        };
        let spent = thread::scope(|scope| {
            let other = scope.spawn(|| ask(1));
            ask(0).max(other.join().unwrap())
        });
        let rate = 2.0 * QUESTIONS as f64 / spent.0.as_secs_f64();
        let more = resting().saturating_sub(before);
        let name = if count == 1 { "one session, in turns" } else { "a session each" };
        println!("| {name} | {rate:.0} | {:.2?} | {more} |", spent.1 / (2 * QUESTIONS as u32));
    }
}

/// Megabytes of the process once what is free was given back.
fn resting() -> u64 {
    give_back();
    memory("VmRSS")
}

fn open(environment: &Environment, folder: &Path, way: Way) -> Parts {
    let spinning = if way.spinning { "1" } else { "0" };
    let session = Session::builder(environment)
        .unwrap()
        .with_execution_providers([CPU::default().with_arena_allocator(way.arena).build()])
        .unwrap()
        .with_optimization_level(way.level)
        .unwrap()
        .with_intra_threads(way.threads)
        .unwrap()
        .with_config_entry("session.intra_op.allow_spinning", spinning)
        .unwrap()
        .commit_from_file(folder.join("model.onnx"))
        .unwrap();
    Parts { session, tokenizer: Tokenizer::from_file(folder.join("tokenizer.json")).unwrap() }
}

impl Parts {
    fn tokens(&self, text: &str) -> Tokens {
        let encoded = self.tokenizer.encode(text, true).unwrap();
        // What the file of the tokenizer pads to is cut off.
        let length = encoded.get_attention_mask().iter().filter(|at| **at == 1).count();
        let cut = |numbers: &[u32]| numbers[..length].iter().map(|number| i64::from(*number)).collect();
        Tokens {
            ids: cut(encoded.get_ids()),
            mask: cut(encoded.get_attention_mask()),
            types: cut(encoded.get_type_ids()),
        }
    }

    /// The state of each token.
    fn run(&mut self, tokens: &Tokens) -> Vec<Vec<f32>> {
        let shape = [1, tokens.ids.len()];
        let tensor = |numbers: &[i64]| Tensor::from_array((shape, numbers.to_vec())).unwrap();
        let outputs = self
            .session
            .run(ort::inputs![
                "input_ids" => tensor(&tokens.ids),
                "attention_mask" => tensor(&tokens.mask),
                "token_type_ids" => tensor(&tokens.types),
            ])
            .unwrap();
        let (_, numbers) = outputs[0].try_extract_tensor::<f32>().unwrap();
        numbers.chunks(numbers.len() / tokens.ids.len()).map(<[f32]>::to_vec).collect()
    }
}

fn pooled(states: &[Vec<f32>]) -> Vector {
    let mut sum = vec![0.0_f32; states[0].len()];
    for state in states {
        sum.iter_mut().zip(state).for_each(|(sum, number)| *sum += number);
    }
    let length = sum.iter().map(|number| number * number).sum::<f32>().sqrt();
    sum.iter_mut().for_each(|number| *number /= length);
    Vector::of(&sum)
}
