//! Drift: whether today's rows, scores and probabilities are still those that a model was made for, and whether a new model is
//! better.
//!
//! | question | answer |
//! |---|---|
//! | do the columns or the score come from another distribution than the reference? | [`DriftBaseline`], [`DriftWindow`] |
//! | do as many frauds come true as were predicted, once the labels are there? | [`CalibrationMonitor`] |
//! | is one of two models better on the same rows, or is it chance? | [`compare`], [`delong`] |
//!
//! Tests tell whether a difference is certain, distances whether it is large. An alarm needs both.

mod alarm;
mod baseline;
mod cells;
mod compare;
mod delong;
mod monitor;
mod order;
mod params;
mod period;
mod report;
mod special;
mod statistic;
mod window;

pub use alarm::{CalibrationAlarm, Direction};
pub use baseline::{DriftBaseline, DriftRows};
pub use compare::{Comparison, ComparisonParams, Difference, PairedScores, Resampling, compare};
pub use dafu_core::metrics::CalibrationLine;
pub use delong::{DeLongTest, delong};
pub use monitor::{CalibrationMonitor, CalibrationMonitorParams, CalibrationReport, Unlabelled};
pub use params::{
    CheckedDriftParams, DriftParams, MAX_BINS, MAX_CATEGORIES, MAX_COUNTS, MAX_KNOTS, MAX_SEASONS,
};
pub use period::PeriodCalibration;
pub use report::{BinRange, ColumnDrift, DriftBin, DriftLevel, DriftReport};
pub use statistic::{
    ChiSquareTest, KolmogorovSmirnovTest, benjamini_hochberg, chi_square_test, jensen_shannon,
    population_stability_index,
};
pub use window::DriftWindow;

use crate::EnsembleError;

/// Season of a time in seconds since 1970 in local time: the hour of the week, 0 for Monday from 0 to 1 o'clock, 167 at most.
///
/// # Examples
///
/// ```
/// use dafu_ensemble::drift::hour_of_week;
///
/// assert_eq!(hour_of_week(0), 3 * 24); // 1 January 1970 was a Thursday
/// assert_eq!(hour_of_week(-1), 3 * 24 - 1);
/// ```
#[must_use]
pub fn hour_of_week(seconds: i64) -> usize {
    let hours = seconds.div_euclid(3600) + 3 * 24;
    usize::try_from(hours.rem_euclid(168)).unwrap_or(0)
}

fn check_season(row: usize, got: usize, seasons: usize) -> Result<(), EnsembleError> {
    if got < seasons {
        Ok(())
    } else {
        Err(EnsembleError::IndexOutOfRange {
            what: "the season",
            row,
            below: seasons,
            got,
        })
    }
}

fn check_scores(what: &'static str, scores: &[f64]) -> Result<(), EnsembleError> {
    match scores
        .iter()
        .enumerate()
        .find(|(_, score)| !score.is_finite())
    {
        None => Ok(()),
        Some((row, got)) => Err(EnsembleError::RowOutOfRange {
            what,
            row,
            expected: "finite",
            got: *got,
        }),
    }
}
