//! What can be wrong with the input of a metric.

use std::fmt;

/// One of the two classes of a labelled row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Class {
    /// The rows with label `true`: the frauds.
    Positive,
    /// The rows with label `false`: the honest ones.
    Negative,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Positive => "positive",
            Self::Negative => "negative",
        })
    }
}

/// Why a metric has no value for the given input.
///
/// Rows are counted from 0 within the slices of the call.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// Two slices that describe the same rows have different lengths.
    #[error("`{what}` has {got} rows, expected {expected} as in the first argument")]
    LengthMismatch {
        /// The argument whose length differs.
        what: &'static str,
        /// The number of rows of the first argument.
        expected: usize,
        /// The number of rows of the argument named.
        got: usize,
    },
    /// There are no rows at all.
    #[error("no rows: a metric needs at least one")]
    Empty,
    /// A score is NaN or infinite.
    #[error("the score in row {row} is {value}, which is not a finite number")]
    NonFiniteScore {
        /// The first such row.
        row: usize,
        /// Its score.
        value: f64,
    },
    /// A weight is negative, NaN or infinite.
    #[error("the weight in row {row} is {value}; weights must be finite and not negative")]
    InvalidWeight {
        /// The first such row.
        row: usize,
        /// Its weight.
        value: f64,
    },
    /// An amount is NaN or infinite.
    #[error("the amount in row {row} is {value}, which is not a finite number")]
    NonFiniteAmount {
        /// The first such row.
        row: usize,
        /// Its amount.
        value: f64,
    },
    /// A probability is outside of 0 to 1, or NaN.
    #[error("the probability in row {row} is {value}, outside of 0 to 1")]
    ProbabilityOutOfRange {
        /// The first such row.
        row: usize,
        /// Its probability.
        value: f64,
    },
    /// Every row has weight zero.
    #[error("all weights are zero: at least one row must count")]
    ZeroTotalWeight,
    /// A sum over the rows is beyond the range of `f64`.
    #[error("the sum of `{what}` is beyond the range of a 64-bit float; scale the values down")]
    Overflow {
        /// What was summed.
        what: &'static str,
    },
    /// The metric compares two classes, and one has no row (or only rows of weight zero).
    #[error("{metric} is undefined: no {missing} row has a weight above zero")]
    SingleClass {
        /// The metric asked for.
        metric: &'static str,
        /// The class that is missing.
        missing: Class,
    },
    /// A parameter is outside of its range.
    #[error("`{name}` must be {requirement}, got {got}")]
    InvalidParameter {
        /// The parameter.
        name: &'static str,
        /// What it must fulfil.
        requirement: &'static str,
        /// The value given.
        got: f64,
    },
    /// No threshold reaches the floor that was asked for.
    #[error("no threshold reaches a {metric} of {floor}; the best is {best}")]
    FloorNotReached {
        /// The metric with a floor.
        metric: &'static str,
        /// The floor asked for.
        floor: f64,
        /// The highest value that any threshold reaches.
        best: f64,
    },
    /// A cost or metric by amount was asked for, and the rows came without amounts.
    #[error("amounts are needed, but the rows were ranked without them")]
    AmountsMissing,
    /// Some chunks of a stream came with amounts, others without.
    #[error("all chunks must come with amounts, or none of them")]
    AmountsMixed,
    /// Two accumulators with different numbers of bins cannot be merged.
    #[error("cannot merge {got} bins into {expected}")]
    BinsDiffer {
        /// The bins of the accumulator that is merged into.
        expected: usize,
        /// The bins of the other one.
        got: usize,
    },
    /// Days are drawn, and the rows came without.
    #[error("days are to be drawn, but the rows came without days")]
    DaysMissing,
    /// The logistic regression of the labels on the log odds has no finite answer.
    #[error(
        "no finite calibration slope: the rows need both classes, and probabilities that overlap between them"
    )]
    NoFiniteSlope,
}
