//! Many rows scored together, as sets with a bit a row.
//!
//! A walk takes one load after the other for each level of each tree. Here a block of [`ROWS`] rows goes through
//! all nodes of a tree at once, since a tree of 256 rows has few of them: about 60 when its depth is limited.
//!
//! 1. For every threshold of many trees, the set of the rows with a value up to it ([`column`]): each row is put
//!    into the set of the lowest such threshold, and then every set takes in the one before.
//! 2. For every node the set of the rows that come to it, from its parent's and the threshold's ([`part`]). On the
//!    way down the rows gather the bits of a code, which in the end is that of their leaf.
//! 3. The codes, a byte a row, are looked up in the tree's table of path lengths ([`block`]).
//!
//! How wide a path length is does not matter, and the sums are whole numbers: they equal the walk's. What was measured
//! before this was chosen is in `docs/scoring.md`, which is also the page `batch_scoring` of the documentation.

mod block;
mod column;
mod part;
mod plane;
mod set;
#[cfg(test)]
mod tests;

use crate::node::{Node, Tree, Trees};
use column::Column;
use part::{Part, flips};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) use block::Room;
pub(crate) use set::ROWS;

/// Codes of the leaves of a tree, so most leaves of a tree.
const CODES: usize = 256;
/// Most thresholds of a table: half a mebibyte of sets.
const THRESHOLDS: usize = 8192;
/// Fewest rows of a block; fewer walk. A block takes as long as walking a quarter of its rows.
pub(crate) const FEWEST_ROWS: usize = ROWS / 4;

/// Trees that are scored with one table of thresholds.
#[derive(Debug, Clone)]
struct Group {
    /// In ascending order of their numbers.
    columns: Vec<Column>,
    /// Sets of thresholds in the table; those of the planes of a tree come after them.
    sets: usize,
    /// Most planes of a tree.
    planes: usize,
    parts: Vec<Part>,
}

/// A forest prepared for scoring blocks of rows.
#[derive(Debug, Clone)]
pub(crate) struct Masks {
    width: usize,
    groups: Vec<Group>,
}

impl Masks {
    /// Prepares a forest, if walks would not be faster and no tree has more leaves than there are codes.
    pub(crate) fn new(trees: &Trees, width: usize) -> Option<Self> {
        let masks = Self::of_any(trees, width)?;
        if !trees.is_plain() {
            return (masks.cost() + masks.plane_cost(trees) < other_cost(trees)).then_some(masks);
        }
        let steps: usize = trees.iter().map(|tree| tree.depth as usize).sum();
        let columns = masks.groups.iter().flat_map(|group| &group.columns);
        let columns: BTreeSet<usize> = columns.map(|column| column.index).collect();
        let walk = steps * STEP_COST + columns.len() * RANK_COST;
        (masks.cost() < walk).then_some(masks)
    }

    /// Prepares a forest even if walks would be faster.
    fn of_any(trees: &Trees, width: usize) -> Option<Self> {
        if trees.is_special() || !trees.is_plain() && width > WIDTH {
            return None;
        }
        let trees: Vec<_> = trees.iter().collect();
        if trees.iter().any(|tree| splits(tree) >= CODES) {
            return None;
        }
        let mut groups = Vec::new();
        let mut rest = &trees[..];
        while !rest.is_empty() {
            let mut held = 0;
            let fitting = rest.iter().take_while(|tree| {
                // Planes take no place among the thresholds.
                held += splits(tree) - tree.forms.len();
                held <= THRESHOLDS
            });
            let (now, later) = rest.split_at(fitting.count());
            groups.push(Group::new(now, width));
            rest = later;
        }
        Some(Self { width, groups })
    }

    /// Time for a row, see [`COLUMN_COST`].
    fn cost(&self) -> usize {
        let of_group = |group: &Group| {
            group.columns.len() * COLUMN_COST
                + group.sets * SPLIT_COST
                + group.parts.len() * TREE_COST
        };
        self.groups.iter().map(of_group).sum()
    }

