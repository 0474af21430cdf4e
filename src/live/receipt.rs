//! The receipt of a chat request: what was decided, what was added, and whether the answer names the brand.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;

use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::finished::{Finished, Spoken};
use crate::inject::{Decision, Placed, inserted};
use crate::leaks::{Inserted, Leak, Watch};
use crate::mentions::{Findings, Stream};
use crate::retrieval::language_of;
use crate::tap::{Reading, Usage};

/// The receipt of a chat request. It holds no text of the request or the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// As the response header `x-foreword-receipt` says it.
    pub id: String,
    /// Milliseconds since 1970.
    pub time: i64,
    /// The name of the client's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The brand whose item fitted best; empty where none did.
    pub brand: String,
    /// The conversation, as a number that says nothing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<u64>,
    /// The arm of the live experiment; empty where the request takes no part.
    pub arm: String,
    /// Whether something was added, or would have been but for the arm.
    pub eligible: bool,
    /// `injected`, or why not.
    pub decision: String,
    /// Primary subtag of the question's language; empty where it cannot be told.
    pub language: String,
    /// The first tag of the item that fitted best.
    pub topic: String,
    /// What was added, or would have been.
    pub items: Vec<ReceiptItem>,
    /// The recipe.
    pub recipe: String,
    /// The hash of its file.
    #[serde(default)]
    pub recipe_hash: String,
    /// The snapshot that decided.
    pub snapshot: String,
    /// Tokens that were added.
    pub tokens: u32,
    /// Microseconds that the decision took.
    pub planning_us: u64,
    /// Microseconds to the head of the upstream's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_us: Option<u64>,
    /// Microseconds to its end.
    pub total_us: u64,
    /// The answer's status.
    pub status: u16,
    /// How the answer ended.
    pub ending: String,
    /// Tokens of the prompt, as the upstream counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens: Option<u64>,
    /// Of these, from its cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    /// Tokens of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_tokens: Option<u64>,
    /// How the answer gives away what only the model was to see; absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leak: Option<String>,
    /// What the answer names; absent where it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mentioned: Option<Mentioned>,
}

/// An item of a receipt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReceiptItem {
    /// Its id.
    pub id: String,
    /// The first 16 hexadecimal digits of BLAKE3 over its title and text.
    pub hash: String,
    /// The turn that got it, from 0.
    pub turn: usize,
    /// What it scored at the gate; absent where nothing was looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
}

/// What an answer names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mentioned {
    /// Whether the receipt's brand is named; where nothing fitted, whether any of ours is.
    pub brand: bool,
    /// Whether it is named without being turned down.
    pub positive: bool,
    /// Its place by first mention among all that are named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<usize>,
    /// Ids of all brands and names of all competitors that are named.
    pub names: Vec<String>,
}

/// What answers must not give away. The same items are told again and again.
pub(super) struct Secrets(Cache<u128, Arc<Inserted>>);

impl Secrets {
    /// Remembers so many.
    pub(super) fn new(count: usize) -> Secrets {
        Secrets(Cache::new(count))
    }

    /// Those of what was inserted into a request.
    fn of(&self, spoken: &Spoken) -> Arc<Inserted> {
        let mut key = Xxh3::new();
        key.update(&[spoken.placement as u8]);
        for placed in spoken.placed.iter() {
            key.update(&placed.bytes);
            placed.items.iter().for_each(|item| key.update(item.id.as_bytes()));
        }
        let made = || Ok::<_, Infallible>(Arc::new(inserted(&spoken.placed, spoken.placement)));
        match self.0.get_or_insert_with(&key.digest128(), made) {
            Ok(inserted) => inserted,
        }
    }
}

/// What an answer was found to say.
pub(super) struct Judged {
    pub(super) leak: Option<Leak>,
    pub(super) mentioned: Option<Mentioned>,
    usage: Option<Usage>,
}

impl Judged {
    /// Searches the answer of a request that has ended, and takes what was read of it.
    pub(super) fn of(finished: &mut Finished, secrets: &Secrets) -> Judged {
        let reading = finished.reading.take().and_then(unfolded);
        let spoken = finished.spoken.as_ref();
        let is_whole = finished.status == 200 && finished.ending == "complete";
        let seen = || reading.as_ref().and_then(|reading| leak(spoken?, reading, finished.decision, secrets));
        Judged {
            leak: finished.cut.or_else(seen),
            usage: reading.as_ref().and_then(|reading| reading.usage),
            mentioned: reading.filter(|_| is_whole).and_then(|reading| mentioned(spoken?, &reading)),
        }
    }
}

