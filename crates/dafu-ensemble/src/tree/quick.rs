//! Trees of few leaves, answered by crossing out leaves instead of walking down.
//!
//! A row goes, column by column, through the thresholds of all trees that lie below its value, in ascending order; each
//! crosses out the leaves left of its node. Of what remains of a tree, the first leaf is the row's. Nothing waits for
//! what was read before, and a branch is guessed wrong once a column instead of once a node.
//!
//! Source: Lucchese, Nardini, Orlando, Perego, Tonellotto and Venturini 2015, *`QuickScorer`: a fast algorithm to rank
//! documents with additive ensembles of regression trees*, algorithm 1.

use crate::tree::Tree;
use std::collections::BTreeMap;

/// Leaves of a tree at most: with more, walking down is faster.
const LEAVES: u32 = 32;
/// Trees that are answered together.
const TREES: usize = 1 << 8;

/// A node that splits: what is above the threshold keeps these leaves of the tree.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Split {
    threshold: f64,
    keep: u32,
    /// Among those of the block.
    tree: u8,
}

/// The splits of a block on one column.
#[derive(Debug, Clone, PartialEq)]
struct Column {
    index: usize,
    /// In ascending order.
    splits: Vec<Split>,
    /// Those of them that send what is missing right.
    missing_right: Vec<Split>,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Block {
    columns: Vec<Column>,
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
    /// None where a tree has too many leaves or splits by categories.
    pub(super) fn new(trees: &[&Tree]) -> Option<Self> {
        let orders: Option<Vec<Order>> = trees.iter().map(|tree| Order::new(tree)).collect();
        let orders = orders?;
        let most = orders.iter().map(Order::leaves).max()?;
        let stride = most.next_power_of_two() as usize;
        let blocks = trees.chunks(TREES).zip(orders.chunks(TREES));
        let blocks = blocks.map(|(trees, orders)| Block::new(trees, orders, stride));
        Some(Self {
            blocks: blocks.collect(),
            stride,
        })
    }

    /// Adds the answers for a row.
    pub(super) fn add_row(&self, row: &[f64], out: &mut f64) {
        for block in &self.blocks {
            block.add_row(self.stride, row, out);
        }
    }

    /// Adds the answers for rows that follow each other in one slice.
    pub(super) fn add_rows(&self, rows: &[f64], width: usize, out: &mut [f64]) {
        for block in &self.blocks {
            for (row, out) in rows.chunks_exact(width).zip(&mut *out) {
                block.add_row(self.stride, row, out);
            }
        }
    }
}

impl Column {
    const fn new(index: u32) -> Self {
        Self {
            index: index as usize,
            splits: Vec::new(),
            missing_right: Vec::new(),
        }
    }
}

impl Block {
    fn new(trees: &[&Tree], orders: &[Order], stride: usize) -> Self {
        let mut columns: BTreeMap<u32, Column> = BTreeMap::new();
        let mut answers = vec![0.0; trees.len() * stride];
        let of_tree = trees.iter().zip(orders).zip(0..=u8::MAX);
        for (((tree, order), number), answers) in of_tree.zip(answers.chunks_exact_mut(stride)) {
            for (node, &first) in tree.nodes.iter().zip(&order.first) {
                if node.is_leaf() {
                    answers[first as usize] = node.value;
                } else {
                    let new = || Column::new(node.column);
                    let column = columns.entry(node.column).or_insert_with(new);
                    let crossed = (1_u32 << order.below[node.left as usize]) - 1;
                    let split = Split {
                        threshold: node.threshold,
                        keep: !(crossed << first),
                        tree: number,
                    };
                    column.splits.push(split);
                    if !node.missing_left {
                        column.missing_right.push(split);
                    }
                }
            }
        }
        let mut columns: Vec<Column> = columns.into_values().collect();
        for column in &mut columns {
            let splits = &mut column.splits;
            splits.sort_by(|one, two| one.threshold.total_cmp(&two.threshold));
        }
        Self { columns, answers }
    }

    #[inline]
    fn add_row(&self, stride: usize, row: &[f64], out: &mut f64) {
        let mut leaves = [u32::MAX; TREES];
        for column in &self.columns {
            let value = row[column.index];
            if value.is_nan() {
                for split in &column.missing_right {
                    leaves[usize::from(split.tree)] &= split.keep;
                }
                continue;
            }
            for split in &column.splits {
                if value <= split.threshold {
                    break;
                }
                leaves[usize::from(split.tree)] &= split.keep;
            }
        }
        // The order of the trees is that of the walk: the sums have the same bits.
        for (leaves, answers) in leaves.iter().zip(self.answers.chunks_exact(stride)) {
            *out += answers[leaves.trailing_zeros() as usize];
        }
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
