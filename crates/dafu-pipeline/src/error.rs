//! What can go wrong between a history and an assessment.

use dafu_core::metrics::MetricsError;
use dafu_core::model::ModelError;
use dafu_core::table::{Storage, TableError};
use dafu_core::{CoreError, DatasetError, Role, SourceError, StageError};
use dafu_features::FeatureError;

/// What can go wrong in the pipeline.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// A contamination level is no share between 0 and one half.
    #[error("contamination level {got} must lie above 0 and at most at 0.5")]
    Contamination {
        /// The level.
        got: f64,
    },
    /// No contamination level was given.
    #[error("give at least one contamination level, such as 0.01")]
    NoContamination,
    /// The main contamination level is none of the levels.
    #[error(
        "the main contamination level is number {main}, there are {levels} levels, counted from 0"
    )]
    MainLevel {
        /// Index given.
        main: usize,
        /// Levels given.
        levels: usize,
    },
    /// A risk threshold does not lie between 0 and 1.
    #[error("the risk threshold must lie above 0 and at most at 1, got {got}")]
    Threshold {
        /// The threshold.
        got: f64,
    },
    /// A budget of alerts is no number above 0.
    #[error("`alerts_per_day` must be finite and above 0, got {got}")]
    AlertsPerDay {
        /// The budget.
        got: f64,
    },
    /// The part of the history that fills the memory of features is no share, or leaves next to nothing.
    #[error("`warm_up` must be a share from 0 to 0.9, got {got}")]
    WarmUp {
        /// The share.
        got: f64,
    },
    /// A setting is too small to work with.
    #[error("{name} must be at least {least}, got {got}")]
    TooSmall {
        /// Name of the setting.
        name: &'static str,
        /// Smallest value.
        least: usize,
        /// The value given.
        got: usize,
    },
    /// Two stages have one name.
    #[error("two stages are named {name:?}: give one of them another name")]
    DuplicateStage {
        /// The name.
        name: String,
    },
    /// There is no stage and no default one.
    #[error("the detector has no stage: switch on the feature `iforest` or add a stage")]
    NoStage,
    /// A stage needs records and the feature that reads them is off.
    #[error(
        "a stage needs the records behind the rows of a table: switch on the feature `records`"
    )]
    NoRecords,
    /// A role override names a column that the history does not have.
    #[error(
        "role {role} was given to column {column:?}, which the history does not have; it has {known:?}"
    )]
    UnknownColumn {
        /// The column.
        column: String,
        /// The role.
        role: Role,
        /// Columns there are.
        known: Vec<String>,
    },
    /// A role override does not fit what the column holds.
    #[error(
        "column {column:?} holds {got:?} values, role {role} needs {expected:?}: read the file with this role instead"
    )]
    RoleStorage {
        /// The column.
        column: String,
        /// The role.
        role: Role,
        /// What the role needs.
        expected: Storage,
        /// What the column holds.
        got: Storage,
    },
    /// The history has too few rows.
    #[error("the history has {got} rows to learn from, at least {least} are needed")]
    TooFewRows {
        /// Rows needed.
        least: u64,
        /// Rows there are.
        got: u64,
    },
    /// Supervised learning was asked for without labels of both classes.
    #[error(
        "supervised mode needs labels of both classes in the history, got {frauds} fraud and {legitimate} legitimate: \
         use `Mode::Auto` or `Mode::Unsupervised`"
    )]
    NoLabels {
        /// Rows labelled fraud.
        frauds: u64,
        /// Rows labelled legitimate.
        legitimate: u64,
    },
    /// All stages, or the threshold, need labels to learn from, and there are none, or none were to be read.
    #[error(
        "all stages of this detector, or its threshold, learn from labels, and there are none of both classes in the rows that \
         are learned from, or `Mode::Unsupervised` reads none: label frauds and legitimate rows, or add a stage that needs no \
         labels, such as the isolation forest"
    )]
    LabelsNeeded,
    /// A policy needs probabilities, and nothing was calibrated.
    #[error(
        "costs need calibrated probabilities: give the history at least 10 frauds among its last three fifths, and the \
         detector a stage that learns from labels; or set no policy"
    )]
    NotCalibrated,
    /// A way of blending that does not add up log odds.
    #[error(
        "a detector adds up the log odds of its stages: choose a stack without ranks, or a vote of log odds"
    )]
    Combination,
    /// A transaction id came again with other content.
    #[error(
        "transaction {id} was already scored with other content (hash {first:016x}, now {second:016x})"
    )]
    Conflict {
        /// The id.
        id: String,
        /// Content hash of the first.
        first: u64,
        /// Content hash now.
        second: u64,
    },
    /// A snapshot is of the memory of another model.
    #[error(
        "the snapshot is of a detector with model {got:016x}, this is {expected:016x}: load the saved model that belongs \
         to it"
    )]
    OtherModel {
        /// Hash of the model at hand.
        expected: u64,
        /// Hash of the snapshot's model.
        got: u64,
    },
    /// A split by time was asked for, and the table has no time column.
    #[error("a split by time needs a column with role time")]
    NoTime,
    /// A source lacks a column that features of past events need.
    #[error(
        "the set of features needs a column with role {role}, and there is none: give one that role with \
         `DetectorBuilder::role`"
    )]
    MissingRole {
        /// The role.
        role: Role,
    },
    /// A row number is past the end of its table.
    #[error("row {row} of a table with {rows} rows")]
    Row {
        /// Row asked for, from 0.
        row: usize,
        /// Rows there are.
        rows: usize,
    },
    /// A configuration file cannot be read.
    #[error("models.json: {source}")]
    ModelsFile {
        /// What the reader says, with line and column.
        #[source]
        source: serde_json::Error,
    },
    /// A stage with a memory of users got an event without its record.
    #[error(
        "the stage judges events by those of the same user before: it needs the record of each"
    )]
    RecordNeeded,
    /// A stage got a row of other features than it was fitted on.
    #[error("the stage was fitted on rows of {expected} features, got one of {got}")]
    StageWidth {
        /// Features that it was fitted on.
        expected: usize,
        /// Features of the row.
        got: usize,
    },
    /// A stage got the memory of another one.
    #[error("the memory is that of another stage")]
    OtherState,
    /// A block of the configuration file belongs to a stage that this version does not have.
    #[error(
        "models.json asks for {block:?}, which this version has no stage for: take the block out, or skip it with \
         `ModelsFile::without`"
    )]
    StageNotBuilt {
        /// Name of the block.
        block: String,
    },
    /// The configuration file has no block that a detector can be built from.
    #[error(
        "models.json has no block for a stage; known blocks are isolation_forest, lstm and xgboost"
    )]
    EmptyModelsFile,
    /// A value in the configuration file is not allowed.
    #[error("models.json, {block}.{key}: {requirement}, got {got}")]
    ModelsValue {
        /// Name of the block.
        block: &'static str,
        /// Name of the key.
        key: &'static str,
        /// What is allowed.
        requirement: &'static str,
        /// The value given.
        got: String,
    },
    /// A stage failed.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A source of tables failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Preprocessing failed.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// A saved model cannot be read or written.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// An evaluation failed.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A value of the vocabulary is not allowed.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// A table does not fit together.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A dataset does not fit together.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Rules cannot be used with this detector.
    #[cfg(feature = "rules")]
    #[error(transparent)]
    Rules(#[from] dafu_rules::RuleError),
}
