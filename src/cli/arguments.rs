//! What can be written on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::Overrides;

/// foreword makes a model know a brand: a reverse proxy in front of any OpenAI-compatible chat endpoint.
///
/// Point your chatbot's base URL at the proxy, write facts and example answers into knowledge/, and every
/// question that they fit is answered with them in view. Requests that they do not fit pass untouched.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Begin with: foreword init my-bot && cd my-bot && foreword check\nExit codes: 0 success, 1 failure while running, 2 wrong configuration, knowledge or arguments, 100 a required value was missed, 101 it cannot be told."
)]
pub struct Arguments {
    /// Options of every command.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct Common {
    /// The configuration file. Without this option foreword.toml is read if it is there.
    #[arg(long, short, global = true, value_name = "FILE", env = "FOREWORD_CONFIG")]
    pub config: Option<PathBuf>,
    /// The knowledge folder, instead of knowledge.folder.
    #[arg(long, global = true, value_name = "DIR")]
    pub knowledge: Option<PathBuf>,
    /// The folder of recipes, instead of knowledge.prompts.
    #[arg(long, global = true, value_name = "DIR")]
    pub prompts: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the proxy until told to stop (Ctrl-C or SIGTERM).
    Serve(Serve),
    /// Read configuration, knowledge and recipes and report every problem; start nothing.
    Check(Check),
    /// Show what would be injected for a question or a request, and why.
    Explain(Explain),
    /// Measure retrieval on labelled queries (BEIR layout) or judge rankings (TREC runs).
    Evaluate(Evaluate),
    /// Measure how often the brand is named, with and without injection, and how sure that is.
    Measure(Box<Measure>),
    /// Say what the live counts show: how often the brand is named, and the lift over conversations held out.
    Report(Report),
    /// Make keys for clients.
    Key {
        /// What to do.
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Write a commented configuration, an example brand and the standard recipes into a new folder.
    Init(Init),
}

/// `foreword serve`
#[derive(Debug, Args)]
#[command(
    after_help = "Try it:\n  foreword serve --upstream http://127.0.0.1:11434/v1\n  curl http://127.0.0.1:8080/v1/chat/completions -H 'content-type: application/json' \\\n    -d '{\"model\":\"NAME\",\"messages\":[{\"role\":\"user\",\"content\":\"Your question\"}]}' -i"
)]
pub struct Serve {
    /// The endpoint's base URL, for instance https://host/v1 (upstream.url).
    #[arg(long, value_name = "URL")]
    pub upstream: Option<String>,
    /// The address to serve clients on (server.listen); port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// The address of health and metrics (admin.listen).
    #[arg(long, value_name = "ADDRESS")]
    pub admin: Option<String>,
    /// The recipe (injection.recipe).
    #[arg(long, value_name = "NAME")]
    pub recipe: Option<String>,
}

/// `foreword report`
#[derive(Debug, Args)]
#[command(
    after_help = "Counts come from `foreword serve` with live.store set, and conversations are held out by experiment.holdout.\nTry it:\n  foreword report --since 7d\n  foreword report --brand docarray --json"
)]
pub struct Report {
    /// Days back from today, for instance 7d.
    #[arg(long, value_name = "DAYS", default_value = "30d", value_parser = days)]
    pub since: u32,
    /// One brand alone.
    #[arg(long, value_name = "BRAND")]
    pub brand: Option<String>,
    /// The store, instead of live.store.
    #[arg(long, value_name = "FILE")]
    pub store: Option<PathBuf>,
    /// Print one JSON document: a list with an object for each brand.
    #[arg(long)]
    pub json: bool,
}

/// `7d`, or `7`.
fn days(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('d').unwrap_or(text).parse::<u32>().ok();
    number
        .filter(|days| (1..=3_660).contains(days))
        .ok_or_else(|| "write a number of days, such as 7d".to_owned())
}

/// `foreword check`
#[derive(Debug, Args)]
pub struct Check {
    /// Say what a lint finds and why, instead of looking; without a name, list all.
    #[arg(long, value_name = "LINT", num_args = 0..=1)]
    pub explain: Option<Option<String>>,
}

