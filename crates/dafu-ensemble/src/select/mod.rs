//! Choosing among learners by what they would have scored at the time.

mod draw;
mod folds;
mod halving;
mod metric;
mod part;
mod search;
mod space;
mod table;
mod validate;

pub use folds::{Fold, FoldTimes, MAX_FOLDS, MAX_SPAN, MICROS_PER_DAY, TimeFolds, TrainingSpan};
pub use halving::{HalvingParams, MAX_RUNGS};
pub use metric::{Judged, Metric};
pub use search::{Budget, Build, Judge, MAX_CANDIDATES, RandomSearchParams};
pub use space::{Dimension, MAX_DIMENSIONS, Point, Space, Value};
pub use table::{Experiment, ExperimentTable, MetricName, Outcome, Summary};
pub use validate::{FoldScores, SkippedFold, Validation, validate};

pub(crate) use folds::check_folds;
pub(crate) use part::Part;
pub(crate) use validate::cannot_learn;
