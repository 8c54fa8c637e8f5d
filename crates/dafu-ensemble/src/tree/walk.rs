//! Trees laid out for answers: several ways through them are walked side by side, and trees of few leaves not at all
//! ([`Quick`]).
//!
//! A single way waits for each node before it knows the next. Of eight rows in one tree, or of one row in eight trees, the
//! waits fall together, and no step depends on a branch. A tree answers for many rows before the next one does, so that it
//! stays in the cache.

use crate::threads;
use crate::tree::quick::Quick;
use crate::tree::{Tree, contains};
use ndarray::{ArrayView2, Axis};
use std::ops::Range;

/// Ways side by side.
const SIDE: usize = 8;
/// Steps between two looks whether all ways have come to leaves.
const ASK: u32 = 2;
/// Rows that a thread takes at a time.
const CHUNK: usize = 4096;
/// Rows that a tree answers for before the next one does, where as many values are held; at most 2^16.
const BLOCK: usize = 2048;
/// Values that are held column after column, where a few rows do not have more: a megabyte stays in the cache.
const HELD: usize = 1 << 17;
/// In [`Step::column`]: what is missing goes left.
const MISSING_LEFT: u32 = 1 << 31;
/// In [`Step::column`]: categories are split.
const CATEGORIES: u32 = 1 << 30;
const COLUMN: u32 = CATEGORIES - 1;
/// In the number of words of a set: whether it truncates.
const TRUNCATES: u64 = 1 << 31;

/// A node. A leaf leads to itself.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    /// For categories the place of their words, in the bits: the first in the upper half, their number in the lower one.
    threshold: f64,
    column: u32,
    left: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Root {
    at: u32,
    /// Levels above the shallowest and the deepest leaf.
    least: u32,
    most: u32,
}

/// All trees of a model.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Walk {
    steps: Vec<Step>,
    /// Answers of the leaves, in the places of the steps.
    answers: Vec<f64>,
    roots: Vec<Root>,
    /// The categories that go left, of all steps.
    words: Vec<u64>,
    /// The other way to answer, where trees are small enough; then there are no steps.
    quick: Option<Quick>,
}

