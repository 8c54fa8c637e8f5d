//! Why a row scores as it does.

use crate::node::Tree;
use crate::way::{Way, WayRule};
use crate::{IsolationForest, IsolationForestError};
use ndarray::ArrayView1;

impl IsolationForest {
    /// Writes how much each feature moved the score of a row and returns the baseline.
    ///
    /// What is explained is log2(score) = -E\[h\] / c(psi): baseline plus all contributions is exactly that, up
    /// to the rounding of the sum, so that 2^(baseline + sum) is the score. Positive contributions make the row
    /// more anomalous. The baseline is the mean over the trees of the training rows' own value (near -1, a score
    /// near 1/2).
    ///
    /// Each split on the row's way changes the path length that is expected (the mean over the training rows
    /// below the node); the change from node to child is credited to the split's feature. Features that no tree
    /// asks about on this row's way get 0.
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
    /// DIFFI of Carletti, Terzi, Susto, "Interpretable Anomaly Detection with DIFFI" (2019) is a relative that
    /// weighs by depth and is not additive.
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
        self.check_width(row.len())?;
        if out.len() != row.len() {
            let (expected, got) = (row.len(), out.len());
            return Err(IsolationForestError::WrongOutputLength { expected, got });
        }
        self.accepted().check(ArrayView1::from(row), 0)?;
        out.fill(0.0);
        let rule = self.way_rule();
        let mut baseline = 0.0;
        for tree in self.trees.iter() {
            baseline -= f64::from(tree.values[0]);
            tree.credit(&rule, row, out);
        }
        let units = self.trees.len() as f64 * self.scale.one();
        for contribution in &mut *out {
            *contribution /= units;
        }
        Ok(baseline / units - self.scale.offset)
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
            match node.test().checked_sub(rule.width) {
                None => out[node.test()] += credit,
                Some(form) => {
                    let terms = &self.terms[self.forms[form].terms()];
                    for term in terms {
                        out[term.column as usize] += credit / terms.len() as f64;
                    }
                }
            }
            next = Some((child, weight));
        }
    }
}
