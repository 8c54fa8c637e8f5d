//! Growth of one tree.

use crate::params::{BoostedTreesParams, Growth};
use crate::threads;
use crate::tree::bin::Bins;
use crate::tree::binned::{BinnedRows, Tiles};
use crate::tree::constraint::{Bounds, Constraints};
use crate::tree::gradient::{Scale, Sums};
use crate::tree::histogram::{Histogram, Layout};
use crate::tree::row_sets::{NodeRows, RowSets};
use crate::tree::split::{Candidate, NodeSums, Search, Split, SplitRules};
use crate::tree::{Node, Tree};
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Rows of a part of a histogram at least.
const CHUNK: usize = 1 << 12;
/// What histograms of open leaves may take; those of further leaves are summed anew when they are split.
const HISTOGRAM_BYTES: usize = 1 << 30;

/// What all trees of a model are grown from.
#[derive(Debug)]
pub(crate) struct Field<'a> {
    pub(crate) bins: &'a Bins,
    pub(crate) layout: &'a Layout,
    pub(crate) binned: &'a BinnedRows,
    pub(crate) tiles: &'a Tiles,
    pub(crate) params: &'a BoostedTreesParams,
    pub(crate) constraints: &'a Constraints,
}

/// A leaf that may be split.
#[derive(Debug)]
struct Leaf {
    node: usize,
    rows: NodeRows,
    sums: NodeSums,
    depth: usize,
    bounds: Bounds,
    /// Columns on the way here, where interactions are limited.
    used: Vec<usize>,
    histogram: Option<Histogram>,
    split: Option<Split>,
}

/// A leaf with a split, in the order in which leaves are split.
#[derive(Debug, PartialEq)]
struct Open {
    gain: f64,
    depth: Reverse<usize>,
    /// Of equal ones, the older node.
    node: Reverse<usize>,
    /// Place among the leaves.
    at: usize,
}

impl Eq for Open {}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Open {
    fn cmp(&self, other: &Self) -> Ordering {
        let gain = self.gain.total_cmp(&other.gain);
        gain.then(self.depth.cmp(&other.depth))
            .then(self.node.cmp(&other.node))
    }
}

/// The rows that a tree is grown on, and room that is used again for every tree.
#[derive(Debug, Default)]
pub(crate) struct Workshop {
    pub(crate) rows: RowSets,
    spare: Vec<Histogram>,
}

/// A tree, and which of the rows fell into its leaves.
#[derive(Debug)]
pub(crate) struct Grown {
    pub(crate) tree: Tree,
    /// With the answers for their rows.
    pub(crate) leaves: Vec<(NodeRows, f64)>,
}

/// One tree while it grows.
#[derive(Debug)]
struct Grower<'a> {
    field: &'a Field<'a>,
    rules: SplitRules,
    scale: &'a Scale,
    gradients: &'a [Sums],
    columns: &'a [usize],
    shop: &'a mut Workshop,
    tree: Tree,
    leaves: Vec<Leaf>,
    open: BinaryHeap<Open>,
    /// Histograms that may still be kept.
    room: usize,
}

impl Field<'_> {
    /// Grows a tree over the rows that were drawn in the workshop, by the gradients of all rows.
    pub(crate) fn grow(
        &self,
        (gradients, scale): (&[Sums], &Scale),
        columns: &[usize],
        shop: &mut Workshop,
    ) -> Grown {
        let rows = shop.rows.begin();
        let mut grower = Grower {
            field: self,
            rules: SplitRules::new(self.params),
            scale,
            gradients,
            columns,
            shop,
            tree: Tree::default(),
            leaves: Vec::new(),
            open: BinaryHeap::new(),
            room: HISTOGRAM_BYTES / self.layout.bytes(),
        };
        grower.plant(rows);
        while grower.leaves.len() < self.params.max_leaves {
            let Some(next) = grower.open.pop() else {
                break;
            };
            grower.split(next.at);
        }
        grower.finish()
    }
}