impl Walk {
    pub(crate) fn new<'a>(trees: impl IntoIterator<Item = &'a Tree>) -> Self {
        let trees: Vec<&Tree> = trees.into_iter().collect();
        let quick = Quick::new(&trees);
        if quick.is_some() {
            return Self {
                quick,
                ..Self::default()
            };
        }
        let mut walk = Self::default();
        for tree in trees {
            let start = u32::try_from(walk.steps.len()).unwrap_or(u32::MAX);
            let mut depths = vec![0; tree.nodes.len()];
            let (mut least, mut most) = (u32::MAX, 0);
            for (place, (node, at)) in tree.nodes.iter().zip(start..).enumerate() {
                let depth = depths[place];
                let step = if node.left == 0 {
                    (least, most) = (least.min(depth), most.max(depth));
                    // Nothing is above it, and what is missing goes left: so to itself.
                    Step {
                        threshold: f64::INFINITY,
                        column: MISSING_LEFT,
                        left: at,
                    }
                } else {
                    let left = node.left as usize;
                    depths[left..=left + 1].fill(depth + 1);
                    let missing = if node.missing_left { MISSING_LEFT } else { 0 };
                    let (threshold, categories) = match tree.set(node) {
                        None => (node.threshold, 0),
                        Some(set) => {
                            let truncates = if set.truncates { TRUNCATES } else { 0 };
                            let len = set.words.len() as u64 | truncates;
                            let place = (walk.words.len() as u64) << 32 | len;
                            walk.words.extend(&set.words);
                            (f64::from_bits(place), CATEGORIES)
                        }
                    };
                    Step {
                        threshold,
                        column: node.column | missing | categories,
                        left: start + node.left,
                    }
                };
                walk.steps.push(step);
                walk.answers.push(node.value);
            }
            walk.roots.push(Root {
                at: start,
                least: least.min(most),
                most,
            });
        }
        walk
    }

    /// The node after one.
    #[inline]
    fn next<const SPECIAL: bool>(&self, at: u32, row: &[f64]) -> u32 {
        let step = self.steps[at as usize];
        let value = row[(step.column & COLUMN) as usize];
        step.left + u32::from(self.goes_right::<SPECIAL>(step, value))
    }

    #[inline]
    fn goes_right<const SPECIAL: bool>(&self, step: Step, value: f64) -> bool {
        if SPECIAL {
            if step.column & CATEGORIES != 0 {
                return !self.categories_left(step, value);
            }
            let missing_right = step.column & MISSING_LEFT == 0;
            (value > step.threshold) | (value.is_nan() & missing_right)
        } else {
            value > step.threshold
        }
    }

    /// Whether a value goes left at a split by categories.
    fn categories_left(&self, step: Step, value: f64) -> bool {
        let place = step.threshold.to_bits();
        let (start, len) = ((place >> 32) as usize, (place & (TRUNCATES - 1)) as usize);
        let words = self.words.get(start..start + len).unwrap_or_default();
        contains(words, place & TRUNCATES != 0, value)
            || (value.is_nan() && step.column & MISSING_LEFT != 0)
    }

    /// Whether a way through needs more than comparisons.
    fn special(&self, values: &[f64]) -> bool {
        !self.words.is_empty() || values.iter().any(|value| value.is_nan())
    }

    /// Walks from nodes down to leaves.
    #[inline]
    fn descend<'r, const SPECIAL: bool>(
        &self,
        at: &mut [u32; SIDE],
        (least, most): (u32, u32),
        row: impl Fn(usize) -> &'r [f64],
    ) {
        for _ in 0..least {
            for (side, at) in at.iter_mut().enumerate() {
                *at = self.next::<SPECIAL>(*at, row(side));
            }
        }
        let mut left = most - least;
        while left > 0 {
            // Whether all have arrived is asked now and then: a step on a leaf costs less than the question.
            let steps = left.min(ASK);
            let before = *at;
            for _ in 0..steps {
                for (side, at) in at.iter_mut().enumerate() {
                    *at = self.next::<SPECIAL>(*at, row(side));
                }
            }
            if before == *at {
                break;
            }
            left -= steps;
        }
    }

    /// Adds the answers for one row.
    pub(crate) fn add_row(&self, row: &[f64], out: &mut f64) {
        if let Some(quick) = &self.quick {
            quick.add_row(row, out);
        } else if self.special(row) {
            self.add_row_of::<true>(row, out);
        } else {
            self.add_row_of::<false>(row, out);
        }
    }

    fn add_row_of<const SPECIAL: bool>(&self, row: &[f64], out: &mut f64) {
        let (groups, rest) = self.roots.as_chunks::<SIDE>();
        for roots in groups {
            let mut at = roots.map(|root| root.at);
            let (mut least, mut most) = (u32::MAX, 0);
            for root in roots {
                (least, most) = (least.min(root.least), most.max(root.most));
            }
            self.descend::<SPECIAL>(&mut at, (least, most), |_| row);
            for at in at {
                *out += self.answers[at as usize];
            }
        }
        for root in rest {
            let mut at = root.at;
            for _ in 0..root.most {
                at = self.next::<SPECIAL>(at, row);
            }
            *out += self.answers[at as usize];
        }
    }

    /// Adds the answers for rows.
    pub(crate) fn add_view(&self, rows: ArrayView2<'_, f64>, out: &mut [f64]) {
        let width = rows.ncols();
        if let Some(rows) = rows.as_slice() {
            threads::each_chunk(out, CHUNK, |number, out| {
                let rows = rows.get(number * CHUNK * width..).unwrap_or_default();
                self.add_rows(&rows[..out.len() * width], width, out);
            });
            return;
        }
        let most = block_rows(width);
        let mut block = Vec::with_capacity(most.min(rows.nrows()) * width);
        let blocks = rows.axis_chunks_iter(Axis(0), most);
        for (rows, out) in blocks.zip(out.chunks_mut(most)) {
            block.clear();
            block.extend(rows.iter());
            self.add_rows(&block, width, out);
        }
    }

    /// Adds the answers for rows that follow each other in one slice.
    fn add_rows(&self, rows: &[f64], width: usize, out: &mut [f64]) {
        if let Some(quick) = &self.quick {
            return quick.add_rows(rows, width, out);
        }
        let mut sieve = Sieve::default();
        let block = block_rows(width);
        for (rows, out) in rows.chunks(block * width).zip(out.chunks_mut(block)) {
            if self.special(rows) {
                self.sift::<true>(&mut sieve, rows, width, out);
            } else {
                self.sift::<false>(&mut sieve, rows, width, out);
            }
        }
    }

    /// Adds the answers for at most a block of rows, tree after tree: all rows go down a tree together, parted at each node
    /// that they come to, and the last few walk side by side.
    fn sift<const SPECIAL: bool>(
        &self,
        sieve: &mut Sieve,
        rows: &[f64],
        width: usize,
        out: &mut [f64],
    ) {
        sieve.turn(rows, width);
        for root in &self.roots {
            sieve.begin(root.at);
            while let Some((at, part)) = sieve.parts.pop() {
                let step = self.steps[at as usize];
                if step.left == at {
                    for row in &sieve.order[part] {
                        out[usize::from(*row)] += self.answers[at as usize];
                    }
                } else if part.len() <= SIDE {
                    self.walk_few::<SPECIAL>(at, &sieve.order[part], (rows, width), out);
                } else {
                    let column = (step.column & COLUMN) as usize;
                    let middle = sieve.part(part.clone(), column, |value| {
                        self.goes_right::<SPECIAL>(step, value)
                    });
                    for (at, part) in [
                        (step.left + 1, middle..part.end),
                        (step.left, part.start..middle),
                    ] {
                        if !part.is_empty() {
                            sieve.parts.push((at, part));
                        }
                    }
                }
            }
        }
    }

    /// Walks from one node down with a few rows.
    #[inline]
    fn walk_few<const SPECIAL: bool>(
        &self,
        at: u32,
        few: &[u16],
        (rows, width): (&[f64], usize),
        out: &mut [f64],
    ) {
        let row = |side: usize| {
            let row = usize::from(few[side.min(few.len() - 1)]);
            &rows[row * width..][..width]
        };
        let sides: [&[f64]; SIDE] = std::array::from_fn(row);
        let mut ways = [at; SIDE];
        self.descend::<SPECIAL>(&mut ways, (0, u32::MAX), |side| sides[side]);
        for (row, at) in few.iter().zip(ways) {
            out[usize::from(*row)] += self.answers[at as usize];
        }
    }
}

