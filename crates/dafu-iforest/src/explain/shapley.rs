//! Shapley values.

use super::plan::Plan;
use super::quadrature::{Rule, points_for};
use super::shares;
use crate::input::Value;
use crate::node::Tree;
use crate::way::{Way, WayRule};
use crate::{IsolationForest, IsolationForestError};
use ndarray::ArrayView2;

/// Trees of more nodes are passed with fewer points at a time, to save memory.
const MANY_NODES: usize = 1 << 20;

impl IsolationForest {
    /// Writes the Shapley value of each column for the score of a row and returns the baseline.
    ///
    /// What is explained is what [`explain_row`](Self::explain_row) explains: baseline plus all contributions is
    /// log2(score) (for [`Scoring::Density`](crate::Scoring::Density) log2(score / (1 - score))) to 1e-9, positive
    /// contributions make the row more anomalous. (Scores of rows that go both ways at nodes are rounded once more for
    /// each tree, which forests of few trees do not average out: 1e-8 there.) The baseline is the mean value of the trees
    /// over their training rows.
    ///
    /// **The game.** Players are the columns. A coalition is a set of columns whose values are known, and its worth is
    /// the mean over the trees of the value that is expected then: at a split whose column is known the row goes its
    /// way; at one whose column is not, the worth is the mean of both sides by their training rows. A split over
    /// several columns has all of them as one player, the same for all splits of a tree over the same set; what that
    /// player earns in a tree is shared among its columns as in `explain_row`, by the mean over its splits, each weighed by
    /// how much of the row comes there when everything is known, plus when nothing is. A value out of a penalised range
    /// counts where the split's column is known. Where the row goes both ways (a missing value, an unseen category) the
    /// split says nothing, known or not.
    ///
    /// When to use: for rows that somebody looks at, and wherever the order of splits must not matter: two columns that
    /// play the same part get the same, and one that no tree asks about gets 0. `explain_row` is cheaper and credits
    /// the splits in the order in which the trees happen to have them.
    ///
    /// Shapes: `row` and `out` have one number for each column.
    ///
    /// # Errors
    ///
    /// As [`explain_row`](Self::explain_row).
    ///
    /// # Complexity
    ///
    /// O(t psi m + t f log f + d), where m is half the number of different players on a way from root to leaf, and
    /// never more than 4 times its root, and f the number of splits over several columns of a tree: for the default
    /// forest some 135 nodes a tree times 4. [`shapley_rows`](Self::shapley_rows) prepares each tree once for many
    /// rows. Memory: about 600 bytes for each node of the largest tree (250 where that has more than a million), whatever its
    /// depth.
    ///
    /// Source: Lundberg, Erion, Lee, "Consistent Individualized Feature Attribution for Tree Ensembles", arXiv
    /// 1802.03888, 2018, algorithm 1 for the game. Computed otherwise than by their algorithm 2: the Shapley value is an
    /// integral over the chance with which each other player is known (Owen, "Multilinear Extensions of Games",
    /// 1972), here of a polynomial that is a product along each way, so that Gauss and Legendre's rule with half
    /// as many points as players is exact. All nodes are passed once for each point, with the sums telescoped along the
    /// splits of a player as by Yu, Bifet, Read, Xu, "Linear tree shap", `NeurIPS` 2022. All factors are positive and none
    /// is divided out that may be 0, which keeps the rounding small at any depth.
    ///
    /// ```
    /// use dafu_iforest::IsolationForestParams;
    /// use ndarray::Array2;
    /// # fn main() -> Result<(), dafu_iforest::IsolationForestError> {
    /// let rows = Array2::from_shape_fn((300, 2), |(i, j)| ((i * (7 + j)) % 13) as f64);
    /// let forest = IsolationForestParams::default().fit(rows.view())?;
    /// let mut contributions = [0.0; 2];
    /// let row = [5.0, 400.0];
    /// let baseline = forest.shapley_row(&row, &mut contributions)?;
    /// assert!(contributions[1] > contributions[0]);
    /// let sum = baseline + contributions[0] + contributions[1];
    /// assert!((sum - forest.score_row(&row)?.get().log2()).abs() < 1e-9);
    /// # Ok(())
    /// # }
    /// ```
    pub fn shapley_row(&self, row: &[f64], out: &mut [f64]) -> Result<f64, IsolationForestError> {
        self.check_explained(row, out)?;
        self.add_shapley(&mut Room::default(), row, out);
        Ok(self.shapley_baseline())
    }

