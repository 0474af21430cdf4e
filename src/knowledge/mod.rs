//! A knowledge folder becomes brands and items: loading, validation, cutting, ids. It does not search
//! and does not watch.

mod item;

pub use item::{Body, Brand, Item, Knowledge, Origin, Validity};
