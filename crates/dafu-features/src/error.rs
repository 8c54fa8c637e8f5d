//! What can go wrong.

use dafu_core::model::ModelError;
use dafu_core::table::Storage;
use dafu_core::{CoreError, DatasetError, Role, SourceError};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeatureError {
    /// A whole number among the parameters is outside its interval.
    #[error("`{parameter}` must be between {min} and {max}, got {got}")]
    OutOfRange {
        /// Name of the parameter.
        parameter: &'static str,
        /// Smallest value allowed.
        min: i64,
        /// Largest value allowed.
        max: i64,
        /// The value given.
        got: i64,
    },
    /// A real number among the parameters is not finite, or negative where it must not be.
    #[error("`{parameter}` must be {rule}, got {got}")]
    NotUsable {
        /// Name of the parameter.
        parameter: &'static str,
        /// What it must be.
        rule: &'static str,
        /// The value given.
        got: f64,
    },
    /// Settings were given for a column that the data do not have.
    #[error("settings were given for column {name:?}, but the columns are {known:?}")]
    UnknownColumn {
        /// The column named.
        name: String,
        /// The columns there are.
        known: Vec<String>,
    },
    /// A setting does not fit what a column holds.
    #[error("column {column:?} holds {storage:?} values: {setting} does not apply to it")]
    NotApplicable {
        /// The column.
        column: String,
        /// What it holds.
        storage: Storage,
        /// The setting.
        setting: &'static str,
    },
    /// The source failed.
    #[error("the source failed: {0}")]
    Source(#[from] SourceError),
    /// There is no training row.
    #[error("cannot fit on zero rows")]
    NoRows,
    /// No column gave a feature.
    #[error("none of the {columns} columns gives a feature: all are left out or constant")]
    NoFeatures {
        /// Columns there are.
        columns: usize,
    },
    /// A column that was there when fitting is not there now.
    #[error(
        "column {name:?} with role {role} was there when the preprocessor was fitted and is missing now"
    )]
    MissingColumn {
        /// Its name.
        name: String,
        /// Its role.
        role: Role,
    },
    /// A column holds something else than when fitting.
    #[error(
        "column {name:?} held {expected:?} values when the preprocessor was fitted and holds {got:?} now"
    )]
    WrongStorage {
        /// Its name.
        name: String,
        /// What it held.
        expected: Storage,
        /// What it holds.
        got: Storage,
    },
    /// A number is infinite.
    #[error(
        "column {column:?}, record {record}: {got} is not finite; set `infinite` to take it as missing"
    )]
    Infinite {
        /// The column.
        column: String,
        /// The record number in its source.
        record: u64,
        /// The value.
        got: f64,
    },
    /// The numbers of a column are so large that their mean or spread is not finite.
    #[error(
        "the numbers of column {column:?} are too large for their mean or spread to be finite: \
         leave them unscaled and impute the median, or clean them first"
    )]
    TooLarge {
        /// The column.
        column: String,
    },
    /// Target encoding was asked for, but no training row has a known label.
    #[error(
        "column {column:?} is to be encoded by its fraud rate, but no training row has a known label"
    )]
    NoLabels {
        /// The column.
        column: String,
    },
    /// A row number is past the end of a table.
    #[error("row {row} of a table of {rows} rows")]
    Row {
        /// Row asked for, from 0.
        row: usize,
        /// Rows there are.
        rows: usize,
    },
    /// The caller's slice has another length than the features need.
    #[error("the output has room for {got} numbers, {expected} are needed")]
    Output {
        /// Numbers needed.
        expected: usize,
        /// Length of the slice.
        got: usize,
    },
    /// A data set has other features than a step was fitted on.
    #[error("the step was fitted on {expected} features, got {got}")]
    Width {
        /// Features when fitting.
        expected: usize,
        /// Features now.
        got: usize,
    },
    /// The features do not form a schema.
    #[error("the features do not form a schema: {0}")]
    Schema(#[from] CoreError),
    /// The matrix does not form a data set.
    #[error("the matrix does not form a data set: {0}")]
    Dataset(#[from] DatasetError),
    /// A saved preprocessor cannot be written or read.
    #[error("saved preprocessor: {0}")]
    Model(#[from] ModelError),
    /// A file of a saved preprocessor cannot be read or written.
    #[cfg(feature = "serde")]
    #[error("cannot read or write the file of a preprocessor: {0}")]
    File(#[source] std::io::Error),
    /// A step of linfa failed.
    #[cfg(feature = "linfa")]
    #[error("linfa: {0}")]
    Linfa(#[from] linfa_preprocessing::PreprocessingError),
}
