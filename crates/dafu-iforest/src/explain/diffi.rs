//! Importance by depth.

use super::{Ways, shares};
use crate::input::Value;
use crate::node::Tree;
use crate::{IsolationForest, IsolationForestError, Parallelism};
use ndarray::{ArrayView2, Axis};

#[cfg(feature = "parallel")]
use rayon::prelude::*;

impl IsolationForest {
    /// Writes the local DIFFI of a row: for each column how early the leaves come that its splits lead to.
    ///
    /// For each split on the row's way, 1 / (depth of the leaf) - 1 / h is added to the column of the split; the sum of each
    /// column is divided by the number of its splits. The h is the depth of the deepest leaf of the forest, so that
    /// numbers are between 0 and 1, higher where the column helps to isolate the row; 0 for columns without a split on
    /// the way.
    ///
    /// A ranking, not a share of the score: numbers do not add up to anything, and what is credited is the whole
    /// depth, not what a split adds to it. [`explain_row`](Self::explain_row) costs the same and adds up to the score;
    /// prefer it unless figures must compare with those of others.
    ///
    /// Shapes: `row` and `out` have one number for each column.
    ///
    /// # Errors
    ///
    /// As [`explain_row`](Self::explain_row).
    ///
    /// # Complexity
    ///
    /// O(t log psi + d).
    ///
    /// Source: Carletti, Terzi, Susto, "Interpretable anomaly detection with DIFFI: Depth-based feature importance of
    /// Isolation Forest", Engineering Applications of Artificial Intelligence 119, 2023 (arXiv 2007.11117), by the authors'
    /// code (mattiacarletti/DIFFI, `local_diffi`). Differences: their h is ceil(log2 psi), which the deepest leaf has in
    /// forests with the default height limit, but not in others; splits over several columns count for each of them by its
    /// share as in
    /// `explain_row`; splits where a row goes both ways count for none, and each leaf that it comes to counts by the part
    /// of the row that does.
    ///
    /// ```
    /// use dafu_iforest::IsolationForestParams;
    /// use ndarray::Array2;
    /// # fn main() -> Result<(), dafu_iforest::IsolationForestError> {
    /// let rows = Array2::from_shape_fn((300, 2), |(i, j)| ((i * (7 + j)) % 13) as f64);
    /// let forest = IsolationForestParams::default().fit(rows.view())?;
    /// let mut importance = [0.0; 2];
    /// forest.diffi_row(&[5.0, 400.0], &mut importance)?;
    /// assert!(importance[1] > importance[0]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn diffi_row(&self, row: &[f64], out: &mut [f64]) -> Result<(), IsolationForestError> {
        self.check_explained(row, out)?;
        self.add_local(&mut Room::default(), row, out);
        Ok(())
    }

    /// As [`diffi_row`](Self::diffi_row), with the same bits, for many rows.
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
    /// O(n (t log psi + d)). Memory: one block of rows for each thread.
    ///
    /// ```
    /// use dafu_iforest::IsolationForestParams;
    /// use ndarray::Array2;
    /// # fn main() -> Result<(), dafu_iforest::IsolationForestError> {
    /// let rows = Array2::from_shape_fn((300, 2), |(i, j)| ((i * (7 + j)) % 13) as f64);
    /// let forest = IsolationForestParams::default().fit(rows.view())?;
    /// let mut importance = vec![0.0; rows.len()];
    /// forest.diffi_rows(rows.view(), &mut importance)?;
    /// assert!(importance.iter().all(|&number| (0.0..1.0).contains(&number)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn diffi_rows<T: Value>(
        &self,
        rows: ArrayView2<'_, T>,
        out: &mut [f64],
    ) -> Result<(), IsolationForestError> {
        let width = self.width();
        self.explain_blocks(rows, out, Room::default, |room, cells, out| {
            let rows = cells.chunks_exact(width);
            for (row, out) in rows.zip(out.chunks_exact_mut(width)) {
                self.add_local(room, row, out);
            }
        })
    }

    fn add_local(&self, room: &mut Room, row: &[f64], out: &mut [f64]) {
        let rule = self.way_rule();
        let deepest = 1.0 / f64::from(self.trees.max_depth());
        let (ways, counts) = (&mut room.ways, &mut room.counts);
        counts.clear();
        counts.resize(out.len(), 0.0);
        for tree in self.trees.iter() {
            ways.follow(&tree, &rule, row, |arrival| {
                let early = 1.0 / f64::from(arrival.depth) - deepest;
                for &at in arrival.path {
                    tree.each_share(at, row, |column, share| {
                        out[column] += arrival.share * share * early;
                        counts[column] += arrival.share * share;
                    });
                }
            });
        }
        for (out, &count) in out.iter_mut().zip(&*counts) {
            if count > 0.0 {
                *out /= count;
            }
        }
    }

    /// The global DIFFI of each column: what its splits do to anomalies, in relation to what they do to other rows.
    ///
    /// Each split counts 1 / (depth of the leaf) times its induced imbalance coefficient for every row that passes it:
    /// 0 where all rows of the kind (anomalies, others) go the same way, 0.5 where they part in equal halves, 1 where one
    /// row leaves the others; splits that a single row of the kind passes do not count. The importance is the mean over
    /// the anomalies' splits on the column over the mean over the others' splits; 0 where the anomalies' is 0, and
    /// infinite where only the others' is.
    ///
    /// Anomalies that lie together in a column are parted by few of its splits, so that it gets little, even where it is what
    /// sets them apart; [`mean_absolute_contributions`](Self::mean_absolute_contributions) over the anomalies has no such gap.
    ///
    /// Shapes: `rows` is rows x columns of `f64` or `f32`; `anomalies` says for each row whether it is taken for an
    /// anomaly, for example by [`predict_rows`](Self::predict_rows); one number for each column comes back.
    ///
    /// # Errors
    ///
    /// As [`score_rows`](Self::score_rows), and [`WrongFlagCount`](IsolationForestError::WrongFlagCount).
    ///
    /// # Complexity
    ///
    /// O(n (t log psi + d)). Memory: a copy of the rows as `f64`, and for each thread about 100 bytes for each node
    /// of a tree.
    ///
    /// # Determinism
    ///
    /// Trees are summed in their order: the same bits for every number of threads.
    ///
    /// Source: Carletti, Terzi, Susto (see [`diffi_row`](Self::diffi_row)), by the authors' code `diffi_ib` with
    /// `adjust_iic`: coefficients are stretched to run from 0.5 to 1 whatever the number of rows; where 2 or 3 rows part
    /// there is one way to do so, and they are 1/2 and 2/3. Differences: the authors' code takes for each tree the rows that
    /// it was grown from, and parts them by the score of that tree alone; here all trees take the same rows and the same
    /// anomalies. Splits over several columns, and rows that go both ways, count as in `diffi_row`.
    ///
    /// ```
    /// use dafu_iforest::IsolationForestParams;
    /// use ndarray::Array2;
    /// # fn main() -> Result<(), dafu_iforest::IsolationForestError> {
    /// let mut rows = Array2::from_shape_fn((300, 2), |(i, j)| ((i * (7 + j)) % 13) as f64);
    /// for row in 0..6 {
    ///     rows[[row, 1]] += 40.0 + 5.0 * row as f64;
    /// }
    /// let forest = IsolationForestParams::default().contamination([0.02]).fit(rows.view())?;
    /// let mut anomalies = vec![false; rows.nrows()];
    /// forest.predict_rows(rows.view(), 0.02, &mut anomalies)?;
    /// let importance = forest.diffi_importance(rows.view(), &anomalies)?;
    /// assert!(importance[1] > importance[0]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn diffi_importance<T: Value>(
        &self,
        rows: ArrayView2<'_, T>,
        anomalies: &[bool],
    ) -> Result<Vec<f64>, IsolationForestError> {
        let width = self.width();
        self.check_width(rows.ncols())?;
        if anomalies.len() != rows.nrows() {
            let (expected, got) = (rows.nrows(), anomalies.len());
            return Err(IsolationForestError::WrongFlagCount { expected, got });
        }
        let mut cells = Vec::with_capacity(rows.len());
        for (at, row) in rows.axis_iter(Axis(0)).enumerate() {
            self.accepted().check(row, at)?;
            cells.extend(row.iter().map(|&value| value.into()));
        }
        let of_tree = |number: usize| self.global_of(number, &cells, anomalies);
        let mut sums = vec![[Sum::default(); 2]; width];
        let mut add = |part: &[(usize, [Sum; 2])]| {
            for (column, part) in part {
                for (sum, part) in sums[*column].iter_mut().zip(part) {
                    sum.add(*part);
                }
            }
        };
        if cfg!(feature = "parallel") && self.parallelism == Parallelism::Pool {
            #[cfg(feature = "parallel")]
            (0..self.trees.len())
                .into_par_iter()
                .map(of_tree)
                .collect::<Vec<_>>()
                .iter()
                .for_each(|part| add(part));
        } else {
            (0..self.trees.len()).for_each(|number| add(&of_tree(number)));
        }
        let of_column = |[others, anomalies]: [Sum; 2]| {
            let (above, below) = (anomalies.mean(), others.mean());
            if above > 0.0 { above / below } else { 0.0 }
        };
        Ok(sums.into_iter().map(of_column).collect())
    }

    /// What a tree adds to columns, for rows that are none and for anomalies.
    fn global_of(
        &self,
        number: usize,
        cells: &[f64],
        anomalies: &[bool],
    ) -> Vec<(usize, [Sum; 2])> {
        let (tree, rule) = (self.trees.tree(number), self.way_rule());
        let len = tree.nodes.len();
        let mut ways = Ways::default();
        // For each node and kind the rows that come there.
        let mut rows = vec![[0.0; 2]; len];
        // For each split of one column, and for each term of the others, the rows that followed it.
        let mut splits = vec![[Sum::default(); 2]; len];
        let mut terms = vec![[Sum::default(); 2]; tree.terms.len()];
        for (row, &anomaly) in cells.chunks_exact(rule.width).zip(anomalies) {
            let kind = usize::from(anomaly);
            ways.follow(&tree, &rule, row, |arrival| {
                rows[arrival.leaf][kind] += arrival.share;
                let early = 1.0 / f64::from(arrival.depth);
                for &at in arrival.path {
                    let Some(form) = tree.terms_of(at, rule.width) else {
                        splits[at][kind].count(arrival.share, early);
                        continue;
                    };
                    let first = tree.first_term(at, rule.width);
                    let cell = |column: usize| row[column];
                    for (term, share) in (first..).zip(shares(form, tree.codes, cell)) {
                        terms[term][kind].count(arrival.share * share, early);
                    }
                }
            });
        }
        let mut parts = Vec::new();
        for (at, node) in tree.nodes.iter().enumerate().rev() {
            if node.is_leaf(at) {
                continue;
            }
            let left = node.left as usize;
            let sides = [rows[left], rows[left + 1]];
            for kind in [0, 1] {
                rows[at][kind] = sides[0][kind] + sides[1][kind];
            }
            let imbalance = [0, 1].map(|kind| imbalance(sides[0][kind], sides[1][kind]));
            let weigh = |sums: [Sum; 2]| {
                let mut weighed = [Sum::default(); 2];
                for ((weighed, sum), imbalance) in weighed.iter_mut().zip(sums).zip(imbalance) {
                    if let Some(imbalance) = imbalance {
                        weighed.importance = sum.importance * imbalance;
                        weighed.rows = sum.rows;
                    }
                }
                weighed
            };
            match tree.terms_of(at, rule.width) {
                None => parts.push((node.test(), weigh(splits[at]))),
                Some(form) => {
                    let first = tree.first_term(at, rule.width);
                    for (term, sums) in form.iter().zip(&terms[first..]) {
                        parts.push((term.column as usize, weigh(*sums)));
                    }
                }
            }
        }
        // One number for each column is all that need be kept.
        parts.sort_by_key(|(column, _)| *column);
        parts.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                for (sum, part) in kept.1.iter_mut().zip(next.1) {
                    sum.add(part);
                }
            }
            same
        });
        parts.shrink_to_fit();
        parts
    }
}

