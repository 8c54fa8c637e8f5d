//! Growth of one tree.

use crate::bin::{BinnedRows, Bins, LANES, MOST_BINS};
use crate::gradient::{Scale, Sums};
use crate::histogram::Histogram;
use crate::params::{BoostedTreesParams, Growth};
use crate::split::{NodeSums, Search, Split, SplitRules};
use crate::threads;
use crate::tree::{Node, Tree};
use std::ops::Range;

/// What all trees of a model are grown from.
#[derive(Debug)]
pub(crate) struct Field<'a> {
    pub(crate) bins: &'a Bins,
    pub(crate) binned: &'a BinnedRows,
    pub(crate) params: &'a BoostedTreesParams,
}

/// A leaf that may be split.
#[derive(Debug)]
struct Leaf {
    node: usize,
    rows: Range<usize>,
    sums: NodeSums,
    depth: usize,
    histogram: Option<Histogram>,
    split: Option<Split>,
}

/// Room that is used again for every tree.
#[derive(Debug, Default)]
pub(crate) struct Workshop {
    /// Rows in order of their leaves.
    pub(crate) rows: Vec<u32>,
    right: Vec<u32>,
    ordered: Vec<Sums>,
    spare: Vec<Histogram>,
}

/// A tree, and which of the rows fell into its leaves.
#[derive(Debug)]
pub(crate) struct Grown {
    pub(crate) tree: Tree,
    /// Parts of [`Workshop::rows`], with the answers for their rows.
    pub(crate) leaves: Vec<(Range<usize>, f64)>,
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
}

impl Field<'_> {
    /// Grows a tree over the rows in the workshop, by the gradients of all rows.
    pub(crate) fn grow(
        &self,
        (gradients, scale): (&[Sums], &Scale),
        columns: &[usize],
        shop: &mut Workshop,
    ) -> Grown {
        let mut grower = Grower {
            field: self,
            rules: SplitRules::new(self.params),
            scale,
            gradients,
            columns,
            shop,
            tree: Tree::default(),
            leaves: Vec::new(),
        };
        grower.plant();
        while grower.leaves.len() < self.params.max_leaves {
            let Some(next) = grower.next() else {
                break;
            };
            grower.split(next);
        }
        grower.finish()
    }
}