impl Grower<'_> {
    fn plant(&mut self, rows: NodeRows) {
        let mut all = Sums::default();
        let wide = self.shop.rows.drawn().len() as u64 >= 2 * u64::from(self.rules.min_rows);
        let histogram = wide.then(|| self.histogram(&rows));
        if let Some(histogram) = &histogram {
            // Every column holds all rows.
            let column = self.columns.first().copied().unwrap_or_default();
            let bins = self.field.bins.columns[column].len();
            for sums in &histogram.column(self.field.layout, column)[..bins] {
                all.add(*sums);
            }
        } else {
            for row in self.shop.rows.drawn() {
                all.add(self.gradients[*row as usize]);
            }
        }
        self.tree.nodes.push(Node::LEAF);
        let mut root = Leaf {
            node: 0,
            rows,
            sums: NodeSums::new(all, self.scale),
            depth: 0,
            bounds: Bounds::OPEN,
            used: Vec::new(),
            histogram: None,
            split: None,
        };
        if let Some(histogram) = histogram {
            self.search(&mut root, histogram);
        }
        self.leaves.push(root);
        self.open(0);
    }

    /// Notes that a leaf can be split, if it can.
    fn open(&mut self, at: usize) {
        let leaf = &self.leaves[at];
        let Some(split) = &leaf.split else {
            return;
        };
        let (gain, depth) = match self.field.params.growth {
            Growth::LeafWise => (split.gain, 0),
            Growth::DepthWise => (0.0, leaf.depth),
        };
        self.open.push(Open {
            gain,
            depth: Reverse(depth),
            node: Reverse(leaf.node),
            at,
        });
    }

    fn may_split(&self, leaf: &Leaf) -> bool {
        leaf.depth < self.field.params.max_depth
            && u64::from(leaf.sums.rows) >= 2 * u64::from(self.rules.min_rows)
    }

    fn histogram(&mut self, rows: &NodeRows) -> Histogram {
        let Self { field, shop, .. } = self;
        let rows = shop.rows.list(rows);
        let parts = threads::count().min(rows.len() / CHUNK).max(1);
        let size = rows.len().div_ceil(parts).max(1);
        let mut jobs: Vec<_> = rows
            .chunks(size)
            .map(|rows| {
                let spare = shop.spare.pop();
                (spare.unwrap_or_else(|| Histogram::new(field.layout)), rows)
            })
            .collect();
        threads::each_chunk(&mut jobs, 1, |_, job| {
            for (histogram, rows) in job {
                histogram.fill(
                    (field.bins, field.layout),
                    field.tiles,
                    self.columns,
                    (rows, self.gradients),
                );
            }
        });
        let mut histograms = jobs.into_iter().map(|(histogram, ..)| histogram);
        let mut whole = histograms.next().unwrap_or_else(|| {
            let mut empty = Histogram::new(field.layout);
            empty.fill(
                (field.bins, field.layout),
                field.tiles,
                self.columns,
                (&[], &[]),
            );
            empty
        });
        for part in histograms {
            whole.add((field.bins, field.layout), self.columns, &part);
            shop.spare.push(part);
        }
        whole
    }

    /// Looks for the best split of a leaf, and keeps its histogram where there is one and room.
    fn search(&mut self, leaf: &mut Leaf, histogram: Histogram) {
        let search = Search::new(&self.rules, self.scale, leaf.sums, leaf.bounds);
        let constraints = self.field.constraints;
        let allowed;
        let columns = if constraints.limits_interactions() {
            allowed = constraints.allowed(self.columns, &leaf.used);
            &allowed
        } else {
            self.columns
        };
        // Each column by itself, so that it does not matter which others were looked at before.
        let found = threads::map(columns.len(), |at| {
            let column = columns[at];
            let candidate = Candidate {
                column,
                bins: &self.field.bins.columns[column],
                monotone: constraints.monotone(column),
            };
            search.column(candidate, histogram.column(self.field.layout, column))
        });
        let better = |best: Split, split: Split| if split.fit > best.fit { split } else { best };
        leaf.split = found.into_iter().flatten().reduce(better);
        if leaf.split.is_some() && self.room > 0 {
            self.room -= 1;
            leaf.histogram = Some(histogram);
        } else {
            self.shop.spare.push(histogram);
        }
    }

    /// Splits a leaf; its place is taken by its left child.
    fn split(&mut self, at: usize) {
        let leaf = &mut self.leaves[at];
        let (Some(split), histogram) = (leaf.split.take(), leaf.histogram.take()) else {
            return;
        };
        self.room += usize::from(histogram.is_some());
        let (rows, depth, node, sums) = (leaf.rows.clone(), leaf.depth + 1, leaf.node, leaf.sums);
        let bounds = leaf.bounds;
        let mut used = std::mem::take(&mut leaf.used);
        if self.field.constraints.limits_interactions() {
            used.push(split.column);
        }
        let first = self.tree.split(node, &split, self.field.bins);
        let [of_left, of_right] =
            [split.left, sums.sums.less(split.left)].map(|sums| NodeSums::new(sums, self.scale));
        let counts = [of_left.rows, of_right.rows].map(|rows| rows as usize);
        let bins = &self.field.binned.columns[split.column];
        let [to_left, to_right] = self.shop.rows.split(rows, (&split, bins), counts);
        let answers =
            [&of_left, &of_right].map(|sums| bounds.clamp(self.rules.answer(sums.values)));
        let monotone = self.field.constraints.monotone(split.column);
        let (bounds_left, bounds_right) = bounds.of_children(monotone, answers.into());
        let mut left = Leaf {
            node: first,
            rows: to_left,
            sums: of_left,
            depth,
            bounds: bounds_left,
            used: used.clone(),
            histogram: None,
            split: None,
        };
        let mut right = Leaf {
            node: first + 1,
            rows: to_right,
            sums: of_right,
            depth,
            bounds: bounds_right,
            used,
            histogram: None,
            split: None,
        };
        self.look(&mut left, &mut right, histogram);
        self.leaves[at] = left;
        self.leaves.push(right);
        self.open(at);
        self.open(self.leaves.len() - 1);
    }

    /// Looks for the splits of two children, by the histogram of the node above where it was kept.
    fn look(&mut self, left: &mut Leaf, right: &mut Leaf, above: Option<Histogram>) {
        let (small, large) = if left.sums.rows <= right.sums.rows {
            (left, right)
        } else {
            (right, left)
        };
        let full = self.leaves.len() + 1 >= self.field.params.max_leaves;
        let (one, two) = (self.may_split(small), self.may_split(large));
        if full || !(one || two) {
            self.shop.spare.extend(above);
            return;
        }
        let Some(mut of_large) = above else {
            for leaf in [small, large] {
                if self.may_split(leaf) {
                    let histogram = self.histogram(&leaf.rows);
                    self.search(leaf, histogram);
                }
            }
            return;
        };
        let of_small = self.histogram(&small.rows);
        if two {
            let place = (self.field.bins, self.field.layout);
            of_large.subtract(place, self.columns, &of_small);
            self.search(large, of_large);
        } else {
            self.shop.spare.push(of_large);
        }
        if one {
            self.search(small, of_small);
        } else {
            self.shop.spare.push(of_small);
        }
    }

    fn finish(mut self) -> Grown {
        let rate = self.field.params.learning_rate;
        let mut leaves = Vec::with_capacity(self.leaves.len());
        for leaf in self.leaves {
            self.shop.spare.extend(leaf.histogram);
            let answer = rate * leaf.bounds.clamp(self.rules.answer(leaf.sums.values));
            let node = &mut self.tree.nodes[leaf.node];
            (node.value, node.cover) = (answer, f64::from(leaf.sums.rows));
            leaves.push((leaf.rows, answer));
        }
        Grown {
            tree: self.tree.level_by_level(),
            leaves,
        }
    }
}
