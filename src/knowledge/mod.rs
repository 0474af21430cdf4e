//! A knowledge folder becomes brands and items: loading, validation, cutting, ids. It does not search
//! and does not watch.

mod brand;
mod bulk;
mod collect;
mod cut;
mod files;
mod filter;
mod item;
mod load;
mod markdown;
mod plain;

pub use files::Limits;
pub use filter::Filter;
pub use item::{Body, Brand, Disclosure, Item, Knowledge, Origin, Validity};
pub use load::{Loaded, Reader, load};
