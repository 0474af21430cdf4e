//! How requests of an experiment are treated: what is served, nothing, or a variation of what is served.
//!
//! A treatment is written as one word or several joined by `+`: `injected`, `passthrough`, `reversed`, `order:3`,
//! `k:2`, `recipe:inline`, `placement:inline`, `retrieval:random`, `placebo-fictional`, `placebo-shuffled`,
//! `placebo-length`, `canary`,
//! `threshold:0.35`; for instance `recipe:inline+k:2`.

use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use super::state::Snapshot;
use crate::inject::{Order, Placebo, Placement, Recipe};

/// Most items that `k:N` may ask for.
const MOST_ITEMS: usize = 32;

/// Made when the process starts, so that nobody knows the mark of a snapshot from its files.
static CANARY_KEY: LazyLock<[u8; 32]> = LazyLock::new(|| {
    let mut key = [0; 32];
    // Without random numbers the mark can be guessed, which makes a leak no less one.
    let _guessable = getrandom::fill(&mut key);
    key
});

/// How a request is treated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Treatment {
    /// As every other request.
    #[default]
    Served,
    /// It passes through, and nothing is added.
    Passthrough,
    /// Something is different.
    Varied(Variation),
}

/// What is different from what is served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variation {
    /// As it was written; two requests with the same words are treated alike.
    pub words: String,
    recipe: Option<String>,
    placement: Option<Placement>,
    order: Option<OrderChange>,
    max_items: Option<usize>,
    /// In thousandths.
    threshold: Option<u16>,
    random_items: bool,
    placebo: Option<Placebo>,
    canary: bool,
    disclosure: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OrderChange {
    Reversed,
    Set(Order),
}

/// Words that name no treatment, or none that can be had here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreatmentError {
    /// A word is not known.
    #[error(
        "`{0}` names no arm: the arms are injected, passthrough, reversed, order:N, k:N, recipe:NAME, placement:NAME, retrieval:random, placebo-fictional, placebo-shuffled, placebo-length, disclosure:on, disclosure:off, canary and threshold:N, joined by +"
    )]
    Unknown(String),
    /// There is no such recipe.
    #[error("there is no recipe for `{0}`: the recipes are {1}")]
    NoRecipe(String, String),
    /// System messages inside a conversation are for lenient upstreams.
    #[error("`{0}` puts system messages inside a conversation: set upstream.profile = \"lenient\" for it")]
    Strict(String),
}

impl FromStr for Treatment {
    type Err = TreatmentError;

    fn from_str(words: &str) -> Result<Treatment, TreatmentError> {
        match words {
            "injected" => return Ok(Treatment::Served),
            "passthrough" => return Ok(Treatment::Passthrough),
            _ => {}
        }
        let mut variation = Variation { words: words.to_owned(), ..Variation::default() };
        for word in words.split('+') {
            variation.take(word).ok_or_else(|| TreatmentError::Unknown(word.to_owned()))?;
        }
        Ok(Treatment::Varied(variation))
    }
}

impl Treatment {
    /// The mark that items carry under this treatment, for a snapshot.
    pub fn canary(&self, snapshot: &str) -> Option<String> {
        match self {
            Treatment::Varied(variation) if variation.canary => Some(canary(snapshot)),
            _ => None,
        }
    }
}

impl Variation {
    fn take(&mut self, word: &str) -> Option<()> {
        let number = |text: &str| text.parse::<usize>().ok();
        match word.split_once(':') {
            None => match word {
                "reversed" => self.order = Some(OrderChange::Reversed),
                "placebo-fictional" => self.placebo = Some(Placebo::Fictional),
                "placebo-shuffled" => self.placebo = Some(Placebo::Shuffled),
                "placebo-length" => self.placebo = Some(Placebo::Length),
                "canary" => self.canary = true,
                _ => return None,
            },
            Some(("order", n)) => self.order = Some(OrderChange::Set(Order::Permutation(number(n)?))),
            Some(("k", n)) => self.max_items = Some(number(n).filter(|n| (1..=MOST_ITEMS).contains(n))?),
            Some(("threshold", score)) => self.threshold = Some(thousandths(score)?),
            Some(("recipe", name)) if !name.is_empty() => self.recipe = Some(name.to_owned()),
            Some(("placement", name)) => self.placement = Some(Placement::from_name(name)?),
            Some(("disclosure", "on")) => self.disclosure = Some(true),
            Some(("disclosure", "off")) => self.disclosure = Some(false),
            Some(("retrieval", "random")) => self.random_items = true,
            Some(_) => return None,
        }
        Some(())
    }
}

/// A score from 0 to 2 in thousandths, so that treatments can be compared.
fn thousandths(score: &str) -> Option<u16> {
    let score = score.parse::<f32>().ok().filter(|score| (0.0..=2.0).contains(score))?;
    Some((score * 1_000.0).round() as u16)
}

