//! Exact nearest neighbours by inner product, which is the cosine where all vectors have length 1.

use std::sync::Arc;

/// Vectors of one brand's items, one after the other. Each item has one for the whole and may have more
/// for its parts.
#[derive(Debug, Default)]
pub(super) struct Dense {
    dimension: usize,
    numbers: Vec<f32>,
    /// Where the vectors of each item begin, and the end of the last.
    starts: Vec<usize>,
}

impl Dense {
    /// From the vectors of each item, the whole first.
    pub(super) fn new(items: &[Vec<Arc<[f32]>>]) -> Dense {
        let mut dense = Dense {
            dimension: items.iter().flatten().next().map_or(0, |vector| vector.len()),
            numbers: Vec::new(),
            starts: vec![0],
        };
        for vectors in items {
            for vector in vectors {
                dense.numbers.extend_from_slice(vector);
            }
            dense.starts.push(dense.starts[dense.starts.len() - 1] + vectors.len());
        }
        dense
    }

    /// The likeness of each item to the query, in the order of the items: the mean of the cosine of the
    /// whole and of the best cosine of whole and parts. Empty where the dimensions differ, which the
    /// identity of the model rules out.
    pub(super) fn cosines(&self, query: &[f32]) -> Vec<f32> {
        if !self.fits(query) {
            return Vec::new();
        }
        (0..self.starts.len() - 1).map(|item| self.cosine(item, query)).collect()
    }

    /// Vectors over all items.
    pub(super) fn len(&self) -> usize {
        self.starts[self.starts.len() - 1]
    }

    /// Whether a query can be compared with the items.
    pub(super) fn fits(&self, query: &[f32]) -> bool {
        self.dimension != 0 && query.len() == self.dimension
    }

    /// The likeness of one item to a query that [fits](Dense::fits).
    pub(super) fn cosine(&self, item: usize, query: &[f32]) -> f32 {
        let range = self.starts[item] * self.dimension..self.starts[item + 1] * self.dimension;
        let mut cosines = self.numbers[range].chunks_exact(self.dimension).map(|vector| dot(vector, query));
        let whole = cosines.next().unwrap_or(0.0);
        (whole + cosines.fold(whole, f32::max)) / 2.0
    }

    /// How alike two items are as wholes.
    pub(super) fn likeness(&self, one: usize, other: usize) -> f32 {
        let whole = |item: usize| {
            let start = self.starts[item] * self.dimension;
            &self.numbers[start..start + self.dimension]
        };
        dot(whole(one), whole(other))
    }
}

/// The `count` best, best first; equal ones in the order of the items.
pub(super) fn best(scores: &[f32], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    let by_score = |a: &usize, b: &usize| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b));
    if order.len() > count && count > 0 {
        order.select_nth_unstable_by(count - 1, by_score);
        order.truncate(count);
    }
    order.sort_unstable_by(by_score);
    order
}

/// Sums side by side: enough of them that the processor need not wait for one addition before the next.
const LANES: usize = 32;

/// The inner product. The compiler turns the lanes into vector instructions, and the order of the
/// additions is the same on every machine.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::best;

    #[test]
    fn equal_scores_keep_the_order_of_the_items() {
        assert_eq!(best(&[0.5, 0.9, 0.5, 0.9, 0.1], 3), [1, 3, 0]);
        assert_eq!(best(&[], 3), Vec::<usize>::new());
        assert_eq!(best(&[0.1], 0), [0]);
    }
}
