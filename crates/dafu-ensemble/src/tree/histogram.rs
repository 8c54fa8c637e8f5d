//! Sums of gradients by bin.

use crate::tree::bin::{BinnedRows, Bins, LANES, MOST_BINS};
use crate::tree::gradient::Sums;

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

    /// What one of so many columns takes.
    pub(crate) const fn bytes(columns: usize) -> usize {
        (columns.next_multiple_of(LANES) * size_of::<Lane>()).saturating_add(1)
    }

    #[inline]
    pub(crate) fn column(&self, column: usize) -> &Lane {
        &self.lanes[column]
    }

    /// Sums of the rows listed, with their gradients in the same order, for some columns and those in a group with them.
    pub(crate) fn fill(
        &mut self,
        bins: &Bins,
        binned: &BinnedRows,
        wanted: &[usize],
        (rows, gradients): (&[u32], &[Sums]),
    ) {
        let (groups, _) = self.lanes.as_chunks_mut::<LANES>();
        for of_group in wanted.chunk_by(|one, next| one / LANES == next / LANES) {
            let group = of_group.first().map_or(0, |column| column / LANES);
            let (lanes, words) = (&mut groups[group], &binned.groups[group]);
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

    /// Adds the sums of other rows.
    pub(crate) fn add(&mut self, bins: &Bins, wanted: &[usize], other: &Self) {
        for &column in wanted {
            let used = bins.columns[column].len();
            let lanes = self.lanes[column].iter_mut().zip(&other.lanes[column]);
            for (sums, other) in lanes.take(used) {
                sums.add(*other);
            }
        }
    }

    /// Turns the sums of a node into those of one child, by those of the other.
    pub(crate) fn subtract(&mut self, bins: &Bins, wanted: &[usize], other: &Self) {
        for &column in wanted {
            let used = bins.columns[column].len();
            let lanes = self.lanes[column].iter_mut().zip(&other.lanes[column]);
            for (sums, other) in lanes.take(used) {
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
