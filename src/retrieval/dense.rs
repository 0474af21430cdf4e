//! Nearest neighbours by cosine: sketches of one bit a number say which items may be near, exact cosines
//! which of them are. What else was tried is in `docs/retrieval.md`.

use std::sync::Arc;

use super::admitted::Admitted;
use super::vector::{Vector, cosines, differences, sketch_words};

/// Items whose cosines are computed for one query. Up to so many items the search is exact; beyond, the
/// ten nearest of 100,000 are among them in more than 99 of 100 cases.
const SHORTLIST: usize = 1_024;
/// Vectors whose sketches are compared at a time: their differences stay in the processor's cache.
const BLOCK: usize = 8_192;

/// The distance of an item that is not looked for.
const NOWHERE: u16 = u16::MAX;

/// Vectors of one brand's items. Each item has one for the whole and may have more for its parts.
#[derive(Debug, Default)]
pub(super) struct Dense {
    dimension: usize,
    /// The vectors of each item, the whole first; shared with other snapshots.
    items: Vec<Arc<[Vector]>>,
    /// The sketches of all vectors, in the order of the items.
    sketches: Vec<u64>,
    /// Where the sketches of each item begin, in vectors, and the end of the last.
    starts: Vec<u32>,
}

impl Dense {
    /// From the vectors of each item, the whole first.
    pub(super) fn new(items: Vec<Arc<[Vector]>>) -> Dense {
        let dimension = items.iter().flat_map(|vectors| vectors.iter()).next().map_or(0, Vector::dimension);
        let count: usize = items.iter().map(|vectors| vectors.len()).sum();
        let mut sketches = Vec::with_capacity(count * sketch_words(dimension));
        let mut starts = Vec::with_capacity(items.len() + 1);
        let mut start = 0;
        for vectors in &items {
            starts.push(start);
            start += u32::try_from(vectors.len()).unwrap_or(u32::MAX);
            sketches.extend(vectors.iter().flat_map(Vector::sketch));
        }
        starts.push(start);
        Dense { dimension, items, sketches, starts }
    }

    /// Vectors over all items.
    pub(super) fn len(&self) -> usize {
        self.starts.last().map_or(0, |&end| end as usize)
    }

    /// The vectors of an item.
    pub(super) fn of_item(&self, item: usize) -> &Arc<[Vector]> {
        &self.items[item]
    }

    /// Whether a query can be compared with the items.
    pub(super) fn fits(&self, query: &Vector) -> bool {
        self.dimension != 0 && query.dimension() == self.dimension
    }

    /// The `count` items that are most like a query that [fits](Dense::fits), best first; equal ones in the
    /// order of the items. `among` is where they are looked for; `None`: among all.
    pub(super) fn nearest(&self, query: &Vector, count: usize, among: Option<&Admitted>) -> Vec<usize> {
        let shortlist = self.shortlist(query, SHORTLIST.max(count), among);
        let mut found: Vec<(f32, usize)> =
            shortlist.into_iter().map(|item| (self.cosine(item, query), item)).collect();
        let by_likeness = |a: &(f32, usize), b: &(f32, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if found.len() > count && count > 0 {
            found.select_nth_unstable_by(count - 1, by_likeness);
        }
        found.truncate(count);
        found.sort_unstable_by(by_likeness);
        found.into_iter().map(|(_, item)| item).collect()
    }

    /// The `count` items whose sketches are nearest to the query's; of equally near ones the first.
    fn shortlist(&self, query: &Vector, count: usize, among: Option<&Admitted>) -> Vec<usize> {
        if among.map_or(self.items.len(), Admitted::len) <= count {
            return match among {
                Some(among) => among.places().collect(),
                None => (0..self.items.len()).collect(),
            };
        }
        let mut distances = self.distances(query);
        if let Some(among) = among {
            let others = distances.iter_mut().enumerate().filter(|(item, _)| !among.holds(*item));
            others.for_each(|(_, distance)| *distance = NOWHERE);
        }
        let (farthest, nearer) = self.farthest(&distances, count);
        // Of those at the farthest distance, as many as there is room for.
        let mut room = count - nearer;
        let mut near = Vec::with_capacity(count);
        for (block, distances) in distances.chunks(16).enumerate() {
            // Hardly any block holds one that is near, and a block is compared at once.
            if distances.iter().all(|distance| *distance > farthest) {
                continue;
            }
            for (place, &distance) in distances.iter().enumerate().filter(|(_, at)| **at <= farthest) {
                if distance < farthest || room > 0 {
                    room -= usize::from(distance == farthest);
                    near.push(16 * block + place);
                }
            }
        }
        near
    }

    /// The distance of the item that is the `count`th by it, and how many are nearer.
    fn farthest(&self, distances: &[u16], count: usize) -> (u16, usize) {
        // Several counts for each distance, since many items in a row are about as far.
        let mut at_distance = vec![[0_u32; 4]; 2 * self.dimension + 1];
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

    /// How far each item is: the bits that differ in the whole's sketch and in the nearest one's, which is to
    /// cosines what [`Dense::cosine`] is.
    fn distances(&self, query: &Vector) -> Vec<u16> {
        let farthest = u16::try_from(self.dimension).unwrap_or(u16::MAX / 2);
        let query: Vec<u64> = query.sketch().collect();
        let mut distances = Vec::with_capacity(self.items.len());
        let mut bits = Vec::with_capacity(BLOCK);
        let mut item = 0;
        while item < self.items.len() {
            let start = self.starts[item] as usize;
            // As many whole items as a block holds, and one at least.
            let end = self.starts.partition_point(|&of_item| of_item as usize <= start + BLOCK) - 1;
            let end = end.clamp(item + 1, self.items.len());
            let words = start * query.len()..self.starts[end] as usize * query.len();
            differences(&query, &self.sketches[words], &mut bits);
            for of_item in self.starts[item..=end].windows(2) {
                let of_item = &bits[of_item[0] as usize - start..of_item[1] as usize - start];
                // Every item has a vector; one without would be as far as can be.
                let whole = of_item.first().copied().unwrap_or(farthest);
                distances.push(whole + of_item.iter().copied().min().unwrap_or(whole));
            }
            item = end;
        }
        distances
    }

    /// The likeness of one item to a query that [fits](Dense::fits): the mean of the cosine of the whole and
    /// of the best cosine of whole and parts.
    pub(super) fn cosine(&self, item: usize, query: &Vector) -> f32 {
        let mut cosines = cosines(query, self.items[item].iter());
        let whole = cosines.next().unwrap_or(0.0);
        (whole + cosines.fold(whole, f32::max)) / 2.0
    }

    /// How alike two items are as wholes.
    pub(super) fn likeness(&self, one: usize, other: usize) -> f32 {
        let (Some(one), Some(other)) = (self.items[one].first(), self.items[other].first()) else {
            return 0.0;
        };
        cosines(one, std::iter::once(other)).next().unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Dense, SHORTLIST};
    use crate::retrieval::admitted::Admitted;
    use crate::retrieval::vector::Vector;

    const DIMENSION: usize = 384;

    /// Numbers that look random, from -1 to 1.
    fn numbers(seed: u64) -> impl Iterator<Item = f32> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        std::iter::repeat_with(move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / 8_388_608.0 - 1.0
        })
    }

