//! Retrieval among many items: latency of search, fusion and gate with the query's vectors at hand, recall against
//! the exact cosines, memory, readiness from the cache on disk, an edit; and other ways to find near vectors.
//! `scripts/bench retrieval [items]`. Texts and vectors are made up; the model embeds the prompts of the
//! calibration alone. `scripts/bench retrieval question`: what one question costs, part by part.
//!
//! Each query is run [`REPEATS`] times and its quickest run counts, since other programs use the machine too.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program for the person who runs it")]

mod made_up;
mod question;
mod ways;

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foreword::knowledge::{Body, Brand, Item};
use foreword::retrieval::{
    Embedder, EmbedderSettings, Index, ModelSource, Query, SearchSettings, Vector, VectorStore, Vectors,
    decide, search,
};
use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

use made_up::{GROUP, Numbers, brand, direction, put};

const REPEATS: usize = 5;
const QUERIES: usize = 500;

/// What is measured, how long each run took, and what all together took of the processor.
type Row = (&'static str, Vec<Duration>, Duration);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let asked = |word: &str| words.iter().any(|known| known == word);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".foreword/models/all-minilm-l6-v2-int8");
    if asked("parts") {
        question::measure(&folder);
        return;
    }
    let count = words.iter().find_map(|word| word.parse().ok()).unwrap_or(100_000);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load of the machine: {}", load.trim());
    if asked("question") {
        let parts = std::env::current_exe().and_then(|program| Command::new(program).arg("parts").status());
        assert!(parts.is_ok_and(|status| status.success()), "run scripts/setup --model");
    }
    let model = EmbedderSettings { model: ModelSource::Folder(folder), ..EmbedderSettings::default() };
    let embedder = match Embedder::open(&model) {
        Ok(embedder) => embedder,
        Err(error) => {
            println!("the model cannot be opened ({error}): run scripts/setup --model");
            return;
        }
    };
    give_back();
    println!("with the model open: RSS {} MB", memory("VmRSS"));
    if asked("question") {
        one_question(&embedder);
        return;
    }
    println!("{count} items, {QUERIES} queries");
    served(count, &embedder);
    if count <= 200_000 {
        ways::compare(count);
    }
}

/// One question of about fifteen tokens among a thousand items: its vector, computed anew each time and
/// remembered, search with fusion, and the gate.
fn one_question(embedder: &Embedder) {
    let settings = SearchSettings::default();
    let mut store = VectorStore::empty(Some(embedder.identity()));
    (0..1_000).for_each(|number| put(&mut store, number));
    let (brand, now) = (brand(1_000), Timestamp::UNIX_EPOCH);
    let (index, _) =
        Index::build(&brand, now, &mut store, Some(embedder), &settings, &mut |_, _| {}).unwrap();
    let mut rows: [Row; 4] =
        ["the vector", "the vector, remembered", "search, fusion, gate, 1,000 items", "of it the gate"]
            .map(|name| (name, Vec::new(), Duration::ZERO));
    for number in 0..QUERIES {
        let [anew, remembered, found, gate] = &mut rows;
        let query = Query::alone(&format!("How do I find the {number} nearest images to a text in Python?"));
        timed(anew, || embedder.vectors(&query, "").unwrap());
        let vectors = timed(remembered, || embedder.vectors(&query, "").unwrap());
        let hits = timed(found, || search(&[&index], &query, Some(&vectors), &settings));
        timed(gate, || decide(&hits.candidates, &settings));
    }
    println!("\n| as served | p50 / p99 | mean CPU |\n|---|---|---|");
    for (name, mut times, spent) in rows {
        println!("| {name} | {} | {:.2?} |", quantiles(&mut times), spent / QUERIES as u32);
    }
}

/// Adds what a run costs to a row.
fn timed<T>((_, times, spent): &mut Row, run: impl FnOnce() -> T) -> T {
    let (started, before) = (Instant::now(), cpu());
    let result = black_box(run());
    *spent += cpu() - before;
    times.push(started.elapsed());
    result
}

/// What is served: the whole of search, fusion and gate.
fn served(count: u64, embedder: &Embedder) {
    let brand = brand(count);
    let file = std::env::temp_dir().join(format!("foreword-bench-{}.bin", std::process::id()));
    prepare(&brand, &file, embedder);
    give_back();
    println!("with the items in memory: RSS {} MB", memory("VmRSS"));
    let settings = SearchSettings::default();
    let build = |brand: &Brand, store: &mut VectorStore, earlier: Option<&Arc<Index>>| {
        let now = Timestamp::UNIX_EPOCH;
        Index::rebuild(brand, now, store, Some(embedder), &settings, earlier, &mut |_, _| {}).unwrap()
    };
    let spent = Spent::now();
    let (mut store, problem) = VectorStore::open(&file, Some(embedder.identity()));
    println!("the cache on disk read: {}, {problem:?}", spent.since());
    let (index, embedded) = build(&brand, &mut store, None);
    println!("ready from it, with the index built: {}; {embedded} embedded", spent.since());
    search_times(&index, count, &settings);
    let spent = Spent::now();
    let (_, _) = build(&brand, &mut store, Some(&index));
    println!("nothing changed: {}", spent.since());
    let mut edited = brand.clone();
    let place = edited.items.len() / 2;
    edited.items[place] = Arc::new(Item {
        body: Body::Example { question: "What is new?".to_owned(), answer: "A new anvil.".to_owned() },
        ..Item::clone(&edited.items[place])
    });
    let spent = Spent::now();
    let (after, embedded) = build(&edited, &mut store, Some(&index));
    println!("one item edited: {}, {embedded} embedded (index alone)", spent.since());
    let spent = Spent::now();
    store.save(&file).unwrap();
    println!("the cache on disk written, after the edit is served: {}", spent.since());
    drop(index);
    give_back();
    println!("serving: RSS {} MB, peak {} MB", memory("VmRSS"), memory("VmHWM"));
    drop((after, store));
    std::fs::remove_file(&file).unwrap();
}

