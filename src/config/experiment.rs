//! Keys of experiments: the token of `measure`, the live experiment, and where its counts are kept.

use super::reader::Reader;
use crate::live::LiveSettings;
use crate::snapshot::{Experiment, LiveArm, Treatment, TreatmentError};

/// Characters of the shortest token: one that can be guessed is none.
const SHORTEST_TOKEN: usize = 16;

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
    LiveSettings {
        store: file("live.store"),
        audit_log: file("live.audit_log"),
        retention_days: u32::try_from(reader.number("live.retention_days", 30, 1..=3_650)).unwrap_or(30),
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
