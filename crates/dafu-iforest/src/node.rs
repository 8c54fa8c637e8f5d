//! The flat form of the trees.

use crate::average_path::AveragePathTable;
use crate::error::DamagedModel;

/// One node in 16 bytes.
///
/// A row goes to `left` when its value is at most `threshold`, else to `left + 1`. A leaf has the threshold
/// infinity and is its own left child, so that a walk may step on it as often as it likes: walks of many
/// rows take a fixed number of steps and need no branch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Node {
    pub(crate) threshold: f64,
    pub(crate) feature: u32,
    /// Position within the tree.
    pub(crate) left: u32,
}

impl Node {
    pub(crate) const fn leaf(at: u32) -> Self {
        Self {
            threshold: f64::INFINITY,
            feature: 0,
            left: at,
        }
    }

    pub(crate) fn is_leaf(&self, at: usize) -> bool {
        self.left as usize == at
    }
}

/// Fraction bits of a path length that is stored in units of c(rows a tree).
pub(crate) const PATH_BITS: u32 = 15;
/// A path of length c(rows a tree).
pub(crate) const PATH_ONE: u32 = 1 << PATH_BITS;

/// Turns depth and rows of a leaf into a fixed-point path length in units of c(rows a tree).
///
/// Whole numbers make sums exact, so that the order of the trees, the number of threads and the kernel cannot
/// change a bit. In these units a score is 2^-mean, and the mean of a forest that could not split is 1
/// without rounding.
#[derive(Debug, Clone)]
pub(crate) struct PathScale {
    table: AveragePathTable,
    /// 2^15 / c(rows a tree); 0 when a tree has one row.
    units: f64,
}

impl PathScale {
    pub(crate) fn new(table: AveragePathTable, sample_size: u32) -> Self {
        let normaliser = table.get(sample_size);
        let units = if normaliser > 0.0 {
            f64::from(PATH_ONE) / normaliser
        } else {
            0.0
        };
        Self { table, units }
    }

    /// (depth + c(rows)) / c(rows a tree), rounded to 15 fraction bits.
    pub(crate) fn leaf(&self, depth: u32, rows: u32) -> u32 {
        if self.units > 0.0 {
            to_fixed((f64::from(depth) + self.table.get(rows)) * self.units)
        } else {
            // One row a tree: no path says anything, the score is 1/2.
            PATH_ONE
        }
    }
}

/// Rounds half away from zero; cannot overflow for depths up to `MAX_HEIGHT`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most (65535 + c) / c * 2^15 < 2^32 as c >= 1; never negative"
)]
fn to_fixed(value: f64) -> u32 {
    (value + 0.5) as u32
}

/// A tree as it comes from growing or from a file: nodes in breadth-first order, children adjacent.
#[derive(Debug, Clone, Default)]
pub(crate) struct FlatTree {
    pub(crate) nodes: Vec<Node>,
    /// Training rows of each node.
    pub(crate) counts: Vec<u32>,
}

/// All trees of a forest.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Trees {
    /// The nodes of all trees, one tree after the other.
    nodes: Vec<Node>,
    /// For each node the mean path length of the training rows below it, fixed point; for a leaf its own.
    paths: Vec<u32>,
    counts: Vec<u32>,
    /// Where each tree begins, and the end of the last.
    starts: Vec<usize>,
    /// Levels of each tree.
    depths: Vec<u32>,
}

/// One tree, borrowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tree<'a> {
    pub(crate) nodes: &'a [Node],
    pub(crate) paths: &'a [u32],
    #[cfg(feature = "serde")]
    pub(crate) counts: &'a [u32],
    pub(crate) depth: u32,
}

