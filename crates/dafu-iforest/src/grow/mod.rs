//! Growing one tree.

mod candidate;
mod columns;
mod gain;
mod sample;
#[cfg(test)]
mod tests;

pub(crate) use candidate::split_value;
pub(crate) use sample::RowWeights;

use crate::form::Form;
use crate::input::{Accepted, Value};
use crate::node::{FlatTree, Node};
use crate::partition::partition;
use crate::purpose::Purpose;
use crate::{FiniteCheck, IsolationForestError, MissingValues, Scoring, SplitRule};
use candidate::{Candidate, range_of};
use columns::Columns;
use dafu_core::random::{FloydSampler, Stream};
use ndarray::{ArrayView2, Axis, Slice};
use std::hint::black_box;

/// What all trees of a fit share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GrowPlan<'a, T> {
    pub(crate) rows: ArrayView2<'a, T>,
    pub(crate) accepted: Accepted<'a>,
    pub(crate) weights: Option<&'a RowWeights>,
    /// Trees take turns.
    pub(crate) rules: &'a [SplitRule],
    pub(crate) scoring: Scoring,
    pub(crate) seed: u64,
    /// Rows a tree, at most the number of rows.
    pub(crate) sample_size: usize,
    /// Features a tree, at most the number of columns.
    pub(crate) features: usize,
    pub(crate) bootstrap: bool,
    pub(crate) height_limit: u32,
    pub(crate) finite_check: FiniteCheck,
}

impl<T> GrowPlan<'_, T> {
    /// The rule of a tree.
    fn rule(&self, tree: usize) -> &SplitRule {
        &self.rules[tree % self.rules.len()]
    }

    fn is_categorical(&self, column: usize) -> bool {
        self.accepted.categorical.get(column) == Some(&true)
    }
}

/// A node that waits for its split.
#[derive(Debug, Clone, Copy)]
struct Pending {
    node: usize,
    start: usize,
    end: usize,
    depth: u32,
    /// So many features at the front of the order are known to be constant here.
    constant: usize,
}

/// The drawn rows of the data, gathered.
#[derive(Debug, Default)]
struct Sample {
    /// Drawn rows of the data.
    rows: Vec<usize>,
    /// Drawn columns of the data.
    columns: Vec<usize>,
    /// Which of them hold categories.
    categorical: Vec<bool>,
    /// The drawn rows and columns, row after row.
    fetched: Vec<f64>,
    /// The same column after column.
    values: Vec<f64>,
    /// Whether some value is missing.
    has_missing: bool,
}

impl Sample {
    /// The values of a drawn column.
    fn column(&self, feature: usize) -> &[f64] {
        let height = self.rows.len();
        &self.values[feature * height..(feature + 1) * height]
    }
}

/// Buffers that grow once and serve every tree of a thread.
#[derive(Debug, Default)]
pub(crate) struct Grower {
    sampler: FloydSampler,
    sample: Sample,
    columns: Columns,
    candidate: Candidate,
    /// Positions of drawn rows; every node owns a range.
    order: Vec<u32>,
    /// Rows of a node that go right, while they are parted.
    aside: Vec<u32>,
    pending: Vec<Pending>,
    /// Nodes in the order in which they were made; leaves point at themselves.
    made: FlatTree,
    breadth_first: Vec<usize>,
}

impl Grower {
    /// Grows tree number `tree`.
    ///
    /// O(rows x (features + levels)) with the rows and features of a tree, whatever the size of the data; a guided split
    /// of m rows adds O(m log m) for each try.
    pub(crate) fn grow<T: Value>(
        &mut self,
        plan: &GrowPlan<'_, T>,
        tree: usize,
    ) -> Result<FlatTree, IsolationForestError> {
        let mut stream = Stream::new(plan.seed, Purpose::Tree as u64, tree as u64);
        self.draw(plan, &mut stream);
        self.gather(plan)?;
        self.split_all(plan, plan.rule(tree), &mut stream);
        Ok(self.renumber(plan.rows.ncols()))
    }

