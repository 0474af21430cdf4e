//! `foreword measure selftest`: everything that a run does, over real sockets and the real proxy, against a model
//! whose true rates are known. The intervals must hold the truth as often as they promise.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::endpoints::connect_own;
use super::scripted::{BRAND, Scripted, TRUE_RATES};
use crate::cli::Exit;
use crate::cli::print::{err, failure, out, problems};
use crate::config::{Overrides, Settings, load};
use crate::document::Severity;
use crate::knowledge::load as load_knowledge;
use crate::measure::experiment::{
    Arm, Design, Endpoints, Follow, Heading, Journal, Limits, Sampling, Seeds, of_design, read_journal,
    run as run_design,
};
use crate::measure::judge::Material;
use crate::measure::report::{Context, Results, analyse, judge};
use crate::measure::suite::{Kind, Message, Question, Suite};
use crate::mentions::Lexicon;
use crate::metrics::Gauges;
use crate::server::serve;
use crate::statistics::binomial_at_most;

/// Families of two wordings.
const FAMILIES: usize = 20;

const REPEATS: u32 = 3;

/// What an interval promises.
const PROMISED: f64 = 0.95;

/// Fewer intervals that hold the truth than this chance allows are a failure of the method, not bad luck.
const BAD_LUCK: f64 = 0.001;

/// Words that nobody uses, one a family, so that words alone find the right item.
const TOPICS: [&str; FAMILIES] = [
    "quarbling",
    "frandling",
    "mossicking",
    "tilverning",
    "grombeling",
    "plinthoring",
    "sarvesting",
    "dwimmering",
    "cravelling",
    "jundering",
    "welkoring",
    "brontifying",
    "yastering",
    "oberling",
    "pelvoring",
    "kintsifying",
    "harbeling",
    "lutricking",
    "vandoring",
    "exterling",
];

pub(super) fn run(runs: u32, seed: u64) -> Result<Exit, Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| fail(&error))?;
    runtime.block_on(all(runs, seed))
}

fn fail(error: &dyn std::error::Error) -> Exit {
    failure(error);
    Exit::Runtime
}

/// How often each interval has held the truth.
#[derive(Default)]
struct Covered {
    with: u32,
    without: u32,
    lift: u32,
    nothing: u32,
    missing: usize,
    requests: usize,
}

async fn all(runs: u32, seed: u64) -> Result<Exit, Exit> {
    let folder = tempfile::tempdir().map_err(|error| fail(&error))?;
    write_site(folder.path()).map_err(|error| fail(&error))?;
    let model = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| fail(&error))?;
    let address = model.local_addr().map_err(|error| fail(&error))?;
    let settings = settings(&folder, &format!("http://{address}/v1"))?;
    let serving = tokio::spawn(serve(
        model,
        Scripted::default(),
        None,
        settings.connection,
        Gauges::default(),
        std::future::pending(),
        Duration::ZERO,
    ));
    let material = material(&settings)?;
    let connected = connect_own(settings, Duration::from_secs(30)).await?;
    let mut covered = Covered::default();
    for number in 0..runs {
        let results = one(folder.path(), &connected.endpoints, &material, seed + u64::from(number)).await?;
        covered.count(&results)?;
        if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
            err(&format!("\r{} of {runs} runs", number + 1));
        }
    }
    connected.end().await;
    serving.abort();
    Ok(covered.report(runs))
}

/// A configuration, a recipe and a brand with an item for each family.
fn write_site(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder.join("knowledge/zephyrine"))?;
    fs::create_dir_all(folder.join("prompts"))?;
    fs::write(folder.join("foreword.toml"), "")?;
    fs::write(folder.join("prompts/pairs.md"), include_str!("../../../prompts/pairs.md"))?;
    fs::write(folder.join("knowledge/zephyrine/brand.toml"), format!("name = \"{BRAND}\"\n"))?;
    let items: Vec<String> = TOPICS
        .iter()
        .map(|topic| format!("# Tools for {topic}\n\nThe tool for {topic} is {BRAND}.\n"))
        .collect();
    fs::write(folder.join("knowledge/zephyrine/tools.md"), items.join("\n"))
}

fn settings(folder: &TempDir, upstream: &str) -> Result<Settings, Exit> {
    let values = [
        ("upstream.url", upstream),
        ("retrieval.model", "off"),
        ("injection.tokenizer", "estimate"),
        ("knowledge.cache", "off"),
        ("retrieval.deadline", "10s"),
        ("retrieval.deadline_cap", "10s"),
    ];
    let overrides = Overrides { values: values.map(|(key, value)| (key, value.to_owned())).to_vec() };
    let (settings, found) = load(&folder.path().join("foreword.toml"), false, &overrides);
    settings.ok_or_else(|| {
        problems(&found, Severity::Warning);
        Exit::Runtime
    })
}