/// Rows of a block.
fn block_rows(width: usize) -> usize {
    (HELD / width.max(1)).clamp(SIDE, BLOCK)
}

/// Rows on their way down a tree.
#[derive(Debug, Default)]
struct Sieve {
    /// Values column after column.
    columns: Vec<f64>,
    rows: usize,
    /// Numbers of the rows; those at one node follow each other.
    order: Vec<u16>,
    aside: Vec<u16>,
    /// Nodes that rows have come to, and where those lie in the order.
    parts: Vec<(u32, Range<usize>)>,
}

impl Sieve {
    fn turn(&mut self, rows: &[f64], width: usize) {
        self.rows = rows.len() / width;
        self.columns.resize(rows.len(), 0.0);
        for (number, row) in rows.chunks_exact(width).enumerate() {
            for (column, value) in row.iter().enumerate() {
                self.columns[column * self.rows + number] = *value;
            }
        }
        self.aside.resize(self.rows, 0);
    }

    /// Brings all rows to a root.
    fn begin(&mut self, root: u32) {
        self.order.clear();
        self.order.extend((0..=u16::MAX).take(self.rows));
        self.parts.push((root, 0..self.rows));
    }

    /// Parts rows: those that go left first, each side in order. Says where the right ones begin.
    #[inline]
    fn part(&mut self, part: Range<usize>, column: usize, right: impl Fn(f64) -> bool) -> usize {
        let values = &self.columns[column * self.rows..][..self.rows];
        let (order, aside) = (&mut self.order[part.clone()], &mut self.aside[..part.len()]);
        let (mut left, mut gone) = (0, 0);
        for at in 0..order.len() {
            let row = order[at];
            let right = right(values[usize::from(row)]);
            // Both are written: a branch would be guessed wrong half of the time.
            order[left] = row;
            aside[gone] = row;
            left += usize::from(!right);
            gone += usize::from(right);
        }
        order[left..].copy_from_slice(&aside[..gone]);
        part.start + left
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "small numbers")]
mod tests {
    use super::Walk;
    use crate::tree::{CategorySet, Node, Tree};
    use dafu_core::random::Stream;
    use ndarray::Array2;

