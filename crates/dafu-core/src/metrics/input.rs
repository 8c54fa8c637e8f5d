//! Checks of the slices that every metric takes.

use super::MetricsError;

pub(super) fn check_length(
    what: &'static str,
    got: usize,
    expected: usize,
) -> Result<(), MetricsError> {
    if got == expected {
        Ok(())
    } else {
        Err(MetricsError::LengthMismatch {
            what,
            expected,
            got,
        })
    }
}

pub(super) fn check_not_empty(rows: usize) -> Result<(), MetricsError> {
    if rows == 0 {
        Err(MetricsError::Empty)
    } else {
        Ok(())
    }
}

pub(super) fn check_scores(scores: &[f64]) -> Result<(), MetricsError> {
    match scores.iter().position(|score| !score.is_finite()) {
        None => Ok(()),
        Some(row) => Err(MetricsError::NonFiniteScore {
            row,
            value: scores[row],
        }),
    }
}

fn check_probabilities(values: &[f64]) -> Result<(), MetricsError> {
    match values.iter().position(|p| !(0.0..=1.0).contains(p)) {
        None => Ok(()),
        Some(row) => Err(MetricsError::ProbabilityOutOfRange {
            row,
            value: values[row],
        }),
    }
}

pub(super) fn check_weights(weights: Option<&[f64]>, rows: usize) -> Result<(), MetricsError> {
    let Some(weights) = weights else {
        return Ok(());
    };
    check_length("weights", weights.len(), rows)?;
    match weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
        None => Ok(()),
        Some(row) => Err(MetricsError::InvalidWeight {
            row,
            value: weights[row],
        }),
    }
}

/// What metrics of a ranking take: one row at least, with a finite score each.
pub(super) fn check_scored(
    rows: usize,
    scores: &[f64],
    weights: Option<&[f64]>,
) -> Result<(), MetricsError> {
    check_length("scores", scores.len(), rows)?;
    check_not_empty(rows)?;
    check_scores(scores)?;
    check_weights(weights, rows)
}

/// What sums over probabilities take, be there rows or none; errors name the slice `what`.
pub(super) fn check_probable(
    rows: usize,
    (what, probabilities): (&'static str, &[f64]),
    weights: Option<&[f64]>,
) -> Result<(), MetricsError> {
    check_length(what, probabilities.len(), rows)?;
    check_probabilities(probabilities)?;
    check_weights(weights, rows)
}

pub(super) fn check_amounts(amounts: Option<&[f64]>, rows: usize) -> Result<(), MetricsError> {
    let Some(amounts) = amounts else {
        return Ok(());
    };
    check_length("amounts", amounts.len(), rows)?;
    match amounts.iter().position(|amount| !amount.is_finite()) {
        None => Ok(()),
        Some(row) => Err(MetricsError::NonFiniteAmount {
            row,
            value: amounts[row],
        }),
    }
}

/// The total must be a finite number above zero.
pub(super) fn check_total(total: f64) -> Result<(), MetricsError> {
    if !total.is_finite() {
        Err(MetricsError::Overflow { what: "weights" })
    } else if total > 0.0 {
        Ok(())
    } else {
        Err(MetricsError::ZeroTotalWeight)
    }
}

/// The weight of a row, 1 where there are no weights.
pub(super) fn weight_of(weights: Option<&[f64]>, row: usize) -> f64 {
    weights.map_or(1.0, |weights| weights[row])
}

/// `numerator / denominator`, and 0 where the denominator is 0: the one rule for ratios of counts.
pub(super) fn ratio(numerator: f64, denominator: f64) -> f64 {
    if denominator > 0.0 {
        numerator / denominator
    } else {
        0.0
    }
}

/// A number from 0 to 1, ends included.
pub(super) fn check_share(name: &'static str, got: f64) -> Result<(), MetricsError> {
    if (0.0..=1.0).contains(&got) {
        Ok(())
    } else {
        Err(MetricsError::InvalidParameter {
            name,
            requirement: "from 0 to 1",
            got,
        })
    }
}
