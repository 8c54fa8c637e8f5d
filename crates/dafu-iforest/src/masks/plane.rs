//! Splits by sums over columns, as sets of rows.

use super::set::{ROWS, Set};
use crate::form::Term;
use crate::node::{Node, Tree};

/// A plane is compared for all rows of a block when at least this share of the training rows came to its node; for a
/// smaller one only the rows that come to it are looked at.
const ALL_ROWS_FROM: f64 = 0.2;
/// Rows that are compared in one go: a byte of each word of a set.
const TOGETHER: usize = 64;

/// A split by a sum over numeric columns.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    terms: Box<[Term]>,
    threshold: f64,
    /// Whether to compare all rows of a block.
    all_rows: bool,
}

/// The values of a block, column by column.
pub(super) type Cells = [[f64; ROWS]];

impl Plane {
    /// The plane of a node, if it has one.
    pub(super) fn of(tree: &Tree<'_>, at: usize, width: usize) -> Option<Self> {
        let node: &Node = &tree.nodes[at];
        let form = tree.forms[node.test().checked_sub(width)?];
        let share = f64::from(tree.counts[at]) / f64::from(tree.counts[0]);
        Some(Self {
            terms: tree.terms[form.terms()].into(),
            threshold: node.threshold,
            all_rows: share >= ALL_ROWS_FROM,
        })
    }

    /// Time for a row in picoseconds, see [`COLUMN_COST`](super::COLUMN_COST), when this share of the rows comes.
    pub(super) fn cost(&self, share: f64) -> f64 {
        if self.all_rows {
            200.0 * self.terms.len() as f64
        } else {
            40.0 + 2000.0 * share
        }
    }

    /// Bytes on the heap.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.terms)
    }

    /// Writes which rows lie on the left, as far as they are `here`; rows that are not may be in the set or not.
    ///
    /// `MISSING` says whether some values may be missing, for which terms have a stand-in.
    pub(super) fn left_of<const MISSING: bool>(&self, cells: &Cells, here: &Set, left: &mut Set) {
        if !self.all_rows {
            self.left_of_few::<MISSING>(cells, here, left);
            return;
        }
        *left = Set::EMPTY;
        let threshold = self.threshold;
        if let ([a, b], false) = (&*self.terms, MISSING) {
            let (x, y) = (&cells[a.column as usize], &cells[b.column as usize]);
            let (a, b) = (a.coefficient, b.coefficient);
            let (x, _) = x.as_chunks::<TOGETHER>();
            let (y, _) = y.as_chunks::<TOGETHER>();
            for (part, (x, y)) in x.iter().zip(y).enumerate() {
                let mut flags = [0_u8; TOGETHER];
                for ((flag, x), y) in flags.iter_mut().zip(x).zip(y) {
                    *flag = u8::from(a * x + b * y > threshold);
                }
                left.or_bytes(&flags, part);
            }
        } else {
            for part in 0..ROWS / TOGETHER {
                let flags = self.flags::<MISSING>(cells, part);
                left.or_bytes(&flags, part);
            }
        }
        left.complement();
    }

    /// For 64 rows whether they lie on the right.
    fn flags<const MISSING: bool>(&self, cells: &Cells, part: usize) -> [u8; TOGETHER] {
        let mut sums = [0.0; TOGETHER];
        for term in &self.terms {
            let column = &cells[term.column as usize][part * TOGETHER..][..TOGETHER];
            let coefficient = term.coefficient;
            for (sum, &value) in sums.iter_mut().zip(column) {
                *sum += if MISSING && value.is_nan() {
                    term.absent
                } else {
                    coefficient * value
                };
            }
        }
        // Not `<=`: what is no number goes left everywhere else, too.
        sums.map(|sum| u8::from(sum > self.threshold))
    }

    fn left_of_few<const MISSING: bool>(&self, cells: &Cells, here: &Set, left: &mut Set) {
        let threshold = self.threshold;
        if let ([a, b], false) = (&*self.terms, MISSING) {
            let (x, y) = (&cells[a.column as usize], &cells[b.column as usize]);
            let (a, b) = (a.coefficient, b.coefficient);
            left.set_those(here, |row| {
                a * x[row % ROWS] + b * y[row % ROWS] > threshold
            });
            return;
        }
        left.set_those(here, |row| {
            let added = self.terms.iter().map(|term| {
                let value = cells[term.column as usize][row % ROWS];
                if MISSING && value.is_nan() {
                    term.absent
                } else {
                    term.coefficient * value
                }
            });
            added.fold(0.0, |sum, added| sum + added) > threshold
        });
    }
}
