//! Nearest neighbours by cosine: sketches of one bit a number say which items may be near, exact cosines
//! which of them are. What else was tried is in `docs/retrieval.md`.

use std::ops::Range;
use std::sync::Arc;

use super::admitted::Admitted;
use super::kept::Kept;
use super::nearest::{NOWHERE, Nearest, nearest};
use super::vector::{Probe, Vector, cosines, distances, fetch, sketch_words};
use crate::parallel;

/// Items whose cosines are computed for one query. Up to so many items the search is exact; beyond, the
/// ten nearest of 100,000 are among them in more than 99 of 100 cases.
const SHORTLIST: usize = 2_048;
/// For each of these, items whose parts are compared: those with the nearest wholes.
const LONGER: usize = 2;

/// Items from which a search takes milliseconds, far more than a thread does: it is spread.
pub(super) const MANY: usize = 250_000;

/// Items whose vectors are brought near the processor before their cosines are computed: as many as stay there.
const AT_ONCE: usize = 128;

/// The items that are most like a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Near {
    /// Best first; equal ones in the order of the items.
    pub(super) items: Vec<usize>,
    /// `None`: of all items.
    reach: Option<Reach>,
}

/// What an item must come within to be looked at closely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// A distance of the whole's sketch.
    Whole(u16),
    /// A distance of whole and parts, where the wholes of all items are near enough.
    Joined(u16),
}

impl Near {
    /// Whether they may be [still near](Dense::still_near) after a change.
    pub(super) fn may_be_kept(&self) -> bool {
        self.reach.is_some()
    }
}

/// What has changed since an earlier state.
pub(super) struct Changes<'a> {
    pub(super) earlier: &'a Dense,
    /// The places in the earlier state of items that are gone.
    pub(super) gone: Vec<usize>,
    /// The places of items that have come.
    pub(super) new: Vec<usize>,
    /// Where each item of the earlier state is now.
    pub(super) now: Vec<Option<usize>>,
}

/// Vectors of one brand's items. Each item has one for the whole and may have more for its parts.
#[derive(Debug, Default)]
pub(super) struct Dense {
    dimension: usize,
    /// The vectors of each item, the whole first; shared with other snapshots.
    items: Vec<Arc<[Vector]>>,
    /// The sketch of each item's whole.
    wholes: Vec<u64>,
    /// The sketches of all parts, in the order of the items.
    parts: Vec<u64>,
    /// Where the sketches of each item's parts begin, in vectors, and the end of the last.
    starts: Vec<u32>,
}

impl Dense {
    /// From the vectors of each item, the whole first. The sketches of items that are kept are taken over.
    pub(super) fn new(items: Vec<Arc<[Vector]>>, kept: Option<&Kept<'_>>) -> Dense {
        let dimension = items.iter().flat_map(|vectors| vectors.iter()).next().map_or(0, Vector::dimension);
        let words = sketch_words(dimension);
        let of_parts: usize = items.iter().map(|vectors| vectors.len().saturating_sub(1)).sum();
        let mut dense = Dense {
            dimension,
            wholes: Vec::with_capacity(items.len() * words),
            parts: Vec::with_capacity(of_parts * words),
            starts: Vec::with_capacity(items.len() + 1),
            ..Dense::default()
        };
        for (place, vectors) in items.iter().enumerate() {
            dense.starts.push(dense.next_part());
            match kept.and_then(|kept| Some((kept.earlier.dense.as_ref()?, kept.place(place)?))) {
                Some((earlier, place)) => {
                    dense.wholes.extend_from_slice(earlier.whole(place));
                    dense.parts.extend_from_slice(earlier.parts_of(place));
                }
                None => {
                    let Some((whole, parts)) = vectors.split_first() else {
                        // Every item has a vector. The sketch of one without would say nothing.
                        dense.wholes.resize(dense.wholes.len() + words, 0);
                        continue;
                    };
                    dense.wholes.extend(whole.sketch());
                    dense.parts.extend(parts.iter().flat_map(Vector::sketch));
                }
            }
        }
        dense.starts.push(dense.next_part());
        dense.items = items;
        dense
    }

    /// The number of the part that comes next.
    fn next_part(&self) -> u32 {
        u32::try_from(self.parts.len() / sketch_words(self.dimension).max(1)).unwrap_or(u32::MAX)
    }

    /// The sketch of an item's whole.
    fn whole(&self, item: usize) -> &[u64] {
        let words = sketch_words(self.dimension);
        self.wholes.get(item * words..(item + 1) * words).unwrap_or_default()
    }

    /// The sketches of an item's parts, one after the other.
    fn parts_of(&self, item: usize) -> &[u64] {
        let words = sketch_words(self.dimension);
        let parts = self.starts[item] as usize * words..self.starts[item + 1] as usize * words;
        self.parts.get(parts).unwrap_or_default()
    }

    /// Vectors over all items.
    pub(super) fn len(&self) -> usize {
        self.items.len() + self.starts.last().map_or(0, |&end| end as usize)
    }

    /// The vectors of an item.
    pub(super) fn of_item(&self, item: usize) -> &Arc<[Vector]> {
        &self.items[item]
    }

