//! Whose items a request may see.

use std::sync::Arc;

use super::state::Snapshot;
use crate::inject::SkipReason;
use crate::knowledge::Filter;

/// Which brand a request names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum BrandChoice {
    /// None: the brands that the configuration names are meant.
    #[default]
    Default,
    /// The one that the path or a header names.
    Named(String),
    /// Those of a client's key.
    Listed(Arc<[String]>),
}

impl BrandChoice {
    /// The choice of a client who may see these brands alone. Another brand is to it as one that is not there.
    #[must_use]
    pub fn within(self, brands: &Arc<[String]>) -> BrandChoice {
        match self {
            BrandChoice::Named(name) if brands.contains(&name) => BrandChoice::Named(name),
            BrandChoice::Default | BrandChoice::Listed(_) => BrandChoice::Listed(Arc::clone(brands)),
            BrandChoice::Named(_) => BrandChoice::Listed(Arc::new([])),
        }
    }
}

/// What a request may be told: the items of its brands that its filter admits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Choice {
    /// The brands.
    pub brand: BrandChoice,
    /// Which of their items.
    pub filter: Filter,
}

impl From<BrandChoice> for Choice {
    /// All that is for everybody.
    fn from(brand: BrandChoice) -> Choice {
        Choice { brand, filter: Filter::default() }
    }
}

/// The brands of one request, as positions in a snapshot, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub(super) brands: Vec<usize>,
    pub(super) filter: Filter,
}

impl Snapshot {
    /// What `choice` means here.
    pub fn scope(&self, choice: &Choice) -> Result<Scope, SkipReason> {
        let brands = match &choice.brand {
            BrandChoice::Default => self.default_brands.clone(),
            BrandChoice::Named(name) => {
                vec![self.brands.iter().position(|brand| brand.id == *name).ok_or(SkipReason::UnknownBrand)?]
            }
            BrandChoice::Listed(names) => {
                let listed: Vec<usize> =
                    (0..self.brands.len()).filter(|&brand| names.contains(&self.brands[brand].id)).collect();
                if listed.is_empty() {
                    return Err(SkipReason::UnknownBrand);
                }
                listed
            }
        };
        if brands.iter().all(|&brand| self.brands[brand].is_empty()) {
            return Err(SkipReason::NoItems);
        }
        Ok(Scope { brands, filter: choice.filter.clone() })
    }
}
