//! A forest prepared for scoring single rows.
//!
//! A walk from node to node waits for memory more than it computes. Two things help: nodes that are small, so that they
//! lie in near caches, and several trees walked side by side, so that their loads overlap.

mod planes;
mod ranks;
#[cfg(test)]
mod tests;

use crate::node::{Node, Tree, Trees};
use planes::Planes;
use ranks::Ranks;
use std::fmt;
use std::sync::Arc;

/// Trees that a row walks side by side.
const LANES: usize = 10;
/// Steps that all trees of a group take before it is asked whether all are at leaves.
const STEPS: u32 = 8;
/// Most nodes of a forest whose sums over columns are laid out anew: that takes up to 152 bytes each.
const MOST_NODES: usize = 1 << 18;

/// What sums the values of one row of finite numbers over all trees.
#[derive(Debug, Clone)]
pub(crate) enum OneRow {
    /// Trees that compare single columns.
    Ranks(Ranks),
    /// Those that are too large for it.
    Nodes(Vec<Group>),
    /// Trees that compare sums over columns.
    Planes(Arc<dyn Sums>),
}

/// Sums the values of one row over all trees: those of [`Planes`] with any number of terms.
pub(crate) trait Sums: fmt::Debug + Send + Sync {
    /// Columns of a row.
    fn width(&self) -> usize;

    /// `values` are those of the trees' nodes; what `row` has after its columns is not looked at.
    fn sum(&self, values: &[u32], row: &[f64; planes::COLUMNS]) -> u64;
}

impl OneRow {
    /// Prepares a forest, if it is one of numbers that is not too large.
    pub(crate) fn new(trees: &Trees, width: usize) -> Option<Self> {
        if trees.is_plain() {
            let ranks = Ranks::new(trees).map(Self::Ranks);
            return ranks.or_else(|| Group::all_of(trees).map(Self::Nodes));
        }
        if trees.is_special() || trees.node_count() > MOST_NODES || width > planes::COLUMNS {
            return None;
        }
        let forms = trees.iter().flat_map(|tree| tree.forms);
        let terms = forms.map(|form| form.terms().len()).max();
        match terms.unwrap_or(0) {
            ..=2 => planes_of::<2>(trees, width),
            3 => planes_of::<3>(trees, width),
            4 => planes_of::<4>(trees, width),
            5..=6 => planes_of::<6>(trees, width),
            7..=8 => planes_of::<8>(trees, width),
            9..=12 => planes_of::<12>(trees, width),
            13..=16 => planes_of::<16>(trees, width),
            _ => None,
        }
    }

    /// Whether single columns are compared.
    pub(crate) const fn is_by_ranks(&self) -> bool {
        matches!(self, Self::Ranks(_))
    }

    /// Sums the values of a row of finite numbers.
    #[inline]
    pub(crate) fn sum(&self, trees: &Trees, cell: impl Fn(usize) -> f64) -> u64 {
        let values = &trees.values[..];
        match self {
            Self::Ranks(ranks) => ranks.sum(values, cell),
            Self::Nodes(groups) => {
                let nodes = trees.nodes();
                let sum = |group: &Group| {
                    group.sum(values, |lane, at| {
                        let (root, node) = (group.roots[lane], &nodes[at as usize]);
                        let right = cell(node.test()) > node.threshold;
                        node.left + root - at + u32::from(right)
                    })
                };
                groups.iter().map(sum).sum()
            }
            Self::Planes(planes) => {
                let mut row = [0.0; planes::COLUMNS];
                for (column, own) in row.iter_mut().enumerate().take(planes.width()) {
                    *own = cell(column);
                }
                planes.sum(values, &row)
            }
        }
    }
}

fn planes_of<const TERMS: usize>(trees: &Trees, width: usize) -> Option<OneRow> {
    let planes = Planes::<TERMS>::new(trees, width)?;
    Some(OneRow::Planes(Arc::new(planes)))
}

/// Trees that are walked together.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// Places of the roots among all nodes.
    roots: [u32; LANES],
    trees: usize,
    depth: u32,
}

impl Group {
    /// All trees in groups.
    fn all_of(trees: &Trees) -> Option<Vec<Self>> {
        u32::try_from(trees.node_count()).ok()?;
        let starts = trees.starts().map(u32::try_from);
        let starts: Vec<u32> = starts.collect::<Result<_, _>>().ok()?;
        let trees: Vec<_> = starts.into_iter().zip(trees.iter()).collect();
        let group = |trees: &[(u32, Tree<'_>)]| Self {
            // Of fewer trees the last is walked again.
            roots: std::array::from_fn(|lane| trees[lane.min(trees.len() - 1)].0),
            trees: trees.len(),
            depth: trees.iter().map(|tree| tree.1.depth).max().unwrap_or(0),
        };
        Some(trees.chunks(LANES).map(group).collect())
    }

    /// The sum of the leaves that a row comes to: `way` says how far a step leads from a node, 0 from a leaf.
    #[inline]
    fn sum(&self, values: &[u32], way: impl Fn(usize, u32) -> u32) -> u64 {
        let mut at = self.roots;
        let mut left = self.depth;
        loop {
            let steps = left.min(STEPS);
            left -= steps;
            for _ in 0..steps {
                for (lane, at) in at.iter_mut().enumerate() {
                    *at += way(lane, *at);
                }
            }
            if left == 0 || at.iter().enumerate().all(|(lane, &at)| way(lane, at) == 0) {
                break;
            }
        }
        let leaves = at.iter().take(self.trees);
        leaves.map(|&at| u64::from(values[at as usize])).sum()
    }
}

/// The nodes of a tree that are no leaves.
fn splits<'t>(tree: &Tree<'t>) -> impl Iterator<Item = (usize, &'t Node)> {
    let nodes = tree.nodes.iter().enumerate();
    nodes.filter(|(at, node)| !node.is_leaf(*at))
}
