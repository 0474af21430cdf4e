//! Whose items a request may see.

use super::build::Snapshot;
use crate::inject::SkipReason;

/// Which brand a request names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BrandChoice {
    /// None: the brands that the configuration names are meant.
    Default,
    /// The one that the path or a header names.
    Named(String),
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
        };
        if brands.iter().all(|&brand| self.brands[brand].is_empty()) {
            return Err(SkipReason::NoItems);
        }
        Ok(Scope { brands })
    }
}
