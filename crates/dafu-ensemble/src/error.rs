//! What can go wrong.

/// An error of this crate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EnsembleError {
    /// A count among the parameters is outside its interval.
    #[error("`{name}` must be between {min} and {max}, got {got}")]
    CountOutOfRange {
        /// Name of the parameter.
        name: &'static str,
        /// Smallest value allowed.
        min: u64,
        /// Largest value allowed.
        max: u64,
        /// The value given.
        got: u64,
    },
    /// A number among the parameters is not finite or outside its interval.
    #[error("`{name}` must be {expected}, got {got}")]
    NumberOutOfRange {
        /// Name of the parameter.
        name: &'static str,
        /// The interval, in words.
        expected: &'static str,
        /// The value given.
        got: f64,
    },
    /// There is no row, or none with a weight above 0.
    #[error("cannot fit on zero rows; rows of weight 0 do not count")]
    NoRows,
    /// There is no column.
    #[error("cannot fit on zero columns")]
    NoColumns,
    /// There are more rows or columns than can be addressed.
    #[error("cannot fit on {got} {what}, at most {max} are supported")]
    TooMany {
        /// Rows or columns.
        what: &'static str,
        /// Most of them.
        max: usize,
        /// Those given.
        got: usize,
    },
    /// All rows have the same label.
    #[error("all rows are {class}: a classifier needs at least one row of each class")]
    SingleClass {
        /// `fraud` or `honest`.
        class: &'static str,
    },
    /// A row attribute has another length than the matrix.
    #[error("{what} has {got} entries for {expected} rows")]
    Length {
        /// The attribute.
        what: &'static str,
        /// Rows of the matrix.
        expected: usize,
        /// Entries given.
        got: usize,
    },
    /// A weight is negative or not finite.
    #[error("row {row}: a weight must be finite and at least 0, got {got}")]
    Weight {
        /// Row, from 0.
        row: usize,
        /// The weight.
        got: f64,
    },
    /// Rows have another number of columns than the training data.
    #[error("rows must have {expected} columns as in training, got {got}")]
    WrongWidth {
        /// Columns of the training data.
        expected: usize,
        /// Columns given.
        got: usize,
    },
    /// The output slice has another length than needed.
    #[error("output must have length {expected}, got {got}")]
    WrongOutputLength {
        /// Length needed.
        expected: usize,
        /// Length given.
        got: usize,
    },
    /// Early stopping could not be judged.
    #[error("the validation rows cannot be judged")]
    Validation(#[source] dafu_core::metrics::MetricsError),
    /// Another library cannot learn or answer.
    #[cfg(any(feature = "linfa", feature = "smartcore"))]
    #[error("{library} cannot {what}: {message}")]
    Library {
        /// The library.
        library: &'static str,
        /// What was asked of it.
        what: &'static str,
        /// Its own words.
        message: String,
    },
    /// A model of another library gave an answer that is no number.
    #[cfg(any(feature = "linfa", feature = "smartcore"))]
    #[error("the model of {library} answers row {row} with NaN")]
    Answer {
        /// The library.
        library: &'static str,
        /// Row, from 0.
        row: usize,
    },
    /// Rows have weights that the learner cannot take.
    #[cfg(feature = "smartcore")]
    #[error(
        "this estimator of smartcore takes no weights: give equal ones, or its `fit_with_weights` where it has one"
    )]
    NoWeights,
    /// The weights of a neural net ran away.
    #[error("the weights grew beyond all bounds in epoch {epoch}: lower `learning_rate`")]
    Diverged {
        /// Round over the training rows, from 1.
        epoch: usize,
    },
    /// A saved model cannot be written or read.
    #[cfg(feature = "serde")]
    #[error("the saved model cannot be written or read")]
    Saved(#[source] dafu_core::model::ModelError),
    /// The model has no format to be saved in.
    #[cfg(feature = "serde")]
    #[error(
        "this model cannot be saved: it comes from another library, keep it by that library's means"
    )]
    NotSaved,
}