impl Receipt {
    /// The receipt of a request that has ended.
    pub(super) fn of(finished: Finished, judged: Judged) -> Receipt {
        let spoken = finished.spoken.as_ref();
        let observed = spoken.and_then(|spoken| spoken.observed.as_ref());
        let best = spoken.and_then(|spoken| Some(&spoken.placed.last()?.items.last()?.tags));
        let count = |of: fn(&Usage) -> u64| judged.usage.as_ref().map(of);
        Receipt {
            id: finished.id.to_string(),
            time: finished.began.as_millisecond(),
            client: finished.client,
            conversation: observed.map(|observed| observed.assignment.conversation),
            arm: observed.map(|observed| observed.assignment.arm.to_string()).unwrap_or_default(),
            eligible: observed.is_some_and(|observed| observed.is_eligible),
            decision: finished.decision.as_str().to_owned(),
            language: observed
                .and_then(|observed| language_of(&observed.question))
                .unwrap_or_default()
                .to_owned(),
            topic: best.and_then(|tags| tags.first()).cloned().unwrap_or_default(),
            recipe: spoken.map(|spoken| spoken.recipe.name.clone()).unwrap_or_default(),
            recipe_hash: spoken
                .map(|spoken| spoken.recipe.hash.to_hex()[..16].to_owned())
                .unwrap_or_default(),
            snapshot: spoken.map(|spoken| spoken.snapshot.to_string()).unwrap_or_default(),
            tokens: finished.decision.tokens(),
            planning_us: finished.planning.as_micros() as u64,
            first_byte_us: finished.first_byte.map(|took| took.as_micros() as u64),
            total_us: finished.total.as_micros() as u64,
            status: finished.status,
            ending: finished.ending.to_owned(),
            prompt_tokens: count(|usage| usage.prompt_tokens),
            cached_tokens: count(|usage| usage.cached_tokens),
            completion_tokens: count(|usage| usage.completion_tokens),
            brand: spoken.map(brand).unwrap_or_default().to_owned(),
            items: spoken.map(items).unwrap_or_default(),
            leak: judged.leak.map(|leak| leak.as_str().to_owned()),
            mentioned: judged.mentioned,
        }
    }
}

fn unfolded(mut reading: Reading) -> Option<Reading> {
    match reading.compressed.take() {
        Some(compressed) => compressed.unfold(),
        None => Some(reading),
    }
}

/// The brand of the item that fitted best; empty where none did.
fn brand(spoken: &Spoken) -> &str {
    let best = spoken.placed.iter().rev().find_map(|placed| placed.items.last());
    best.and_then(|item| item.id.split('/').next()).unwrap_or_default()
}

fn items(spoken: &Spoken) -> Vec<ReceiptItem> {
    let of = |placed: &Placed, number: usize, item: &Arc<crate::knowledge::Item>| {
        let mut hash = blake3::Hasher::new();
        hash.update(item.title().as_bytes()).update(&[0]).update(item.text().as_bytes());
        ReceiptItem {
            id: item.id.clone(),
            hash: hash.finalize().to_hex()[..16].to_owned(),
            turn: placed.turn,
            score: placed.scores.get(number).map(|score| (score * 1e4).round() / 1e4),
        }
    };
    let items = |placed| -> Vec<ReceiptItem> {
        let placed: &Placed = placed;
        placed.items.iter().enumerate().map(|(number, item)| of(placed, number, item)).collect()
    };
    spoken.placed.iter().flat_map(items).collect()
}

/// Whether an answer gives away the recipe's own words or the ids of items. Facts are public: to tell them is what they
/// are for.
fn leak(spoken: &Spoken, reading: &Reading, decision: Decision, secrets: &Secrets) -> Option<Leak> {
    if !matches!(decision, Decision::Injected { .. }) || reading.texts.is_empty() {
        return None;
    }
    let inserted = secrets.of(spoken);
    reading.texts.iter().find_map(|text| {
        let mut watch = Watch::new(Arc::clone(&inserted));
        watch.push(text.text()).or_else(|| watch.finish())
    })
}

/// What the choices of an answer name together; `None`: there is no text to look at.
fn mentioned(spoken: &Spoken, reading: &Reading) -> Option<Mentioned> {
    let lexicon = spoken.lexicon.as_ref()?;
    let question = spoken.observed.as_ref().map(|observed| &*observed.question);
    let judge = |text: &Stream| text.finish(lexicon, question, spoken.disclosure.as_deref());
    let found: Vec<Findings> = reading.texts.iter().map(judge).collect();
    if found.is_empty() {
        return None;
    }
    let names: BTreeSet<String> = found
        .iter()
        .flat_map(|findings| findings.mentions.iter().map(|mention| mention.brand.to_string()))
        .collect();
    let ours: Vec<&str> = match brand(spoken) {
        "" => names.iter().map(String::as_str).filter(|name| !lexicon.is_competitor(name)).collect(),
        brand => vec![brand],
    };
    let any = |is: fn(&Findings, &str) -> bool| {
        found.iter().any(|findings| ours.iter().any(|name| is(findings, name)))
    };
    Some(Mentioned {
        brand: any(Findings::is_mentioned),
        positive: any(Findings::is_positive),
        rank: found.iter().flat_map(|findings| ours.iter().filter_map(|name| findings.rank_of(name))).min(),
        names: names.into_iter().collect(),
    })
}
