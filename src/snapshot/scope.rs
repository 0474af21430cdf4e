//! Whose items a request may see.

use std::sync::Arc;

use super::build::Snapshot;
use crate::inject::SkipReason;

/// Which brand a request names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BrandChoice {
    /// None: the brands that the configuration names are meant.
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

/// The brands of one request, as positions in a snapshot, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub(super) brands: Vec<usize>,
}

impl Snapshot {
    /// The brands that `choice` means here.
    pub fn scope(&self, choice: &BrandChoice) -> Result<Scope, SkipReason> {
        let brands = match choice {
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
        Ok(Scope { brands })
    }
}
