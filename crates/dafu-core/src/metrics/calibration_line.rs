//! Calibration slope and intercept: whether probabilities are too sure, or too high.

use super::MetricsError;
use super::input::{check_length, check_not_empty, check_probable, check_total, weight_of};
use crate::regression::{LogisticRows, log_odds};

/// The logistic regression of the labels on the log odds of the probabilities.
///
/// Calibrated probabilities have slope 1 and intercept 0. A slope below 1: too sure of both ends (overfitted); above 1: not
/// sure enough. `in_the_large` below 0: too high on the whole; above 0: too low.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CalibrationLine {
    /// Factor of the log odds.
    pub slope: f64,
    /// Its standard error.
    pub slope_error: f64,
    /// Log odds that are added, beside the slope.
    pub intercept: f64,
    /// Its standard error.
    pub intercept_error: f64,
    /// Log odds to add where the slope is held at 1: calibration in the large.
    pub in_the_large: f64,
    /// Its standard error.
    pub in_the_large_error: f64,
}

/// Calibration slope and intercept of probabilities.
///
/// Probabilities are moved into `[e, 1 - e]` with e = 2^-52 first, as for [`log_loss`](super::log_loss). Standard errors take
/// weights as counts of rows.
///
/// # Errors
///
/// Slices of different lengths or without rows, a probability outside of 0 to 1, an invalid weight, all weights zero;
/// [`MetricsError::NoFiniteSlope`] when a threshold separates the classes, or rows have one class or one probability only.
///
/// # Complexity
///
/// O(n) a Newton step for n rows, about 20 steps; 40 bytes a row.
///
/// Source: Cox 1958, *Two further applications of a model for binary regression*, section 2; Steyerberg 2019, *Clinical
/// prediction models*, section 15.3 (calibration in the large).
///
/// # Examples
///
/// ```
/// use dafu_core::metrics::calibration_line;
///
/// // Half of the first four and three of the last four are frauds, as the log odds say but for a factor of 2.
/// let labels = [true, true, false, false, true, true, true, false];
/// let probabilities = [0.5, 0.5, 0.5, 0.5, 0.9, 0.9, 0.9, 0.9]; // odds 1 and 9 for 1 and 3
/// let line = calibration_line(&labels, &probabilities, None)?;
/// assert!((line.slope - 0.5).abs() < 1e-9 && line.intercept.abs() < 1e-9);
/// assert!(line.in_the_large < 0.0);
/// # Ok::<(), dafu_core::metrics::MetricsError>(())
/// ```
pub fn calibration_line(
    labels: &[bool],
    probabilities: &[f64],
    weights: Option<&[f64]>,
) -> Result<CalibrationLine, MetricsError> {
    check_length("probabilities", probabilities.len(), labels.len())?;
    check_not_empty(labels.len())?;
    check_probable(labels.len(), ("probabilities", probabilities), weights)?;
    check_total((0..labels.len()).map(|row| weight_of(weights, row)).sum())?;
    let inside = probabilities
        .iter()
        .map(|p| p.clamp(f64::EPSILON, 1.0 - f64::EPSILON));
    let odds: Vec<f64> = inside.map(log_odds).collect();
    if !overlap(labels, &odds, weights) {
        return Err(MetricsError::NoFiniteSlope);
    }
    let targets: Vec<f64> = labels
        .iter()
        .map(|&label| f64::from(u8::from(label)))
        .collect();
    let rows: Vec<[f64; 2]> = odds.iter().map(|&odds| [odds, 1.0]).collect();
    let line = LogisticRows {
        rows: &rows,
        targets: &targets,
        weights,
        offsets: None,
    };
    let line = line.fit().ok_or(MetricsError::NoFiniteSlope)?;
    let constant = LogisticRows {
        rows: &vec![[1.0]; odds.len()],
        targets: &targets,
        weights,
        offsets: Some(&odds),
    };
    let constant = constant.fit().ok_or(MetricsError::NoFiniteSlope)?;
    Ok(CalibrationLine {
        slope: line.coefficients[0],
        slope_error: line.standard_errors[0],
        intercept: line.coefficients[1],
        intercept_error: line.standard_errors[1],
        in_the_large: constant.coefficients[0],
        in_the_large_error: constant.standard_errors[0],
    })
}

/// Whether there is a finite slope: the log odds of the two classes overlap by more than a point.
///
/// Source: Albert and Anderson 1984, *On the existence of maximum likelihood estimates in logistic regression models*.
fn overlap(labels: &[bool], odds: &[f64], weights: Option<&[f64]>) -> bool {
    let mut ranges = [(f64::INFINITY, f64::NEG_INFINITY); 2];
    for (row, (&label, &odds)) in labels.iter().zip(odds).enumerate() {
        if weight_of(weights, row) > 0.0 {
            let (low, high) = &mut ranges[usize::from(label)];
            *low = low.min(odds);
            *high = high.max(odds);
        }
    }
    ranges[0].0 < ranges[1].1 && ranges[1].0 < ranges[0].1
}
