//! Walking rows through all trees: sums of path lengths, as whole numbers.

use crate::IsolationForestError;
use crate::node::{Node, Tree, Trees};
use ndarray::{ArrayView1, ArrayView2, Axis};

/// Rows that walk a tree side by side. Their loads do not wait for each other.
const LANES: usize = 8;
/// Trees that one row walks side by side.
const TREES_AT_ONCE: usize = 8;
/// Cells of a block of rows: half of a first-level cache.
const BLOCK_CELLS: usize = 2048;
/// Most groups of `LANES` rows in a block.
const MAX_GROUPS: usize = 32;
/// Trees up to here are walked with a fixed number of steps; deeper ones look for an early end.
const SHALLOW: u32 = 12;
/// Nodes of a window in which a tree of up to eight levels lies.
const WINDOW: usize = 512;
/// Features up to which a group of rows has a fixed length.
const NARROW: usize = 16;

/// Rows in one block for data of this width.
pub(crate) fn block_rows(width: usize) -> usize {
    LANES * (BLOCK_CELLS / LANES / stride_of(width)).clamp(1, MAX_GROUPS)
}

/// Features that a group has room for.
fn stride_of(width: usize) -> usize {
    width.max(NARROW)
}

/// Buffers of one thread; they grow once.
#[derive(Debug, Default)]
pub(crate) struct Walker {
    /// Groups of rows, each feature by feature with `LANES` values a feature.
    cells: Vec<[f64; LANES]>,
    sums: Vec<[u64; LANES]>,
}

impl Walker {
    /// Sums the path lengths of up to [`block_rows`] rows over all trees.
    ///
    /// `first_row` is the number of the first row in the caller's data, for messages.
    pub(crate) fn sums(
        &mut self,
        trees: &Trees,
        rows: ArrayView2<'_, f64>,
        first_row: usize,
    ) -> Result<impl Iterator<Item = u64> + '_, IsolationForestError> {
        let (count, width) = rows.dim();
        let stride = stride_of(width);
        self.transpose(rows, first_row, stride)?;
        self.sums.clear();
        self.sums.resize(count.div_ceil(LANES), [0; LANES]);
        let (starts, nodes, _) = trees.parts();
        // Trees outside, so that one tree and the block stay in the first-level cache.
        for (tree, &start) in trees.iter().zip(starts) {
            let window = nodes
                .get(start..start + WINDOW)
                .and_then(|part| part.try_into().ok());
            let window = window.filter(|_| tree.nodes.len() <= WINDOW);
            for (cells, sums) in self.cells.chunks_exact(stride).zip(&mut self.sums) {
                let at = match (window, cells.try_into()) {
                    (Some(window), Ok(cells)) => leaves_narrow(&tree, window, cells),
                    _ => leaves(&tree, cells),
                };
                for (sum, at) in sums.iter_mut().zip(at) {
                    *sum += u64::from(tree.paths[at as usize]);
                }
            }
        }
        Ok(self.sums.as_flattened().iter().copied().take(count))
    }

    /// Copies rows into groups and checks that all values are finite.
    fn transpose(
        &mut self,
        rows: ArrayView2<'_, f64>,
        first_row: usize,
        stride: usize,
    ) -> Result<(), IsolationForestError> {
        let count = rows.nrows();
        self.cells.clear();
        self.cells
            .resize(count.div_ceil(LANES) * stride, [0.0; LANES]);
        for (group, cells) in self.cells.chunks_exact_mut(stride).enumerate() {
            for (lane, row) in rows
                .axis_iter(Axis(0))
                .skip(group * LANES)
                .take(LANES)
                .enumerate()
            {
                // Zero times a finite number is zero; NaN and infinity give NaN.
                let mut witness = 0.0;
                for (cell, &value) in cells.iter_mut().zip(row) {
                    witness += value * 0.0;
                    cell[lane] = value;
                }
                if witness != 0.0 {
                    return Err(not_finite(row, first_row + group * LANES + lane));
                }
            }
        }
        Ok(())
    }
}

