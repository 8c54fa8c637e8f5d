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
    /// A column that was named does not exist.
    #[error("`{name}` names column {column}, but the rows have {width} columns, counted from 0")]
    NoSuchColumn {
        /// What names it.
        name: &'static str,
        /// The column named.
        column: usize,
        /// Columns of the rows.
        width: usize,
    },
    /// A column of categories cannot be monotone.
    #[error(
        "column {column} is categorical and has no order: take it out of `monotone` or of `categorical`"
    )]
    MonotoneCategories {
        /// The column.
        column: usize,
    },
    /// A value in a column of categories is no code of one.
    #[error(
        "row {row}, column {column}: a category must be a whole number from 0 to {}, or missing (NaN), got {got}",
        crate::MAX_CATEGORIES - 1
    )]
    Category {
        /// Row, from 0.
        row: usize,
        /// Column, from 0.
        column: usize,
        /// The value.
        got: f64,
    },
    /// A score is not finite.
    #[error("row {row}: a score must be finite, got {got}")]
    Score {
        /// Row, from 0.
        row: usize,
        /// The score.
        got: f64,
    },
    /// A calibrator could not be learned, or what was saved is none.
    #[error("no calibrator: {what}")]
    Calibration {
        /// What is wrong.
        what: &'static str,
    },
    /// A metric has no value.
    #[error("a metric has no value")]
    Metrics(#[source] dafu_core::metrics::MetricsError),
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
    /// An index given for a row is too large.
    #[error("row {row}: {what} must be below {below}, got {got}")]
    IndexOutOfRange {
        /// What is indexed.
        what: &'static str,
        /// Row, from 0.
        row: usize,
        /// The first index that is too large.
        below: usize,
        /// The index given.
        got: usize,
    },
    /// A number given for a row is outside its interval.
    #[error("row {row}: {what} must be {expected}, got {got}")]
    RowOutOfRange {
        /// The number.
        what: &'static str,
        /// Row, from 0.
        row: usize,
        /// The interval, in words.
        expected: &'static str,
        /// The number given.
        got: f64,
    },
    /// Nothing was counted or settled yet.
    #[error("no {what} yet: a report needs at least one")]
    Nothing {
        /// What there is none of.
        what: &'static str,
    },
    /// A window was counted against another baseline.
    #[error("the window belongs to another baseline: start a new one from this baseline")]
    OtherBaseline,
    /// A baseline has scores and the rows have none, or the reverse.
    #[error(
        "either baseline or rows come without scores: give scores to both, or to neither of them"
    )]
    ScoresMissing,
    /// A prediction is pending already under this name.
    #[error("prediction {id} is pending already: every prediction needs a name of its own")]
    PredictionRepeated {
        /// The name.
        id: u64,
    },
    /// A saved value contradicts itself.
    #[error("the saved {what} is damaged: {problem}; take another copy, or fit it again")]
    Damaged {
        /// What was saved.
        what: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
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
    /// The model has no format to be saved in.
    #[cfg(feature = "serde")]
    #[error(
        "this model cannot be saved: it comes from another library, keep it by that library's means"
    )]
    NotSaved,
    /// A model cannot be written, or bytes are no intact envelope of such a model within the limits.
    #[cfg(feature = "serde")]
    #[error("the saved model cannot be written or read")]
    Envelope(#[source] dafu_core::model::ModelError),
    /// A model file of another library cannot be read.
    #[cfg(feature = "import")]
    #[error("cannot import the {library} model: {problem}")]
    Import {
        /// The library.
        library: &'static str,
        /// What is wrong.
        problem: crate::ImportProblem,
    },
    /// A length of time is outside its interval.
    #[error("`{name}` must be between {min} and {max} units of time, got {got}")]
    SpanOutOfRange {
        /// Name of the parameter.
        name: &'static str,
        /// Smallest length.
        min: i64,
        /// Largest length.
        max: i64,
        /// The length given.
        got: i64,
    },
    /// A fold has no rows of a kind.
    #[error(
        "fold {fold} has no rows to {what}: use fewer folds or longer spans, or let them end where there are rows"
    )]
    EmptyFold {
        /// Fold, from 0.
        fold: usize,
        /// `learn from` or `judge with`.
        what: &'static str,
    },
    /// A fold names a row that there is not.
    #[error("fold {fold} names row {row}, there are {rows}: folds must be made for the same rows")]
    FoldRow {
        /// Fold, from 0.
        fold: usize,
        /// The row.
        row: usize,
        /// Rows.
        rows: usize,
    },
    /// A fold names a row twice.
    #[error(
        "fold {fold} names row {row} twice: a row is learned from or judged with, and only once"
    )]
    FoldRowTwice {
        /// Fold, from 0.
        fold: usize,
        /// The row.
        row: usize,
    },
    /// No fold could be judged.
    #[error(
        "no fold could be judged, {skipped} were skipped for want of a class: use longer spans of time"
    )]
    NoFold {
        /// Folds that were skipped.
        skipped: usize,
    },
    /// A metric refused the rows.
    #[error("{name} cannot judge the rows")]
    Metric {
        /// Name of the metric.
        name: String,
        /// Why.
        #[source]
        source: dafu_core::metrics::MetricsError,
    },
    /// A metric gave no finite number.
    #[error("{name} must give a finite number, got {got}")]
    MetricNotFinite {
        /// Name of the metric.
        name: String,
        /// What it gave.
        got: f64,
    },
    /// A search space cannot be drawn from.
    #[error("parameter {name:?} of the search space {what}")]
    Space {
        /// Name of the parameter.
        name: String,
        /// What is wrong with it, and what would be right.
        what: &'static str,
    },
    /// A point of a search space was asked for what it has not.
    #[error("the point has no {kind} named {name:?}")]
    NoParameter {
        /// Name asked for.
        name: String,
        /// Kind asked for.
        kind: &'static str,
    },
    /// A member's score is not finite.
    #[error("row {row}: the score of member {member} must be finite, got {got}")]
    MemberScore {
        /// Row, from 0.
        row: usize,
        /// Member, from 0.
        member: usize,
        /// The score.
        got: f64,
    },
    /// There are not as many of something as there are members.
    #[error("{what}: expected {expected}, one a member, got {got}")]
    MemberCount {
        /// What was counted.
        what: &'static str,
        /// Members.
        expected: usize,
        /// Those given.
        got: usize,
    },
    /// Two members have the same name, or one has none.
    #[error("members must have different names of 1 to 256 bytes, got {name:?}")]
    MemberName {
        /// The name.
        name: String,
    },
    /// A member could not be learned or asked.
    #[error("member {name:?}")]
    Member {
        /// Its name.
        name: String,
        /// What went wrong.
        #[source]
        source: Box<EnsembleError>,
    },
    /// Weights of members cannot be used.
    #[error(
        "weights of members must be finite and at least 0 with one above 0, got {got} for member {member}"
    )]
    MemberWeight {
        /// Member, from 0.
        member: usize,
        /// Its weight.
        got: f64,
    },
    /// Ranks were asked for without maps to find them.
    #[error("a vote on ranks needs rank maps: fit them with `MemberScale::ranks`")]
    NoRankMaps,
    /// Knots of a rank map are not sound.
    #[error(
        "a rank map needs 1 to 1024 knots, as many ranks as scores, finite and strictly increasing, ranks between 0 and 1; got {got}"
    )]
    Knots {
        /// Knots given.
        got: usize,
    },
}