/// How items are chosen and told for one request.
#[derive(Debug, Clone)]
pub(super) struct Telling {
    /// The recipe, with what the treatment changes in it.
    pub(super) recipe: Arc<Recipe>,
    /// Whether the items that the snapshot has rendered are those of this recipe.
    pub(super) as_prepared: bool,
    /// Whether any items take the place of the retrieved ones.
    pub(super) random_items: bool,
    /// What takes the place of their content.
    pub(super) placebo: Option<Placebo>,
    /// A mark in every item, by which a leak is known beyond doubt.
    pub(super) canary: Option<String>,
    /// What scores are held against, in place of the calibrated thresholds.
    pub(super) threshold: Option<f32>,
    /// Whether answers end with the brand's disclosure, where it has one.
    pub(super) discloses: bool,
}

impl Snapshot {
    /// How this snapshot tells items under a treatment; `None` where it adds nothing.
    /// Why requests cannot be treated so here.
    ///
    /// # Errors
    ///
    /// A recipe that is not there, or a placement that the upstream's profile forbids.
    pub fn allows(&self, treatment: &Treatment) -> Result<(), TreatmentError> {
        self.telling(treatment).map(|_| ())
    }

    pub(super) fn telling(&self, treatment: &Treatment) -> Result<Option<Telling>, TreatmentError> {
        let variation = match treatment {
            Treatment::Passthrough => return Ok(None),
            Treatment::Served => {
                return Ok(Some(Telling {
                    recipe: Arc::clone(&self.recipe),
                    as_prepared: true,
                    random_items: false,
                    placebo: None,
                    canary: None,
                    threshold: None,
                    discloses: true,
                }));
            }
            Treatment::Varied(variation) => variation,
        };
        let base = self.base_recipe(variation)?;
        if base.placement == Placement::Message && !self.lenient {
            return Err(TreatmentError::Strict(variation.words.clone()));
        }
        let mut recipe = Recipe::clone(&base);
        if let Some(max_items) = variation.max_items {
            recipe.max_items = max_items;
        }
        recipe.order = match variation.order {
            None => recipe.order,
            Some(OrderChange::Set(order)) => order,
            Some(OrderChange::Reversed) if recipe.order == Order::RelevantFirst => Order::RelevantLast,
            Some(OrderChange::Reversed) => Order::RelevantFirst,
        };
        Ok(Some(Telling {
            as_prepared: variation.placebo.is_none() && !variation.canary && base.name == self.recipe.name,
            recipe: Arc::new(recipe),
            random_items: variation.random_items,
            placebo: variation.placebo,
            canary: treatment.canary(&self.id),
            threshold: variation.threshold.map(|thousandths| f32::from(thousandths) / 1_000.0),
            discloses: variation.disclosure.unwrap_or(true),
        }))
    }

    /// The recipe of a name; or of a placement, the one that is called like it before others.
    fn base_recipe(&self, variation: &Variation) -> Result<Arc<Recipe>, TreatmentError> {
        let found = match (&variation.recipe, variation.placement) {
            (Some(name), _) => self.recipes.get(name),
            (None, None) => Some(&self.recipe),
            (None, Some(placement)) if self.recipe.placement == placement => Some(&self.recipe),
            (None, Some(placement)) => {
                let named = self.recipes.get(placement.name());
                let fits = |recipe: &&Arc<Recipe>| recipe.placement == placement;
                named.filter(fits).or_else(|| self.recipes.values().find(fits))
            }
        };
        found.map(Arc::clone).ok_or_else(|| {
            let names: Vec<&str> = self.recipes.keys().map(String::as_str).collect();
            TreatmentError::NoRecipe(variation.words.clone(), names.join(", "))
        })
    }
}

/// A word that is no word and stays the same while the snapshot does.
fn canary(snapshot: &str) -> String {
    let hash = blake3::keyed_hash(&CANARY_KEY, snapshot.as_bytes());
    let letters = hash.as_bytes()[..6].iter().flat_map(|byte| [byte >> 4, byte & 15]);
    letters.map(|half| char::from(b'g' + half)).collect()
}

#[cfg(test)]
mod tests {
    use super::Treatment;

    #[test]
    fn treatments_are_read_whole_or_refused() {
        assert_eq!("injected".parse(), Ok(Treatment::Served));
        assert_eq!("passthrough".parse(), Ok(Treatment::Passthrough));
        for words in [
            "reversed",
            "order:23",
            "k:1",
            "recipe:inline+k:2",
            "placebo-length",
            "retrieval:random",
            "threshold:0.42",
            "disclosure:off",
        ] {
            assert!(matches!(words.parse(), Ok(Treatment::Varied(_))), "{words}");
        }
        for words in [
            "",
            "order",
            "order:x",
            "k:0",
            "k:33",
            "placement:top",
            "injected+k:2",
            "recipe:",
            "direct",
            "threshold:",
            "threshold:-1",
        ] {
            assert!(words.parse::<Treatment>().is_err(), "{words}");
        }
    }
}