/// `foreword explain`
#[derive(Debug, Args)]
pub struct Explain {
    /// A question, as a conversation of one turn.
    #[arg(value_name = "QUESTION", required_unless_present = "request", conflicts_with = "request")]
    pub question: Option<String>,
    /// A chat request body as a file; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub request: Option<PathBuf>,
    /// The brand whose items may be told, instead of the default.
    #[arg(long, value_name = "BRAND")]
    pub brand: Option<String>,
    /// Tags, separated by commas: only items with one of them.
    #[arg(long, value_name = "TAGS", value_delimiter = ',')]
    pub tags: Vec<String>,
    /// To whom is spoken, separated by commas: items for others stay out.
    #[arg(long, value_name = "AUDIENCE", value_delimiter = ',')]
    pub audience: Vec<String>,
    /// Only items in this language.
    #[arg(long, value_name = "TAG")]
    pub language: Option<String>,
    /// An arm of an experiment, for instance recipe:inline+k:2 (see `foreword measure --help`).
    #[arg(long, value_name = "ARM")]
    pub arm: Option<String>,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
    /// Candidates to list a turn.
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub candidates: usize,
}

/// `foreword evaluate`
#[derive(Debug, Args)]
#[command(
    after_help = "Try it:\n  foreword evaluate my-set --negatives other-questions.jsonl --worst 20\n  foreword evaluate my-set --run old.run --run new.run\nExit code 100: a --require was missed."
)]
pub struct Evaluate {
    /// A folder with queries.jsonl, qrels.tsv and, without --knowledge, corpus.jsonl.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Questions that should get nothing: a JSON object with `text` or `messages` a line.
    #[arg(long, value_name = "FILE")]
    pub negatives: Option<PathBuf>,
    /// Judge this TREC run instead of searching; may be repeated, the last two are compared.
    #[arg(long = "run", value_name = "FILE")]
    pub runs: Vec<PathBuf>,
    /// Write the rankings as TREC runs into this folder.
    #[arg(long, value_name = "DIR")]
    pub write_runs: Option<PathBuf>,
    /// List so many of the queries that did worst.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub worst: usize,
    /// A bound such as "fused.ndcg@10 >= 0.85" or "gate.false_injection <= 0.02"; may be repeated.
    #[arg(long, value_name = "BOUND")]
    pub require: Vec<String>,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// `foreword measure`
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Try it:\n  foreword measure measure/docarray.yaml --direct http://127.0.0.1:11434/v1 --repeats 3\n  foreword measure measure/docarray.yaml --resume --gate 'lift.lower >= 0.10' --gate 'intrusion <= 0.05'\n\nArms: direct, passthrough, injected, reversed, order:N, k:N, recipe:NAME, placement:NAME, retrieval:random,\nplacebo-fictional, placebo-shuffled, placebo-length, disclosure:on, disclosure:off, canary;\nseveral joined by +, such as recipe:inline+k:2.\nExit codes: 0 gates passed, 100 a gate failed, 101 a gate is inconclusive, 1 too many answers are missing or the run broke off, 2 wrong input."
)]
pub struct Measure {
    /// Something else than a run.
    #[command(subcommand)]
    pub command: Option<MeasureCommand>,
    /// The question set: YAML, promptfoo's YAML, CSV or JSONL, OpenAI evals' JSONL, or a question a line.
    #[arg(value_name = "SUITE", required = true)]
    pub suite: Option<PathBuf>,
    /// A running proxy's base URL. Without it one is started for the run, as foreword.toml says.
    #[arg(long, value_name = "URL")]
    pub proxy: Option<String>,
    /// The endpoint behind the proxy (upstream.url).
    #[arg(long, value_name = "URL")]
    pub direct: Option<String>,
    /// The environment variable with the running proxy's token (its measure.token_env).
    #[arg(long, value_name = "NAME", default_value = "FOREWORD_MEASURE_TOKEN")]
    pub token_env: String,
    /// The environment variable with the endpoint's API key, where the configuration names none.
    #[arg(long, value_name = "NAME")]
    pub key_env: Option<String>,
    /// The model; without it the one that the endpoint offers.
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// The arms, separated by commas [default: passthrough,injected,placebo-fictional].
    #[arg(long, value_name = "ARMS", value_delimiter = ',')]
    pub arms: Vec<String>,
    /// Arms that take something away or vary it: order, recipe, k, placement, placebo, leaks, disclosure; separated by commas.
    #[arg(long, value_name = "TOPICS", value_delimiter = ',')]
    pub ablate: Vec<String>,
    /// Answers to each question in each arm [default: 5; with --resume as the run began].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub repeats: Option<u32>,
    /// Kinds of questions to ask, separated by commas [default: all].
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    pub kinds: Vec<String>,
    /// The brand whose mentions are counted, where the suite names none.
    #[arg(long, value_name = "BRAND")]
    pub brand: Option<String>,
    /// Most requests at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub concurrency: u32,
    /// Seconds for one attempt.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: u64,
    /// Most tokens of an answer [default: 256].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: Option<u32>,
    /// Temperature: above 0, or repeats tell nothing new [default: 0.7].
    #[arg(long, value_name = "T")]
    pub temperature: Option<f64>,
    /// A field of the request as KEY=JSON; null takes one out. For instance max_completion_tokens=256.
    #[arg(long = "set", value_name = "KEY=JSON")]
    pub set: Vec<String>,
    /// Which answers share a seed: those of a repeat, or those of a question in a repeat, for endpoints that draw the same
    /// numbers from a seed whatever they are asked [default: repeat].
    #[arg(long, value_name = "SEEDS", value_parser = ["repeat", "question"])]
    pub seeds: Option<String>,
    /// Where order and draws begin [default: 1].
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Prices of a million prompt tokens and of a million answer tokens, such as 0.15,0.60.
    #[arg(long, value_name = "IN,OUT", value_parser = prices)]
    pub prices: Option<(f64, f64)>,
    /// Cost at which no further request is sent; needs --prices.
    #[arg(long, value_name = "COST", requires = "prices")]
    pub max_cost: Option<f64>,
    /// Stop early: precision=0.05 ends the run when every arm's rate is known to that half-width.
    #[arg(long, value_name = "RULE")]
    pub stop: Option<String>,
    /// Go on with the journal of a run that broke off.
    #[arg(long, conflicts_with = "offline")]
    pub resume: bool,
    /// Judge the journal's answers anew, without a request: after aliases have changed, for instance.
    #[arg(long)]
    pub offline: bool,
    /// A bound such as 'lift.lower >= 0.10', 'rate.injected >= 0.8', 'intrusion <= 0.02', 'missing <= 0.05'; may be repeated.
    #[arg(long, value_name = "BOUND")]
    pub gate: Vec<String>,
    /// Share of missing answers above which the run has failed.
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = share)]
    pub max_missing: f64,
    /// The folder for journal and reports [default: .foreword/measure/SUITE].
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Rows of answers.csv whose column `mentioned` a person has corrected: figures are corrected for the detector's
    /// errors (best: a hundred of each arm).
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// An earlier results.json to compare with.
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
    /// Print results.json instead of the table.
    #[arg(long)]
    pub json: bool,
}

