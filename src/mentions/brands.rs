//! The names of a brand as its `brand.toml` gives them.

use super::inflect::Language;
use super::lexicon::Lexicon;
use super::names::{Alias, BrandNames, CasePolicy, LexiconError};
use crate::knowledge::Brand;

impl From<&Brand> for BrandNames {
    fn from(brand: &Brand) -> BrandNames {
        let inflect: Vec<Language> =
            brand.languages.iter().filter_map(|tag| Language::from_tag(tag)).collect();
        let alias = |name: &String| Alias {
            inflect: inflect.clone(),
            case: if brand.exact.contains(name) { CasePolicy::Exact } else { CasePolicy::Auto },
            require_any: brand.context.clone(),
            ..Alias::from(name.as_str())
        };
        // What a competitor is called is also compared with its endings, but nothing is known of its surroundings.
        let rival = |name: &String| Alias { inflect: inflect.clone(), ..Alias::from(name.as_str()) };
        BrandNames {
            id: brand.id.clone(),
            names: std::iter::once(&brand.name).chain(&brand.aliases).map(alias).collect(),
            competitors: brand.competitors.iter().map(rival).collect(),
            excludes: brand.excludes.clone(),
            domains: brand.domains.clone(),
        }
    }
}

impl Lexicon {
    /// The names of all brands of a knowledge folder.
    ///
    /// # Errors
    ///
    /// As [`Lexicon::new`].
    pub fn of_brands(brands: &[Brand]) -> Result<Lexicon, LexiconError> {
        Lexicon::new(&brands.iter().map(BrandNames::from).collect::<Vec<_>>())
    }
}