    /// As [`shapley_row`](Self::shapley_row), with the same bits, for many rows; the baseline holds for all of them.
    ///
    /// Shapes: `rows` is rows x columns of `f64` or `f32`, in any memory layout; `out` has one number for each value,
    /// row after row.
    ///
    /// # Errors
    ///
    /// As [`score_rows`](Self::score_rows); where a row has a value that is not accepted, `out` is written in part.
    ///
    /// # Complexity
    ///
    /// n times [`shapley_row`](Self::shapley_row), at about a fifth of its time, as 64 rows at a time share what
    /// depends on the tree only. Memory: as there, for each thread.
    ///
    /// ```
    /// use dafu_iforest::IsolationForestParams;
    /// use ndarray::Array2;
    /// # fn main() -> Result<(), dafu_iforest::IsolationForestError> {
    /// let rows = Array2::from_shape_fn((300, 2), |(i, j)| ((i * (7 + j)) % 13) as f64);
    /// let forest = IsolationForestParams::default().fit(rows.view())?;
    /// let mut contributions = vec![0.0; rows.len()];
    /// let baseline = forest.shapley_rows(rows.view(), &mut contributions)?;
    /// let sum = baseline + contributions[0] + contributions[1];
    /// assert!((sum - forest.score_row(&[0.0, 0.0])?.get().log2()).abs() < 1e-9);
    /// # Ok(())
    /// # }
    /// ```
    pub fn shapley_rows<T: Value>(
        &self,
        rows: ArrayView2<'_, T>,
        out: &mut [f64],
    ) -> Result<f64, IsolationForestError> {
        self.explain_blocks(rows, out, Room::default, |room, cells, out| {
            self.add_shapley(room, cells, out);
        })?;
        Ok(self.shapley_baseline())
    }

    fn shapley_baseline(&self) -> f64 {
        let sum: f64 = self.trees.iter().map(|tree| tree.mean_of_training()).sum();
        -sum / self.explained_units() - self.scale.offset
    }

    /// Writes the values of rows that lie one after the other, to zeros.
    fn add_shapley(&self, room: &mut Room, cells: &[f64], out: &mut [f64]) {
        let rule = self.way_rule();
        let width = rule.width;
        for tree in self.trees.iter() {
            room.plan.prepare(&tree, width, |_| false);
            let rows = cells.chunks_exact(width);
            let mut rows = rows.zip(out.chunks_exact_mut(width));
            room.add(&tree, &rule, &mut rows, false);
            for at in std::mem::take(&mut room.alone) {
                // A way of its own through the tree, so a plan of its own.
                let range = at * width..(at + 1) * width;
                let row = &cells[range.clone()];
                room.plan.prepare(&tree, width, |at| {
                    let node = &tree.nodes[at];
                    !node.is_leaf(at) && tree.step(at, &rule, |column| row[column]).way == Way::Both
                });
                let rows = &mut std::iter::once((row, &mut out[range]));
                room.add(&tree, &rule, rows, true);
            }
        }
        let units = self.explained_units();
        for contribution in out {
            *contribution /= units;
        }
    }
}

/// What a row does about an edge and those above it of the same player.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Edge {
    /// It takes all of them.
    #[default]
    Taken,
    /// It takes those above, not this one.
    Left,
    /// It takes not all of those above, or the split says nothing: whether the player is known plays no part.
    Silent,
}

