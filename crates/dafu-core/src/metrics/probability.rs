//! Losses of predicted probabilities: log loss and Brier score.

use super::MetricsError;
use super::input::{check_length, check_not_empty, check_probable, check_total, weight_of};

/// Sums from which log loss and Brier score follow; grows by chunks and merges.
///
/// # Examples
///
/// ```
/// use dafu_core::metrics::ProbabilityLoss;
///
/// let mut loss = ProbabilityLoss::default();
/// loss.extend(&[true, false], &[0.9, 0.2], None)?; // one chunk of a file
/// loss.extend(&[false], &[0.1], None)?; // the next
/// assert!((loss.brier()? - (0.01 + 0.04 + 0.01) / 3.0).abs() < 1e-15);
/// # Ok::<(), dafu_core::metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ProbabilityLoss {
    weight: f64,
    squared: f64,
    logarithmic: f64,
}

impl ProbabilityLoss {
    /// Adds rows.
    ///
    /// # Errors
    ///
    /// Slices of different lengths, a probability outside of 0 to 1, an invalid weight. After an
    /// error the sums are as before.
    ///
    /// # Complexity
    ///
    /// O(n) for n rows.
    pub fn extend(
        &mut self,
        labels: &[bool],
        probabilities: &[f64],
        weights: Option<&[f64]>,
    ) -> Result<(), MetricsError> {
        check_probable(labels.len(), ("probabilities", probabilities), weights)?;
        for (row, (&label, &probability)) in labels.iter().zip(probabilities).enumerate() {
            let weight = weight_of(weights, row);
            if weight > 0.0 {
                let of_label = if label {
                    probability
                } else {
                    1.0 - probability
                };
                let missed = if label {
                    1.0 - probability
                } else {
                    probability
                };
                self.weight += weight;
                self.squared += weight * (missed * missed);
                self.logarithmic -= weight * of_label.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln();
            }
        }
        Ok(())
    }

    /// Adds the sums of other rows.
    pub fn merge(&mut self, other: &Self) {
        self.weight += other.weight;
        self.squared += other.squared;
        self.logarithmic += other.logarithmic;
    }

    /// The mean squared difference of probability and label.
    ///
    /// # Errors
    ///
    /// No rows, all weights zero, or sums beyond `f64`.
    pub fn brier(&self) -> Result<f64, MetricsError> {
        self.mean(self.squared)
    }

    /// The mean negative logarithm of the probability given to the label that came true.
    ///
    /// # Errors
    ///
    /// No rows, all weights zero, or sums beyond `f64`.
    pub fn log_loss(&self) -> Result<f64, MetricsError> {
        self.mean(self.logarithmic)
    }

    fn mean(&self, sum: f64) -> Result<f64, MetricsError> {
        check_total(self.weight)?;
        if sum.is_finite() {
            Ok(sum / self.weight)
        } else {
            Err(MetricsError::Overflow { what: "losses" })
        }
    }
}

fn loss_of(
    labels: &[bool],
    probabilities: &[f64],
    weights: Option<&[f64]>,
) -> Result<ProbabilityLoss, MetricsError> {
    check_length("probabilities", probabilities.len(), labels.len())?;
    check_not_empty(labels.len())?;
    let mut loss = ProbabilityLoss::default();
    loss.extend(labels, probabilities, weights)?;
    Ok(loss)
}

/// Log loss (cross entropy, natural logarithm): the mean negative logarithm of the probability
/// given to the label that came true.
///
/// Probabilities are moved into `[e, 1 - e]` with e = 2^-52 first, so that one sure error costs
/// 36 instead of infinity; `log_loss` of scikit-learn does the same. One class alone is no error.
///
/// # Errors
///
/// Slices of different lengths or without rows, a probability outside of 0 to 1, an invalid
/// weight, all weights zero.
///
/// # Complexity
///
/// O(n) for n rows.
///
/// Source: Good 1952, *Rational decisions*.
pub fn log_loss(
    labels: &[bool],
    probabilities: &[f64],
    weights: Option<&[f64]>,
) -> Result<f64, MetricsError> {
    loss_of(labels, probabilities, weights)?.log_loss()
}

/// Brier score: the mean squared difference of probability and label (0 or 1). One class alone is
/// no error.
///
/// # Errors
///
/// As [`log_loss`].
///
/// # Complexity
///
/// O(n) for n rows.
///
/// Source: Brier 1950, *Verification of forecasts expressed in terms of probability*, in the form
/// for two classes (half of Brier's sum over both).
pub fn brier_score(
    labels: &[bool],
    probabilities: &[f64],
    weights: Option<&[f64]>,
) -> Result<f64, MetricsError> {
    loss_of(labels, probabilities, weights)?.brier()
}
