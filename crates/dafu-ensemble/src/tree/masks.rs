//! Many rows answered together, as bits.
//!
//! Of a block of rows, those above each threshold of the model are found once, a bit a row. Then the rows at a node are
//! parted 64 at a time. Nodes that few rows come to are left to a walk.

use crate::tree::walk::Walk;
use crate::tree::{Node, Tree};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Words of a mask.
const WORDS: usize = 64;
/// Rows of a word.
const ROWS: usize = 64;
/// Rows of a block.
pub(super) const BLOCK: usize = WORDS * ROWS;
/// Masks of thresholds that are held at most: two megabytes.
const HELD: usize = 1 << 12;
/// Nodes of fewer than one in so many rows are left to a walk.
const SHARE: f64 = 512.0;
/// Levels above such nodes, in trees that do not say how many rows came to their nodes.
const LEVELS: u32 = 8;
/// Leaves of trees that no node of is left to a walk.
const LEAVES: usize = 32;

/// A bit a row.
type Mask = [u64; WORDS];

/// What happens to the rows at a node.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Part {
    /// They have come to a leaf.
    Leaf,
    /// They walk on.
    Few,
    /// Those above a threshold go right, and what is missing in a column maybe.
    Above {
        /// Place of the threshold.
        threshold: u32,
        /// Place of the column where what is missing goes right.
        missing_right: Option<u32>,
    },
    /// Each is asked for its category.
    Categories,
}

/// The thresholds of a column, in ascending order.
#[derive(Debug, Clone, PartialEq)]
struct Column {
    index: usize,
    /// Place of the first of them.
    first: usize,
    thresholds: Vec<f64>,
}

/// Trees that are answered with one table of thresholds.
#[derive(Debug, Clone, PartialEq, Default)]
struct Group {
    trees: Range<usize>,
    columns: Vec<Column>,
    thresholds: usize,
}

/// How to answer for blocks of rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Masks {
    groups: Vec<Group>,
    /// Of all nodes, tree after tree.
    parts: Vec<Part>,
}

/// Rows that are answered together, at most [`BLOCK`] of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<'r> {
    /// Row after row.
    pub(super) rows: &'r [f64],
    pub(super) width: usize,
    /// Whether more than comparisons is needed.
    pub(super) special: bool,
}

impl<'r> Block<'r> {
    pub(super) fn row(&self, number: usize) -> &'r [f64] {
        &self.rows[number * self.width..][..self.width]
    }
}

/// Room for a block.
#[derive(Debug, Default)]
pub(super) struct Room {
    sums: Vec<f64>,
    /// Rows above each threshold.
    above: Vec<Mask>,
    /// Rows where each column has no value.
    missing: Vec<Mask>,
    /// Nodes on the way, with the rows that came there.
    nodes: Vec<u32>,
    rows: Vec<Mask>,
    few: Vec<u16>,
}

/// A number in ascending order; the two zeros are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ordered(u64);

impl Ordered {
    fn of(number: f64) -> Self {
        let bits = (number + 0.0).to_bits();
        let negative = bits >> 63 == 1;
        Self(if negative { !bits } else { bits | 1 << 63 })
    }

    fn number(self) -> f64 {
        let positive = self.0 >> 63 == 1;
        f64::from_bits(if positive {
            self.0 & !(1 << 63)
        } else {
            !self.0
        })
    }
}

