//! Trees laid out for answers: many rows go through them as bits ([`Masks`]), one row crosses out leaves where those are
//! few ([`Quick`]), and else several ways are walked side by side.
//!
//! A single way waits for each node before it knows the next. Of eight rows in one tree, or of one row in eight trees, the
//! waits fall together, and no step depends on a branch.

use crate::threads;
use crate::tree::masks::{BATCH, Batch, Masks, Room};
use crate::tree::quick::Quick;
use crate::tree::{Tree, contains};
use ndarray::{ArrayView2, Axis};

/// Ways side by side.
const SIDE: usize = 8;
/// Steps between two looks whether all ways have come to leaves.
const ASK: u32 = 2;
/// Rows that a thread takes at a time, and what they are a multiple of.
const CHUNK: usize = 8 * BATCH;
const LEAST_CHUNK: usize = 512;
/// Fewer rows are answered one by one.
const FEW_ROWS: usize = 64;
/// Values of rows that are brought together where they do not follow each other.
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
    /// Whether any step splits by categories.
    categories: bool,
    /// The categories that go left, of all steps.
    words: Vec<u64>,
    /// For many rows.
    masks: Masks,
    /// For one row, where trees are small enough.
    quick: Option<Quick>,
}

impl Walk {
    pub(crate) fn new<'a>(trees: impl IntoIterator<Item = &'a Tree>) -> Self {
        let trees: Vec<&Tree> = trees.into_iter().collect();
        let mut walk = Self {
            masks: Masks::new(&trees),
            quick: Quick::new(&trees),
            categories: trees.iter().any(|tree| !tree.sets.is_empty()),
            ..Self::default()
        };
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
        step.left + u32::from(self.step_right::<SPECIAL>(step, value))
    }

    #[inline]
    fn step_right<const SPECIAL: bool>(&self, step: Step, value: f64) -> bool {
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
        self.categories || values.iter().any(|value| value.is_nan())
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
            // Some chunks a thread, so that none waits long for the others.
            let chunk = out.len().div_ceil(4 * threads::count()).max(1);
            let chunk = chunk.next_multiple_of(LEAST_CHUNK).min(CHUNK);
            threads::each_chunk(out, chunk, |number, out| {
                let rows = rows.get(number * chunk * width..).unwrap_or_default();
                let mut room = Room::default();
                self.add_rows(&mut room, &rows[..out.len() * width], width, out);
            });
            return;
        }
        let most = (HELD / width).clamp(SIDE, BATCH);
        let mut block = Vec::with_capacity(most.min(rows.nrows()) * width);
        let mut room = Room::default();
        let blocks = rows.axis_chunks_iter(Axis(0), most);
        for (rows, out) in blocks.zip(out.chunks_mut(most)) {
            block.clear();
            block.extend(rows.iter());
            self.add_rows(&mut room, &block, width, out);
        }
    }

    /// Adds the answers for rows that follow each other in one slice.
    fn add_rows(&self, room: &mut Room, rows: &[f64], width: usize, out: &mut [f64]) {
        let batches = rows.chunks(BATCH.saturating_mul(width));
        for (rows, out) in batches.zip(out.chunks_mut(BATCH)) {
            if out.len() < FEW_ROWS {
                for (row, out) in rows.chunks_exact(width).zip(out) {
                    self.add_row(row, out);
                }
            } else {
                let special = self.special(rows);
                let batch = Batch {
                    rows,
                    width,
                    special,
                };
                self.masks.add(self, room, &batch, out);
            }
        }
    }

    /// The root of a tree.
    pub(super) fn root(&self, tree: usize) -> u32 {
        self.roots[tree].at
    }

    /// The answer of a leaf.
    pub(super) fn answer(&self, at: u32) -> f64 {
        self.answers[at as usize]
    }

    /// The node to the left below one.
    pub(super) fn left(&self, at: u32) -> u32 {
        self.steps[at as usize].left
    }

    /// Whether a row goes right at a node.
    pub(super) fn goes_right(&self, at: u32, row: &[f64]) -> bool {
        let step = self.steps[at as usize];
        self.step_right::<true>(step, row[(step.column & COLUMN) as usize])
    }

    /// Adds the answers of a tree for some rows of a batch that have come to a node.
    pub(super) fn add_few(&self, at: u32, few: &[u16], batch: &Batch<'_>, out: &mut [f64]) {
        for few in few.chunks(SIDE) {
            let row = |side: usize| batch.row(usize::from(few[side.min(few.len() - 1)]));
            let sides: [&[f64]; SIDE] = std::array::from_fn(row);
            let mut ways = [at; SIDE];
            if batch.special {
                self.descend::<true>(&mut ways, (0, u32::MAX), |side| sides[side]);
            } else {
                self.descend::<false>(&mut ways, (0, u32::MAX), |side| sides[side]);
            }
            for (row, at) in few.iter().zip(ways) {
                out[usize::from(*row)] += self.answers[at as usize];
            }
        }
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
        // Of some trees it is not known how many rows came to their nodes.
        let known = stream.below(2);
        for node in &mut tree.nodes {
            node.value = (stream.below(4).min(1) * stream.below(1 << 20)) as f64 / 3.0;
            node.cover = (known * stream.below(50).pow(3)) as f64;
        }
        tree.level_by_level()
    }

    /// A set without categories sends all to the right.
    #[test]
    fn empty_sets_are_categories_too() {
        let split = Node {
            left: 1,
            set: 1,
            ..Node::LEAF
        };
        let [left, right] = [1.0, 2.0].map(|value| Node {
            value,
            ..Node::LEAF
        });
        let trees = [Tree {
            nodes: vec![split, left, right],
            sets: vec![CategorySet::default()],
        }];
        let walk = Walk::new(&trees);
        for rows in [1, 64] {
            let mut out = vec![0.0; rows];
            walk.add_view(Array2::zeros((rows, 1)).view(), &mut out);
            assert_eq!(out, vec![2.0; rows]);
        }
    }

    /// The bits of 0.5 and the answers of each tree.
    fn one_by_one(trees: &[Tree], rows: &Array2<f64>) -> Vec<u64> {
        let rows = rows.rows().into_iter();
        let sums = rows.map(|row| {
            let answers = trees.iter().map(|tree| tree.answer(|column| row[column]));
            answers.fold(0.5, |sum, answer| sum + answer).to_bits()
        });
        sums.collect()
    }

    /// Several tables of thresholds, and a tree that has too many for one.
    #[test]
    fn many_thresholds_are_answered_the_same() {
        let mut stream = Stream::new(8, 1, 0);
        let mut trees: Vec<Tree> = [1_500, 700, 9_000, 40, 2_000]
            .map(|leaves| tree(leaves, false, &mut stream))
            .into();
        for node in trees.iter_mut().flat_map(|tree| &mut tree.nodes) {
            node.threshold = stream.unit();
            node.cover = 0.0;
        }
        // A chain whose nodes are said to hold all rows, so that none would be left to a walk.
        for (at, node) in trees[2].nodes.iter_mut().enumerate() {
            let inner = at % 2 == 0 && at < 17_900;
            node.left = if inner { at as u32 + 1 } else { 0 };
            node.cover = 1.0;
        }
        let walk = Walk::new(&trees);
        let rows = Array2::from_shape_fn((500, WIDTH), |_| stream.unit());
        let mut out = vec![0.5; rows.nrows()];
        walk.add_view(rows.view(), &mut out);
        let out: Vec<u64> = out.iter().map(|out| out.to_bits()).collect();
        assert_eq!(out, one_by_one(&trees, &rows));
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
            (90, 30, true, false),
            (90, 30, true, true),
        ] {
            let trees: Vec<Tree> = (0..count)
                .map(|number| tree(1 + (leaves - 1) * (number % 5) / 4, categories, &mut stream))
                .collect();
            let walk = Walk::new(&trees);
            let quick = !categories && leaves <= 32 && (leaves, count) != (2, 10);
            assert_eq!(walk.quick.is_some(), quick);
            for rows in [0, 1, 7, 63, 64, 300, 8200] {
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
                let expected = one_by_one(&trees, &rows);
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
