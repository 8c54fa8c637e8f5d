//! What can go wrong while drawing and writing.

use std::path::PathBuf;

/// What can go wrong while drawing and writing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A file or folder cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A value cannot be written as JSON.
    #[error("cannot write {what} as JSON")]
    Json {
        /// What was being written.
        what: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A CSV line cannot be written.
    #[error("cannot write line {line} of the CSV export")]
    Csv {
        /// Line of the file, counted from 1 for the header.
        line: u64,
        /// Why.
        #[source]
        source: csv::Error,
    },
    /// A scored row does not have the columns that the header has.
    #[error("line {line} of the CSV export needs {expected} {what}, got {got}")]
    Columns {
        /// Line of the file, counted from 1 for the header.
        line: u64,
        /// Which columns: `flags` or `original columns`.
        what: &'static str,
        /// Columns in the header.
        expected: usize,
        /// Columns in the row.
        got: usize,
    },
    /// The scale of a PNG is no positive number, or the picture would be too large.
    #[cfg(feature = "png")]
    #[error("the scale of a PNG must give a picture of 1 to 67,108,864 pixels, got {got}")]
    Scale {
        /// The scale asked for.
        got: f64,
    },
    /// The embedded font cannot be read.
    #[cfg(feature = "png")]
    #[error("cannot read the embedded font")]
    Font {
        /// Why.
        #[source]
        source: ttf_parser::FaceParsingError,
    },
    /// A picture cannot be encoded.
    #[cfg(feature = "png")]
    #[error("cannot encode the PNG")]
    Png {
        /// Why.
        #[source]
        source: png::EncodingError,
    },
}
