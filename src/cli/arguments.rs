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
    after_help = "Begin with: foreword init my-bot && cd my-bot && foreword check\nExit codes: 0 success, 1 failure while running, 2 wrong configuration, knowledge or arguments, 100 a required value was missed."
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
    Check,
    /// Show what would be injected for a question or a request, and why.
    Explain(Explain),
    /// Measure retrieval on labelled queries (BEIR layout) or judge rankings (TREC runs).
    Evaluate(Evaluate),
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
    #[arg(long, value_name = "NAME")]
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
