//! What can go wrong.

use crate::set::{RecordKind, Span};
use dafu_core::model::ModelError;
use dafu_core::table::Storage;
use dafu_core::{CoreError, DatasetError, Role, SchemaHash, SourceError, Timestamp};
use std::path::PathBuf;

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
    /// The currency of a row is none.
    #[error("the currency cannot be read: {0}")]
    Currency(#[source] CoreError),
    /// The matrix does not form a data set.
    #[error("the matrix does not form a data set: {0}")]
    Dataset(#[from] DatasetError),
    /// A text is no length of time.
    #[error(
        "{got:?} is no length of time: write a whole number and one of us, ms, s, m, h, d, such as \"7d\""
    )]
    Span {
        /// The text.
        got: String,
    },
    /// A text names no field or quantity.
    #[error("{got:?} is no field; known: {known:?}, and \"extra:NAME\" for a further column")]
    UnknownField {
        /// The text.
        got: String,
        /// The names known.
        known: Vec<&'static str>,
    },
    /// A key has no field, more than two, or one twice.
    #[error("a key is one field or two different ones, got {got:?}")]
    Key {
        /// The fields.
        got: Vec<String>,
    },
    /// A set has no features.
    #[error("the set has no features")]
    EmptySet,
    /// A feature breaks a rule.
    #[error("feature {feature:?}: {why}")]
    Feature {
        /// Name of the feature.
        feature: String,
        /// Which rule.
        why: &'static str,
    },
    /// A feature reads a field that its records do not have.
    #[error("feature {feature:?} reads {field:?}, which records of kind {record:?} do not have")]
    NoSuchField {
        /// Name of the feature.
        feature: String,
        /// The field.
        field: String,
        /// Kind of the records.
        record: RecordKind,
    },
    /// A combination names a feature that does not stand before it.
    #[error(
        "feature {feature:?} is made from {input:?}, which does not stand before it in the set"
    )]
    UnknownFeature {
        /// Name of the combination.
        feature: String,
        /// The name that is not known.
        input: String,
    },
    /// A fraud rate would count events whose labels are not known yet as honest.
    #[error(
        "feature {feature:?} looks at events from {delay} on, but labels are known after {known_after}: set its \
         `delay` to at least that"
    )]
    UnknownLabels {
        /// Name of the feature.
        feature: String,
        /// Where its window ends.
        delay: Span,
        /// When labels are known.
        known_after: Span,
    },
    /// A set asks for more columns of one kind of entity than an event can hold.
    #[error(
        "features by {key} read more than {numbers} quantities or {codes} fields: use fewer of them"
    )]
    TooManyColumns {
        /// The kind of entity.
        key: String,
        /// Most quantities.
        numbers: usize,
        /// Most fields.
        codes: usize,
    },
    /// A record is of another kind than the set is for.
    #[error("the set is for records of kind {expected:?}, got {got:?}")]
    WrongRecord {
        /// Kind of the set.
        expected: RecordKind,
        /// Kind of the record.
        got: RecordKind,
    },
    /// A number is too large to be added up exactly, or not finite.
    #[error("{quantity} {got} is not finite or above {limit}: check the record")]
    NumberTooLarge {
        /// What it is.
        quantity: String,
        /// The number.
        got: f64,
        /// Largest absolute value.
        limit: f64,
    },
    /// An event is so far ahead of the newest that its clock must be wrong.
    #[error(
        "the event is of {at}, more than {most} after the newest of {newest}: check its clock, or raise `max_jump`"
    )]
    ClockJump {
        /// Time of the event.
        at: Timestamp,
        /// Time of the newest.
        newest: Timestamp,
        /// Longest way ahead.
        most: Span,
    },
    /// An event came late where the set allows none.
    #[error(
        "the event is of {at}, before the newest of {newest}, and the set takes no late events"
    )]
    Late {
        /// Time of the event.
        at: Timestamp,
        /// Time of the newest.
        newest: Timestamp,
    },
    /// The id of an event came before with other content.
    #[error("the id of the event of {at} came before with other content")]
    Conflict {
        /// Time of the event.
        at: Timestamp,
    },
    /// A window was asked for that the set does not have, after events were observed.
    #[error(
        "{feature:?} is not in the set, and events were observed already: ask for it before the first"
    )]
    TooLateToAdd {
        /// Name of the feature.
        feature: String,
    },
    /// A window was asked for that was never prepared.
    #[error("window {slot} was never prepared: there are {width} features")]
    UnknownSlot {
        /// The place asked for.
        slot: usize,
        /// Features there are.
        width: usize,
    },
    /// State of another set.
    #[error("the state is of the set {got}, this is {expected}")]
    OtherSet {
        /// Identity of this set.
        expected: SchemaHash,
        /// Identity of the state's set.
        got: SchemaHash,
    },
    /// Two engines know the same entity.
    #[error("both engines know an entity by {key}: only those that share none can be merged")]
    Overlap {
        /// The kind of entity.
        key: String,
    },
    /// A row lacks a value that every record of its kind has.
    #[error("record {row} has no {field}")]
    MissingField {
        /// The record number in its source.
        row: u64,
        /// What it lacks.
        field: &'static str,
    },
    /// An event of a table cannot be taken.
    #[error("record {row}: {source}")]
    Record {
        /// The record number in its source.
        row: u64,
        /// What is wrong.
        #[source]
        source: Box<FeatureError>,
    },
    /// A text is no set.
    #[cfg(feature = "toml")]
    #[error("the text is no set of features: {0}")]
    SetText(#[source] toml::de::Error),
    /// A set cannot be written as TOML.
    #[cfg(feature = "toml")]
    #[error("the set cannot be written as TOML: {0}")]
    SetToText(#[source] toml::ser::Error),
    /// A source that is to be ordered by time has no time column.
    #[error("no column has the role time: rows cannot be put in order")]
    NoTimeColumn,
    /// A row has no time, so that it has no place in the order.
    #[error("record {row} has no time, so that it has no place in the order of time")]
    MissingTime {
        /// The record number in its source.
        row: u64,
    },
    /// A source gives tables with different columns.
    #[error("the first table of the source has the columns {expected:?}, a later one {got:?}")]
    ChangedColumns {
        /// The columns of the first table, with role and storage.
        expected: Vec<String>,
        /// Those of the later table.
        got: Vec<String>,
    },
    /// A source that was in the order of time is so no more.
    #[error(
        "the source was in the order of time when first read, but now record {row} comes too late: it has changed"
    )]
    SourceChanged {
        /// The record number in its source.
        row: u64,
    },
    /// A temporary file cannot be written or read.
    #[error("temporary file {}: {source}", path.display())]
    TempFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A temporary file does not hold what was written to it.
    #[error("temporary file {}: {problem}", path.display())]
    DamagedTempFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: &'static str,
    },
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
