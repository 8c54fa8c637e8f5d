//! Credit to the splits on the way of a row.

use super::shares;
use crate::input::Value;
use crate::node::Tree;
use crate::way::{Way, WayRule};
use crate::{IsolationForest, IsolationForestError};
use ndarray::ArrayView2;

impl IsolationForest {
    /// Writes how much each column moved the score of a row by the splits on its way, and returns the baseline.
    ///
    /// What is explained is log2(score) = -E\[h\] / c(psi): baseline plus all contributions is exactly that, up
    /// to the rounding of the sum, so that 2^(baseline + sum) is the score; to 1e-9 for rows that go both ways at nodes
    /// (1e-8 in forests of few trees), as the means there are rounded. Positive contributions make the row
    /// more anomalous. The baseline is the mean over the trees of the training rows' own value (near -1, a score
    /// near 1/2). With [`Scoring::Density`](crate::Scoring::Density) it is minus the mean log2 of the density, which is
    /// log2(score / (1 - score)), and the baseline is that of the training rows.
    ///
    /// Each split on the row's way changes the path length that is expected (the mean over the training rows
    /// below the node); the change from node to child is credited to the split's column. The credit of a split over
    /// several columns is shared in proportion to |coefficient (x - mean of the node's training rows)|, equally where
    /// all of them are 0. Columns that no tree asks about on this row's way get 0; so do those of splits where the row
    /// goes both ways.
    ///
    /// When to use: for every row that is scored, as it costs a few scores. What a column gets depends on where in the trees
    /// its splits happen to be, above or below those of other columns; [`shapley_row`](Self::shapley_row) puts that right
    /// at 10 (in batches) to 50 times the cost: for the rows that somebody looks at.
    ///
    /// Shapes: `row` and `out` have one number for each column.
    ///
    /// # Errors
    ///
    /// As [`score_row`](Self::score_row), and
    /// [`WrongOutputLength`](IsolationForestError::WrongOutputLength).
    ///
    /// # Complexity
    ///
    /// O(t log psi + d), no allocation.
    ///
    /// Source: the path attribution of Saabas, "Interpreting random forests" (2014), applied to path lengths;
    /// [`diffi_row`](Self::diffi_row) is a relative that weighs by depth and is not additive.
    ///
    /// ```
    /// use dafu_iforest::IsolationForestParams;
    /// use ndarray::Array2;
    /// # fn main() -> Result<(), dafu_iforest::IsolationForestError> {
    /// let rows = Array2::from_shape_fn((300, 2), |(i, j)| ((i * (7 + j)) % 13) as f64);
    /// let forest = IsolationForestParams::default().fit(rows.view())?;
    /// let mut contributions = [0.0; 2];
    /// let row = [5.0, 400.0];
    /// let baseline = forest.explain_row(&row, &mut contributions)?;
    /// assert!(contributions[1] > contributions[0]);
    /// let score = (baseline + contributions.iter().sum::<f64>()).exp2();
    /// assert!((score - forest.score_row(&row)?.get()).abs() < 1e-12);
    /// # Ok(())
    /// # }
    /// ```
    pub fn explain_row(&self, row: &[f64], out: &mut [f64]) -> Result<f64, IsolationForestError> {
        self.check_explained(row, out)?;
        self.add_path(row, out);
        Ok(self.path_baseline())
    }

    /// As [`explain_row`](Self::explain_row), with the same bits, for many rows; the baseline holds for all of them.
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
    /// let mut contributions = vec![0.0; rows.len()];
    /// let baseline = forest.explain_rows(rows.view(), &mut contributions)?;
    /// let sum = baseline + contributions[0] + contributions[1];
    /// assert!((sum.exp2() - forest.score_row(&[0.0, 0.0])?.get()).abs() < 1e-12);
    /// # Ok(())
    /// # }
    /// ```
    pub fn explain_rows<T: Value>(
        &self,
        rows: ArrayView2<'_, T>,
        out: &mut [f64],
    ) -> Result<f64, IsolationForestError> {
        let width = self.width();
        self.explain_blocks(
            rows,
            out,
            || (),
            |(), cells, out| {
                let rows = cells.chunks_exact(width);
                for (row, out) in rows.zip(out.chunks_exact_mut(width)) {
                    self.add_path(row, out);
                }
            },
        )?;
        Ok(self.path_baseline())
    }

    fn path_baseline(&self) -> f64 {
        let sum: f64 = self
            .trees
            .iter()
            .map(|tree| f64::from(tree.values[0]))
            .sum();
        -sum / self.explained_units() - self.scale.offset
    }

    fn add_path(&self, row: &[f64], out: &mut [f64]) {
        let rule = self.way_rule();
        for tree in self.trees.iter() {
            tree.credit(&rule, row, out);
        }
        let units = self.explained_units();
        for contribution in out {
            *contribution /= units;
        }
    }
}

impl Tree<'_> {
    /// Adds to each column by how much the splits on a row's way lowered the value that is expected.
    fn credit(&self, rule: &WayRule, row: &[f64], out: &mut [f64]) {
        let cell = |column: usize| row[column];
        // Nodes that the row comes to, and with which share.
        let mut waiting = Vec::new();
        let mut next = Some((0, 1.0));
        while let Some((at, weight)) = next.or_else(|| waiting.pop()) {
            next = None;
            let node = &self.nodes[at];
            if node.is_leaf(at) {
                continue;
            }
            let step = self.step(at, rule, cell);
            let left = node.left as usize;
            let child = match step.way {
                Way::Left => left,
                Way::Right => left + 1,
                Way::Both => {
                    // By the shares of training rows, as is expected anyway: the split says nothing.
                    let share = f64::from(self.counts[left]) / f64::from(self.counts[at]);
                    waiting.push((left + 1, weight * (1.0 - share)));
                    next = Some((left, weight * share));
                    continue;
                }
            };
            // Whole numbers far below 2^53: the sums are exact where no row goes both ways.
            let penalty = f64::from(u8::from(step.penalized)) * f64::from(self.level);
            let fallen = f64::from(self.values[at]) - f64::from(self.values[child]);
            let credit = weight * (fallen + penalty);
            match self.terms_of(at, rule.width) {
                None => out[node.test()] += credit,
                Some([term]) => out[term.column as usize] += credit,
                Some(terms) => {
                    for (term, share) in terms.iter().zip(shares(terms, self.codes, cell)) {
                        out[term.column as usize] += credit * share;
                    }
                }
            }
            next = Some((child, weight));
        }
    }
}