/// What the edges of a tree are at some of the points, for all that rows can do about them.
///
/// At a point, each player is known with the chance `t` of the point.
#[derive(Debug, Clone)]
struct Table<const M: usize> {
    /// For each edge one over the part of a row that takes it and those above it of the same player.
    inverse: Vec<[f64; M]>,
    /// For each edge and what a row does about it, by how much the part of the row that comes to the node above is
    /// multiplied.
    factors: Vec<[[f64; M]; 3]>,
    /// For each edge and what a row does about it, what its player gets of the worth of the leaves below; with the
    /// weight of the point.
    gains: Vec<[[f64; M]; 3]>,
    /// For each node the part of the row that comes there; on the way back, the worth of all leaves below.
    parts: Vec<[f64; M]>,
    points: [f64; M],
    weights: [f64; M],
}

impl<const M: usize> Default for Table<M> {
    fn default() -> Self {
        Self {
            inverse: Vec::new(),
            factors: Vec::new(),
            gains: Vec::new(),
            parts: Vec::new(),
            points: [0.5; M],
            weights: [0.0; M],
        }
    }
}

impl<const M: usize> Table<M> {
    fn prepare(&mut self, plan: &Plan, points: &[f64], weights: &[f64]) {
        self.points.copy_from_slice(points);
        self.weights.copy_from_slice(weights);
        let (points, weights) = (&self.points, &self.weights);
        let hidden = points.map(|t| 1.0 - t);
        let away = hidden.map(|hidden| -1.0 / hidden);
        self.parts.resize(plan.above.len(), [0.0; M]);
        self.inverse.clear();
        self.factors.clear();
        self.gains.clear();
        for (edge, &above) in plan.above.iter().enumerate() {
            let (above, unknown) = (above as usize, plan.unknown[edge]);
            let taken = points.map(|t| unknown + (1.0 - unknown) * t);
            let inverse = taken.map(|taken| 1.0 / taken);
            self.inverse.push(inverse);
            let of_above = self.inverse[above];
            let (own, other) = (1.0 - unknown, 1.0 - plan.unknown[above]);
            let before = of_above.map(|inverse| other * inverse);
            let after = inverse.map(|inverse| own * inverse);
            let gain = |after: &[f64; M]| times(weights, &minus(after, &before));
            self.gains.push([gain(&after), gain(&away), [0.0; M]]);
            self.factors.push([
                times(&of_above, &taken),
                times(&of_above, &hidden.map(|hidden| unknown * hidden)),
                [plan.shares[edge]; M],
            ]);
        }
    }
}

#[inline]
fn times<const M: usize>(a: &[f64; M], b: &[f64; M]) -> [f64; M] {
    let mut products = *a;
    for (product, b) in products.iter_mut().zip(b) {
        *product *= b;
    }
    products
}

#[inline]
fn minus<const M: usize>(a: &[f64; M], b: &[f64; M]) -> [f64; M] {
    let mut differences = *a;
    for (difference, b) in differences.iter_mut().zip(b) {
        *difference -= b;
    }
    differences
}

#[inline]
fn plus<const M: usize>(a: &[f64; M], b: &[f64; M]) -> [f64; M] {
    let mut sums = *a;
    for (sum, b) in sums.iter_mut().zip(b) {
        *sum += b;
    }
    sums
}

/// Buffers of one thread.
#[derive(Debug, Default)]
struct Room {
    plan: Plan,
    rules: Vec<Rule>,
    tables: (Table<2>, Table<4>, Table<6>, Table<8>),
    walk: Walk,
    /// Rows that need a plan of their own.
    alone: Vec<usize>,
}

/// Buffers for one row in one tree.
#[derive(Debug, Default)]
struct Walk {
    edges: Vec<Edge>,
    /// For each node whether the row is penalised there.
    penalised: Vec<bool>,
    /// What each set of columns earned.
    earned: Vec<f64>,
    /// Claims of the columns of all sets, and of the sets.
    claims: Vec<f64>,
    /// For each node how much of the row comes there when everything is known.
    here: Vec<f64>,
}

/// A tree with what holds for all rows.
#[derive(Debug, Clone, Copy)]
struct Case<'a> {
    tree: &'a Tree<'a>,
    plan: &'a Plan,
    rule: &'a WayRule,
    /// Whether nodes that say nothing have no player in the plan.
    is_own: bool,
}

type Rows<'a, 'b> = &'a mut dyn Iterator<Item = (&'b [f64], &'b mut [f64])>;