/// Buffers of one thread.
#[derive(Debug, Default)]
struct Room {
    ways: Ways,
    counts: Vec<f64>,
}

/// Importance that rows gave, and how many did.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    importance: f64,
    rows: f64,
}

impl Sum {
    fn count(&mut self, rows: f64, each: f64) {
        self.importance += rows * each;
        self.rows += rows;
    }

    fn add(&mut self, other: Self) {
        self.importance += other.importance;
        self.rows += other.rows;
    }

    fn mean(self) -> f64 {
        if self.rows > 0.0 {
            self.importance / self.rows
        } else {
            0.0
        }
    }
}

/// Whole numbers that were summed up of parts, made whole again: coefficients jump there.
fn snapped(rows: f64) -> f64 {
    let whole = rows.round();
    if (rows - whole).abs() < 1e-9 {
        whole
    } else {
        rows
    }
}

/// The induced imbalance coefficient of a split with so many rows on its sides; none where a single row passes it.
///
/// Parts of rows, which missing values make, are counted as they are.
fn imbalance(left: f64, right: f64) -> Option<f64> {
    let (left, right) = (snapped(left), snapped(right));
    let rows = snapped(left + right);
    if rows <= 1.0 {
        return None;
    }
    if left <= 0.0 || right <= 0.0 {
        return Some(0.0);
    }
    let share = left.max(right) / rows;
    let least = (rows / 2.0).ceil() / rows;
    let most = (rows - 1.0) / rows;
    Some(if most > least {
        0.5 + 0.5 * ((share - least) / (most - least)).clamp(0.0, 1.0)
    } else {
        share
    })
}

impl Tree<'_> {
    /// Calls `each` with the columns of a split and their shares for a row.
    fn each_share(&self, at: usize, row: &[f64], mut each: impl FnMut(usize, f64)) {
        match self.terms_of(at, row.len()) {
            None => each(self.nodes[at].test(), 1.0),
            Some(terms) => {
                let cell = |column: usize| row[column];
                for (term, share) in terms.iter().zip(shares(terms, self.codes, cell)) {
                    each(term.column as usize, share);
                }
            }
        }
    }

    /// The place of the first term of a node's form.
    fn first_term(&self, at: usize, width: usize) -> usize {
        let form = self.nodes[at].test().saturating_sub(width);
        self.forms[form].terms().start
    }
}
