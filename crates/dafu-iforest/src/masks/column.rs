//! The sets of rows of one column.

use super::set::{ROWS, Set};
use crate::ladder::Ladder;

/// Thresholds of one column, each with a set of rows.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Number of the column in the data.
    pub(super) index: usize,
    /// Place of the first threshold's set in the table; the place after the last is for rows above all.
    pub(super) first: usize,
    ladder: Ladder,
}

impl Column {
    /// From at least one and less than 2^16 finite thresholds in any order. `first` is the place of the first set.
    pub(super) fn new((index, first): (usize, usize), thresholds: Vec<f64>) -> Self {
        Self {
            index,
            first,
            ladder: Ladder::new(thresholds),
        }
    }

    /// The place of a threshold of this column in the table.
    pub(super) fn place(&self, threshold: f64) -> usize {
        self.first + self.ladder.place(threshold)
    }

    /// Sets of this column: one for each threshold, then that of the rows above all.
    pub(super) fn sets(&self) -> usize {
        self.ladder.count() + 1
    }

    /// Bytes on the heap.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.ladder.bytes()
    }

    /// Puts each row into the set of the lowest threshold that is not less than its value. `sets` are those of
    /// this column, empty, one more than thresholds.
    pub(super) fn scatter(&self, values: &[f64; ROWS], sets: &mut [Set]) {
        self.ladder
            .ranks(values, |row, rank| sets[rank].insert(row));
    }
}