    /// A vector near the centre of its group.
    fn vector(group: u64, seed: u64) -> Vector {
        let sum: Vec<f32> =
            numbers(group + 1).zip(numbers(seed + 1_000)).take(DIMENSION).map(|(a, b)| a + 0.9 * b).collect();
        let length = sum.iter().map(|number| number * number).sum::<f32>().sqrt();
        Vector::of(&sum.iter().map(|number| number / length).collect::<Vec<_>>())
    }

    #[test]
    fn the_nearest_by_sketch_and_cosine_are_the_nearest_by_cosine() {
        let count = 3 * SHORTLIST;
        let items = (0..count as u64).map(|seed| Arc::from([vector(seed % 64, seed)])).collect();
        let dense = Dense::new(items);
        let (mut found, mut wanted) = (0, 0);
        for query in 0..20 {
            let query = vector(query, 1_000_000 + query);
            let mut exact: Vec<usize> = (0..count).collect();
            exact.sort_by(|&a, &b| {
                dense.cosine(b, &query).total_cmp(&dense.cosine(a, &query)).then(a.cmp(&b))
            });
            let nearest = dense.nearest(&query, 10, None);
            found += nearest.iter().filter(|item| exact[..10].contains(item)).count();
            wanted += 10;
        }
        assert!(found * 100 >= wanted * 99, "{found} of {wanted}");
    }

    #[test]
    fn among_some_the_nearest_are_those_of_an_index_of_these() {
        let vectors: Vec<Arc<[Vector]>> =
            (0..4 * SHORTLIST as u64).map(|seed| Arc::from([vector(seed % 64, seed)])).collect();
        let dense = Dense::new(vectors.clone());
        // Fewer than are looked at closely, and more.
        for every in [2, 7] {
            let admitted = Admitted::new((0..vectors.len()).map(|item| item % every == 1).collect());
            let places: Vec<usize> = admitted.places().collect();
            let alone = Dense::new(places.iter().map(|place| Arc::clone(&vectors[*place])).collect());
            for query in 0..10 {
                let query = vector(query, 1_000_000 + query);
                let expected: Vec<usize> =
                    alone.nearest(&query, 10, None).into_iter().map(|item| places[item]).collect();
                assert_eq!(dense.nearest(&query, 10, Some(&admitted)), expected);
            }
        }
        let none = Admitted::new(vec![false; vectors.len()]);
        assert!(dense.nearest(&vector(1, 1), 10, Some(&none)).is_empty());
    }

    #[test]
    fn of_equal_items_the_first_are_nearest() {
        let dense = Dense::new(vec![Arc::from([vector(1, 1), vector(1, 2)]); 2 * SHORTLIST]);
        assert_eq!((dense.nearest(&vector(1, 3), 3, None), dense.len()), (vec![0, 1, 2], 4 * SHORTLIST));
        assert!(Dense::default().nearest(&vector(1, 3), 3, None).is_empty());
    }
}
