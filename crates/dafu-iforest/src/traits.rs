//! The shared traits of `dafu_core`.

use crate::{
    CheckedIsolationForestParams, IsolationForest, IsolationForestError, IsolationForestParams,
    Value,
};
use dafu_core::Score;
use dafu_core::traits::{Explain, Fit, ScoreRow, ScoreRows};
use ndarray::{ArrayBase, ArrayView2, Data, Ix2};

impl<T: Value, S: Data<Elem = T>> Fit<ArrayBase<S, Ix2>> for IsolationForestParams {
    type Model = IsolationForest;
    type Error = IsolationForestError;

    fn fit(&self, data: &ArrayBase<S, Ix2>) -> Result<IsolationForest, IsolationForestError> {
        Self::fit(self, data.view())
    }
}

impl<T: Value, S: Data<Elem = T>> Fit<ArrayBase<S, Ix2>> for CheckedIsolationForestParams {
    type Model = IsolationForest;
    type Error = IsolationForestError;

    fn fit(&self, data: &ArrayBase<S, Ix2>) -> Result<IsolationForest, IsolationForestError> {
        Self::fit(self, data.view())
    }
}

impl ScoreRow for IsolationForest {
    type Error = IsolationForestError;

    fn score_row(&self, row: &[f64]) -> Result<Score, IsolationForestError> {
        Self::score_row(self, row)
    }
}

impl ScoreRows for IsolationForest {
    type Error = IsolationForestError;

    fn score_rows(
        &self,
        rows: ArrayView2<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), IsolationForestError> {
        Self::score_rows(self, rows, out)
    }
}

impl Explain for IsolationForest {
    type Error = IsolationForestError;

    fn explain_row(&self, row: &[f64], out: &mut [f64]) -> Result<f64, IsolationForestError> {
        Self::explain_row(self, row, out)
    }
}
