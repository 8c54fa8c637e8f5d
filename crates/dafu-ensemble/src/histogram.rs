//! Sums of gradients by bin.

use crate::bin::{BinnedRows, Bins, LANES, MOST_BINS};
use crate::gradient::Sums;

type Lane = [Sums; MOST_BINS];

/// Sums of the rows of a node, by column and bin.
#[derive(Debug)]
pub(crate) struct Histogram {
    /// One a column, in full groups.
    lanes: Vec<Lane>,
}

impl Histogram {
    pub(crate) fn new(columns: usize) -> Self {
        let lanes = columns.next_multiple_of(LANES);
        Self {
            lanes: vec![[Sums::default(); MOST_BINS]; lanes],
        }
    }

    #[inline]
    pub(crate) fn column(&self, column: usize) -> &Lane {
        &self.lanes[column]
    }

    /// Sums of the rows listed; `gradients` in the order of the list.
    pub(crate) fn fill(
        &mut self,
        bins: &Bins,
        binned: &BinnedRows,
        rows: &[u32],
        gradients: &[Sums],
    ) {
        let (groups, _) = self.lanes.as_chunks_mut::<LANES>();
        for (group, (lanes, words)) in groups.iter_mut().zip(&binned.groups).enumerate() {
            let columns = &bins.columns[group * LANES..];
            let used = columns.len().min(LANES);
            for (lane, column) in lanes.iter_mut().zip(columns) {
                lane[..column.len()].fill(Sums::default());
            }
            match used {
                1 => add::<1>(lanes, words, rows, gradients),
                2 => add::<2>(lanes, words, rows, gradients),
                3 => add::<3>(lanes, words, rows, gradients),
                4 => add::<4>(lanes, words, rows, gradients),
                5 => add::<5>(lanes, words, rows, gradients),
                6 => add::<6>(lanes, words, rows, gradients),
                7 => add::<7>(lanes, words, rows, gradients),
                _ => add::<8>(lanes, words, rows, gradients),
            }
        }
    }

    /// Turns the sums of a node into those of one child, by those of the other.
    pub(crate) fn subtract(&mut self, bins: &Bins, other: &Self) {
        let lanes = self.lanes.iter_mut().zip(&other.lanes);
        for ((lane, other), column) in lanes.zip(&bins.columns) {
            for (sums, other) in lane.iter_mut().zip(other).take(column.len()) {
                *sums = sums.less(*other);
            }
        }
    }
}

#[inline(never)]
fn add<const USED: usize>(
    lanes: &mut [Lane; LANES],
    words: &[[u8; LANES]],
    rows: &[u32],
    gradients: &[Sums],
) {
    for (row, sums) in rows.iter().zip(gradients) {
        let Some(word) = words.get(*row as usize) else {
            continue;
        };
        for lane in 0..USED {
            lanes[lane][usize::from(word[lane])].add(*sums);
        }
    }
}
