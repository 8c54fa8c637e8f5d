//! Choosing among learners by what they would have scored at the time.
//!
//! Frauds change and labels come late, so rows are never mixed over time: [`TimeFolds`] makes training and test rows with the
//! delay of labels between them, [`validate`] judges a [`Learner`](crate::Learner) on them by any [`Metric`]s.
//! [`RandomSearchParams`] and [`HalvingParams`] do so for many points of a [`Space`] and give an [`ExperimentTable`]. The
//! best of many candidates owes something to luck: judge it once more on weeks that the search has not seen.

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
pub(crate) use validate::{answers, cannot_learn};
