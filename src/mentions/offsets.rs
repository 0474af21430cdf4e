//! Where each byte of a derived text came from. Runs of bytes that were copied as they are cost one entry;
//! what was decoded, composed or folded into other bytes is an atom that cannot be cut.

use std::ops::Range;

/// From offsets of a derived text to offsets of its source.
#[derive(Debug, Clone, Default)]
pub(super) struct Offsets {
    runs: Vec<Run>,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    to: usize,
    to_len: usize,
    from: usize,
    from_len: usize,
    /// Byte by byte; otherwise only the run's two ends have a place in the source.
    linear: bool,
}

impl Offsets {
    /// Appends bytes that are the same in both texts.
    pub(super) fn copy(&mut self, to: usize, from: Range<usize>) {
        if let Some(last) = self.runs.last_mut()
            && last.linear
            && last.to + last.to_len == to
            && last.from + last.from_len == from.start
        {
            last.to_len += from.len();
            last.from_len += from.len();
            return;
        }
        self.runs.push(Run { to, to_len: from.len(), from: from.start, from_len: from.len(), linear: true });
    }

    /// Appends bytes that stand for other bytes as a whole.
    pub(super) fn atom(&mut self, to: Range<usize>, from: Range<usize>) {
        self.runs.push(Run {
            to: to.start,
            to_len: to.len(),
            from: from.start,
            from_len: from.len(),
            linear: false,
        });
    }

    /// The source range of a range; nothing when an end lies inside of an atom.
    pub(super) fn range(&self, to: Range<usize>) -> Option<Range<usize>> {
        Some(self.start(to.start)?..self.end(to.end)?)
    }

    /// The smallest source range that holds all of a range, atoms included.
    pub(super) fn cover(&self, to: Range<usize>) -> Option<Range<usize>> {
        let first = self.run_at(to.start)?;
        let last = self.run_at(to.end.checked_sub(1)?)?;
        let start = if first.linear { first.from + (to.start - first.to) } else { first.from };
        let end = if last.linear { last.from + (to.end - last.to) } else { last.from + last.from_len };
        Some(start..end.max(start))
    }

    fn start(&self, to: usize) -> Option<usize> {
        let run = self.run_at(to)?;
        match to - run.to {
            0 => Some(run.from),
            inside => run.linear.then_some(run.from + inside),
        }
    }

    fn end(&self, to: usize) -> Option<usize> {
        let run = self.run_at(to.checked_sub(1)?)?;
        let inside = to - run.to;
        if inside == run.to_len {
            return Some(run.from + run.from_len);
        }
        run.linear.then_some(run.from + inside)
    }

    fn run_at(&self, to: usize) -> Option<&Run> {
        let index = self.runs.partition_point(|run| run.to <= to).checked_sub(1)?;
        self.runs.get(index).filter(|run| to < run.to + run.to_len)
    }
}

#[cfg(test)]
mod tests {
    use super::Offsets;

    #[test]
    fn atoms_are_not_cut() {
        let mut offsets = Offsets::default();
        offsets.copy(0, 0..3);
        offsets.atom(3..4, 3..8);
        offsets.copy(4, 8..10);
        offsets.atom(6..9, 10..11);
        assert_eq!(offsets.range(1..3), Some(1..3));
        assert_eq!(offsets.range(1..4), Some(1..8));
        assert_eq!(offsets.range(3..6), Some(3..10));
        assert_eq!(offsets.range(6..9), Some(10..11));
        assert_eq!(offsets.range(7..9), None);
        assert_eq!(offsets.range(5..8), None);
        assert_eq!(offsets.cover(5..8), Some(9..11));
        assert_eq!(offsets.range(0..10), None);
    }
}
