//! Rows to learn from.

use crate::params::{at_most, number};
use crate::{EnsembleError, MAX_COLUMNS, MAX_ROWS};
use ndarray::ArrayView2;

/// Rows with labels, and weights and blocks of time where given.
///
/// Shape: `rows x columns`; NaN is missing, infinite values are larger or smaller than all others.
#[derive(Debug, Clone, Copy)]
pub struct Samples<'a> {
    rows: ArrayView2<'a, f64>,
    frauds: &'a [bool],
    weights: Option<&'a [f64]>,
    blocks: Option<&'a [u32]>,
}

impl<'a> Samples<'a> {
    /// Rows and whether each is a fraud.
    ///
    /// # Errors
    ///
    /// When there are not as many labels as rows.
    pub fn new(rows: ArrayView2<'a, f64>, frauds: &'a [bool]) -> Result<Self, EnsembleError> {
        check_length("labels", rows.nrows(), frauds.len())?;
        Ok(Self {
            rows,
            frauds,
            weights: None,
            blocks: None,
        })
    }

    /// With a weight a row; rows of weight 0 do not count.
    ///
    /// # Errors
    ///
    /// When there are not as many weights as rows, or one is negative or not finite.
    pub fn with_weights(mut self, weights: &'a [f64]) -> Result<Self, EnsembleError> {
        check_length("weights", self.rows.nrows(), weights.len())?;
        let mut rows = weights.iter().enumerate();
        rows.try_for_each(|(row, weight)| check_weight(row, *weight))?;
        self.weights = Some(weights);
        Ok(self)
    }

    /// With the block of time of each row, such as the day: balanced bags draw the same share of each block's honest rows.
    ///
    /// # Errors
    ///
    /// When there are not as many blocks as rows.
    pub fn with_blocks(mut self, blocks: &'a [u32]) -> Result<Self, EnsembleError> {
        check_length("blocks", self.rows.nrows(), blocks.len())?;
        self.blocks = Some(blocks);
        Ok(self)
    }

    /// The rows.
    pub const fn rows(&self) -> ArrayView2<'a, f64> {
        self.rows
    }

    /// Whether each row is a fraud.
    pub const fn frauds(&self) -> &'a [bool] {
        self.frauds
    }

    /// The weight of a row, 1 where none were given.
    pub fn weight(&self, row: usize) -> f64 {
        self.weights
            .and_then(|weights| weights.get(row).copied())
            .unwrap_or(1.0)
    }

    /// The weights, where given.
    pub const fn weights(&self) -> Option<&'a [f64]> {
        self.weights
    }

    /// The block of time of a row, 0 where none were given.
    pub fn block(&self, row: usize) -> u32 {
        self.blocks
            .and_then(|blocks| blocks.get(row).copied())
            .unwrap_or_default()
    }

    /// The blocks of time, where given.
    pub const fn blocks(&self) -> Option<&'a [u32]> {
        self.blocks
    }

    /// The same rows with what is known of them, but with other weights.
    pub(crate) fn reweighted<'b>(
        &'b self,
        weights: &'b [f64],
    ) -> Result<Samples<'b>, EnsembleError> {
        let samples = Samples::new(self.rows.reborrow(), self.frauds)?;
        let mut samples = samples.with_weights(weights)?;
        samples.blocks = self.blocks;
        Ok(samples)
    }

    fn check_size(&self) -> Result<(), EnsembleError> {
        at_most("rows", self.rows.nrows(), MAX_ROWS)?;
        at_most("columns", self.rows.ncols(), MAX_COLUMNS)?;
        if self.rows.ncols() == 0 {
            return Err(EnsembleError::NoColumns);
        }
        Ok(())
    }

    /// Sums of the weights of honest rows, and of frauds times a factor: an error where there is nothing to learn from.
    pub(crate) fn class_weights(&self, fraud_factor: f64) -> Result<[f64; 2], EnsembleError> {
        self.check_size()?;
        class_weights(self.frauds, |row| self.weight(row), fraud_factor)
    }
}

/// As [`Samples::class_weights`], for labels and weights that come otherwise.
pub(crate) fn class_weights(
    frauds: &[bool],
    weight: impl Fn(usize) -> f64,
    fraud_factor: f64,
) -> Result<[f64; 2], EnsembleError> {
    let sum_of = |class: bool| -> f64 {
        let rows = frauds.iter().enumerate();
        rows.filter(|(_, fraud)| **fraud == class)
            .map(|(row, _)| weight(row))
            .sum()
    };
    let (honest, fraud) = (sum_of(false), sum_of(true) * fraud_factor);
    let sum = fraud + honest;
    number("sum of weights", sum, "finite", sum.is_finite())?;
    check_classes(honest, fraud)?;
    Ok([honest, fraud])
}

/// Checks that honest rows and frauds both weigh something.
pub(crate) fn check_classes(honest: f64, fraud: f64) -> Result<(), EnsembleError> {
    match (fraud > 0.0, honest > 0.0) {
        (true, true) => Ok(()),
        (true, false) => Err(EnsembleError::SingleClass { class: "fraud" }),
        (false, true) => Err(EnsembleError::SingleClass { class: "honest" }),
        (false, false) => Err(EnsembleError::NoRows),
    }
}

/// Checks the weight of a row.
pub(crate) fn check_weight(row: usize, got: f64) -> Result<(), EnsembleError> {
    if got.is_finite() && got >= 0.0 {
        Ok(())
    } else {
        Err(EnsembleError::Weight { row, got })
    }
}

pub(crate) const fn check_length(
    what: &'static str,
    expected: usize,
    got: usize,
) -> Result<(), EnsembleError> {
    if expected == got {
        Ok(())
    } else {
        Err(EnsembleError::Length {
            what,
            expected,
            got,
        })
    }
}