impl Trees {
    /// Room for trees and nodes.
    pub(crate) fn with_capacity(trees: usize, nodes: usize) -> Self {
        let mut starts = Vec::with_capacity(trees.saturating_add(1));
        starts.push(0);
        Self {
            nodes: Vec::with_capacity(nodes),
            paths: Vec::with_capacity(nodes),
            counts: Vec::with_capacity(nodes),
            starts,
            depths: Vec::with_capacity(trees),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.depths.len()
    }

    pub(crate) fn node_count(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn leaf_count(&self) -> usize {
        self.iter()
            .map(|tree| {
                tree.nodes
                    .iter()
                    .enumerate()
                    .filter(|(at, node)| node.is_leaf(*at))
                    .count()
            })
            .sum()
    }

    pub(crate) fn max_depth(&self) -> u32 {
        self.depths.iter().copied().max().unwrap_or(0)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = Tree<'_>> {
        self.starts
            .windows(2)
            .zip(&self.depths)
            .map(|(ends, &depth)| {
                let range = ends[0]..ends[1];
                Tree {
                    nodes: &self.nodes[range.clone()],
                    #[cfg(feature = "serde")]
                    counts: &self.counts[range.clone()],
                    paths: &self.paths[range],
                    depth,
                }
            })
    }

    /// Where the trees begin, the nodes and the paths of all trees.
    pub(crate) fn parts(&self) -> (&[usize], &[Node], &[u32]) {
        (&self.starts, &self.nodes, &self.paths)
    }

    /// Rows of each node of all trees.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// Checks a tree and appends it.
    ///
    /// Checked are: children come in breadth-first order behind their parent and every node has exactly one
    /// parent; features below `width`; split values finite; row counts positive, adding up, and
    /// `sample_size` at the root; depth at most `limit`.
    pub(crate) fn push(
        &mut self,
        tree: &FlatTree,
        (width, sample_size, limit): (u32, u32, u32),
        scale: &PathScale,
    ) -> Result<(), DamagedModel> {
        let number = self.len();
        let shape = DamagedModel::Shape { tree: number };
        let len = tree.nodes.len();
        if len == 0 || tree.counts.len() != len {
            return Err(shape);
        }
        if tree.counts[0] != sample_size {
            return Err(DamagedModel::Counts { tree: number });
        }
        let base = self.nodes.len();
        self.paths.resize(base + len, 0);
        let depths = &mut self.paths[base..];
        let mut next = 1;
        let mut deepest = 0;
        for (at, node) in tree.nodes.iter().enumerate() {
            if at >= next {
                return Err(shape);
            }
            deepest = deepest.max(depths[at]);
            if node.is_leaf(at) {
                continue;
            }
            let left = node.left as usize;
            if left != next || left + 1 >= len {
                return Err(shape);
            }
            next += 2;
            if node.feature >= width {
                return Err(DamagedModel::Feature {
                    tree: number,
                    width,
                });
            }
            if !node.threshold.is_finite() {
                return Err(DamagedModel::Threshold { tree: number });
            }
            let (a, b) = (tree.counts[left], tree.counts[left + 1]);
            if a == 0 || b == 0 || a.checked_add(b) != Some(tree.counts[at]) {
                return Err(DamagedModel::Counts { tree: number });
            }
            depths[left] = depths[at] + 1;
            depths[left + 1] = depths[at] + 1;
        }
        if next != len {
            return Err(shape);
        }
        if deepest > limit {
            return Err(DamagedModel::Depth {
                tree: number,
                limit,
            });
        }
        // From depths to paths, children before parents.
        let paths = depths;
        for at in (0..len).rev() {
            let node = &tree.nodes[at];
            paths[at] = if node.is_leaf(at) {
                scale.leaf(paths[at], tree.counts[at])
            } else {
                let left = node.left as usize;
                weighted_mean(&paths[left..left + 2], &tree.counts[left..left + 2])
            };
        }
        self.nodes.extend(&tree.nodes);
        self.counts.extend(&tree.counts);
        self.starts.push(self.nodes.len());
        self.depths.push(deepest);
        Ok(())
    }
}

/// Mean of two path lengths weighted by rows, rounded to the nearest.
fn weighted_mean(paths: &[u32], counts: &[u32]) -> u32 {
    let (mut sum, mut rows) = (0_u64, 0_u64);
    for (&path, &count) in paths.iter().zip(counts) {
        sum += u64::from(path) * u64::from(count);
        rows += u64::from(count);
    }
    u32::try_from((sum + rows / 2) / rows.max(1)).unwrap_or(u32::MAX)
}