    /// Draws rows, then columns.
    fn draw<T: Value>(&mut self, plan: &GrowPlan<'_, T>, stream: &mut Stream) {
        let (rows, columns) = plan.rows.dim();
        let drawn = &mut self.sample.rows;
        match plan.weights {
            Some(weights) => weights.draw(plan.sample_size, plan.bootstrap, stream, drawn),
            None if plan.bootstrap => {
                drawn.clear();
                drawn.extend((0..plan.sample_size).map(|_| stream.index_below(rows)));
            }
            None => self.sampler.draw(rows, plan.sample_size, stream, drawn),
        }
        self.sampler
            .draw(columns, plan.features, stream, &mut self.sample.columns);
    }

    /// Copies the drawn part of the data into a small matrix that fits the cache.
    ///
    /// First the rows are touched, with nothing between the loads, since most of them miss the cache and a processor waits
    /// for many loads at once; then they are copied, and turned from rows to columns in the cache.
    fn gather<T: Value>(&mut self, plan: &GrowPlan<'_, T>) -> Result<(), IsolationForestError> {
        let sample = &mut self.sample;
        let (height, width) = (sample.rows.len(), sample.columns.len());
        let all = width == plan.rows.ncols();
        if let Some(values) = plan.rows.as_slice() {
            let width = plan.rows.ncols();
            let ends = |&row: &usize| {
                let [first, last]: [f64; 2] =
                    [row * width, row * width + width - 1].map(|at| values[at].into());
                first + last
            };
            black_box(sample.rows.iter().map(ends).sum::<f64>());
        }
        sample.fetched.clear();
        for &row in &sample.rows {
            let source = plan.rows.row(row);
            let fetched = &mut sample.fetched;
            match source.as_slice() {
                Some(slice) if all => fetched.extend(slice.iter().map(|&value| value.into())),
                Some(slice) => {
                    fetched.extend(sample.columns.iter().map(|&at| slice[at].into()));
                }
                None => fetched.extend(sample.columns.iter().map(|&at| source[at].into())),
            }
        }
        sample.values.clear();
        sample.values.resize(height * width, 0.0);
        for (position, row) in sample.fetched.chunks_exact(width).enumerate() {
            let cells = sample.values.iter_mut().skip(position).step_by(height);
            for (cell, &value) in cells.zip(row) {
                *cell = value;
            }
        }
        if plan.finite_check == FiniteCheck::SampledRows {
            for &row in &sample.rows {
                let source = plan.rows.slice_axis(Axis(0), Slice::from(row..=row));
                plan.accepted.check_training(source, row)?;
            }
        }
        sample.has_missing = plan.accepted.missing != MissingValues::Refuse
            && sample.values.iter().any(|value| value.is_nan());
        sample.categorical.clear();
        let categorical = sample
            .columns
            .iter()
            .map(|&column| plan.is_categorical(column));
        sample.categorical.extend(categorical);
        Ok(())
    }

    fn split_all<T: Value>(
        &mut self,
        plan: &GrowPlan<'_, T>,
        rule: &SplitRule,
        stream: &mut Stream,
    ) {
        self.order.clear();
        self.order.extend((0_u32..).take(self.sample.rows.len()));
        self.columns.start(rule, &self.sample);
        self.made.clear();
        self.pending.clear();
        self.make_leaf(0..self.order.len(), 0, 0);
        let simple = rule.is_standard()
            && plan.scoring == Scoring::Depth
            && plan.accepted.categorical.is_empty()
            && !self.sample.has_missing;
        // Last in, first out: all below the left child comes before the right child, so that the front of
        // the columns still holds what was constant at the parent.
        while let Some(pending) = self.pending.pop() {
            let rows = pending.end - pending.start;
            if rows <= 1 || pending.depth >= plan.height_limit {
                continue;
            }
            let split = if simple {
                self.split_simply(plan.accepted.missing, &pending, stream)
            } else {
                self.split_by(plan, rule, &pending, stream)
            };
            let Some((middle, constant)) = split else {
                continue;
            };
            let left = self.made.nodes.len();
            let node = &mut self.made.nodes[pending.node];
            *node = node.with_left(to_u32(left));
            self.make_leaf(pending.start..middle, pending.depth + 1, constant);
            self.make_leaf(middle..pending.end, pending.depth + 1, constant);
            let last = self.pending.len() - 1;
            self.pending.swap(last - 1, last);
        }
        if plan.rules.iter().any(|rule| rule.penalize_range) {
            self.made.ranges.resize(self.made.nodes.len(), OPEN);
        }
        if plan.scoring != Scoring::Depth {
            self.made.shares.resize(self.made.nodes.len(), 0.5);
        }
    }