/// The error for a row that holds a value which is not finite.
#[cold]
fn not_finite(values: ArrayView1<'_, f64>, row: usize) -> IsolationForestError {
    let (column, value) = values
        .iter()
        .copied()
        .enumerate()
        .find(|(_, value)| !value.is_finite())
        .unwrap_or((0, f64::NAN));
    IsolationForestError::NotFinite { row, column, value }
}

/// Checks that all values are finite.
pub(crate) fn check_finite(
    rows: ArrayView2<'_, f64>,
    first_row: usize,
) -> Result<(), IsolationForestError> {
    for (at, row) in rows.axis_iter(Axis(0)).enumerate() {
        let finite = match row.as_slice() {
            // Without an early end, which the compiler can turn into vector code.
            Some(slice) => slice
                .iter()
                .fold(true, |all, value| all & value.is_finite()),
            None => row.iter().all(|value| value.is_finite()),
        };
        if !finite {
            return Err(not_finite(row, first_row + at));
        }
    }
    Ok(())
}

/// One step down for one row.
#[inline]
fn step(node: &Node, value: f64) -> u32 {
    node.left + u32::from(value > node.threshold)
}

/// The leaves that a group of rows reaches. Tree and rows lie in windows of fixed length, so that no index of
/// the walk needs a check.
fn leaves_narrow(
    tree: &Tree<'_>,
    window: &[Node; WINDOW],
    cells: &[[f64; LANES]; NARROW],
) -> [u32; LANES] {
    let mut at = [0; LANES];
    for _ in 0..tree.depth {
        for (lane, at) in at.iter_mut().enumerate() {
            let node = &window[*at as usize % WINDOW];
            *at = step(node, cells[node.feature as usize % NARROW][lane]);
        }
    }
    at
}

/// As [`leaves_narrow`] for trees and rows of any size.
fn leaves(tree: &Tree<'_>, cells: &[[f64; LANES]]) -> [u32; LANES] {
    let mut at = [0; LANES];
    let mut left = tree.depth;
    loop {
        let steps = left.min(SHALLOW);
        left -= steps;
        for _ in 0..steps {
            for (lane, at) in at.iter_mut().enumerate() {
                let node = &tree.nodes[*at as usize];
                *at = step(node, cells[node.feature as usize][lane]);
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

/// Sums the path lengths of one row over all trees, several trees side by side, without allocation.
pub(crate) fn sum_of_row(trees: &Trees, row: &[f64]) -> Result<u64, IsolationForestError> {
    check_finite(ArrayView1::from(row).insert_axis(Axis(0)), 0)?;
    let (starts, nodes, paths) = trees.parts();
    let depth = trees.max_depth();
    let mut sum = 0;
    if depth > SHALLOW {
        for tree in trees.iter() {
            sum += u64::from(tree.paths[leaf_of(&tree, row)]);
        }
        return Ok(sum);
    }
    let starts = &starts[..trees.len()];
    let chunks = starts.chunks_exact(TREES_AT_ONCE);
    let rest = chunks.remainder();
    for chunk in chunks {
        let mut bases = [0; TREES_AT_ONCE];
        bases.copy_from_slice(chunk);
        let mut at = [0_u32; TREES_AT_ONCE];
        for _ in 0..depth {
            for (at, base) in at.iter_mut().zip(bases) {
                let node = &nodes[base + *at as usize];
                *at = step(node, row[node.feature as usize]);
            }
        }
        for (at, base) in at.iter().zip(bases) {
            sum += u64::from(paths[base + *at as usize]);
        }
    }
    for &base in rest {
        let mut at = 0;
        for _ in 0..depth {
            let node = &nodes[base + at as usize];
            at = step(node, row[node.feature as usize]);
        }
        sum += u64::from(paths[base + at as usize]);
    }
    Ok(sum)
}

/// The leaf that a row of finite values reaches, node by node.
fn leaf_of(tree: &Tree<'_>, row: &[f64]) -> usize {
    let mut at = 0;
    loop {
        let node = &tree.nodes[at];
        if node.is_leaf(at) {
            return at;
        }
        at = step(node, row[node.feature as usize]) as usize;
    }
}
