//! Growing one tree.

use crate::node::{FlatTree, Node};
use crate::purpose::Purpose;
use crate::{FiniteCheck, IsolationForestError};
use dafu_core::random::{FloydSampler, Stream};
use ndarray::ArrayView2;

/// What all trees of a fit share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GrowPlan<'a> {
    pub(crate) rows: ArrayView2<'a, f64>,
    pub(crate) seed: u64,
    /// Rows a tree, at most the number of rows.
    pub(crate) sample_size: usize,
    /// Features a tree, at most the number of columns.
    pub(crate) features: usize,
    pub(crate) bootstrap: bool,
    pub(crate) height_limit: u32,
    pub(crate) finite_check: FiniteCheck,
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

/// Buffers that grow once and serve every tree of a thread.
#[derive(Debug, Default)]
pub(crate) struct Grower {
    sampler: FloydSampler,
    /// Drawn rows of the data.
    drawn: Vec<usize>,
    /// Drawn columns of the data.
    columns: Vec<usize>,
    /// The drawn rows and columns, row after row.
    fetched: Vec<f64>,
    /// The same column after column.
    values: Vec<f64>,
    /// Positions of drawn rows; every node owns a range.
    order: Vec<u32>,
    /// Positions of drawn columns, those constant at the current node first.
    features: Vec<usize>,
    pending: Vec<Pending>,
    /// Nodes in the order in which they were made; leaves point at themselves.
    made: FlatTree,
    breadth_first: Vec<usize>,
}

impl Grower {
    /// Grows tree number `tree`.
    ///
    /// O(rows x (features + levels)) with the rows and features of a tree, whatever the size of the data.
    pub(crate) fn grow(
        &mut self,
        plan: &GrowPlan<'_>,
        tree: usize,
    ) -> Result<FlatTree, IsolationForestError> {
        let mut stream = Stream::new(plan.seed, Purpose::Tree as u64, tree as u64);
        self.draw(plan, &mut stream);
        self.gather(plan)?;
        self.split_all(plan, &mut stream);
        Ok(self.renumber())
    }

    /// Draws rows, then columns.
    fn draw(&mut self, plan: &GrowPlan<'_>, stream: &mut Stream) {
        let (rows, columns) = plan.rows.dim();
        if plan.bootstrap {
            self.drawn.clear();
            self.drawn
                .extend((0..plan.sample_size).map(|_| stream.index_below(rows)));
        } else {
            self.sampler
                .draw(rows, plan.sample_size, stream, &mut self.drawn);
        }
        self.sampler
            .draw(columns, plan.features, stream, &mut self.columns);
    }

    /// Copies the drawn part of the data into a small matrix that fits the cache.
    ///
    /// First whole rows, with nothing between their loads, since most of them miss the cache; then, in the
    /// cache, from rows to columns.
    fn gather(&mut self, plan: &GrowPlan<'_>) -> Result<(), IsolationForestError> {
        let (height, width) = (self.drawn.len(), self.columns.len());
        let all = width == plan.rows.ncols();
        self.fetched.clear();
        for &row in &self.drawn {
            let source = plan.rows.row(row);
            match source.as_slice() {
                Some(slice) if all => self.fetched.extend_from_slice(slice),
                Some(slice) => self
                    .fetched
                    .extend(self.columns.iter().map(|&at| slice[at])),
                None => self
                    .fetched
                    .extend(self.columns.iter().map(|&at| source[at])),
            }
        }
        self.values.clear();
        self.values.resize(height * width, 0.0);
        for (position, row) in self.fetched.chunks_exact(width).enumerate() {
            let cells = self.values.iter_mut().skip(position).step_by(height);
            for (cell, &value) in cells.zip(row) {
                *cell = value;
            }
        }
        if plan.finite_check == FiniteCheck::SampledRows
            && let Some(at) = self.values.iter().position(|value| !value.is_finite())
        {
            return Err(IsolationForestError::NotFinite {
                row: self.drawn[at % height],
                column: self.columns[at / height],
                value: self.values[at],
            });
        }
        Ok(())
    }

