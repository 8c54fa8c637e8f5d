//! Trees of few leaves, answered by crossing out leaves instead of walking down.
//!
//! Every threshold below a row's value crosses out the leaves left of its node, column by column; of what remains of a
//! tree, the first leaf is the row's. What the first thresholds of a column cross out together is known before: of all
//! trees at certain places of the ascending thresholds, so that a row finds its place and has only a few left to do.
//!
//! Source: Lucchese, Nardini, Orlando, Perego, Tonellotto and Venturini 2015, *`QuickScorer`: a fast algorithm to rank
//! documents with additive ensembles of regression trees*, algorithm 1. The places are ours.

use crate::tree::Tree;
use std::collections::BTreeMap;

/// Leaves of a tree at most: with more, walking down is faster.
const LEAVES: u32 = 32;
/// Trees that are answered together.
const TREES: usize = 1 << 8;

/// Splits between two places, at least.
const LEAST_STEP: usize = 8;
/// Steps of a column, at least, for places to be of use.
const FEW_STEPS: usize = 4;
/// Splits of a block for each of its columns, at least.
const LEAST_SHARE: usize = 4;
/// Numbers that the places of a block hold at most, and what is left where values are missing: 256 KB each.
const HELD: usize = 1 << 16;

/// A node that splits: what is above its threshold keeps these leaves of the tree.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Split {
    keep: u32,
    /// Among those of the block.
    tree: u8,
}

impl Split {
    fn apply(self, leaves: &mut [u32]) {
        leaves[usize::from(self.tree)] &= self.keep;
    }
}

/// The splits of a block on one column.
#[derive(Debug, Clone, PartialEq, Default)]
struct Column {
    index: usize,
    /// In ascending order.
    thresholds: Vec<f64>,
    /// In the same order.
    splits: Vec<Split>,
    /// What is left of all trees after every [`Block::step`] splits.
    places: Vec<u32>,
    /// What is left of all trees where the value is missing.
    missing: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Block {
    columns: Vec<Column>,
    trees: usize,
    /// Splits between two places.
    step: usize,
    /// Answers of each tree, left to right, [`Quick::stride`] a tree.
    answers: Vec<f64>,
}

/// All trees of a model whose trees have few leaves and split by numbers.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Quick {
    blocks: Vec<Block>,
    stride: usize,
}

impl Quick {
    /// None where a tree has too many leaves or splits by categories, and where splits are spread over so many columns that
    /// to go through those takes longer, and more memory than the trees have.
    pub(super) fn new(trees: &[&Tree]) -> Option<Self> {
        let orders: Option<Vec<Order>> = trees.iter().map(|tree| Order::new(tree)).collect();
        let orders = orders?;
        let most = orders.iter().map(Order::leaves).max()?;
        let stride = most.next_power_of_two() as usize;
        let blocks = trees.chunks(TREES).zip(orders.chunks(TREES));
        let blocks = blocks.map(|(trees, orders)| Block::new(trees, orders, stride));
        Some(Self {
            blocks: blocks.collect::<Option<_>>()?,
            stride,
        })
    }

    /// Adds the answers for a row.
    pub(super) fn add_row(&self, row: &[f64], out: &mut f64) {
        for block in &self.blocks {
            block.add_row(self.stride, row, out);
        }
    }
}

impl Block {
    fn new(trees: &[&Tree], orders: &[Order], stride: usize) -> Option<Self> {
        let mut columns: BTreeMap<u32, Vec<(f64, bool, Split)>> = BTreeMap::new();
        let mut answers = vec![0.0; trees.len() * stride];
        let of_tree = trees.iter().zip(orders).zip(0..=u8::MAX);
        for (((tree, order), number), answers) in of_tree.zip(answers.chunks_exact_mut(stride)) {
            for (node, &first) in tree.nodes.iter().zip(&order.first) {
                if node.is_leaf() {
                    answers[first as usize] = node.value;
                } else {
                    let crossed = (1_u32 << order.below[node.left as usize]) - 1;
                    let split = Split {
                        keep: !(crossed << first),
                        tree: number,
                    };
                    let column = columns.entry(node.column).or_default();
                    column.push((node.threshold, node.missing_left, split));
                }
            }
        }
        let splits: usize = columns.values().map(Vec::len).sum();
        if columns.len() * trees.len() > HELD || columns.len() * LEAST_SHARE > splits {
            return None;
        }
        // To keep what is left of all trees takes as long as a split does for a few of them.
        let step = (splits * trees.len()).div_ceil(HELD);
        let step = step.max(trees.len() / 4).max(LEAST_STEP);
        let columns = columns
            .into_iter()
            .map(|(index, splits)| Column::new(index as usize, splits, (step, trees.len())));
        Some(Self {
            columns: columns.collect(),
            trees: trees.len(),
            step,
            answers,
        })
    }

