//! The least of many small numbers, without sorting them: distances of sketches.

/// The distance of an item that is not looked for.
pub(super) const NOWHERE: u16 = u16::MAX;

/// The least of some distances.
pub(super) struct Nearest {
    /// Where they stand, in their order.
    pub(super) places: Vec<usize>,
    /// What each of them is.
    pub(super) distances: Vec<u16>,
    /// The greatest of them, where others are left out.
    pub(super) farthest: Option<u16>,
}

impl Nearest {
    /// The `count` least of these and of others that stand behind them.
    pub(super) fn and(mut self, other: Nearest, count: usize) -> Nearest {
        self.places.extend(other.places);
        self.distances.extend(other.distances);
        let both = nearest(&self.distances, count);
        let places = both.places.into_iter().map(|place| self.places[place]).collect();
        // What either has left out is no nearer than the farthest of its own.
        Nearest { places, ..both }
    }
}

/// The `count` least distances, of equal ones the first. What is [`NOWHERE`] is none of them.
pub(super) fn nearest(distances: &[u16], count: usize) -> Nearest {
    let (farthest, nearer) = farthest(distances, count);
    // Of those at the farthest distance, as many as there is room for.
    let mut room = count - nearer;
    let mut places = Vec::with_capacity(count.min(distances.len()));
    let mut least = Vec::with_capacity(count.min(distances.len()));
    for (block, distances) in distances.chunks(16).enumerate() {
        // Hardly any block holds one that is near, and a block is compared at once.
        if distances.iter().all(|distance| *distance > farthest) {
            continue;
        }
        for (place, &distance) in distances.iter().enumerate().filter(|(_, at)| **at <= farthest) {
            if distance < farthest || room > 0 {
                room -= usize::from(distance == farthest);
                places.push(16 * block + place);
                least.push(distance);
            }
        }
    }
    Nearest { farthest: (farthest < NOWHERE - 1).then_some(farthest), places, distances: least }
}

/// The distance that is the `count`th from the least, and how many are less.
fn farthest(distances: &[u16], count: usize) -> (u16, usize) {
    let most = distances.iter().copied().filter(|distance| *distance != NOWHERE).max().unwrap_or(0);
    // Several counts for each distance, since many items in a row are about as far.
    let mut at_distance = vec![[0_u32; 4]; usize::from(most) + 1];
    let mut count_in = |lane: usize, distance: u16| {
        if let Some(at) = at_distance.get_mut(usize::from(distance)) {
            at[lane] += 1;
        }
    };
    let (fours, rest) = distances.as_chunks::<4>();
    for four in fours {
        for (lane, &distance) in four.iter().enumerate() {
            count_in(lane, distance);
        }
    }
    rest.iter().for_each(|&distance| count_in(0, distance));
    let mut nearer = 0;
    for (distance, lanes) in (0..).zip(&at_distance) {
        let here = lanes.iter().sum::<u32>() as usize;
        if nearer + here >= count {
            return (distance, nearer);
        }
        nearer += here;
    }
    (NOWHERE - 1, nearer)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{NOWHERE, Nearest, nearest};

    proptest! {
        #[test]
        fn the_nearest_of_two_halves_are_the_nearest_of_all(
            distances in prop::collection::vec(prop_oneof![0..9_u16, Just(NOWHERE)], 0..60),
            middle in 0..60_usize,
            count in 1..30_usize,
        ) {
            let middle = middle.min(distances.len());
            let shown = |found: Nearest| (found.places, found.distances, found.farthest);
            let (one, mut other) = (nearest(&distances[..middle], count), nearest(&distances[middle..], count));
            other.places.iter_mut().for_each(|place| *place += middle);
            prop_assert_eq!(shown(one.and(other, count)), shown(nearest(&distances, count)));
        }
    }
}
