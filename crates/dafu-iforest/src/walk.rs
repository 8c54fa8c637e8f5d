//! Walking rows side by side through trees that compare single columns and are too large for other ways.

use crate::input::Value;
use crate::node::{Tree, Trees};
use crate::way::WayRule;
use ndarray::{ArrayView2, Axis};

/// Rows that walk a tree side by side. Their loads do not wait for each other.
const LANES: usize = 8;
/// Cells of a block of rows: half of a first-level cache.
const BLOCK_CELLS: usize = 2048;
/// Most groups of `LANES` rows in a block.
const MAX_GROUPS: usize = 32;
/// Trees up to here are walked with a fixed number of steps; deeper ones look for an early end.
const SHALLOW: u32 = 12;

/// Rows in one block for data of this width.
pub(crate) fn block_rows(width: usize) -> usize {
    LANES * (BLOCK_CELLS / LANES / width.max(1)).clamp(1, MAX_GROUPS)
}

/// Buffers of one thread; they grow once.
#[derive(Debug, Default)]
pub(crate) struct Walker {
    /// Groups of rows, each feature by feature with `LANES` values a feature.
    cells: Vec<[f64; LANES]>,
    sums: Vec<[u64; LANES]>,
}

impl Walker {
    /// Sums the values of up to [`block_rows`] rows of finite numbers over all trees, which must be plain.
    pub(crate) fn sums<T: Value>(
        &mut self,
        trees: &Trees,
        rows: ArrayView2<'_, T>,
    ) -> impl Iterator<Item = u64> + '_ {
        let (count, width) = rows.dim();
        self.transpose(rows);
        self.sums.clear();
        self.sums.resize(count.div_ceil(LANES), [0; LANES]);
        // Trees outside, so that the block stays in the first-level cache and what is used of the tree near.
        for tree in trees.iter() {
            for (cells, sums) in self.cells.chunks_exact(width).zip(&mut self.sums) {
                for (sum, at) in sums.iter_mut().zip(leaves(&tree, cells)) {
                    *sum += u64::from(tree.values[at as usize]);
                }
            }
        }
        self.sums.as_flattened().iter().copied().take(count)
    }

    /// Copies rows into groups.
    fn transpose<T: Value>(&mut self, rows: ArrayView2<'_, T>) {
        let (count, width) = rows.dim();
        self.cells.clear();
        self.cells
            .resize(count.div_ceil(LANES) * width, [0.0; LANES]);
        for (group, cells) in self.cells.chunks_exact_mut(width).enumerate() {
            let rows = rows.axis_iter(Axis(0)).skip(group * LANES).take(LANES);
            for (lane, row) in rows.enumerate() {
                for (cell, &value) in cells.iter_mut().zip(row) {
                    cell[lane] = value.into();
                }
            }
        }
    }
}

/// The leaves that a group of rows reaches.
fn leaves(tree: &Tree<'_>, cells: &[[f64; LANES]]) -> [u32; LANES] {
    let mut at = [0; LANES];
    let mut left = tree.depth;
    loop {
        let steps = left.min(SHALLOW);
        left -= steps;
        for _ in 0..steps {
            for (lane, at) in at.iter_mut().enumerate() {
                let node = &tree.nodes[*at as usize];
                *at = node.left + u32::from(cells[node.test()][lane] > node.threshold);
            }
        }
        if left == 0
            || at
                .iter()
                .all(|&at| tree.nodes[at as usize].is_leaf(at as usize))
        {
            return at;
        }
    }
}

/// Sums the values of one row over all trees, whatever they and the row are.
pub(crate) fn sum_of_any_row<T: Value>(trees: &Trees, rule: &WayRule, row: &[T]) -> u64 {
    let cell = |column: usize| row[column].into();
    let sum: i64 = trees.iter().map(|tree| tree.value(rule, cell)).sum();
    sum.max(0).cast_unsigned()
}