    /// Time for a row in the planes of the trees.
    fn plane_cost(&self, trees: &Trees) -> usize {
        let mut sum = 0.0;
        let parts = self.groups.iter().flat_map(|group| &group.parts);
        for (tree, part) in trees.iter().zip(parts) {
            let nodes = tree.nodes.iter().zip(tree.counts).enumerate();
            let splits = nodes.filter(|(at, (node, _))| !node.is_leaf(*at));
            let planes = splits.filter(|(_, (node, _))| node.test() >= self.width);
            for ((_, (_, rows)), plane) in planes.zip(&part.planes) {
                sum += plane.cost(f64::from(*rows) / f64::from(tree.counts[0]));
            }
        }
        whole(sum)
    }

    /// Bytes on the heap.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        let of_group = |group: &Group| {
            let columns = group.columns.iter().map(Column::bytes).sum::<usize>();
            let parts = group.parts.iter().map(Part::bytes).sum::<usize>();
            columns
                + parts
                + group.columns.capacity() * size_of::<Column>()
                + group.parts.capacity() * size_of::<Part>()
        };
        self.groups.iter().map(of_group).sum()
    }
}

/// Picoseconds for a row and a column, a split and a tree, and for a step and a column of a walk by ranks, as measured on
/// one machine. They decide nothing but speed.
const COLUMN_COST: usize = 8000;
const SPLIT_COST: usize = 18;
const TREE_COST: usize = 500;
const STEP_COST: usize = 800;
const RANK_COST: usize = 10_000;
/// Picoseconds for a row and a step where rows are parted node by node.
const PART_COST: f64 = 5000.0;
/// Columns of rows, at most, where trees have planes: all values of a block are kept then.
const WIDTH: usize = 64;

/// Time for a row where rows are parted node by node: by the mean length of the training rows' paths.
fn other_cost(trees: &Trees) -> usize {
    let mut sum = 0.0;
    for tree in trees.iter() {
        let nodes = tree.nodes.iter().zip(tree.counts).enumerate();
        let splits = nodes.filter(|(at, (node, _))| !node.is_leaf(*at));
        let rows: f64 = splits.map(|(_, (_, rows))| f64::from(*rows)).sum();
        sum += rows / f64::from(tree.counts[0]) * PART_COST;
    }
    whole(sum)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time that is far below 2^63 picoseconds"
)]
fn whole(number: f64) -> usize {
    number as usize
}

fn splits(tree: &Tree<'_>) -> usize {
    tree.nodes.len() / 2
}

impl Group {
    fn new(trees: &[Tree<'_>], width: usize) -> Self {
        let mut thresholds: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for tree in trees {
            let nodes = tree.nodes.iter().enumerate();
            let compares = |(at, node): &(usize, &Node)| !node.is_leaf(*at) && node.test() < width;
            for (_, node) in nodes.filter(compares) {
                let column = thresholds.entry(node.test()).or_default();
                column.push(node.threshold);
            }
        }
        let mut sets = 0;
        let columns = thresholds.into_iter().map(|(index, thresholds)| {
            let column = Column::new((index, sets), thresholds);
            sets += column.sets();
            column
        });
        let columns: Vec<_> = columns.collect();
        let place = |node: &Node| {
            let at = columns.partition_point(|column| column.index < node.test());
            let missing_left = !node.missing_right();
            let missing = if missing_left { at + 1 } else { 0 };
            (to_u16(columns[at].place(node.threshold)), to_u16(missing))
        };
        let flips = flips();
        let new_part = |tree: &Tree<'_>| Part::new(tree, (width, sets, &flips), place);
        let parts: Vec<_> = trees.iter().map(new_part).collect();
        let planes = parts.iter().map(|part| part.planes.len()).max();
        Self {
            columns,
            sets,
            planes: planes.unwrap_or(0),
            parts,
        }
    }
}

/// Places are bounded: at most [`THRESHOLDS`] sets and one more for each column, at most that many columns.
fn to_u16(place: usize) -> u16 {
    u16::try_from(place).unwrap_or(u16::MAX)
}
