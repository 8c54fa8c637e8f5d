//! Trees that compare single columns, by ranks.

use super::{Group, splits};
use crate::ladder::Ladder;
use crate::node::Trees;
use std::collections::BTreeMap;

/// Columns that a node can tell apart.
const COLUMNS: usize = 1 << WAY;
/// Where the bits of a node begin that say how far behind it its left child lies. Less than 256 nodes, or it is too far.
const WAY: u32 = 8;
/// Where the bits of the rank begin.
const RANK: u32 = 16;
/// The rank that no row exceeds.
const NEVER: u32 = 0xffff;

/// A row is compared with the thresholds of a column only once, which tells its rank: how many thresholds are less than its
/// value. Nodes compare ranks. One takes four bytes instead of sixteen, so that a forest of 100 trees of 256 rows with
/// limited height has 48 KiB of them.
#[derive(Debug, Clone)]
pub(crate) struct Ranks {
    /// The columns that are compared, with their numbers.
    ladders: Vec<(usize, Ladder)>,
    /// From the highest bits on: the number of the column's thresholds that are less than the node's (16 bits), the way
    /// to the left child (8), the place of the column among the ladders (8). A leaf leads to itself.
    nodes: Vec<u32>,
    groups: Vec<Group>,
}

impl Ranks {
    /// Prepares trees, which must be plain; none that is too large or of too many columns or thresholds.
    pub(super) fn new(trees: &Trees) -> Option<Self> {
        let mut thresholds: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for tree in trees.iter() {
            if tree.nodes.len() / 2 > 1 << (RANK - WAY) {
                return None;
            }
            for (_, node) in splits(&tree) {
                let column = thresholds.entry(node.test()).or_default();
                column.push(node.threshold);
            }
        }
        let most = thresholds.values().map(Vec::len).max().unwrap_or(0);
        if thresholds.len() > COLUMNS || most >= NEVER as usize {
            return None;
        }
        let ladders = thresholds.into_iter();
        let ladders: Vec<_> = ladders
            .map(|(column, thresholds)| (column, Ladder::new(thresholds)))
            .collect();
        let mut nodes = Vec::with_capacity(trees.node_count());
        for tree in trees.iter() {
            let start = nodes.len();
            nodes.resize(start + tree.nodes.len(), NEVER << RANK);
            for (at, node) in splits(&tree) {
                let place = ladders.partition_point(|(column, _)| *column < node.test());
                let rank = ladders[place].1.place(node.threshold);
                let way = node.left as usize - at;
                if way >= 1 << (RANK - WAY) {
                    return None;
                }
                nodes[start + at] = u32::try_from(rank << RANK | way << WAY | place).ok()?;
            }
        }
        Some(Self {
            ladders,
            nodes,
            groups: Group::all_of(trees)?,
        })
    }

    /// Sums the values of one row of finite numbers over all trees.
    #[inline]
    pub(super) fn sum(&self, values: &[u32], cell: impl Fn(usize) -> f64) -> u64 {
        let mut keys = [0_u32; COLUMNS];
        for (key, (column, ladder)) in keys.iter_mut().zip(&self.ladders) {
            let rank = ladder.rank(cell(*column));
            *key = u32::try_from(rank).unwrap_or(NEVER) << RANK;
        }
        let sum = |group: &Group| {
            group.sum(values, |_, at| {
                let node = self.nodes[at as usize];
                // A greater rank, whatever the bits below say: those of a key are 0.
                let right = keys[node as usize % COLUMNS] > node;
                (node >> WAY) % (1 << (RANK - WAY)) + u32::from(right)
            })
        };
        self.groups.iter().map(sum).sum()
    }
}
