//! What leaves are worth, as whole numbers, and the score that their sum makes.

use crate::average_path::AveragePathTable;
use crate::node::{Tree, Trees};
use crate::power::{exp2_of_negative, log2};
use crate::{AveragePath, Scoring};
use dafu_core::Score;

/// Most fraction bits of a value.
pub(crate) const MAX_BITS: u8 = 28;
/// Shares of a range are taken as no smaller than this.
const MIN_SHARE: f64 = 1.0 / 4_294_967_296.0;

/// What the trees of one kind have in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TreeKind {
    /// Rows from which such a tree was grown.
    pub(crate) sample_size: u32,
    /// What an edge of a path is worth: 1 / c(rows a tree) for a forest of one kind.
    pub(crate) unit: f64,
}

impl TreeKind {
    pub(crate) fn new(sample_size: u32, average_path: AveragePath) -> Self {
        let normaliser = AveragePathTable::new(average_path, sample_size).get(sample_size);
        // One row a tree: no path says anything, and the score is 1/2.
        let unit = if normaliser > 0.0 {
            1.0 / normaliser
        } else {
            0.0
        };
        Self { sample_size, unit }
    }
}

/// How the whole numbers of a forest's leaves are to be read: value = number / 2^bits + offset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ValueScale {
    pub(crate) bits: u8,
    pub(crate) offset: f64,
    /// Most fraction bits: fewer than today in forests of earlier versions, whose scores keep their bits so.
    pub(crate) max_bits: u8,
}

impl Default for ValueScale {
    fn default() -> Self {
        Self::with_max_bits(MAX_BITS)
    }
}

impl ValueScale {
    /// For trees whose values are not set yet.
    pub(crate) const fn with_max_bits(max_bits: u8) -> Self {
        Self {
            bits: max_bits,
            offset: 0.0,
            max_bits,
        }
    }

    /// The mean value over the trees.
    pub(crate) fn mean(&self, sum: u64, trees: usize) -> f64 {
        sum as f64 / (trees as f64 * self.one()) + self.offset
    }

    /// A value of 1 without the offset.
    pub(crate) fn one(&self) -> f64 {
        f64::from(1 << self.bits)
    }
}

/// From a mean value to a score.
pub(crate) fn score_of_mean(mean: f64, scoring: Scoring) -> Score {
    let score = match scoring {
        Scoring::Depth | Scoring::AdjustedDepth => exp2_of_negative(-mean),
        // 1 / (1 + 2^mean), without an overflow.
        Scoring::Density => {
            let small = exp2_of_negative(-mean.abs());
            let part = small / (1.0 + small);
            if mean > 0.0 { part } else { 1.0 - part }
        }
    };
    // Never fails: the number is between 0 and 1.
    Score::new(score).unwrap_or(Score::ZERO)
}

/// How leaves are valued.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ValueRule<'a> {
    pub(crate) scoring: Scoring,
    pub(crate) average_path: AveragePath,
    pub(crate) kinds: &'a [TreeKind],
}

impl ValueRule<'_> {
    /// Sets the values of all trees.
    ///
    /// Whole numbers make sums exact, so that the order of the trees, the number of threads and the kernel cannot
    /// change a bit. There are as many fraction bits as 32 bits have room for, `max_bits` at most.
    pub(crate) fn apply(&self, trees: &mut Trees, max_bits: u8) -> ValueScale {
        let largest = self.kinds.iter().map(|kind| kind.sample_size).max();
        let table = AveragePathTable::new(self.average_path, largest.unwrap_or(1));
        let mut exact = Vec::with_capacity(trees.node_count());
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for tree in trees.iter() {
            let start = exact.len();
            self.append(&table, &tree, &mut exact);
            for (at, value) in exact[start..].iter().enumerate() {
                if tree.nodes[at].is_leaf(at) {
                    low = low.min(*value);
                    high = high.max(*value);
                }
            }
        }
        let offset = if low < 0.0 { low.floor() } else { 0.0 };
        let room = f64::from(u32::MAX - 1);
        let mut scale = ValueScale {
            bits: max_bits,
            offset,
            max_bits,
        };
        while scale.bits > 0 && (high - offset) * scale.one() > room {
            scale.bits -= 1;
        }
        let mut values: Vec<u32> = exact
            .iter()
            .map(|value| to_fixed((value - offset) * scale.one()))
            .collect();
        let mut start = 0;
        for tree in trees.iter() {
            // Children before parents.
            for at in (0..tree.nodes.len()).rev() {
                if !tree.nodes[at].is_leaf(at) {
                    let left = tree.nodes[at].left as usize;
                    let children = &values[start + left..start + left + 2];
                    values[start + at] = weighted_mean(children, &tree.counts[left..left + 2]);
                }
            }
            start += tree.nodes.len();
        }
        let levels = trees
            .iter()
            .map(|tree| to_fixed(self.unit(&tree) * scale.one()))
            .collect();
        trees.values = values;
        trees.levels = levels;
        scale
    }

    fn unit(&self, tree: &Tree<'_>) -> f64 {
        let kind = self.kinds.get(tree.kind as usize);
        kind.map_or(0.0, |kind| kind.unit)
    }

    fn sample_size(&self, tree: &Tree<'_>) -> u32 {
        let kind = self.kinds.get(tree.kind as usize);
        kind.map_or(1, |kind| kind.sample_size)
    }

    /// Appends the value that each node would have as a leaf.
    fn append(&self, table: &AveragePathTable, tree: &Tree<'_>, out: &mut Vec<f64>) {
        let start = out.len();
        out.resize(start + tree.nodes.len(), 0.0);
        let paths = &mut out[start..];
        let unit = self.unit(tree);
        for (at, node) in tree.nodes.iter().enumerate() {
            if node.is_leaf(at) {
                let rows = tree.counts[at];
                paths[at] = match self.scoring {
                    Scoring::Density => paths[at],
                    _ if self.sample_size(tree) == 1 && unit <= 0.0 => 1.0,
                    _ => (paths[at] + table.get(rows)) * unit,
                };
                continue;
            }
            let left = node.left as usize;
            for (child, right) in [(left, false), (left + 1, true)] {
                paths[child] = paths[at] + self.edge(tree, at, child, right);
            }
        }
    }

    /// What the edge to a child adds to a path.
    fn edge(&self, tree: &Tree<'_>, at: usize, child: usize, right: bool) -> f64 {
        if self.scoring == Scoring::Depth {
            return 1.0;
        }
        let left = tree.shares.get(at).copied().unwrap_or(0.5);
        let share = if right { 1.0 - left } else { left }.clamp(MIN_SHARE, 1.0);
        let density = f64::from(tree.counts[child]) / f64::from(tree.counts[at]) / share;
        match self.scoring {
            Scoring::Density => log2(density),
            Scoring::AdjustedDepth | Scoring::Depth => 2.0 / (1.0 + 0.5 / density),
        }
    }
}

/// Rounds half away from zero.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates; values are never negative"
)]
fn to_fixed(value: f64) -> u32 {
    (value + 0.5) as u32
}

/// Mean of two values weighted by rows, rounded to the nearest.
fn weighted_mean(values: &[u32], counts: &[u32]) -> u32 {
    let (mut sum, mut rows) = (0_u64, 0_u64);
    for (&value, &count) in values.iter().zip(counts) {
        sum += u64::from(value) * u64::from(count);
        rows += u64::from(count);
    }
    u32::try_from((sum + rows / 2) / rows.max(1)).unwrap_or(u32::MAX)
}