/// A number of a table.
fn place(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Whether each node of a tree is left to a walk, or below one that is.
fn few(tree: &Tree) -> Vec<bool> {
    let mut few = vec![false; tree.nodes.len()];
    let leaves = tree.nodes.len().div_ceil(2);
    let all = tree.nodes.first().map_or(0.0, |root| root.cover);
    let mut depths = vec![0; tree.nodes.len()];
    if leaves <= LEAVES {
        return few;
    }
    for (at, node) in tree.nodes.iter().enumerate() {
        few[at] |= if all > 0.0 {
            node.cover * SHARE < all
        } else {
            depths[at] >= LEVELS
        };
        if !node.is_leaf() {
            for child in node.left as usize..=node.left as usize + 1 {
                few[child] = few[at];
                depths[child] = depths[at] + 1;
            }
        }
    }
    few
}

type Thresholds = BTreeMap<u32, BTreeSet<Ordered>>;

impl Group {
    fn new(trees: Range<usize>, thresholds: &Thresholds) -> Self {
        let mut first = 0;
        let columns = thresholds.iter().map(|(index, thresholds)| {
            let column = Column {
                index: *index as usize,
                first,
                thresholds: thresholds.iter().map(|number| number.number()).collect(),
            };
            first += thresholds.len();
            column
        });
        Self {
            trees,
            columns: columns.collect(),
            thresholds: first,
        }
    }

    /// What happens at a node that splits by a number.
    fn part(&self, node: &Node) -> Part {
        let column = |column: &Column| column.index.cmp(&(node.column as usize));
        let at = self.columns.binary_search_by(column).unwrap_or_default();
        let column = &self.columns[at];
        let below = |threshold: &f64| *threshold < node.threshold;
        Part::Above {
            threshold: place(column.first + column.thresholds.partition_point(below)),
            missing_right: (!node.missing_left).then(|| place(at)),
        }
    }
}

impl Masks {
    pub(super) fn new(trees: &[&Tree]) -> Self {
        let mut masks = Self::default();
        let mut start = 0;
        while start < trees.len() {
            let (group, parts) = next_group(&trees[start..], start);
            start = group.trees.end;
            masks.parts.extend(parts);
            masks.groups.push(group);
        }
        masks
    }

    /// Adds the answers for at most a block of rows.
    pub(super) fn add(&self, walk: &Walk, room: &mut Room, block: &Block<'_>, out: &mut [f64]) {
        room.sums.resize(ROWS * WORDS, 0.0);
        room.sums[..out.len()].copy_from_slice(out);
        for group in &self.groups {
            room.compare(group, block);
            for tree in group.trees.clone() {
                self.add_tree((walk, tree), room, block);
            }
        }
        out.copy_from_slice(&room.sums[..out.len()]);
    }

    fn add_tree(&self, (walk, tree): (&Walk, usize), room: &mut Room, block: &Block<'_>) {
        let count = block.rows.len() / block.width;
        let words = count.div_ceil(ROWS);
        room.nodes.push(walk.root(tree));
        room.rows.resize(room.rows.len().max(1), [0; WORDS]);
        room.rows[0] = first(count);
        // The rows of the last node are the last ones.
        while let Some(at) = room.nodes.pop() {
            let depth = room.nodes.len();
            let left = walk.left(at);
            let any = match self.parts[at as usize] {
                Part::Leaf => {
                    add_to(&room.rows[depth][..words], walk.answer(at), &mut room.sums);
                    continue;
                }
                Part::Few => {
                    list(&room.rows[depth][..words], &mut room.few);
                    walk.add_few(at, &room.few, block, &mut room.sums);
                    continue;
                }
                Part::Above {
                    threshold,
                    missing_right,
                } => {
                    let (here, right, above, missing) = room.at(depth, words);
                    let above = above[threshold as usize].iter();
                    match missing_right {
                        Some(column) if block.special => {
                            let both = above.zip(&missing[column as usize]);
                            split(here, right, both.map(|(above, missing)| above | missing))
                        }
                        _ => split(here, right, above.copied()),
                    }
                }
                Part::Categories => {
                    list(&room.rows[depth][..words], &mut room.few);
                    let mut goes = [0; WORDS];
                    for row in room.few.iter().map(|row| usize::from(*row)) {
                        let right = walk.goes_right(at, block.row(row));
                        goes[row / ROWS] |= u64::from(right) << (row % ROWS);
                    }
                    let (here, right, ..) = room.at(depth, words);
                    split(here, right, goes.into_iter())
                }
            };
            match any {
                [true, true] => room.nodes.extend([left, left + 1]),
                [true, false] => room.nodes.push(left),
                [false, true] => {
                    room.rows.swap(depth, depth + 1);
                    room.nodes.push(left + 1);
                }
                [false, false] => {}
            }
        }
    }
}

/// As many of the trees as one table of thresholds is enough for, and what happens at their nodes.
fn next_group(trees: &[&Tree], start: usize) -> (Group, Vec<Part>) {
    let mut thresholds = Thresholds::new();
    let (mut held, mut end) = (0, 0);
    let mut of_trees = Vec::new();
    for tree in trees {
        let mut few = few(tree);
        let by_number = |tree: &&Tree, few: &[bool], at: usize| {
            let node = &tree.nodes[at];
            !few[at] && !node.is_leaf() && tree.set(node).is_none()
        };
        let numbers = |few: &[bool]| {
            (0..tree.nodes.len())
                .filter(|at| by_number(tree, few, *at))
                .count()
        };
        if numbers(&few) > HELD {
            // Too many for any table: all of it walks.
            few.fill(true);
        }
        if held + numbers(&few) > HELD {
            break;
        }
        for at in (0..tree.nodes.len()).filter(|at| by_number(tree, &few, *at)) {
            let node = &tree.nodes[at];
            let column = thresholds.entry(node.column).or_default();
            held += usize::from(column.insert(Ordered::of(node.threshold)));
        }
        of_trees.push((tree, few));
        end += 1;
    }
    let group = Group::new(start..start + end, &thresholds);
    let mut parts = Vec::new();
    for (tree, few) in of_trees {
        parts.extend(tree.nodes.iter().zip(few).map(|(node, few)| {
            if node.is_leaf() {
                Part::Leaf
            } else if few {
                Part::Few
            } else if tree.set(node).is_some() {
                Part::Categories
            } else {
                group.part(node)
            }
        }));
    }
    (group, parts)
}

impl Room {
    /// The rows at the last node, room for those of them that go right, and what was compared.
    fn at(&mut self, depth: usize, words: usize) -> (&mut [u64], &mut [u64], &[Mask], &[Mask]) {
        self.rows.resize(self.rows.len().max(depth + 2), [0; WORDS]);
        let [here, right, ..] = &mut self.rows[depth..] else {
            return Default::default();
        };
        (
            &mut here[..words],
            &mut right[..words],
            &self.above,
            &self.missing,
        )
    }

    /// Finds which rows are above each threshold, and where values are missing.
    fn compare(&mut self, group: &Group, block: &Block<'_>) {
        let words = (block.rows.len() / block.width).div_ceil(ROWS);
        self.above.resize(group.thresholds, [0; WORDS]);
        self.missing.resize(group.columns.len(), [0; WORDS]);
        for mask in self.above.iter_mut().chain(&mut self.missing) {
            mask[..words].fill(0);
        }
        // First each row where the highest threshold is that it is above.
        for (number, row) in block.rows.chunks_exact(block.width).enumerate() {
            let (word, bit) = (number / ROWS % WORDS, 1 << (number % ROWS));
            for (column, missing) in group.columns.iter().zip(&mut self.missing) {
                let value = row[column.index];
                let below = column
                    .thresholds
                    .partition_point(|threshold| *threshold < value);
                if below > 0 {
                    self.above[column.first + below - 1][word] |= bit;
                }
                missing[word] |= if value.is_nan() { bit } else { 0 };
            }
        }
        for column in &group.columns {
            let masks = &mut self.above[column.first..][..column.thresholds.len()];
            for at in (1..masks.len()).rev() {
                let (lower, higher) = masks.split_at_mut(at);
                for (lower, higher) in lower[at - 1][..words].iter_mut().zip(&higher[0]) {
                    *lower |= higher;
                }
            }
        }
    }
}

/// The first rows.
fn first(count: usize) -> Mask {
    std::array::from_fn(|word| match count.saturating_sub(word * ROWS) {
        0 => 0,
        left if left < ROWS => (1 << left) - 1,
        _ => u64::MAX,
    })
}

/// Takes the rows that go right out of those here; says whether there are any left and right.
#[inline]
fn split(here: &mut [u64], right: &mut [u64], goes_right: impl Iterator<Item = u64>) -> [bool; 2] {
    let mut any = [0, 0];
    for ((here, right), goes) in here.iter_mut().zip(right).zip(goes_right) {
        *right = *here & goes;
        *here &= !goes;
        any = [any[0] | *here, any[1] | *right];
    }
    any.map(|any| any != 0)
}

/// Lists rows.
fn list(rows: &[u64], out: &mut Vec<u16>) {
    out.clear();
    for (word, start) in rows.iter().zip((0..).step_by(ROWS)) {
        let mut left = *word;
        while left != 0 {
            out.push(start + u16::try_from(left.trailing_zeros()).unwrap_or_default());
            left &= left - 1;
        }
    }
}

/// Adds an answer to the sums of rows.
fn add_to(rows: &[u64], answer: f64, sums: &mut [f64]) {
    // Most leaves of a forest hold no fraud.
    if answer == 0.0 {
        return;
    }
    for (word, sums) in rows.iter().zip(sums.as_chunks_mut::<ROWS>().0) {
        let mut left = *word;
        while left != 0 {
            sums[left.trailing_zeros() as usize % ROWS] += answer;
            left &= left - 1;
        }
    }
}