    /// Whether a query can be compared with the items.
    pub(super) fn fits(&self, query: &Vector) -> bool {
        self.dimension != 0 && query.dimension() == self.dimension
    }

    /// The `count` items that are most like a query that [fits](Dense::fits). `among` is where they are looked
    /// for; `None`: among all.
    pub(super) fn near(&self, query: &Vector, count: usize, among: Option<&Admitted>) -> Near {
        let (shortlist, reach) = self.shortlist(query, SHORTLIST.max(count), among);
        let (one, other) = shortlist.split_at(shortlist.len() / 2);
        let mut found = match self.items.len() {
            MANY.. => {
                let (one, other) =
                    parallel::both(|| self.likenesses(one, query), || self.likenesses(other, query));
                [one, other].concat()
            }
            _ => self.likenesses(&shortlist, query),
        };
        let by_likeness = |a: &(f32, usize), b: &(f32, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if found.len() > count && count > 0 {
            found.select_nth_unstable_by(count - 1, by_likeness);
        }
        found.truncate(count);
        found.sort_unstable_by(by_likeness);
        Near { items: found.into_iter().map(|(_, item)| item).collect(), reach }
    }

    /// The likeness of items to a query, with the items.
    fn likenesses(&self, items: &[usize], query: &Vector) -> Vec<(f32, usize)> {
        let mut found = Vec::with_capacity(items.len());
        for items in items.chunks(AT_ONCE) {
            fetch(items.iter().flat_map(|&item| self.items[item].iter()));
            found.extend(items.iter().map(|&item| (self.cosine(item, query), item)));
        }
        found
    }

    /// Those that were the nearest to a query in an earlier state, if no change since can have touched them: they
    /// come from the items within their reach, and none has come there or gone.
    pub(super) fn still_near(&self, near: &Near, query: &Vector, changes: &Changes<'_>) -> Option<Near> {
        let reach = near.reach?;
        let query = Probe::of(query);
        let beyond = |dense: &Dense, item: usize| {
            let whole = dense.whole_distance(item, &query);
            match reach {
                Reach::Whole(reach) => whole > reach,
                Reach::Joined(reach) => dense.joined(&[item], &[whole], &query)[0] > reach,
            }
        };
        // Neither are all looked at closely now, nor some of them no more.
        let as_before = self.items.len() > SHORTLIST
            && (matches!(reach, Reach::Whole(_)) || self.items.len() <= LONGER * SHORTLIST);
        let untouched = as_before
            && changes.gone.iter().all(|&item| beyond(changes.earlier, item))
            && changes.new.iter().all(|&item| beyond(self, item));
        let items =
            untouched.then(|| near.items.iter().map(|&item| changes.now[item]).collect::<Option<_>>());
        Some(Near { items: items.flatten()?, reach: near.reach })
    }

    /// The `count` items whose sketches are nearest to the query's, among those whose wholes are.
    fn shortlist(
        &self,
        query: &Vector,
        count: usize,
        among: Option<&Admitted>,
    ) -> (Vec<usize>, Option<Reach>) {
        if among.map_or(self.items.len(), Admitted::len) <= count {
            let all = match among {
                Some(among) => among.places().collect(),
                None => (0..self.items.len()).collect(),
            };
            return (all, None);
        }
        let query = Probe::of(query);
        let (all, middle) = (self.items.len(), self.items.len() / 2);
        let likely = |items| self.nearest_wholes(items, &query, LONGER * count, among);
        let likely = match all {
            MANY.. => {
                let (one, other) = parallel::both(|| likely(0..middle), || likely(middle..all));
                one.and(other, LONGER * count)
            }
            _ => likely(0..all),
        };
        let near = nearest(&self.joined(&likely.places, &likely.distances, &query), count);
        let reach = match likely.farthest {
            Some(farthest) => Some(Reach::Whole(farthest)),
            None => near.farthest.map(Reach::Joined),
        };
        (near.places.into_iter().map(|place| likely.places[place]).collect(), reach)
    }

    /// Those of some items in a row whose wholes are nearest to a query.
    fn nearest_wholes(
        &self,
        items: Range<usize>,
        query: &Probe,
        count: usize,
        among: Option<&Admitted>,
    ) -> Nearest {
        let words = sketch_words(self.dimension);
        let sketches = self.wholes.get(items.start * words..items.end * words).unwrap_or_default();
        let mut distances = distances(query, sketches);
        if let Some(among) = among {
            let others = distances.iter_mut().zip(items.clone()).filter(|(_, item)| !among.holds(*item));
            others.for_each(|(distance, _)| *distance = NOWHERE);
        }
        let mut nearest = nearest(&distances, count);
        nearest.places.iter_mut().for_each(|place| *place += items.start);
        nearest
    }

    /// How far items are from a query, by the distances of their wholes: these, and besides that of the nearest
    /// of whole and parts. To distances of sketches it is what [`Dense::cosine`] is to cosines.
    fn joined(&self, items: &[usize], of_wholes: &[u16], query: &Probe) -> Vec<u16> {
        let parts: Vec<u64> = items.iter().flat_map(|&item| self.parts_of(item)).copied().collect();
        let mut of_parts = distances(query, &parts).into_iter();
        let joined = |(&item, &whole): (&usize, &u16)| {
            let count = (self.starts[item + 1] - self.starts[item]) as usize;
            whole + of_parts.by_ref().take(count).fold(whole, u16::min)
        };
        items.iter().zip(of_wholes).map(joined).collect()
    }

    fn whole_distance(&self, item: usize, query: &Probe) -> u16 {
        distances(query, self.whole(item)).first().copied().unwrap_or(NOWHERE)
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

    use proptest::prelude::*;

    use super::{Changes, Dense, SHORTLIST};
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
        let dense = Dense::new(items, None);
        let (mut found, mut wanted) = (0, 0);
        for query in 0..20 {
            let query = vector(query, 1_000_000 + query);
            let mut exact: Vec<usize> = (0..count).collect();
            exact.sort_by(|&a, &b| {
                dense.cosine(b, &query).total_cmp(&dense.cosine(a, &query)).then(a.cmp(&b))
            });
            let nearest = dense.near(&query, 10, None).items;
            found += nearest.iter().filter(|item| exact[..10].contains(item)).count();
            wanted += 10;
        }
        assert!(found * 100 >= wanted * 99, "{found} of {wanted}");
    }

    #[test]
    fn among_some_the_nearest_are_those_of_an_index_of_these() {
        let vectors: Vec<Arc<[Vector]>> =
            (0..4 * SHORTLIST as u64).map(|seed| Arc::from([vector(seed % 64, seed)])).collect();
        let dense = Dense::new(vectors.clone(), None);
        // Fewer than are looked at closely, and more.
        for every in [2, 7] {
            let admitted = Admitted::new((0..vectors.len()).map(|item| item % every == 1).collect());
            let places: Vec<usize> = admitted.places().collect();
            let alone = Dense::new(places.iter().map(|place| Arc::clone(&vectors[*place])).collect(), None);
            for query in 0..10 {
                let query = vector(query, 1_000_000 + query);
                let expected: Vec<usize> =
                    alone.near(&query, 10, None).items.into_iter().map(|item| places[item]).collect();
                assert_eq!(dense.near(&query, 10, Some(&admitted)).items, expected);
            }
        }
        let none = Admitted::new(vec![false; vectors.len()]);
        assert!(dense.near(&vector(1, 1), 10, Some(&none)).items.is_empty());
    }

    #[test]
    fn of_equal_items_the_first_are_nearest() {
        let dense = Dense::new(vec![Arc::from([vector(1, 1), vector(1, 2)]); 2 * SHORTLIST], None);
        assert_eq!((dense.near(&vector(1, 3), 3, None).items, dense.len()), (vec![0, 1, 2], 4 * SHORTLIST));
        assert!(Dense::default().near(&vector(1, 3), 3, None).items.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]

        #[test]
        fn what_no_change_has_touched_is_still_near(
            many in any::<bool>(),
            edits in prop::collection::vec((0..8 * SHORTLIST, 0..3_u8, any::<u32>()), 1..3),
        ) {
            // Of 64 numbers, so that many items are equally far. Of few items all wholes are near enough.
            let count = if many { 8 * SHORTLIST } else { SHORTLIST + 1 };
            let short = |seed: u64| Vector::of(&numbers(seed).take(64).map(|at| at / 8.0).collect::<Vec<_>>());
            let before: Vec<Arc<[Vector]>> =
                (0..count as u64).map(|seed| Arc::from([short(seed), short(seed + 50_000)])).collect();
            // Each item with where it was.
            let mut after: Vec<_> = before.iter().cloned().zip((0..).map(Some)).collect();
            for (place, edit, seed) in edits {
                let place = place % after.len();
                let new = (Arc::from([short(u64::from(seed) + 100_000)]), None);
                match edit {
                    0 => after[place] = new,
                    1 => after.insert(place, new),
                    _ => drop(after.remove(place)),
                }
            }
            let mut now = vec![None; before.len()];
            for (place, (_, was)) in after.iter().enumerate() {
                if let Some(was) = was {
                    now[*was] = Some(place);
                }
            }
            let earlier = Dense::new(before, None);
            let changes = Changes {
                earlier: &earlier,
                gone: (0..now.len()).filter(|place| now[*place].is_none()).collect(),
                new: (0..after.len()).filter(|place| after[*place].1.is_none()).collect(),
                now,
            };
            let dense = Dense::new(after.into_iter().map(|(vectors, _)| vectors).collect(), None);
            let mut kept = 0;
            for query in (0..40).map(|seed| short(seed + 1_000_000)) {
                if let Some(still) = dense.still_near(&earlier.near(&query, 10, None), &query, &changes) {
                    prop_assert_eq!(still, dense.near(&query, 10, None));
                    kept += 1;
                }
            }
            // Of few items nearly all are within reach, and where one is gone all are looked at.
            prop_assert!(kept > 0 || !many);
        }
    }
}
