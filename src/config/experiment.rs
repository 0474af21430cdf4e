//! Keys of experiments: the token of `measure`, the live experiment, and where its counts are kept.

use super::reader::Reader;
use crate::live::{LiveSettings, Prices};
use crate::snapshot::{Experiment, LiveArm, Treatment, TreatmentError};

/// Characters of the shortest token: one that can be guessed is none.
const SHORTEST_TOKEN: usize = 16;

/// Characters of the longest currency.
const LONGEST_CURRENCY: usize = 8;

/// The hash of a token, from the environment variable that `key` names.
pub(super) fn token(reader: &mut Reader, key: &'static str) -> Option<blake3::Hash> {
    let variable = reader.text(key)?;
    match std::env::var(&variable).ok().filter(|token| token.len() >= SHORTEST_TOKEN) {
        Some(token) => Some(blake3::hash(token.as_bytes())),
        None => {
            let remedy = format!(
                "names the environment variable {variable}, which is not set or shorter than {SHORTEST_TOKEN} \
                 characters: set it to a long random text, or take the key out"
            );
            reader.problem(key, &remedy);
            None
        }
    }
}

/// The live experiment: who is held out, and who gets what else.
pub(super) fn experiment(reader: &mut Reader) -> Experiment {
    let defaults = Experiment::default();
    let holdout = reader.share("experiment.holdout", defaults.holdout);
    let mut arms = Vec::new();
    for line in reader.list("experiment.arms").unwrap_or_default() {
        match live_arm(&line) {
            Ok(arm) => arms.push(arm),
            Err(wrong) => reader.problem("experiment.arms", &format!("has {line:?}: {wrong}")),
        }
    }
    let shares = holdout + arms.iter().map(|arm| arm.share).sum::<f64>();
    // Shares are written in decimals: a hundredth of a percent too much is rounding.
    if shares > 1.0001 {
        reader.problem(
            "experiment.arms",
            &format!(
                "and experiment.holdout share out {shares:.2} of the conversations: lower them to at most 1"
            ),
        );
    }
    let header =
        reader.parsed("experiment.conversation_header", defaults.header, "the name of a header field");
    let salt = reader.text("experiment.salt").unwrap_or_default();
    Experiment { holdout, arms, salt, header }
}

/// Where receipts and counts are kept.
pub(super) fn live(reader: &mut Reader) -> LiveSettings {
    let mut file = |key| {
        let named = reader.text(key).filter(|name| name != "off" && !name.is_empty());
        named.map(|_| reader.path(key, ""))
    };
    let (store, audit_log) = (file("live.store"), file("live.audit_log"));
    let mut days = |key, most| u32::try_from(reader.number(key, 30, 1..=most)).unwrap_or(30);
    let (retention_days, unanswered_days) =
        (days("live.retention_days", 3_650), days("live.unanswered_days", 365));
    let unanswered = reader.flag("live.unanswered", false);
    if unanswered && store.is_none() {
        reader.problem(
            "live.unanswered",
            "needs a file to keep questions in: name one with live.store, or set it to false",
        );
    }
    LiveSettings { store, audit_log, retention_days, unanswered, unanswered_days }
}

/// What tokens cost, where the configuration says it.
pub(super) fn prices(reader: &mut Reader) -> Option<Prices> {
    let mut price = |key| {
        reader.text(key)?;
        let price = reader.parsed(key, 0.0, "the price of a million tokens, such as 2.5");
        if price >= 0.0 && f64::is_finite(price) {
            return Some(price);
        }
        reader.problem(key, "must be the price of a million tokens, such as 2.5");
        None
    };
    let [prompt, cached, completion] =
        ["prices.prompt", "prices.cached", "prices.completion"].map(&mut price);
    let currency = reader.text("prices.currency").unwrap_or_else(|| "USD".to_owned());
    if currency.is_empty() || currency.chars().count() > LONGEST_CURRENCY {
        reader.problem("prices.currency", "must be a short name such as EUR");
    }
    match (prompt, cached.or(completion)) {
        (Some(prompt), _) => Some(Prices { currency, prompt, cached: cached.unwrap_or(prompt), completion }),
        (None, Some(_)) => {
            reader.problem("prices.prompt", "is missing: what is added to prompts is counted at its price");
            None
        }
        (None, None) => None,
    }
}

/// `recipe:inline 0.2`: a treatment and its share.
fn live_arm(line: &str) -> Result<LiveArm, String> {
    let (words, share) =
        line.trim().rsplit_once(' ').ok_or("write an arm and its share, such as \"k:1 0.2\"")?;
    let share = share.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    let share = share.ok_or("the share must be a number from 0 to 1, such as 0.2")?;
    let treatment: Treatment = words.trim().parse().map_err(|error: TreatmentError| error.to_string())?;
    match treatment {
        Treatment::Varied(_) => Ok(LiveArm { name: words.trim().into(), treatment, share }),
        _ => Err("conversations that get nothing are experiment.holdout, and the rest is served as it is"
            .to_owned()),
    }
}
