//! What one algorithm offers: one verb a trait.
//!
//! `f64` at these boundaries; a row is a slice in schema order, NaN is missing, categories are coded as whole
//! numbers. A crate may compute in `f32` inside where it says so. No call panics on data.

use crate::{Probability, RawScore, Score};
use ndarray::ArrayView2;
use std::error::Error;

/// Parameters that learn a model from data.
///
/// Cost: whatever the algorithm documents; data is read, never changed.
pub trait Fit<D: ?Sized> {
    /// What is learned.
    type Model;
    /// What can go wrong.
    type Error: Error + Send + Sync + 'static;

    /// Learns a model.
    ///
    /// # Errors
    ///
    /// When parameters or data do not allow it; the error names which and where.
    fn fit(&self, data: &D) -> Result<Self::Model, Self::Error>;
}

/// A model that scores one row. Cost: no allocation.
pub trait ScoreRow {
    /// What can go wrong.
    type Error: Error + Send + Sync + 'static;

    /// The score of one row, higher is more suspicious.
    ///
    /// # Errors
    ///
    /// When the row has another width than the model, or a value that the model does not take.
    fn score_row(&self, row: &[f64]) -> Result<Score, Self::Error>;
}

/// A model that scores many rows into the caller's slice. Cost: no allocation that grows with the rows; the same
/// bits as [`ScoreRow`] row by row.
pub trait ScoreRows {
    /// What can go wrong.
    type Error: Error + Send + Sync + 'static;

    /// Writes one score a row.
    ///
    /// # Errors
    ///
    /// As [`ScoreRow::score_row`], and when `out` is not as long as there are rows.
    fn score_rows(&self, rows: ArrayView2<'_, f64>, out: &mut [f64]) -> Result<(), Self::Error>;
}

/// A model that says what moved a score.
pub trait Explain {
    /// What can go wrong.
    type Error: Error + Send + Sync + 'static;

    /// Writes one contribution a feature, positive towards suspicion, and returns the baseline: baseline plus
    /// contributions is the quantity that the model documents as explained.
    ///
    /// # Errors
    ///
    /// As [`ScoreRow::score_row`], and when `out` is not as wide as the row.
    fn explain_row(&self, row: &[f64], out: &mut [f64]) -> Result<f64, Self::Error>;
}

/// The only way from a raw score to a probability.
pub trait Calibrate {
    /// What can go wrong.
    type Error: Error + Send + Sync + 'static;

    /// The probability of fraud at a raw score; never falls when the score rises.
    ///
    /// # Errors
    ///
    /// When the calibrator cannot answer for this score.
    fn calibrate(&self, score: RawScore) -> Result<Probability, Self::Error>;
}
