//! Many rows answered together, as bits.
//!
//! Of a batch of rows, those above each threshold of the model are found once, a bit a row. Then the rows at a node are
//! parted 64 at a time. Nodes that few rows come to are left to a walk.

use crate::tree::walk::Walk;
use crate::tree::{Node, Tree};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Rows of a word.
const ROWS: usize = 64;
/// Rows of a batch at most.
pub(super) const BATCH: usize = 64 * ROWS;
/// Masks of thresholds that are held at most: two megabytes, and no more for missing values.
const HELD: usize = 1 << 12;
/// Thresholds of each column of a table at least, or finding those of a row takes longer than walking.
const FEWEST: usize = 4;
/// Nodes with less than one in so many of a tree's rows, by cover, are left to a walk.
const SHARE: f64 = 512.0;
/// Levels above such nodes, in trees whose nodes have no cover.
const LEVELS: u32 = 8;
/// Trees of at most so many leaves leave no node to a walk.
const LEAVES: usize = 32;

/// What happens to the rows at a node.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Action {
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
#[derive(Debug, Clone, PartialEq)]
struct Group {
    trees: Range<usize>,
    columns: Vec<Column>,
    thresholds: usize,
}

/// How to answer for batches of rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Masks {
    groups: Vec<Group>,
    /// Of all nodes, tree after tree.
    actions: Vec<Action>,
}

/// Rows that are answered together, at most [`BATCH`] of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch<'r> {
    /// Row after row.
    pub(super) rows: &'r [f64],
    pub(super) width: usize,
    /// Whether more than comparisons is needed.
    pub(super) special: bool,
}

impl<'r> Batch<'r> {
    pub(super) fn row(&self, number: usize) -> &'r [f64] {
        &self.rows[number * self.width..][..self.width]
    }
}

/// Sets of rows, a bit a row.
#[derive(Debug, Default)]
struct Sets {
    /// Words of a set.
    words: usize,
    /// Set after set.
    bits: Vec<u64>,
}

/// Room for a batch.
#[derive(Debug, Default)]
pub(super) struct Room {
    sums: Vec<f64>,
    /// Rows above each threshold.
    above: Sets,
    /// Rows where each column has no value.
    missing: Sets,
    /// Nodes on the way, and the rows that came there.
    nodes: Vec<u32>,
    rows: Sets,
    few: Vec<u16>,
    /// Rows that go right by their categories.
    by_category: Vec<u64>,
}

impl Sets {
    /// Makes all sets empty.
    fn clear(&mut self, sets: usize, words: usize) {
        self.words = words;
        self.bits.clear();
        self.bits.resize(sets * words, 0);
    }

    fn get(&self, set: usize) -> &[u64] {
        &self.bits[set * self.words..][..self.words]
    }

    /// A set and the next one.
    fn two(&mut self, set: usize) -> (&mut [u64], &mut [u64]) {
        let end = (set + 2) * self.words;
        self.bits.resize(self.bits.len().max(end), 0);
        self.bits[set * self.words..end].split_at_mut(self.words)
    }
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
    fn action(&self, node: &Node) -> Action {
        let column = |column: &Column| column.index.cmp(&(node.column as usize));
        let at = self.columns.binary_search_by(column).unwrap_or_default();
        let column = &self.columns[at];
        let below = |threshold: &f64| *threshold < node.threshold;
        Action::Above {
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
            let (group, actions) = next_group(&trees[start..], start);
            start = group.trees.end;
            masks.actions.extend(actions);
            masks.groups.push(group);
        }
        masks
    }

    /// Adds the answers for a batch.
    pub(super) fn add(&self, walk: &Walk, room: &mut Room, batch: &Batch<'_>, out: &mut [f64]) {
        let words = out.len().div_ceil(ROWS);
        room.sums.clear();
        room.sums.extend_from_slice(out);
        room.sums.resize(words * ROWS, 0.0);
        room.rows.words = words;
        for group in &self.groups {
            room.compare(group, batch);
            for tree in group.trees.clone() {
                self.add_tree((walk, tree), room, batch);
            }
        }
        out.copy_from_slice(&room.sums[..out.len()]);
    }