/// What else `foreword measure` does.
#[derive(Debug, Subcommand)]
pub enum MeasureCommand {
    /// Write a question set of any form as YAML to standard output.
    Convert {
        /// The question set.
        #[arg(value_name = "SUITE")]
        suite: PathBuf,
    },
    /// Say how many question families and repeats a lift needs.
    Plan(PlanArguments),
    /// Show what the detector finds in a text, and what it turns down.
    Detect {
        /// The text; `-` is standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The question that it answers, whose quotations do not count.
        #[arg(long, value_name = "TEXT")]
        question: Option<String>,
    },
    /// Run everything against a scripted model whose true mention rates are known, and check that the intervals hold them.
    Selftest {
        /// Runs, each with another seed.
        #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(20..=10_000))]
        runs: u32,
        /// Where the runs' seeds begin.
        #[arg(long, value_name = "N", default_value_t = 1)]
        seed: u64,
    },
}

/// `foreword measure plan`
#[derive(Debug, Args)]
pub struct PlanArguments {
    /// The report folder of a pilot run, or its results.json. Without it, rates are assumed.
    #[arg(value_name = "DIR")]
    pub pilot: Option<PathBuf>,
    /// The lift that is to be seen, as a share: 0.10 is ten points.
    #[arg(long, value_name = "SHARE", default_value_t = 0.10)]
    pub lift: f64,
    /// The chance of seeing it.
    #[arg(long, value_name = "SHARE", default_value_t = 0.80)]
    pub power: f64,
    /// The rate without injection that is assumed.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    pub baseline: f64,
    /// Variance of the true lift between question families that is assumed.
    #[arg(long, value_name = "VARIANCE", default_value_t = 0.02)]
    pub spread: f64,
}