    const WIDTH: usize = 5;
    const VALUES: [f64; 8] = [
        f64::NEG_INFINITY,
        -1.5,
        -0.0,
        0.0,
        0.25,
        2.0,
        f64::INFINITY,
        f64::NAN,
    ];

    fn tree(leaves: usize, categories: bool, stream: &mut Stream) -> Tree {
        let mut tree = Tree {
            nodes: vec![Node::LEAF],
            sets: Vec::new(),
        };
        while tree.nodes.len() < 2 * leaves - 1 {
            let open: Vec<usize> = (0..tree.nodes.len())
                .filter(|at| tree.nodes[*at].is_leaf())
                .collect();
            let at = open[stream.index_below(open.len())];
            let left = tree.nodes.len() as u32;
            let mut node = Node {
                left,
                column: stream.below(WIDTH as u64) as u32,
                threshold: VALUES[stream.index_below(7)],
                missing_left: stream.below(2) == 0,
                ..Node::LEAF
            };
            if categories && stream.below(3) == 0 {
                let mut set = CategorySet::default();
                set.insert(stream.below(3) as u32);
                tree.sets.push(set);
                node.set = tree.sets.len() as u32;
            }
            tree.nodes[at] = node;
            tree.nodes.extend([Node::LEAF; 2]);
        }
        for node in &mut tree.nodes {
            node.value = stream.below(1 << 20) as f64 / 3.0;
        }
        tree
    }

    /// The sum of what each tree answers by itself is the oracle, to the bit.
    #[test]
    fn answers_are_those_of_tree_after_tree() {
        let mut stream = Stream::new(7, 1, 0);
        for (leaves, count, categories, missing) in [
            (1, 3, false, false),
            (2, 1, false, true),
            (2, 256, false, true),
            (2, 10, false, false),
            (8, 300, false, false),
            (32, 40, false, true),
            (33, 20, false, false),
            (90, 30, false, true),
            (12, 30, true, false),
            (12, 30, true, true),
        ] {
            let trees: Vec<Tree> = (0..count)
                .map(|number| tree(1 + (leaves - 1) * (number % 5) / 4, categories, &mut stream))
                .collect();
            let walk = Walk::new(&trees);
            let quick = !categories && leaves <= 32 && (leaves, count) != (2, 10);
            assert_eq!(walk.quick.is_some(), quick);
            for rows in [0, 1, 7, 8, 300, 1029] {
                let mut values = |_| {
                    // Few rows with missing values: groups of both kinds.
                    let kinds = if missing && stream.below(40) == 0 {
                        8
                    } else {
                        7
                    };
                    VALUES[stream.index_below(kinds)]
                };
                let rows = Array2::from_shape_fn((rows, WIDTH), &mut values);
                let expected: Vec<u64> = rows
                    .rows()
                    .into_iter()
                    .map(|row| {
                        let answers = trees.iter().map(|tree| tree.answer(|column| row[column]));
                        answers.fold(0.5, |sum, answer| sum + answer).to_bits()
                    })
                    .collect();
                let mut out = vec![0.5; rows.nrows()];
                walk.add_view(rows.view(), &mut out);
                assert!(out.iter().map(|out| out.to_bits()).eq(expected.clone()));
                let turned = rows.t().as_standard_layout().into_owned();
                out.fill(0.5);
                walk.add_view(turned.t(), &mut out);
                assert!(out.iter().map(|out| out.to_bits()).eq(expected.clone()));
                for (row, expected) in rows.rows().into_iter().zip(expected) {
                    let mut out = 0.5;
                    walk.add_row(&row.to_vec(), &mut out);
                    assert_eq!(out.to_bits(), expected);
                }
            }
        }
    }
}