impl Grower<'_> {
    fn plant(&mut self) {
        let rows = 0..self.shop.rows.len();
        let mut all = Sums::default();
        let wide = rows.len() as u64 >= 2 * u64::from(self.rules.min_rows);
        let histogram = wide.then(|| self.histogram(&rows));
        if let Some(histogram) = &histogram {
            // Every column holds all rows.
            let column = self.columns.first().copied().unwrap_or_default();
            let bins = self.field.bins.columns[column].len();
            for sums in &histogram.column(column)[..bins] {
                all.add(*sums);
            }
        } else {
            for row in &self.shop.rows {
                all.add(self.gradients[*row as usize]);
            }
        }
        let sums = NodeSums::new(all, self.scale);
        self.tree.nodes.push(Node::LEAF);
        let split = histogram
            .as_ref()
            .and_then(|histogram| self.search(&sums, histogram));
        self.leaves.push(Leaf {
            node: 0,
            rows,
            sums,
            depth: 0,
            histogram,
            split,
        });
    }

    fn may_split(&self, leaf: &Leaf) -> bool {
        leaf.depth < self.field.params.max_depth
            && u64::from(leaf.sums.rows) >= 2 * u64::from(self.rules.min_rows)
    }

    /// The leaf to split next.
    fn next(&self) -> Option<usize> {
        let open = self.leaves.iter().enumerate().filter_map(|(at, leaf)| {
            let split = leaf.split.as_ref()?;
            Some((at, leaf, split.gain))
        });
        let found = match self.field.params.growth {
            // Of equal gains, the older node.
            Growth::LeafWise => {
                open.max_by(|one, two| one.2.total_cmp(&two.2).then(two.1.node.cmp(&one.1.node)))
            }
            Growth::DepthWise => open.min_by_key(|(_, leaf, _)| (leaf.depth, leaf.node)),
        };
        found.map(|(at, ..)| at)
    }

    fn histogram(&mut self, rows: &Range<usize>) -> Histogram {
        let Self { field, shop, .. } = self;
        let mut histogram = shop
            .spare
            .pop()
            .unwrap_or_else(|| Histogram::new(field.bins.columns.len()));
        let rows = &shop.rows[rows.clone()];
        shop.ordered.clear();
        shop.ordered
            .extend(rows.iter().map(|row| self.gradients[*row as usize]));
        histogram.fill(
            field.bins,
            field.binned,
            self.columns,
            (rows, &shop.ordered),
        );
        histogram
    }

    fn search(&self, node: &NodeSums, histogram: &Histogram) -> Option<Split> {
        let search = Search {
            rules: &self.rules,
            scale: self.scale,
            node: *node,
        };
        let bins = &self.field.bins.columns;
        // Each column by itself, so that it does not matter which others were looked at before.
        let found = threads::map(self.columns.len(), |at| {
            let column = self.columns[at];
            search.column((column, &bins[column]), histogram.column(column))
        });
        let better = |best: Split, split: Split| if split.fit > best.fit { split } else { best };
        found.into_iter().flatten().reduce(better)
    }

    /// Splits a leaf; its place is taken by its left child.
    fn split(&mut self, at: usize) {
        let leaf = &mut self.leaves[at];
        let (Some(split), histogram) = (leaf.split.take(), leaf.histogram.take()) else {
            return;
        };
        let (rows, depth, node, sums) = (leaf.rows.clone(), leaf.depth + 1, leaf.node, leaf.sums);
        let middle = self.partition(&rows, &split);
        let first = self.tree.nodes.len();
        let child = |node, rows, sums| Leaf {
            node,
            rows,
            sums: NodeSums::new(sums, self.scale),
            depth,
            histogram: None,
            split: None,
        };
        let mut left = child(first, rows.start..middle, split.left);
        let mut right = child(first + 1, middle..rows.end, sums.sums.less(split.left));
        self.tree.nodes.extend([Node::LEAF; 2]);
        let edge = self.field.bins.columns[split.column].edge(usize::from(split.bin));
        let node = &mut self.tree.nodes[node];
        node.left = u32::try_from(first).unwrap_or_default();
        node.column = u32::try_from(split.column).unwrap_or_default();
        node.threshold = edge.unwrap_or(f64::INFINITY);
        node.missing_left = split.missing_left;
        node.gain = split.gain;
        if let Some(histogram) = histogram {
            self.look(&mut left, &mut right, histogram);
        }
        self.leaves[at] = left;
        self.leaves.push(right);
    }

    /// Looks for the splits of two children.
    fn look(&mut self, left: &mut Leaf, right: &mut Leaf, mut histogram: Histogram) {
        let (small, large) = if left.rows.len() <= right.rows.len() {
            (left, right)
        } else {
            (right, left)
        };
        let full = self.leaves.len() + 1 >= self.field.params.max_leaves;
        let (one, two) = (self.may_split(small), self.may_split(large));
        if full || !(one || two) {
            self.shop.spare.push(histogram);
            return;
        }
        let of_small = self.histogram(&small.rows);
        if two {
            histogram.subtract(self.field.bins, self.columns, &of_small);
            large.split = self.search(&large.sums, &histogram);
        }
        if one {
            small.split = self.search(&small.sums, &of_small);
        }
        for (leaf, histogram) in [(small, of_small), (large, histogram)] {
            if leaf.split.is_some() {
                leaf.histogram = Some(histogram);
            } else {
                self.shop.spare.push(histogram);
            }
        }
    }

    /// Puts the rows that go left before the others, each in their order; returns where the others begin.
    fn partition(&mut self, rows: &Range<usize>, split: &Split) -> usize {
        let mut goes_left = [false; MOST_BINS];
        goes_left[0] = split.missing_left;
        goes_left[1..=usize::from(split.bin)].fill(true);
        let words = &self.field.binned.groups[split.column / LANES];
        let lane = split.column % LANES;
        let Workshop {
            rows: all, right, ..
        } = &mut *self.shop;
        let part = &mut all[rows.clone()];
        right.resize(right.len().max(part.len()), 0);
        let (mut lefts, mut rights) = (0, 0);
        for at in 0..part.len() {
            let row = part[at];
            let left = goes_left[usize::from(words[row as usize][lane])];
            // Both places are written, so that nothing depends on a branch.
            part[lefts] = row;
            right[rights] = row;
            lefts += usize::from(left);
            rights += usize::from(!left);
        }
        part[lefts..].copy_from_slice(&right[..rights]);
        rows.start + lefts
    }

    fn finish(mut self) -> Grown {
        let rate = self.field.params.learning_rate;
        let mut leaves = Vec::with_capacity(self.leaves.len());
        for leaf in self.leaves {
            self.shop.spare.extend(leaf.histogram);
            let answer = rate * self.rules.answer(leaf.sums.values);
            self.tree.nodes[leaf.node].value = answer;
            leaves.push((leaf.rows, answer));
        }
        Grown {
            tree: self.tree,
            leaves,
        }
    }
}