    fn split_all(&mut self, plan: &GrowPlan<'_>, stream: &mut Stream) {
        let height = self.drawn.len();
        self.order.clear();
        self.order.extend((0_u32..).take(height));
        self.features.clear();
        self.features.extend(0..self.columns.len());
        self.made.nodes.clear();
        self.made.counts.clear();
        self.pending.clear();
        self.make_leaf(0..height, 0, 0);
        // Last in, first out: all below the left child comes before the right child, so that the front of
        // `features` still holds what was constant at the parent.
        while let Some(pending) = self.pending.pop() {
            let rows = pending.end - pending.start;
            if rows <= 1 || pending.depth >= plan.height_limit {
                continue;
            }
            let Some((feature, threshold, constant)) = self.draw_split(&pending, stream) else {
                continue;
            };
            let column = &self.values[feature * height..(feature + 1) * height];
            let middle = pending.start
                + partition(
                    &mut self.order[pending.start..pending.end],
                    column,
                    threshold,
                );
            let left = self.made.nodes.len();
            self.made.nodes[pending.node] = Node {
                threshold,
                feature: to_u32(self.columns[feature]),
                left: to_u32(left),
            };
            self.make_leaf(pending.start..middle, pending.depth + 1, constant);
            self.make_leaf(middle..pending.end, pending.depth + 1, constant);
            let last = self.pending.len() - 1;
            self.pending.swap(last - 1, last);
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
    /// Features found to be constant move to the front of `features`, which stays true for all nodes below.
    fn draw_split(
        &mut self,
        pending: &Pending,
        stream: &mut Stream,
    ) -> Option<(usize, f64, usize)> {
        let height = self.drawn.len();
        let rows = &self.order[pending.start..pending.end];
        let mut constant = pending.constant;
        while constant < self.features.len() {
            let place = constant + stream.index_below(self.features.len() - constant);
            let feature = self.features[place];
            let column = &self.values[feature * height..(feature + 1) * height];
            let (min, max) = range_of(rows, column);
            if min < max {
                return Some((feature, split_value(min, max, stream.unit()), constant));
            }
            self.features.swap(place, constant);
            constant += 1;
        }
        None
    }

    /// Puts the nodes into breadth-first order: the upper levels, which every row passes, lie together.
    fn renumber(&mut self) -> FlatTree {
        let made = &self.made;
        let len = made.nodes.len();
        let order = &mut self.breadth_first;
        order.clear();
        order.push(0);
        let mut tree = FlatTree {
            nodes: Vec::with_capacity(len),
            counts: Vec::with_capacity(len),
        };
        let mut at = 0;
        while at < order.len() {
            let old = order[at];
            let node = made.nodes[old];
            tree.counts.push(made.counts[old]);
            if node.is_leaf(old) {
                tree.nodes.push(Node::leaf(to_u32(at)));
            } else {
                tree.nodes.push(Node {
                    left: to_u32(order.len()),
                    ..node
                });
                order.extend([node.left as usize, node.left as usize + 1]);
            }
            at += 1;
        }
        tree
    }
}

/// Counts here are bounded: at most `MAX_SAMPLE_SIZE` rows, twice as many nodes, `MAX_WIDTH` columns.
fn to_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Smallest and largest value of a column over some rows.
fn range_of(rows: &[u32], column: &[f64]) -> (f64, f64) {
    let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
    for &row in rows {
        let value = column[row as usize];
        min = if value < min { value } else { min };
        max = if value > max { value } else { max };
    }
    (min, max)
}

/// `min + unit (max - min)`, kept in [min, max) whatever the rounding, so that both sides get a row.
pub(crate) fn split_value(min: f64, max: f64, unit: f64) -> f64 {
    let range = max - min;
    let value = if range.is_finite() {
        min + unit * range
    } else {
        // The range overflows: the halves do not.
        2.0 * (min / 2.0 + unit * (max / 2.0 - min / 2.0))
    };
    if value >= min && value < max {
        value
    } else {
        min
    }
}

/// Moves the rows with a value of at most `threshold` to the front and says how many there are.
fn partition(rows: &mut [u32], column: &[f64], threshold: f64) -> usize {
    let mut front = 0;
    for at in 0..rows.len() {
        let row = rows[at];
        let goes_left = column[row as usize] <= threshold;
        rows[at] = rows[front];
        rows[front] = row;
        front += usize::from(goes_left);
    }
    front
}

#[cfg(test)]
mod tests {
    use super::{partition, split_value};

    #[test]
    fn split_values_stay_below_the_largest_value() {
        let unit = 1.0 - f64::EPSILON / 2.0;
        for (min, max) in [
            (0.0, f64::from_bits(1)),
            (1.0, 1.0 + f64::EPSILON),
            (-1e308, 1e308),
            (f64::MIN, f64::MAX),
            (-0.0, 5e-324),
            (1e16, 1e16 + 2.0),
        ] {
            for unit in [0.0, 0.25, 0.5, unit] {
                let value = split_value(min, max, unit);
                assert!(
                    value >= min && value < max,
                    "{min} {max} {unit} gave {value}"
                );
            }
        }
    }

    #[test]
    fn partition_keeps_all_rows_and_separates_them() {
        let column = [3.0, 1.0, 2.0, 5.0, 2.0];
        let mut rows = [0, 1, 2, 3, 4];
        let left = partition(&mut rows, &column, 2.0);
        assert_eq!(left, 3);
        assert!(rows[..left].iter().all(|&row| column[row as usize] <= 2.0));
        rows.sort_unstable();
        assert_eq!(rows, [0, 1, 2, 3, 4]);
    }
}