    /// Makes a node, as a leaf for now, and queues it.
    fn make_leaf(&mut self, range: std::ops::Range<usize>, depth: u32, constant: usize) {
        let node = self.made.nodes.len();
        self.made.nodes.push(Node::leaf(to_u32(node)));
        self.made.counts.push(to_u32(range.len()));
        self.pending.push(Pending {
            node,
            start: range.start,
            end: range.end,
            depth,
            constant,
        });
    }

    /// A feature, uniform among those that are not constant at the node, and a threshold, uniform between
    /// its smallest (inclusive) and largest value (exclusive); none when all features are constant.
    ///
    /// Where the right side begins, and how many features are known to be constant.
    fn split_simply(
        &mut self,
        missing: MissingValues,
        pending: &Pending,
        stream: &mut Stream,
    ) -> Option<(usize, usize)> {
        let mut constant = pending.constant;
        let rows = &mut self.order[pending.start..pending.end];
        let (feature, [min, max]) =
            self.columns
                .draw_uniform(&mut constant, stream, |feature| {
                    range_of(rows, self.sample.column(feature))
                })?;
        let threshold = split_value(min, max, stream.unit());
        let column = self.sample.column(feature);
        let middle = partition(rows, |row| column[row] <= threshold);
        let column = to_u32(self.sample.columns[feature]);
        let more_right = 2 * middle < rows.len();
        self.made.nodes[pending.node] = Node::split(column, threshold, 0)
            .with_missing_right(missing != MissingValues::Refuse && more_right);
        Some((pending.start + middle, constant))
    }

    /// As [`split_simply`](Self::split_simply) by any rule and with any values.
    fn split_by<T: Value>(
        &mut self,
        plan: &GrowPlan<'_, T>,
        rule: &SplitRule,
        pending: &Pending,
        stream: &mut Stream,
    ) -> Option<(usize, usize)> {
        let mut constant = pending.constant;
        let rows = &mut self.order[pending.start..pending.end];
        let found = candidate::find(
            &mut self.candidate,
            (rule, &self.sample, rows),
            (&mut self.columns, &mut constant),
            stream,
        );
        if !found {
            return None;
        }
        let split = &self.candidate.best;
        let divide = plan.accepted.missing == MissingValues::Divide;
        let (middle, missing_right) = part(
            (rows, &mut self.aside),
            (&split.values, split.threshold),
            divide.then_some(stream),
        );
        let test = if split.terms.is_empty() {
            to_u32(self.sample.columns[split.feature])
        } else {
            let made = &mut self.made;
            let (first, first_code) = (to_u32(made.terms.len()), to_u32(made.codes.len()));
            made.forms.push(Form {
                first,
                len: to_u32(split.terms.len()),
            });
            made.terms.extend(split.terms.iter().map(|term| {
                let mut term = *term;
                term.first_code += first_code;
                term
            }));
            made.codes.extend_from_slice(&split.codes);
            to_u32(plan.rows.ncols() + made.forms.len() - 1)
        };
        let taken = plan.accepted.missing != MissingValues::Refuse;
        self.made.nodes[pending.node] =
            Node::split(test, split.threshold, 0).with_missing_right(taken && missing_right);
        let [min, max] = split.range;
        if rule.penalize_range {
            let range = max - min;
            self.made.ranges.resize(pending.node, OPEN);
            self.made
                .ranges
                .push([split.threshold - range, split.threshold + range]);
        }
        if plan.scoring != Scoring::Depth {
            self.made.shares.resize(pending.node, 0.5);
            self.made.shares.push(split.left_share);
        }
        Some((pending.start + middle, constant))
    }