    fn add_tree(&self, (walk, tree): (&Walk, usize), room: &mut Room, batch: &Batch<'_>) {
        room.nodes.push(walk.root(tree));
        fill(room.rows.two(0).0, batch.rows.len() / batch.width);
        // The rows of the last node are the last set.
        while let Some(at) = room.nodes.pop() {
            let depth = room.nodes.len();
            let action = self.actions[at as usize];
            if action == Action::Leaf {
                add_to(room.rows.get(depth), walk.answer(at), &mut room.sums);
                continue;
            }
            if matches!(action, Action::Few | Action::Categories) {
                list(room.rows.get(depth), &mut room.few);
            }
            let (here, right) = room.rows.two(depth);
            let any = match action {
                Action::Leaf | Action::Few => {
                    walk.add_few(at, &room.few, batch, &mut room.sums);
                    continue;
                }
                Action::Above {
                    threshold,
                    missing_right: Some(column),
                } if batch.special => {
                    let above = room.above.get(threshold as usize).iter();
                    let both = above.zip(room.missing.get(column as usize));
                    split(here, right, both.map(|(above, missing)| above | missing))
                }
                Action::Above { threshold, .. } => {
                    let above = room.above.get(threshold as usize);
                    split(here, right, above.iter().copied())
                }
                Action::Categories => {
                    room.by_category.clear();
                    room.by_category.resize(here.len(), 0);
                    for row in room.few.iter().map(|row| usize::from(*row)) {
                        let goes = walk.goes_right(at, batch.row(row));
                        room.by_category[row / ROWS] |= u64::from(goes) << (row % ROWS);
                    }
                    split(here, right, room.by_category.iter().copied())
                }
            };
            let left = walk.left(at);
            match any {
                [true, true] => room.nodes.extend([left, left + 1]),
                [true, false] => room.nodes.push(left),
                [false, true] => {
                    here.copy_from_slice(right);
                    room.nodes.push(left + 1);
                }
                [false, false] => {}
            }
        }
    }
}

/// As many of the trees as one table of thresholds is enough for, and what happens at their nodes.
fn next_group(trees: &[&Tree], start: usize) -> (Group, Vec<Action>) {
    let mut thresholds = Thresholds::new();
    let (mut held, mut end) = (0, start);
    let mut left_to_walk = Vec::new();
    for tree in trees {
        let mut few = few(tree);
        let compared = |few: &[bool]| -> Vec<&Node> {
            let nodes = tree.nodes.iter().zip(few);
            let nodes = nodes.filter(|(node, few)| !**few && !node.is_leaf() && node.set == 0);
            nodes.map(|(node, _)| node).collect()
        };
        let mut nodes = compared(&few);
        if nodes.len() > HELD {
            // Too many for any table: all of it walks.
            few.fill(true);
            nodes.clear();
        }
        if held + nodes.len() > HELD {
            break;
        }
        for node in nodes {
            let column = thresholds.entry(node.column).or_default();
            held += usize::from(column.insert(Ordered::of(node.threshold)));
        }
        left_to_walk.extend(few);
        end += 1;
    }
    if thresholds.len() * FEWEST > held {
        thresholds.clear();
        left_to_walk.fill(true);
    }
    let group = Group::new(start..end, &thresholds);
    let nodes = trees.iter().flat_map(|tree| &tree.nodes);
    let action = |(node, few): (&Node, bool)| {
        if node.is_leaf() {
            Action::Leaf
        } else if few {
            Action::Few
        } else if node.set > 0 {
            Action::Categories
        } else {
            group.action(node)
        }
    };
    let actions = nodes.zip(left_to_walk).map(action).collect();
    (group, actions)
}

impl Room {
    /// Finds which rows are above each threshold, and where values are missing.
    fn compare(&mut self, group: &Group, batch: &Batch<'_>) {
        let words = self.rows.words;
        self.above.clear(group.thresholds, words);
        self.missing.clear(group.columns.len(), words);
        // First each row where the highest threshold is that it is above.
        for (number, row) in batch.rows.chunks_exact(batch.width).enumerate() {
            let (word, bit) = (number / ROWS, 1 << (number % ROWS));
            for (at, column) in group.columns.iter().enumerate() {
                let value = row[column.index];
                let below = column
                    .thresholds
                    .partition_point(|threshold| *threshold < value);
                if below > 0 {
                    self.above.bits[(column.first + below - 1) * words + word] |= bit;
                }
                if value.is_nan() {
                    self.missing.bits[at * words + word] |= bit;
                }
            }
        }
        for column in &group.columns {
            for threshold in (1..column.thresholds.len()).rev() {
                let (lower, higher) = self.above.two(column.first + threshold - 1);
                for (lower, higher) in lower.iter_mut().zip(higher) {
                    *lower |= *higher;
                }
            }
        }
    }
}

/// Makes a set the first rows, so many.
fn fill(set: &mut [u64], count: usize) {
    for (word, first) in set.iter_mut().zip((0..).step_by(ROWS)) {
        *word = match count.saturating_sub(first) {
            0 => 0,
            left if left < ROWS => (1 << left) - 1,
            _ => u64::MAX,
        };
    }
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