impl Room {
    /// Adds what a tree says of rows; those that need a plan of their own are listed instead.
    fn add(&mut self, tree: &Tree<'_>, rule: &WayRule, rows: Rows<'_, '_>, is_own: bool) {
        let count = points_for(self.plan.most);
        let size = if tree.nodes.len() > MANY_NODES {
            2
        } else {
            count.next_multiple_of(2).min(8)
        };
        let count = count.next_multiple_of(size.max(1));
        if count == 0 {
            return;
        }
        let known = self
            .rules
            .iter()
            .position(|rule| rule.points.len() == count);
        let number = known.unwrap_or_else(|| {
            self.rules.push(Rule::new(count));
            self.rules.len() - 1
        });
        let quadrature = &self.rules[number];
        let case = Case {
            tree,
            plan: &self.plan,
            rule,
            is_own,
        };
        let mut rows: Vec<_> = rows.collect();
        for (points, weights) in quadrature
            .points
            .chunks(size)
            .zip(quadrature.weights.chunks(size))
        {
            let given = (points, weights);
            let (two, four, six, eight) = &mut self.tables;
            let room = (&mut self.walk, &mut self.alone);
            match size {
                2 => case.add(two, room, given, &mut rows),
                4 => case.add(four, room, given, &mut rows),
                6 => case.add(six, room, given, &mut rows),
                _ => case.add(eight, room, given, &mut rows),
            }
        }
    }
}

