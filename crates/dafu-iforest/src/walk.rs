//! Walking rows of finite numbers through trees that compare single columns: sums of values, as whole numbers.

use crate::input::Value;
use crate::node::{Node, Tree, Trees, WINDOW};
use crate::way::WayRule;
use ndarray::{ArrayView2, Axis};

/// Rows that walk a tree side by side. Their loads do not wait for each other.
const LANES: usize = 8;
/// Trees that one row walks side by side.
const TREES_AT_ONCE: usize = 16;
/// Cells of a block of rows: half of a first-level cache.
const BLOCK_CELLS: usize = 2048;
/// Most groups of `LANES` rows in a block.
const MAX_GROUPS: usize = 32;
/// Trees up to here are walked with a fixed number of steps; deeper ones look for an early end.
const SHALLOW: u32 = 12;
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
    /// Sums the values of up to [`block_rows`] rows of finite numbers over all trees, which must be plain.
    pub(crate) fn sums<T: Value>(
        &mut self,
        trees: &Trees,
        rows: ArrayView2<'_, T>,
    ) -> impl Iterator<Item = u64> + '_ {
        let (count, width) = rows.dim();
        let stride = stride_of(width);
        self.transpose(rows, stride);
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
                    *sum += u64::from(tree.values[at as usize]);
                }
            }
        }
        self.sums.as_flattened().iter().copied().take(count)
    }

    /// Copies rows into groups.
    fn transpose<T: Value>(&mut self, rows: ArrayView2<'_, T>, stride: usize) {
        let count = rows.nrows();
        self.cells.clear();
        self.cells
            .resize(count.div_ceil(LANES) * stride, [0.0; LANES]);
        for (group, cells) in self.cells.chunks_exact_mut(stride).enumerate() {
            let rows = rows.axis_iter(Axis(0)).skip(group * LANES).take(LANES);
            for (lane, row) in rows.enumerate() {
                for (cell, &value) in cells.iter_mut().zip(row) {
                    cell[lane] = value.into();
                }
            }
        }
    }
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
            *at = step(node, cells[node.test() % NARROW][lane]);
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
                *at = step(node, cells[node.test()][lane]);
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

/// Sums the values of one row of finite numbers over all trees, which must be plain: several trees side by side, without
/// allocation.
pub(crate) fn sum_of_row<T: Value>(trees: &Trees, row: &[T]) -> u64 {
    let (starts, nodes, values) = trees.parts();
    let starts = &starts[..trees.len()];
    let depth = trees.max_depth();
    let mut padded = [0.0; NARROW];
    for (cell, &value) in padded.iter_mut().zip(row) {
        *cell = value.into();
    }
    let mut sum = 0;
    for chunk in starts.chunks(TREES_AT_ONCE) {
        // Of fewer trees the last is walked again, and counted once.
        let last = chunk.len() - 1;
        let bases: [usize; TREES_AT_ONCE] = std::array::from_fn(|lane| chunk[lane.min(last)]);
        let in_windows = bases.iter().all(|base| base + WINDOW <= nodes.len());
        let at = if in_windows && row.len() <= NARROW && trees.all_within(WINDOW) {
            let windows = bases.map(|base| window_of(nodes, base));
            down(depth, |lane, at| {
                let node = &windows[lane][at as usize % WINDOW];
                step(node, padded[node.test() % NARROW])
            })
        } else {
            down(depth, |lane, at| {
                let node = &nodes[bases[lane] + at as usize];
                step(node, row[node.test()].into())
            })
        };
        for (at, base) in at.iter().zip(bases).take(chunk.len()) {
            sum += u64::from(values[base + *at as usize]);
        }
    }
    sum
}

/// Walks down several trees side by side: `step` says for a tree where a step from a node leads. Leaves lead to themselves.
#[inline]
fn down(depth: u32, step: impl Fn(usize, u32) -> u32) -> [u32; TREES_AT_ONCE] {
    let mut at = [0; TREES_AT_ONCE];
    let mut left = depth;
    while left > 0 {
        let steps = left.min(SHALLOW);
        left -= steps;
        let before = at;
        for _ in 0..steps {
            for (lane, at) in at.iter_mut().enumerate() {
                *at = step(lane, *at);
            }
        }
        if at == before {
            break;
        }
    }
    at
}

/// The nodes of a window that begins at a place.
#[inline]
fn window_of(nodes: &[Node], base: usize) -> &[Node; WINDOW] {
    const NONE: [Node; WINDOW] = [Node::leaf(0); WINDOW];
    let rest = nodes.get(base..);
    rest.and_then(|rest| rest.first_chunk()).unwrap_or(&NONE)
}
