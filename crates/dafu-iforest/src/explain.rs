//! Why a row scores as it does.

use crate::node::PATH_ONE;
use crate::walk::check_finite;
use crate::{IsolationForest, IsolationForestError};
use ndarray::{ArrayView1, Axis};

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
        check_finite(ArrayView1::from(row).insert_axis(Axis(0)), 0)?;
        out.fill(0.0);
        let mut baseline = 0.0;
        for tree in self.trees.iter() {
            let mut at = 0;
            baseline -= f64::from(tree.paths[0]);
            loop {
                let node = &tree.nodes[at];
                if node.is_leaf(at) {
                    break;
                }
                let feature = node.feature as usize;
                let child = node.left as usize + usize::from(row[feature] > node.threshold);
                // Whole numbers far below 2^53: the sums are exact.
                out[feature] += f64::from(tree.paths[at]) - f64::from(tree.paths[child]);
                at = child;
            }
        }
        let units = self.trees.len() as f64 * f64::from(PATH_ONE);
        for contribution in &mut *out {
            *contribution /= units;
        }
        Ok(baseline / units)
    }
}
