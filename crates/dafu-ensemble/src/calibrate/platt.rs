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
        let (low, high) = match rows.sorted.as_slice() {
            [(low, ..), .., (high, ..)] => (*low, *high),
            _ => return Err(EnsembleError::NoRows),
        };
        let largest = low.abs().max(high.abs());
        let largest = if largest > 0.0 { largest } else { 1.0 };
        // From the lowest score on, so that the Hessian can be inverted wherever the scores lie.
        let from_low: Vec<[f64; 2]> = rows
            .sorted
            .iter()
            .map(|row| [row.0 / largest - low / largest, 1.0])
            .collect();
        let ([slope, constant], _) = regress(rows, &from_low)?;
        // The loss is convex: where a falling line is best, the best that does not fall is level.
        if slope <= 0.0 {
            return Self::level(rows);
        }
        Ok(Self {
            slope: slope / largest,
            intercept: constant - slope * (low / largest),
        })
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

/// Coefficients and loss of a logistic regression with Platt's targets.
pub(super) fn regress<const K: usize>(
    rows: &Rows,
    columns: &[[f64; K]],
) -> Result<([f64; K], f64), EnsembleError> {
    let (fraud, honest) = rows.targets();
    let targets = rows
        .sorted
        .iter()
        .map(|row| if row.1 { fraud } else { honest });
    let targets: Vec<f64> = targets.collect();
    let weights: Vec<f64> = rows.sorted.iter().map(|row| row.2).collect();
    let problem = LogisticRows {
        rows: columns,
        targets: &targets,
        weights: Some(&weights),
        offsets: None,
    };
    let fit = problem.fit().ok_or(EnsembleError::Calibration {
        what: "the regression comes to no end; scores or weights are too large or too small",
    })?;
    Ok((fit.coefficients, fit.loss))
}
