//! Errors of reading.

use crate::BadRecordClass;
use dafu_core::table::TableError;
use dafu_core::{CoreError, Role};
use std::io;

/// What can go wrong while reading.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// A parameter is out of its range.
    #[error("`{name}` must be {expected}, got {got}")]
    Param {
        /// The parameter.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        got: String,
    },
    /// A file cannot be opened.
    #[error("cannot open {path}: {source}")]
    Open {
        /// The file.
        path: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Reading failed.
    #[error("cannot read on after row {row}: {source}")]
    Read {
        /// Last complete row, counted from 1 after the header.
        row: u64,
        /// What the system or the decompressor says.
        #[source]
        source: io::Error,
    },
    /// The bytes are not those of a CSV file.
    #[error("this is {found}, not CSV: {remedy}")]
    NotCsv {
        /// What the first bytes say.
        found: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// There is no header and no row.
    #[error("the file is empty: a header with column names is needed")]
    Empty,
    /// The first row has more columns than allowed.
    #[error(
        "the first row has more than {limit} columns: check the delimiter, or raise `max_columns`"
    )]
    TooManyColumns {
        /// The limit.
        limit: usize,
    },
    /// The first row passes a limit.
    #[error("the first row is longer than {limit} bytes: is this a CSV file with a header?")]
    HeaderTooLong {
        /// The limit.
        limit: usize,
    },
    /// A compressed file ends early.
    #[error(
        "the gzip stream ends early after row {row}: the file was cut, copy or download it again"
    )]
    Truncated {
        /// Last complete row, counted from 1 after the header.
        row: u64,
    },
    /// A compressed file expands beyond the ratio.
    #[error(
        "after row {row} the gzip stream has expanded more than {limit} times: raise `max_expansion` if it is trusted"
    )]
    Expansion {
        /// Last complete row, counted from 1 after the header.
        row: u64,
        /// The limit.
        limit: u32,
    },
    /// More bytes than allowed.
    #[error("after row {row} more than {limit} bytes were read: raise `max_bytes`")]
    TooManyBytes {
        /// Last complete row, counted from 1 after the header.
        row: u64,
        /// The limit.
        limit: u64,
    },
    /// A name does not stand in the header.
    #[error("no column {name:?}: the columns are {available}")]
    UnknownColumn {
        /// The name.
        name: String,
        /// The header, cut.
        available: String,
    },
    /// Two columns were given a role that only one may have.
    #[error("role {role} is given to both {first:?} and {second:?}: only one column may have it")]
    RoleTwice {
        /// The role.
        role: Role,
        /// One column.
        first: String,
        /// The other.
        second: String,
    },
    /// A record is bad and its class is rejected.
    #[error("row {row}, column {column:?}: {class}, value {value:?}: {}", .class.remedy())]
    BadRecord {
        /// The row, counted from 1 after the header.
        row: u64,
        /// The column, empty when the whole row is meant.
        column: String,
        /// What is wrong.
        class: BadRecordClass,
        /// The value, cut, card numbers taken out.
        value: String,
    },
    /// No column has a role that a record needs.
    #[error("no column has role {role}, which {record} needs: give it to a column")]
    MissingRole {
        /// The role.
        role: Role,
        /// The kind of record.
        record: &'static str,
    },
    /// No column has a name that a record needs.
    #[error("no column {name:?} with {expected}, which {record} needs")]
    MissingColumn {
        /// The name.
        name: &'static str,
        /// What it must hold.
        expected: &'static str,
        /// The kind of record.
        record: &'static str,
    },
    /// A field that a record needs is missing.
    #[error("row {row} has no {field}, which {record} needs")]
    MissingField {
        /// The row, counted from 1 after the header.
        row: u64,
        /// The field.
        field: &'static str,
        /// The kind of record.
        record: &'static str,
    },
    /// A value does not fit its type.
    #[error("row {row}, {field}: {source}")]
    Field {
        /// The row, counted from 1 after the header.
        row: u64,
        /// The field.
        field: &'static str,
        /// What is wrong.
        #[source]
        source: CoreError,
    },
    /// The columns do not make a table.
    #[error("the columns do not make a table: {source}")]
    Table {
        /// What is wrong.
        #[from]
        source: TableError,
    },
    /// The quarantine cannot be written.
    #[error("cannot write the quarantined row {row}: {source}")]
    Quarantine {
        /// The row, counted from 1 after the header.
        row: u64,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A column that was given a role holds nothing that a table can hold.
    #[error(
        "column {column:?} cannot be read: {why}; give it the role `ignore`, or write it in another way"
    )]
    UnreadableColumn {
        /// The name.
        column: String,
        /// Why.
        why: &'static str,
    },
    /// A Parquet file cannot be read.
    #[error("cannot read the Parquet file after row {row}: {problem}")]
    Parquet {
        /// Last complete row, counted from 1.
        row: u64,
        /// What the Parquet reader says.
        problem: String,
    },
}
