//! Items and vectors that are made up, in groups as real ones are; the same in each run.

use std::path::PathBuf;
use std::sync::Arc;

use foreword::knowledge::{Body, Brand, Item, Origin, Validity};
use foreword::retrieval::{Vector, VectorStore};

/// Numbers of a vector: those of the default model.
pub const DIMENSION: usize = 384;
/// Items of one group.
pub const GROUP: u64 = 100;
/// Words that texts are made of.
const WORDS: u64 = 20_000;

/// Numbers that look random, the same in each run.
pub struct Numbers(u64);

impl Numbers {
    /// Those of a seed.
    pub fn of(seed: u64) -> Numbers {
        let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d);
        numbers.next();
        numbers
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From -1 to 1.
    fn signed(&mut self) -> f32 {
        (self.next() >> 40) as f32 / 8_388_608.0 - 1.0
    }

    /// Some words are far more frequent than others.
    fn word(&mut self) -> String {
        let share = (self.signed() + 1.0) / 2.0;
        format!("w{}", (share.powi(3) * WORDS as f32) as u64)
    }

    /// So many words, separated by spaces.
    pub fn words(&mut self, count: usize) -> String {
        (0..count).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }
}

/// A direction near the centre of its group.
pub fn direction(group: u64, seed: u64, spread: f32) -> Arc<[f32]> {
    let (mut centre, mut own) = (Numbers::of(group), Numbers::of(seed ^ 0xabcd_ef01_2345));
    let sum: Vec<f32> = (0..DIMENSION).map(|_| centre.signed() + spread * own.signed()).collect();
    let length = sum.iter().map(|number| number * number).sum::<f32>().sqrt();
    sum.iter().map(|number| number / length).collect()
}

/// Title, text, and the vectors of both, the whole first.
fn synthetic(number: u64) -> (String, String, [Arc<[f32]>; 2]) {
    let mut numbers = Numbers::of(number);
    let (title, text) = (format!("{} n{number}", numbers.words(3)), numbers.words(24));
    let whole = direction(number / GROUP, 2 * number, 0.9);
    (title, text, [whole, direction(number / GROUP, 2 * number + 1, 1.1)])
}

fn item(number: u64) -> Arc<Item> {
    let (title, text, _) = synthetic(number);
    Arc::new(Item {
        id: format!("big/{number:07}"),
        body: Body::Fact { title, context: Vec::new(), text },
        tags: Vec::new(),
        source: None,
        language: Some("en".to_owned()),
        validity: Validity::default(),
        pinned: false,
        audience: Vec::new(),
        origin: Origin { file: PathBuf::from("big/items.md"), line: 1 },
    })
}

/// A brand of so many facts.
pub fn brand(count: u64) -> Brand {
    Brand {
        id: "big".to_owned(),
        name: "big".to_owned(),
        items: (0..count).map(item).collect(),
        ..Brand::default()
    }
}

/// What the index embeds of an item: the title with the text, and the title.
pub fn put(store: &mut VectorStore, number: u64) {
    let (title, text, [whole, of_title]) = synthetic(number);
    store.put_vector(&format!("{title}. {text}"), Vector::of(&whole));
    store.put_vector(&title, Vector::of(&of_title));
}