/// The file on disk, as a first start would leave it.
fn prepare(brand: &Brand, file: &Path, embedder: &Embedder) {
    let mut store = VectorStore::empty(Some(embedder.identity()));
    for number in 0..brand.items.len() as u64 {
        put(&mut store, number);
    }
    let spent = Spent::now();
    let few = Brand { items: Vec::new(), ..brand.clone() };
    let settings = SearchSettings::default();
    let now = Timestamp::UNIX_EPOCH;
    Index::build(&few, now, &mut store, Some(embedder), &settings, &mut |_, _| {}).unwrap();
    println!("the cohort embedded: {}", spent.since());
    store.save(file).unwrap();
}

fn search_times(index: &Index, count: u64, settings: &SearchSettings) {
    let mut times = Vec::new();
    let mut spent = Duration::ZERO;
    let (mut found, mut wanted) = (0, 0);
    for number in 0..QUERIES as u64 {
        let near = (number * 7_919) % count;
        let own = direction(near / GROUP, number ^ 0x5555_0000, 1.0);
        let words = format!("what is {} of {}", Numbers::of(near).words(3), Numbers::of(number).words(5));
        let (query, vectors) = (Query::alone(&words), Vectors::alone(Vector::of(&own)));
        let before = cpu();
        times.push(quickest(|| search(&[index], &query, Some(&vectors), settings)));
        spent += cpu() - before;
        // Among a million, the exact ten take a minute a query.
        if number % (count / 10_000).max(10) == 0 {
            let exact = exact(count, &own);
            let mut hits = search(&[index], &query, Some(&vectors), settings).candidates;
            hits.sort_by(|a, b| b.likeness.unwrap().total_cmp(&a.likeness.unwrap()));
            let ids: Vec<&str> = hits[..10].iter().map(|hit| &*hit.item.id).collect();
            found += exact.iter().filter(|id| ids.contains(&id.as_str())).count();
            wanted += exact.len();
        }
    }
    let mean = spent / u32::try_from(QUERIES * REPEATS).unwrap();
    println!("search, fusion, gate: {} (p50 / p99), mean CPU {mean:.2?}", quantiles(&mut times));
    println!("recall@10 against exact cosines in 32 bits: {:.4}", found as f64 / wanted as f64);
}

/// Ids of the ten most like ones, by the mean of the whole's cosine and the best one's.
fn exact(count: u64, query: &[f32]) -> Vec<String> {
    let cosine = |of: &[f32]| query.iter().zip(of).map(|(a, b)| a * b).sum::<f32>();
    let mut all: Vec<(f32, u64)> = (0..count)
        .map(|number| {
            let whole = direction(number / GROUP, 2 * number, 0.9);
            let whole = cosine(&whole);
            let title = cosine(&direction(number / GROUP, 2 * number + 1, 1.1));
            ((whole + whole.max(title)) / 2.0, number)
        })
        .collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    all[..10].iter().map(|(_, number)| format!("big/{number:07}")).collect()
}

fn quickest<T>(mut run: impl FnMut() -> T) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..REPEATS {
        let started = Instant::now();
        black_box(run());
        best = best.min(started.elapsed());
    }
    best
}

fn quantiles(times: &mut [Duration]) -> String {
    times.sort_unstable();
    format!("{:.2?} / {:.2?}", times[times.len() / 2], times[times.len() * 99 / 100])
}

/// Time by the clock and of the processors, since a moment.
struct Spent {
    started: Instant,
    cpu: Duration,
}

impl Spent {
    fn now() -> Spent {
        Spent { started: Instant::now(), cpu: cpu() }
    }

    fn since(&self) -> String {
        format!("{:.2?}, CPU {:.2?}", self.started.elapsed(), cpu() - self.cpu)
    }
}

/// Time that the processors have spent for this process, all threads together.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Megabytes of the process.
fn memory(kind: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(kind)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) / 1_024
}

/// Waits until the allocator has given back to the system what is free.
fn give_back() {
    #[expect(
        clippy::disallowed_methods,
        reason = "it gives back by the clock, ten seconds after memory was freed"
    )]
    std::thread::sleep(Duration::from_secs(12));
}