    /// Puts the nodes into breadth-first order: the upper levels, which every row passes, lie together.
    fn renumber(&mut self, width: usize) -> FlatTree {
        let made = &self.made;
        let len = made.nodes.len();
        let order = &mut self.breadth_first;
        order.clear();
        order.push(0);
        let mut tree = FlatTree {
            nodes: Vec::with_capacity(len),
            counts: Vec::with_capacity(len),
            forms: Vec::with_capacity(made.forms.len()),
            terms: Vec::with_capacity(made.terms.len()),
            codes: Vec::with_capacity(made.codes.len()),
            ranges: Vec::with_capacity(made.ranges.len()),
            shares: Vec::with_capacity(made.shares.len()),
        };
        let mut at = 0;
        while at < order.len() {
            let old = order[at];
            let node = made.nodes[old];
            tree.counts.push(made.counts[old]);
            tree.ranges.extend(made.ranges.get(old));
            tree.shares.extend(made.shares.get(old));
            if node.is_leaf(old) {
                tree.nodes.push(Node::leaf(to_u32(at)));
            } else {
                let mut new = node.with_left(to_u32(order.len()));
                if let Some(form) = node.test().checked_sub(width) {
                    let test = to_u32(width + tree.forms.len());
                    new = Node::split(test, node.threshold, new.left)
                        .with_missing_right(node.missing_right());
                    copy_form(made, form, &mut tree);
                }
                tree.nodes.push(new);
                order.extend([node.left as usize, node.left as usize + 1]);
            }
            at += 1;
        }
        tree
    }
}

/// No value is out of this range.
const OPEN: [f64; 2] = [f64::NEG_INFINITY, f64::INFINITY];

/// Appends a form with its terms and their categories.
fn copy_form(from: &FlatTree, form: usize, to: &mut FlatTree) {
    let form = from.forms[form];
    to.forms.push(Form {
        first: to_u32(to.terms.len()),
        len: form.len,
    });
    for term in &from.terms[form.terms()] {
        let first_code = to_u32(to.codes.len());
        to.codes.extend_from_slice(&from.codes[term.codes()]);
        let mut term = *term;
        term.first_code = first_code;
        to.terms.push(term);
    }
}

/// Counts here are bounded: at most `MAX_SAMPLE_SIZE` rows, twice as many nodes, `MAX_WIDTH` columns.
fn to_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Moves the rows with a value of at most `threshold` to the front; rows have values of their own, some of which may be
/// missing.
///
/// Rows without a value go where more rows go, or each to a side drawn with the sides' shares where a stream is given.
/// How many rows go left, and whether rows without a value go right.
fn part(
    (rows, aside): (&mut [u32], &mut Vec<u32>),
    (values, threshold): (&[f64], f64),
    divide: Option<&mut Stream>,
) -> (usize, bool) {
    let (mut left, mut right) = (0_usize, 0_usize);
    for value in values {
        left += usize::from(*value <= threshold);
        right += usize::from(*value > threshold);
    }
    let missing_right = right > left;
    let mut divide = divide.filter(|_| left + right < rows.len());
    aside.clear();
    let mut front = 0;
    for (at, value) in values.iter().enumerate() {
        let row = rows[at];
        let goes_right = match &mut divide {
            _ if !value.is_nan() => *value > threshold,
            Some(stream) => stream.index_below(left + right) >= left,
            None => missing_right,
        };
        if goes_right {
            aside.push(row);
        } else {
            rows[front] = row;
            front += 1;
        }
    }
    rows[front..].copy_from_slice(aside);
    (front, missing_right)
}
