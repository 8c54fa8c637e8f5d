//! What can go wrong.

use std::fmt;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IsolationForestError {
    /// A count among the parameters is outside its interval.
    #[error("{} must be {}, got {got}", quoted(name), interval(*min, *max))]
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
    /// A fraction among the parameters is outside its interval.
    #[error("`{name}` must be {at_least} 0 and at most {max}, got {got}")]
    FractionOutOfRange {
        /// Name of the parameter.
        name: &'static str,
        /// Whether 0 itself is allowed: `at least`, or `above`.
        at_least: &'static str,
        /// Largest value allowed.
        max: f64,
        /// The value given.
        got: f64,
    },
    /// A weight is negative, infinite or NaN.
    #[error("weight of {what} {index} must be finite and at least 0, got {got}")]
    Weight {
        /// What is weighed: a row or a column.
        what: &'static str,
        /// Which of them, from 0.
        index: usize,
        /// The weight given.
        got: f64,
    },
    /// All weights are zero.
    #[error("all {what} weights are 0; at least one must be above")]
    NoWeight {
        /// What is weighed: rows or columns.
        what: &'static str,
    },
    /// There is not one weight for each row or column.
    #[error("there must be one weight for each {what}: {expected}, got {got}")]
    WeightCount {
        /// What is weighed: row or column.
        what: &'static str,
        /// Rows or columns of the data.
        expected: usize,
        /// Weights given.
        got: usize,
    },
    /// Density scores were asked for together with penalised ranges.
    #[error("density scores know no levels that `penalize_range` could take off")]
    PenalizedDensity,
    /// Forests, or a forest and parameters, do not go together.
    #[error("`{what}` is not the same as in the forest")]
    Unlike {
        /// The parameter that differs.
        what: &'static str,
    },
    /// A column that holds categories is not in the data.
    #[error("`categorical` names column {column}, but the data have {columns} columns")]
    UnknownColumn {
        /// The column named.
        column: usize,
        /// Columns of the data.
        columns: usize,
    },
    /// A column of categories holds a number that is no category.
    #[error(
        "value in row {row}, column {column} is {value}; categories are whole numbers from 0 to 4294967295"
    )]
    NoCategory {
        /// Row, from 0.
        row: usize,
        /// Column, from 0.
        column: usize,
        /// The value.
        value: f64,
    },
    /// More features a tree were asked for than the data have columns.
    #[error("`max_features` is {asked}, but the data have {columns} columns")]
    TooManyFeatures {
        /// Features asked for.
        asked: usize,
        /// Columns of the data.
        columns: usize,
    },
    /// The training data have no row.
    #[error("cannot fit on zero rows")]
    NoRows,
    /// The training data have no column.
    #[error("cannot fit on zero columns")]
    NoColumns,
    /// The training data have more columns than a node can address.
    #[error("cannot fit on {got} columns, at most {max} are supported")]
    TooManyColumns {
        /// Largest number of columns.
        max: usize,
        /// Columns of the data.
        got: usize,
    },
    /// A value is infinite, or NaN where missing values are refused.
    #[error("value in row {row}, column {column} is {value}; {}", remedy(*value))]
    NotFinite {
        /// Row, from 0.
        row: usize,
        /// Column, from 0.
        column: usize,
        /// The value.
        value: f64,
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
    /// There is not one flag for each row.
    #[error("there must be one flag for each row: {expected}, got {got}")]
    WrongFlagCount {
        /// Rows given.
        expected: usize,
        /// Flags given.
        got: usize,
    },
    /// No threshold was fitted for this contamination level.
    #[error(
        "no threshold is there for contamination {got}; list it in `contamination` before the fit, or call `fit_thresholds`, \
         as after `add_trees`, `merge` and `drop_oldest`"
    )]
    UnknownContamination {
        /// The level asked for.
        got: f64,
    },
    /// The saved model is no sound forest.
    #[error("saved isolation forest is damaged")]
    DamagedModel(#[source] DamagedModel),
    /// The envelope or the payload of a saved model could not be read or written.
    #[cfg(feature = "serde")]
    #[error("cannot read or write the saved isolation forest")]
    Envelope(#[source] dafu_core::model::ModelError),
    /// An error of linfa.
    #[cfg(feature = "linfa")]
    #[error("error of linfa")]
    Linfa(#[from] linfa::error::Error),
    /// A model file could not be read or written.
    #[cfg(feature = "serde")]
    #[error("cannot access the model file")]
    File(#[source] std::io::Error),
    /// A text is not the JSON of a forest.
    #[cfg(any(feature = "import", feature = "json"))]
    #[error("the text is not the JSON of an isolation forest")]
    Json(#[source] serde_json::Error),
    /// JSON of a forest says something that cannot be.
    #[cfg(any(feature = "import", feature = "json"))]
    #[error("cannot import the isolation forest")]
    Import(#[source] crate::ImportProblem),
    /// A forest has something that the format to be written has no counterpart for.
    #[cfg(feature = "onnx")]
    #[error("cannot export the isolation forest")]
    Export(#[source] crate::UnsupportedExport),
}

/// The name of a parameter as it is written in code; other names are words.
fn quoted(name: &str) -> String {
    if name.contains(' ') {
        name.to_owned()
    } else {
        format!("`{name}`")
    }
}

/// The numbers from one to another, in words.
fn interval(min: u64, max: u64) -> String {
    if max == u64::MAX {
        format!("at least {min}")
    } else {
        format!("between {min} and {max}")
    }
}

/// What to do about a value.
fn remedy(value: f64) -> &'static str {
    if value.is_nan() {
        "impute or drop missing values first; forests that do not grow online take them with `missing`"
    } else {
        "drop infinite values or replace them first"
    }
}

/// In which way a saved forest is not sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DamagedModel {
    /// A number of the header is outside the interval that the parameters allow.
    #[error("{what} is out of range")]
    Header {
        /// Which number.
        what: HeaderField,
    },
    /// Arrays of the payload disagree in length.
    #[error("{what} has {got} entries instead of {expected}")]
    Length {
        /// Which array.
        what: &'static str,
        /// Entries that the other arrays ask for.
        expected: u64,
        /// Entries there.
        got: u64,
    },
    /// A tree has children that do not exist, or nodes that no path reaches.
    #[error("tree {tree} is no tree")]
    Shape {
        /// Number of the tree, from 0.
        tree: usize,
    },
    /// A tree is deeper than its height limit.
    #[error("tree {tree} is deeper than {limit} levels")]
    Depth {
        /// Number of the tree, from 0.
        tree: usize,
        /// The height limit.
        limit: u32,
    },
    /// A node splits on a feature that the data do not have.
    #[error("tree {tree} splits on a feature outside the {width} columns")]
    Feature {
        /// Number of the tree, from 0.
        tree: usize,
        /// Columns of the training data.
        width: u32,
    },
    /// A split value is NaN or infinite.
    #[error("tree {tree} has a split value that is not finite")]
    Threshold {
        /// Number of the tree, from 0.
        tree: usize,
    },
    /// The row counts of a node and its children do not add up.
    #[error("tree {tree} has row counts that do not add up")]
    Counts {
        /// Number of the tree, from 0.
        tree: usize,
    },
    /// A contamination level or its threshold is out of range.
    #[error("contamination level {index} is out of range")]
    Level {
        /// Number of the level, from 0.
        index: usize,
    },
    /// Parameters are not among those that the check accepts.
    #[error("parameters are out of range")]
    Parameters,
    /// The box of a leaf is neither finite nor that of a leaf without points.
    #[error("tree {tree} has a box that is not finite")]
    Box {
        /// Number of the tree, from 0.
        tree: usize,
    },
    /// A row of the window has a value that is NaN or infinite.
    #[error("row {row} of the window has a value that is not finite")]
    Window {
        /// Number of the row in the window, from 0.
        row: usize,
    },
}

/// A number of a saved forest's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderField {
    /// Number of trees.
    Trees,
    /// Number of columns.
    Width,
    /// Rows a tree.
    SampleSize,
    /// Height limit.
    HeightLimit,
    /// Number of nodes.
    Nodes,
    /// Kinds of trees.
    Kinds,
    /// Columns of categories.
    Categorical,
    /// Fraction bits of values.
    ValueBits,
    /// A number of rows or splits so far.
    Counter,
}

impl fmt::Display for HeaderField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trees => "number of trees",
            Self::Width => "number of columns",
            Self::SampleSize => "sample size",
            Self::HeightLimit => "height limit",
            Self::Nodes => "number of nodes",
            Self::Kinds => "list of kinds of trees",
            Self::Categorical => "list of columns of categories",
            Self::ValueBits => "number of fraction bits",
            Self::Counter => "number of rows or splits so far",
        })
    }
}
