//! Platt's method: a logistic regression on the score.

use super::{Rows, sound};
use crate::EnsembleError;
use dafu_core::regression::LogisticRows;

#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub(super) struct Platt {
    /// At least 0.
    pub(super) slope: f64,
    pub(super) intercept: f64,
}

impl Platt {
    pub(super) fn fit(rows: &Rows) -> Result<Self, EnsembleError> {
        let columns: Vec<[f64; 2]> = rows.sorted.iter().map(|row| [row.0, 1.0]).collect();
        let ([slope, intercept], _) = regress(rows, &columns)?;
        // The loss is convex: where a falling line is best, the best that does not fall is level.
        if slope <= 0.0 {
            return Self::level(rows);
        }
        Ok(Self { slope, intercept })
    }

    fn level(rows: &Rows) -> Result<Self, EnsembleError> {
        let ([intercept], _) = regress(rows, &vec![[1.0]; rows.sorted.len()])?;
        Ok(Self {
            slope: 0.0,
            intercept,
        })
    }

    pub(super) fn check(&self) -> Result<(), EnsembleError> {
        let good = self.slope >= 0.0 && self.slope.is_finite() && self.intercept.is_finite();
        sound(
            "slope and intercept must be finite, and the slope at least 0",
            good,
        )
    }

    pub(super) const fn is_constant(&self) -> bool {
        self.slope <= 0.0
    }

    pub(super) fn log_odds(&self, score: f64) -> f64 {
        self.slope * score + self.intercept
    }
}

/// Coefficients and loss of a logistic regression with Platt's targets. The last column is constant 1.
pub(super) fn regress<const K: usize>(
    rows: &Rows,
    columns: &[[f64; K]],
) -> Result<([f64; K], f64), EnsembleError> {
    // Columns are scaled, and counted from their first value on, so that the Hessian can be inverted wherever they lie.
    let mut scale = [1.0_f64; K];
    let mut first = [0.0; K];
    for column in 0..K.saturating_sub(1) {
        let sizes = columns.iter().map(|row| row[column].abs());
        let largest = sizes.fold(0.0, f64::max);
        if largest > 0.0 {
            scale[column] = largest;
        }
        first[column] = columns.first().map_or(0.0, |row| row[column]) / scale[column];
    }
    let scaled: Vec<[f64; K]> = columns
        .iter()
        .map(|row| std::array::from_fn(|column| row[column] / scale[column] - first[column]))
        .collect();
    let (fraud, honest) = rows.targets();
    let targets = rows.sorted.iter();
    let targets: Vec<f64> = targets
        .map(|row| if row.1 { fraud } else { honest })
        .collect();
    let weights: Vec<f64> = rows.sorted.iter().map(|row| row.2).collect();
    let problem = LogisticRows {
        rows: &scaled,
        targets: &targets,
        weights: Some(&weights),
        offsets: None,
    };
    let fit = problem.fit().ok_or(EnsembleError::Calibration {
        what: "the regression comes to no end; scores or weights are too large or too small",
    })?;
    let mut coefficients = fit.coefficients;
    let moved: f64 = (coefficients.iter().zip(first))
        .map(|(coefficient, first)| coefficient * first)
        .sum();
    for (coefficient, scale) in coefficients.iter_mut().zip(scale) {
        *coefficient /= scale;
    }
    if let Some(constant) = coefficients.last_mut() {
        *constant -= moved;
    }
    Ok((coefficients, fit.loss))
}