impl Case<'_> {
    /// Adds the parts of some points for all rows.
    fn add<const M: usize>(
        &self,
        table: &mut Table<M>,
        (walk, alone): (&mut Walk, &mut Vec<usize>),
        (points, weights): (&[f64], &[f64]),
        rows: &mut [(&[f64], &mut [f64])],
    ) {
        table.prepare(self.plan, points, weights);
        alone.clear();
        for (at, (row, out)) in rows.iter_mut().enumerate() {
            if self.go_down(table, walk, row) {
                self.go_up(table, walk, out);
                if !walk.earned.is_empty() {
                    self.share_out(walk, row, out);
                }
            } else {
                alone.push(at);
            }
        }
    }

    /// Finds which part of a row comes to each node; false where the row needs a plan of its own.
    fn go_down<const M: usize>(&self, table: &mut Table<M>, walk: &mut Walk, row: &[f64]) -> bool {
        let (tree, plan) = (self.tree, self.plan);
        let len = tree.nodes.len();
        walk.edges.resize(len, Edge::Taken);
        walk.edges[0] = Edge::Taken;
        walk.penalised.resize(len, false);
        table.parts[0] = [1.0; M];
        for (at, node) in tree.nodes.iter().enumerate() {
            if node.is_leaf(at) {
                continue;
            }
            let left = node.left as usize;
            let above = plan.above[left] as usize;
            walk.penalised[at] = false;
            let mut way = Way::Both;
            if walk.edges[above] == Edge::Taken {
                let step = tree.step(at, self.rule, |column| row[column]);
                walk.penalised[at] = step.penalized;
                way = step.way;
                if way == Way::Both && !self.is_own && !self.is_missing(at, row) {
                    return false;
                }
            }
            let edges = match way {
                Way::Left => [Edge::Taken, Edge::Left],
                Way::Right => [Edge::Left, Edge::Taken],
                Way::Both => [Edge::Silent; 2],
            };
            walk.edges[left..left + 2].copy_from_slice(&edges);
            let (done, rest) = table.parts.split_at_mut(left);
            let part = &done[at];
            let factors = &table.factors[left..left + 2];
            let (of_left, of_right) = (
                &factors[0][edges[0] as usize],
                &factors[1][edges[1] as usize],
            );
            if let [left, right, ..] = rest {
                (*left, *right) = (times(part, of_left), times(part, of_right));
            }
        }
        true
    }

    /// Whether the value that a split by one column asks for is missing: then it is for all splits on that column, and
    /// none of them is heard.
    fn is_missing(&self, at: usize, row: &[f64]) -> bool {
        let column = match self.tree.terms_of(at, self.rule.width) {
            None => self.tree.nodes[at].test(),
            Some(terms) => terms[0].column as usize,
        };
        row[column].is_nan()
    }

    /// Sums up the worth of the leaves, and credits the players with what their edges make of it.
    fn go_up<const M: usize>(&self, table: &mut Table<M>, walk: &mut Walk, out: &mut [f64]) {
        let (tree, plan) = (self.tree, self.plan);
        let width = self.rule.width;
        walk.earned.clear();
        walk.earned.resize(plan.sets.len(), 0.0);
        let mut credit = |edge: usize, worth: f64| {
            let player = plan.players[edge] as usize;
            match player.checked_sub(width) {
                None => out[player] -= worth,
                Some(set) => walk.earned[set] -= worth,
            }
        };
        for at in (0..tree.nodes.len()).rev() {
            let node = &tree.nodes[at];
            let left = node.left as usize;
            let (rest, done) = table.parts.split_at_mut(at + 1);
            let worth = &mut rest[at];
            if node.is_leaf(at) {
                let value = f64::from(tree.values[at]) - plan.mean;
                for part in &mut *worth {
                    *part *= value;
                }
            } else if let [a, b, ..] = &done[left - at - 1..] {
                if walk.penalised[at] {
                    // A leaf that is come to only where the player is known.
                    let above = plan.above[left] as usize;
                    let level = f64::from(tree.level);
                    let mut sum = 0.0;
                    for point in 0..M {
                        let (t, inverse) = (table.points[point], table.inverse[above][point]);
                        let penalty = -level * worth[point] * inverse * t;
                        worth[point] = a[point] + b[point] + penalty;
                        let gain = 1.0 / t - (1.0 - plan.unknown[above]) * inverse;
                        sum += table.weights[point] * penalty * gain;
                    }
                    credit(left, sum);
                } else {
                    *worth = plus(a, b);
                }
            }
            if at == 0 {
                continue;
            }
            let gains = &table.gains[at][walk.edges[at] as usize];
            // An even number of points, in two sums side by side.
            let mut sums = [0.0; 2];
            for pair in times(worth, gains).chunks_exact(2) {
                sums[0] += pair[0];
                sums[1] += pair[1];
            }
            let sum = sums[0] + sums[1];
            credit(at, sum);
        }
    }

    /// Shares what each set of columns earned among the columns.
    fn share_out(&self, walk: &mut Walk, row: &[f64], out: &mut [f64]) {
        let (tree, sets) = (self.tree, &self.plan.sets);
        let cell = |column: usize| row[column];
        walk.claims.clear();
        walk.claims.resize(sets.columns.len(), 0.0);
        walk.here.clear();
        walk.here.resize(tree.nodes.len(), 0.0);
        walk.here[0] = 1.0;
        for (at, node) in tree.nodes.iter().enumerate() {
            if node.is_leaf(at) {
                continue;
            }
            let here = walk.here[at];
            let left = node.left as usize;
            if here > 0.0 {
                match tree.step(at, self.rule, cell).way {
                    Way::Left => walk.here[left] = here,
                    Way::Right => walk.here[left + 1] = here,
                    Way::Both => {
                        for child in [left, left + 1] {
                            walk.here[child] = here * self.plan.shares[child];
                        }
                    }
                }
            }
            let Some(form) = node.test().checked_sub(self.rule.width) else {
                continue;
            };
            let range = tree.forms[form].terms();
            let terms = &tree.terms[range.clone()];
            if terms.len() > 1 {
                let weight = here + f64::from(tree.counts[at]) / f64::from(tree.counts[0]);
                let places = &sets.of_term[range];
                for (&place, share) in places.iter().zip(shares(terms, tree.codes, cell)) {
                    walk.claims[place as usize] += weight * share;
                }
            }
        }
        for (earned, range) in walk.earned.iter().zip(sets.starts.windows(2)) {
            let claims = &walk.claims[range[0]..range[1]];
            let all: f64 = claims.iter().sum();
            for (claim, &column) in claims.iter().zip(&sets.columns[range[0]..range[1]]) {
                out[column as usize] += earned * (claim / all);
            }
        }
    }
}
