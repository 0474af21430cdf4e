//! Of the candidates that hold, those that count: the longest where several overlap.

use std::ops::Range;

use super::findings::{Rejection, Rule};

/// Something that stands in the folded text and holds against the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// In the folded text, with its ending.
    pub(super) range: Range<usize>,
    pub(super) what: What,
}

/// What a candidate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A name, by the index of its entry, and the rule that found it.
    Name(usize, Rule),
    /// An excluded phrase: it takes its place and is no mention.
    Exclude,
}

/// Candidates that do not overlap, in the order of the text, and those that others stand over.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    pub(super) taken: Vec<Candidate>,
    pub(super) beaten: Vec<(Candidate, Rejection)>,
}

/// From left to right, the longest at each place.
pub(super) fn longest(mut candidates: Vec<Candidate>) -> Chosen {
    candidates.sort_by(|a, b| a.range.start.cmp(&b.range.start).then(b.range.end.cmp(&a.range.end)));
    let mut chosen = Chosen::default();
    for candidate in candidates {
        match chosen.taken.last().filter(|last| candidate.range.start < last.range.end) {
            // One name by two ways: as it is and by its stem.
            Some(last) if *last == candidate => {}
            Some(last) if last.what == What::Exclude => chosen.beaten.push((candidate, Rejection::Excluded)),
            Some(_) => chosen.beaten.push((candidate, Rejection::LongerName)),
            None => chosen.taken.push(candidate),
        }
    }
    chosen
}

/// Whether a range touches one of ranges that are in order and do not overlap.
pub(super) fn touches(ordered: &[Range<usize>], range: &Range<usize>) -> bool {
    let next = ordered.partition_point(|other| other.end <= range.start);
    ordered.get(next).is_some_and(|other| other.start < range.end)
}

#[cfg(test)]
mod tests {
    use super::{Candidate, What, longest, touches};
    use crate::mentions::findings::{Rejection, Rule};

    #[test]
    fn the_longest_stands() {
        let name = |start, end, entry| Candidate { range: start..end, what: What::Name(entry, Rule::Exact) };
        let exclude = Candidate { range: 20..30, what: What::Exclude };
        let chosen =
            longest(vec![name(3, 6, 1), name(0, 6, 2), exclude.clone(), name(20, 24, 3), name(0, 6, 2)]);
        assert_eq!(chosen.taken, [name(0, 6, 2), exclude]);
        assert_eq!(
            chosen.beaten,
            [(name(3, 6, 1), Rejection::LongerName), (name(20, 24, 3), Rejection::Excluded)]
        );
    }

    #[test]
    fn ranges_that_meet_do_not_touch() {
        let ordered = [2..4, 8..9];
        for (range, expected) in
            [(0..2, false), (0..3, true), (3..5, true), (4..8, false), (7..12, true), (9..12, false)]
        {
            assert_eq!(touches(&ordered, &range), expected, "{range:?}");
        }
    }
}
