//! The live experiment: which conversations are held out, or get another treatment. A keyed hash of the conversation
//! decides, so that it stays in its arm on every replica and over restarts, and nothing is stored.

use std::sync::Arc;

use http::HeaderName;

use super::treatment::Treatment;

/// The name of the arm that gets what is served.
pub const INJECTED: &str = "injected";
/// The name of the arm that gets nothing, although it would have.
pub const HOLDOUT: &str = "holdout";

/// What a process experiments with.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// Share of conversations that are held out, of brands that do not say it themselves.
    pub holdout: f64,
    /// Arms that are treated otherwise.
    pub arms: Vec<LiveArm>,
    /// Text that decides with the conversation: another one draws anew.
    pub salt: String,
    /// The header field in which clients name a conversation.
    pub header: HeaderName,
}

/// An arm of the live experiment.
#[derive(Debug, Clone)]
pub struct LiveArm {
    /// The words of its treatment.
    pub name: Arc<str>,
    /// The treatment.
    pub treatment: Treatment,
    /// Share of conversations.
    pub share: f64,
}

/// Where a conversation was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The conversation, as a number that says nothing of it. Its lowest bit is a fair coin of its own: the halves
    /// of an A/A check.
    pub conversation: u64,
    /// The arm's name.
    pub arm: Arc<str>,
    /// How its requests are treated; those that are held out are planned as served.
    pub treatment: Treatment,
    /// Whether it gets nothing.
    pub is_held_out: bool,
}

/// What tells conversations apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConversationKey<'a> {
    /// The client names it.
    Named(&'a [u8]),
    /// All up to the first user message, which every request of a conversation begins with.
    Opening(&'a [u8]),
}

impl Default for Experiment {
    fn default() -> Experiment {
        Experiment {
            holdout: 0.0,
            arms: Vec::new(),
            salt: String::new(),
            header: HeaderName::from_static("x-foreword-conversation"),
        }
    }
}

impl Experiment {
    /// The arm of a conversation about these brands. `holdout` is the share that a brand asks for.
    pub fn assign(
        &self,
        conversation: ConversationKey<'_>,
        brands: &[&str],
        holdout: Option<f64>,
    ) -> Assignment {
        let (conversation, position) = self.draw(conversation, brands);
        let held_out = holdout.unwrap_or(self.holdout);
        let mut from = held_out;
        let arm = self.arms.iter().find(|arm| {
            let is_in = (from..from + arm.share).contains(&position);
            from += arm.share;
            is_in
        });
        let is_held_out = position < held_out;
        let (name, treatment) = match arm.filter(|_| !is_held_out) {
            Some(arm) => (Arc::clone(&arm.name), arm.treatment.clone()),
            None => (Arc::from(if is_held_out { HOLDOUT } else { INJECTED }), Treatment::Served),
        };
        Assignment { conversation, arm: name, treatment, is_held_out }
    }

    /// The conversation's number, and a place in [0, 1) that does not depend on it.
    fn draw(&self, conversation: ConversationKey<'_>, brands: &[&str]) -> (u64, f64) {
        let mut hash = blake3::Hasher::new_derive_key("foreword live experiment 1");
        let (kind, key) = match conversation {
            ConversationKey::Named(key) => (b'n', key),
            ConversationKey::Opening(key) => (b'o', key),
        };
        // Lengths before texts, so that no two lists of texts are the same bytes.
        for text in [self.salt.as_bytes()].into_iter().chain(brands.iter().map(|brand| brand.as_bytes())) {
            hash.update(&(text.len() as u64).to_le_bytes()).update(text);
        }
        hash.update(&[0xff, kind]).update(key);
        let hash = hash.finalize();
        let (id, place) = hash.as_bytes()[..16].split_at(8);
        let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
        // 53 bits are what a double holds exactly. SQLite's integers are signed: one bit less for the number.
        (number(id) >> 1, (number(place) >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn experiment() -> Experiment {
        let arm =
            |words: &str, share| LiveArm { name: Arc::from(words), treatment: words.parse().unwrap(), share };
        Experiment {
            holdout: 0.2,
            arms: vec![arm("k:1", 0.3), arm("reversed", 0.1)],
            ..Experiment::default()
        }
    }

    fn share(experiment: &Experiment, holdout: Option<f64>, arm: &str) -> f64 {
        let of = |number: u32| {
            experiment.assign(ConversationKey::Opening(&number.to_le_bytes()), &["acme"], holdout)
        };
        (0..20_000).filter(|&number| &*of(number).arm == arm).count() as f64 / 20_000.0
    }

    #[test]
    fn shares_are_as_asked_for() {
        let experiment = experiment();
        for (holdout, arm, expected) in [
            (None, HOLDOUT, 0.2),
            (None, "k:1", 0.3),
            (None, "reversed", 0.1),
            (None, INJECTED, 0.4),
            (Some(0.5), HOLDOUT, 0.5),
            (Some(0.0), HOLDOUT, 0.0),
            (Some(1.0), INJECTED, 0.0),
        ] {
            let found = share(&experiment, holdout, arm);
            assert!((found - expected).abs() < 0.015, "{arm}: {found} instead of {expected}");
        }
    }

    #[test]
    fn a_conversation_stays_where_it_is_unless_the_salt_says_otherwise() {
        let experiment = experiment();
        let salted = Experiment { salt: "second".to_owned(), ..experiment.clone() };
        let of = |experiment: &Experiment, brand: &str, number: u32| {
            experiment.assign(ConversationKey::Named(&number.to_le_bytes()), &[brand], None)
        };
        let moved = |other: &Experiment, brand: &str| {
            (0..2_000).filter(|&number| of(&experiment, "acme", number) != of(other, brand, number)).count()
        };
        assert_eq!(moved(&experiment.clone(), "acme"), 0);
        assert!(moved(&salted, "acme") > 1_000);
        assert!(moved(&experiment, "other") > 1_000);
        // The halves are as good as independent of the arm.
        let held: Vec<Assignment> =
            (0..20_000).map(|n| of(&experiment, "acme", n)).filter(|assigned| assigned.is_held_out).collect();
        let odd = held.iter().filter(|assigned| assigned.conversation & 1 == 1).count();
        assert!((odd as f64 / held.len() as f64 - 0.5).abs() < 0.04, "{odd} of {}", held.len());
    }
}