    #[inline]
    fn add_row(&self, stride: usize, row: &[f64], out: &mut f64) {
        let mut leaves = [u32::MAX; TREES];
        let leaves = &mut leaves[..self.trees];
        for column in &self.columns {
            let value = row[column.index];
            if value.is_nan() {
                keep(leaves, &column.missing);
                continue;
            }
            if column.places.is_empty() {
                for (threshold, split) in column.thresholds.iter().zip(&column.splits) {
                    if value <= *threshold {
                        break;
                    }
                    split.apply(leaves);
                }
                continue;
            }
            let below = column
                .thresholds
                .partition_point(|threshold| *threshold < value);
            let place = below / self.step;
            if place > 0 {
                keep(
                    leaves,
                    &column.places[(place - 1) * self.trees..][..self.trees],
                );
            }
            for split in &column.splits[place * self.step..below] {
                split.apply(leaves);
            }
        }
        // The order of the trees is that of the walk: the sums have the same bits.
        for (leaves, answers) in leaves.iter().zip(self.answers.chunks_exact(stride)) {
            *out += answers[leaves.trailing_zeros() as usize];
        }
    }
}

#[inline]
fn keep(leaves: &mut [u32], kept: &[u32]) {
    for (leaves, kept) in leaves.iter_mut().zip(kept) {
        *leaves &= kept;
    }
}

impl Column {
    fn new(
        index: usize,
        mut splits: Vec<(f64, bool, Split)>,
        (step, trees): (usize, usize),
    ) -> Self {
        splits.sort_by(|one, two| one.0.total_cmp(&two.0));
        let mut column = Self {
            index,
            missing: vec![u32::MAX; trees],
            ..Self::default()
        };
        let mut leaves = vec![u32::MAX; trees];
        for (number, (threshold, missing_left, split)) in splits.into_iter().enumerate() {
            column.thresholds.push(threshold);
            column.splits.push(split);
            if !missing_left {
                split.apply(&mut column.missing);
            }
            split.apply(&mut leaves);
            if (number + 1) % step == 0 {
                column.places.extend(&leaves);
            }
        }
        // One after the other is as fast where there are few.
        if column.splits.len() < FEW_STEPS * step {
            column.places.clear();
        }
        column
    }
}

/// Where the leaves below each node lie, counted from the left.
struct Order {
    first: Vec<u32>,
    below: Vec<u32>,
}

impl Order {
    fn new(tree: &Tree) -> Option<Self> {
        if tree.nodes.len() > 2 * LEAVES as usize || !tree.sets.is_empty() {
            return None;
        }
        let mut order = Self {
            first: vec![0; tree.nodes.len()],
            below: vec![1; tree.nodes.len()],
        };
        // Children lie behind their node.
        for (at, node) in tree.nodes.iter().enumerate().rev() {
            if !node.is_leaf() {
                let left = node.left as usize;
                order.below[at] = order.below.get(left..left + 2)?.iter().sum();
            }
        }
        for (at, node) in tree.nodes.iter().enumerate() {
            if !node.is_leaf() {
                let left = node.left as usize;
                order.first[left] = order.first[at];
                order.first[left + 1] = order.first[at] + order.below[left];
            }
        }
        (order.leaves() <= LEAVES).then_some(order)
    }

    fn leaves(&self) -> u32 {
        self.below.first().copied().unwrap_or(1)
    }
}