fn material(settings: &Settings) -> Result<Material, Exit> {
    let loaded =
        load_knowledge(&settings.snapshot.knowledge, &settings.snapshot.limits, jiff::Timestamp::now());
    let brands = loaded.knowledge.brands;
    let lexicon = Lexicon::of_brands(&brands).map_err(|error| fail(&error))?;
    let Some(brand) = brands.first() else {
        err("foreword: the brand of the self-test is not there\n");
        return Err(Exit::Runtime);
    };
    Ok(Material::new(lexicon, brand, &brands))
}

/// Two wordings of a question for each topic.
fn suite() -> Suite {
    let questions = TOPICS.iter().enumerate().flat_map(|(number, topic)| {
        ["Please be brief.", "I am new to this."].into_iter().enumerate().map(move |(wording, rest)| {
            Question {
                id: format!("{topic}-{wording}"),
                messages: vec![Message {
                    role: "user".to_owned(),
                    content: format!("Which tools are there for {topic}? {rest}"),
                }],
                family: format!("family-{number}"),
                kind: Kind::Organic,
                language: None,
                brand: None,
                tags: Vec::new(),
                expect: None,
                place: None,
            }
        })
    });
    Suite {
        name: "selftest".to_owned(),
        brand: Some("zephyrine".to_owned()),
        description: String::new(),
        questions: questions.collect(),
        file: Path::new("selftest").to_owned(),
    }
}

/// One run in a world of its own.
async fn one(folder: &Path, endpoints: &Endpoints, material: &Material, seed: u64) -> Result<Results, Exit> {
    let design = Design {
        suite: suite(),
        arms: ["direct", "passthrough", "injected"].map(Arm::new).to_vec(),
        repeats: REPEATS,
        sampling: Sampling {
            model: format!("world-{seed}"),
            max_tokens: 64,
            temperature: 1.0,
            seeds: Seeds::Repeat,
            extra: serde_json::Map::new(),
        },
        seed,
    };
    let file = folder.join(format!("journal-{seed}.jsonl"));
    let heading = Heading::new(&design, "zephyrine", String::new());
    let mut journal = Journal::create(&file, &heading).map_err(|error| fail(&error))?;
    let limits = Limits {
        concurrency: 8,
        timeout: Duration::from_secs(30),
        attempts: 2,
        prices: (0.0, 0.0),
        spent: 0.0,
        max_cost: None,
    };
    let stop = Notify::new();
    let follow = Follow { progress: &mut |_| {}, enough: &mut |_| false, stop: &stop };
    run_design(&design, endpoints, &limits, &HashSet::new(), &mut journal, follow)
        .await
        .map_err(|error| fail(&error))?;
    let kept = read_journal(&file).map_err(|error| fail(&error))?;
    let judged = judge(&design, material, of_design(&design, &kept.records));
    Ok(analyse(&design, &judged, &Context { brand: BRAND.to_owned(), started: String::new(), labels: None }))
}

impl Covered {
    fn count(&mut self, results: &Results) -> Result<(), Exit> {
        let (without, with) = TRUE_RATES;
        let rate = |arm: &str| results.arm(arm).and_then(|arm| arm.kind(Kind::Organic)?.rate);
        let lift = |arm: &str| results.comparison(arm, Kind::Organic).and_then(|comparison| comparison.lift);
        let (Some(injected), Some(passthrough), Some(effect), Some(same)) =
            (rate("injected"), rate("passthrough"), lift("injected"), lift("direct"))
        else {
            err("foreword: the self-test has no interval to look at\n");
            return Err(Exit::Runtime);
        };
        let holds = |figure: crate::measure::report::Figure, truth: f64| {
            u32::from(figure.lower <= truth && truth <= figure.upper)
        };
        self.with += holds(injected, with);
        self.without += holds(passthrough, without);
        self.lift += holds(effect, with - without);
        self.nothing += holds(same, 0.0);
        self.missing += results.missing.values().sum::<usize>();
        self.requests += results.requests;
        Ok(())
    }

    fn report(&self, runs: u32) -> Exit {
        let mut sound = true;
        out(&format!(
            "{runs} runs of {FAMILIES} families of two wordings, {REPEATS} repeats, {} requests, {} of them without an answer\n",
            self.requests, self.missing
        ));
        for (name, held) in [
            ("rate with injection", self.with),
            ("rate without", self.without),
            ("lift", self.lift),
            ("no lift where there is none", self.nothing),
        ] {
            let chance = binomial_at_most(u64::from(held), u64::from(runs), PROMISED).unwrap_or(0.0);
            let fits = chance >= BAD_LUCK;
            sound &= fits;
            out(&format!(
                "{:<30} held the truth in {held} of {runs}: {:.1} %, promised {:.0} %: {}\n",
                name,
                100.0 * f64::from(held) / f64::from(runs),
                100.0 * PROMISED,
                if fits { "as promised" } else { "TOO FEW" }
            ));
        }
        if sound { Exit::Success } else { Exit::Missed }
    }
}