/// `foreword key`
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key, print it once, and append its hash to the file of keys.
    New(NewKeyArguments),
}

/// `foreword key new`
#[derive(Debug, Args)]
#[command(
    after_help = "Try it:\n  foreword key new --name shop-bot --brand acme --requests-per-minute 120\n  FOREWORD_SERVER__KEYS=keys.toml foreword serve\nClients send it as their API key, or in the header x-foreword-key where the API key is the upstream's."
)]
pub struct NewKeyArguments {
    /// What the client is called in logs.
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub name: String,
    /// A brand that the client may see, by id; may be repeated. Without, it sees what a request without a key would.
    #[arg(long = "brand", value_name = "BRAND")]
    pub brands: Vec<String>,
    /// Most requests a minute.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub requests_per_minute: Option<u32>,
    /// The file of keys.
    #[arg(long, value_name = "FILE", default_value = "keys.toml")]
    pub file: PathBuf,
}

/// `foreword init`
#[derive(Debug, Args)]
pub struct Init {
    /// The folder to make. Files that are there are kept.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

impl Common {
    /// The configuration file, and whether it may be absent.
    pub fn file(&self) -> (PathBuf, bool) {
        match &self.config {
            Some(file) => (file.clone(), false),
            None => (PathBuf::from("foreword.toml"), true),
        }
    }

    /// What the options set. Paths on the command line are seen from the current folder.
    pub fn overrides(&self) -> Overrides {
        let absolute = |path: &PathBuf| {
            std::path::absolute(path).unwrap_or_else(|_| path.clone()).to_string_lossy().into_owned()
        };
        let mut values = Vec::new();
        values.extend(self.knowledge.as_ref().map(|path| ("knowledge.folder", absolute(path))));
        values.extend(self.prompts.as_ref().map(|path| ("knowledge.prompts", absolute(path))));
        Overrides { values }
    }
}

impl Serve {
    /// What the options set, besides the common ones.
    pub fn overrides(&self, common: &Common) -> Overrides {
        let mut overrides = common.overrides();
        for (key, value) in [
            ("upstream.url", &self.upstream),
            ("server.listen", &self.listen),
            ("admin.listen", &self.admin),
            ("injection.recipe", &self.recipe),
        ] {
            overrides.values.extend(value.clone().map(|value| (key, value)));
        }
        overrides
    }
}

/// A share from 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "write a share from 0 to 1, such as 0.2".to_owned())
}

/// Two prices with a comma between them.
fn prices(text: &str) -> Result<(f64, f64), String> {
    let price =
        |text: &str| text.trim().parse::<f64>().ok().filter(|price| price.is_finite() && *price >= 0.0);
    let parts = text.split_once(',').and_then(|(prompt, answer)| Some((price(prompt)?, price(answer)?)));
    parts.ok_or_else(|| "write the two prices of a million tokens as 0.15,0.60".to_owned())
}
