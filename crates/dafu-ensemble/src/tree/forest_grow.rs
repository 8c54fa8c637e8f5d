//! Growth of one tree of a random forest: every node looks at columns of its own, down to leaves of one class.

use crate::forest_params::{RandomForestParams, SplitPlaces};
use crate::tree::bin::{Bins, ColumnBins, MOST_BINS};
use crate::tree::binned::BinnedRows;
use crate::tree::constraint::Bounds;
use crate::tree::gradient::{Scale, Sums};
use crate::tree::partition::partition;
use crate::tree::split::{Candidate, NodeSums, Search, Split, SplitRules};
use crate::tree::{Node, Tree};
use dafu_core::random::Stream;
use std::ops::Range;

/// What all trees of a forest are grown from.
#[derive(Debug)]
pub(crate) struct Wood<'a> {
    pub(crate) bins: &'a Bins,
    pub(crate) binned: &'a BinnedRows,
    pub(crate) params: &'a RandomForestParams,
    pub(crate) rules: SplitRules,
    pub(crate) scale: Scale,
}

/// A node to be looked at.
#[derive(Debug)]
struct Task {
    node: usize,
    rows: Range<usize>,
    sums: NodeSums,
    depth: usize,
}

/// One tree while it grows.
#[derive(Debug)]
struct Grower<'a> {
    wood: &'a Wood<'a>,
    stream: Stream,
    rows: Vec<u32>,
    /// By row of the training data.
    gradients: &'a [Sums],
    /// Those of the rows of one node.
    ordered: Vec<Sums>,
    spare: Vec<u32>,
    /// All columns, in an order that every node shuffles further.
    columns: Vec<usize>,
    wanted: usize,
    histogram: Box<[Sums; MOST_BINS]>,
    tree: Tree,
}

impl Wood<'_> {
    /// Grows a tree over rows, whose gradients are given by row of the training data.
    ///
    /// With the gradient `-weight` for a fraud and 0 for others, and the weight as hessian, the best answer of a leaf is its
    /// share of frauds, and the gain of a split is what the Gini impurity falls by.
    pub(crate) fn grow(&self, rows: Vec<u32>, gradients: &[Sums], stream: Stream) -> Tree {
        let width = self.bins.columns.len();
        let mut all = Sums::default();
        for row in &rows {
            all.add(gradients[*row as usize]);
        }
        let mut grower = Grower {
            wood: self,
            stream,
            gradients,
            ordered: Vec::with_capacity(rows.len()),
            spare: Vec::new(),
            columns: (0..width).collect(),
            wanted: self.params.max_features.of(width),
            histogram: Box::new([Sums::default(); MOST_BINS]),
            tree: Tree {
                nodes: vec![Node::LEAF],
                sets: Vec::new(),
            },
            rows,
        };
        let mut tasks = vec![Task {
            node: 0,
            rows: 0..grower.rows.len(),
            sums: NodeSums::new(all, &self.scale),
            depth: 0,
        }];
        // Depth first: whatever the order, every node becomes what it becomes, and so the list stays short.
        while let Some(task) = tasks.pop() {
            if let Some(split) = grower.search(&task) {
                tasks.extend(grower.split(&task, &split));
            } else {
                let node = &mut grower.tree.nodes[task.node];
                node.value = self.rules.answer(task.sums.values).clamp(0.0, 1.0);
                node.cover = f64::from(task.sums.rows);
            }
        }
        grower.tree.level_by_level()
    }
}

impl Grower<'_> {
    fn search(&mut self, task: &Task) -> Option<Split> {
        let Wood {
            bins,
            params,
            rules,
            scale,
            ..
        } = self.wood;
        let share = rules.answer(task.sums.values);
        let small = u64::from(task.sums.rows) < 2 * u64::from(rules.min_rows);
        if task.depth >= params.max_depth || small || share <= 0.0 || share >= 1.0 {
            return None;
        }
        self.ordered.clear();
        let rows = self.rows[task.rows.clone()].iter();
        self.ordered
            .extend(rows.map(|row| self.gradients[*row as usize]));
        let search = Search::new(rules, scale, task.sums, Bounds::OPEN);
        let (mut best, mut looked_at): (Option<Split>, _) = (None, 0);
        for place in 0..self.columns.len() {
            if looked_at == self.wanted {
                break;
            }
            self.stream.shuffle_first(&mut self.columns[place..], 1);
            let column = self.columns[place];
            let candidate = Candidate {
                column,
                bins: &bins.columns[column],
                monotone: None,
            };
            self.fill(&task.rows, column);
            let used = &self.histogram[..candidate.bins.len()];
            let mut filled = (0..used.len()).filter(|bin| !used[*bin].is_empty());
            let (Some(first), Some(second)) = (filled.next(), filled.next()) else {
                continue;
            };
            looked_at += 1;
            let random = params.split_places == SplitPlaces::Random
                && matches!(candidate.bins, ColumnBins::Numbers(_));
            let split = if random {
                // Numbers begin in bin 1. A cut above the last of them parts what is missing from the others.
                let lowest = if first == 0 { second } else { first };
                let last = filled.next_back().unwrap_or(second);
                let above = lowest + self.stream.index_below((last - lowest).max(1));
                search.column_cut(candidate, used, above)
            } else {
                search.column(candidate, used)
            };
            if let Some(split) = split
                && best.is_none_or(|best| split.fit > best.fit)
            {
                best = Some(split);
            }
        }
        best
    }

    /// Sums the rows of a node by the bins of a column.
    fn fill(&mut self, rows: &Range<usize>, column: usize) {
        let bins = &self.wood.binned.columns[column];
        self.histogram[..self.wood.bins.columns[column].len()].fill(Sums::default());
        for (row, sums) in self.rows[rows.clone()].iter().zip(&self.ordered) {
            self.histogram[usize::from(bins[*row as usize])].add(*sums);
        }
    }

    fn split(&mut self, task: &Task, split: &Split) -> [Task; 2] {
        let part = &mut self.rows[task.rows.clone()];
        let lefts = partition(
            part,
            &mut self.spare,
            &self.wood.binned.columns[split.column],
            split,
        );
        let middle = task.rows.start + lefts;
        let first = self.tree.split(task.node, split, self.wood.bins);
        let right = task.sums.sums.less(split.left);
        let task_of = |node, rows, sums| Task {
            node,
            rows,
            sums: NodeSums::new(sums, &self.wood.scale),
            depth: task.depth + 1,
        };
        [
            task_of(first, task.rows.start..middle, split.left),
            task_of(first + 1, middle..task.rows.end, right),
        ]
    }
}
