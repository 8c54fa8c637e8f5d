//! What can go wrong.

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulatorError {
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
    /// A number among the parameters is outside its interval, or NaN.
    #[error("`{name}` must be a number from {min} to {max}, got {got}")]
    OutOfRange {
        /// Name of the parameter.
        name: &'static str,
        /// Smallest value allowed.
        min: f64,
        /// Largest value allowed.
        max: f64,
        /// The value given.
        got: f64,
    },
    /// The start is not the beginning of a day in UTC, or the last day lies after the year 9000.
    #[error(
        "`start` must be midnight UTC in the years 1 to 9000, and so must be the last day, got {got}"
    )]
    Start {
        /// The instant given.
        got: dafu_core::Timestamp,
    },
    /// A CSV file could not be written.
    #[cfg(feature = "csv")]
    #[error("could not write transaction {row}")]
    Csv {
        /// Number of the transaction in the file, from 1; 0 for the header.
        row: u64,
        /// The cause.
        #[source]
        source: csv::Error,
    },
}
