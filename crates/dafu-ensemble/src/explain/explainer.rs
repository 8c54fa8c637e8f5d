//! What each column adds to the answer for one row.

use crate::{EnsembleError, LogisticRegression, TreeExplainer};
use dafu_core::Explain;

/// Says what each column adds to the answers of a model: Shapley values, which add up to the answer with the baseline.
///
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Explainer {
    /// Of boosted trees, as log odds.
    Trees(TreeExplainer),
    /// Of a random forest, as share of frauds.
    Shares(TreeExplainer),
    /// Of a regression, as log odds.
    Regression(LogisticRegression),
    /// Of members whose log odds are averaged, each with what is added to its own.
    Mean(Vec<(f64, Explainer)>),
}

impl Explain for Explainer {
    type Error = EnsembleError;

    fn explain_row(&self, row: &[f64], out: &mut [f64]) -> Result<f64, EnsembleError> {
        match self {
            Self::Trees(trees) | Self::Shares(trees) => trees.explain_row(row, out),
            Self::Regression(regression) => regression.explain_row(row, out),
            Self::Mean(members) => {
                out.fill(0.0);
                let mut baseline = 0.0;
                let mut of_member = vec![0.0; out.len()];
                let share = 1.0 / members.len().max(1) as f64;
                for (shift, member) in members {
                    baseline += share * (shift + member.explain_row(row, &mut of_member)?);
                    for (out, part) in out.iter_mut().zip(&of_member) {
                        *out += share * part;
                    }
                }
                Ok(baseline)
            }
        }
    }
}
