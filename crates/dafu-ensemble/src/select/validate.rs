//! Judging a learner on folds.

use super::folds::{Fold, check_folds};
use super::metric::{Judged, Metric};
use super::part::Part;
use super::table::Summary;
use crate::{EnsembleError, Learner, Samples, threads};

/// What a learner reached on folds.
#[derive(Debug, Clone, PartialEq)]
pub struct Validation {
    /// Names of the metrics.
    pub metrics: Vec<String>,
    /// Folds that were judged, in order.
    pub folds: Vec<FoldScores>,
    /// Folds that could not be learned from, in order.
    pub skipped: Vec<SkippedFold>,
}

/// What a learner reached on one fold.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldScores {
    /// Number of the fold, from 0.
    pub fold: usize,
    /// Test rows, by their numbers among all samples.
    pub rows: Vec<usize>,
    /// Log odds of each test row, from a model that has not seen it.
    pub log_odds: Vec<f64>,
    /// Value of each metric; `None` where the test rows are of one class and the metric needs both.
    pub scores: Vec<Option<f64>>,
}

/// A fold that could not be learned from.
#[derive(Debug, Clone, PartialEq)]
pub struct SkippedFold {
    /// Number of the fold, from 0.
    pub fold: usize,
    /// [`EnsembleError::SingleClass`] or [`EnsembleError::NoRows`].
    pub reason: EnsembleError,
}

impl Validation {
    /// Values, mean and standard deviation of a metric by its place; `None` for a place that there is not, and where no
    /// fold has a value.
    pub fn summary(&self, metric: usize) -> Option<Summary> {
        self.metrics.get(metric)?;
        let count = self.folds.len() + self.skipped.len();
        let mut folds = vec![None; count];
        for judged in &self.folds {
            let score = judged.scores.get(metric).copied().flatten();
            *folds.get_mut(judged.fold)? = score;
        }
        Summary::new(folds)
    }

    /// Mean over the folds of the metric of this name.
    pub fn mean(&self, name: &str) -> Option<f64> {
        let place = self.metrics.iter().position(|own| own == name)?;
        Some(self.summary(place)?.mean)
    }
}

/// Learns on each fold's training rows and judges on its test rows. Folds whose training rows lack one of the classes, or
/// all rows of weight above 0, are skipped and counted.
///
/// # Errors
///
/// For no fold or rows that there are not, for what goes wrong in learning or judging, and [`EnsembleError::NoFold`] where
/// all folds were skipped.
///
/// # Complexity
///
/// One fit and one answer for each fold, folds at the same time with the feature `parallel`; rows that lie one after the
/// other in time are not copied.
///
/// # Examples
///
/// ```
/// use dafu_ensemble::select::{Metric, TimeFolds, validate};
/// use dafu_ensemble::{BoostedTreesParams, Samples};
/// use ndarray::Array2;
///
/// let rows = Array2::from_shape_fn((3000, 1), |(row, _)| (row * 37 % 500) as f64);
/// let frauds: Vec<bool> = rows.column(0).iter().map(|value| *value > 450.0).collect();
/// let days: Vec<i64> = (0..3000).map(|row| row / 100).collect();
///
/// let folds = TimeFolds::default().folds(2).split(&days)?;
/// let learner = BoostedTreesParams::default().n_estimators(5);
/// let samples = Samples::new(rows.view(), &frauds)?;
/// let judged = validate(&learner, &samples, &folds, &[Metric::roc_auc()])?;
/// assert_eq!(judged.mean("roc_auc"), Some(1.0));
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
pub fn validate(
    learner: &dyn Learner,
    samples: &Samples<'_>,
    folds: &[Fold],
    metrics: &[Metric<'_>],
) -> Result<Validation, EnsembleError> {
    check_folds(folds, samples.rows().nrows())?;
    let judged = threads::map(folds.len(), |fold| {
        let Fold { train, test } = &folds[fold];
        judge(learner, samples, Job { fold, train, test }, metrics)
    });
    Validation::of(judged, metrics)
}

/// Rows of one fold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) fold: usize,
    pub(super) train: &'a [usize],
    pub(super) test: &'a [usize],
}

/// Learns on the training rows and judges on the test rows.
pub(super) fn judge(
    learner: &dyn Learner,
    samples: &Samples<'_>,
    job: Job<'_>,
    metrics: &[Metric<'_>],
) -> Result<FoldScores, EnsembleError> {
    let part = Part::new(samples, job.test);
    let log_odds = answers(learner, samples, job.train, &part)?;
    let judged = Judged {
        rows: job.test,
        frauds: part.frauds(),
        log_odds: &log_odds,
        weights: part.weights(),
    };
    let scores = metrics.iter().map(|metric| metric.of(&judged));
    Ok(FoldScores {
        fold: job.fold,
        scores: scores.collect::<Result<_, _>>()?,
        rows: job.test.to_vec(),
        log_odds,
    })
}

/// Learns from some rows and answers others.
pub(crate) fn answers(
    learner: &dyn Learner,
    samples: &Samples<'_>,
    train: &[usize],
    test: &Part<'_>,
) -> Result<Vec<f64>, EnsembleError> {
    let model = learner.learn(&Part::new(samples, train).samples()?)?;
    let mut log_odds = vec![0.0; test.rows().nrows()];
    model.log_odds_rows(test.rows(), &mut log_odds)?;
    Ok(log_odds)
}

/// Whether the rows, not the learner, are why nothing was learned.
pub(crate) const fn cannot_learn(error: &EnsembleError) -> bool {
    matches!(
        error,
        EnsembleError::SingleClass { .. } | EnsembleError::NoRows
    )
}

impl Validation {
    /// Folds in order.
    pub(super) fn of(
        judged: Vec<Result<FoldScores, EnsembleError>>,
        metrics: &[Metric<'_>],
    ) -> Result<Self, EnsembleError> {
        let mut validation = Self {
            metrics: metrics
                .iter()
                .map(|metric| metric.name().to_owned())
                .collect(),
            folds: Vec::new(),
            skipped: Vec::new(),
        };
        for (fold, judged) in judged.into_iter().enumerate() {
            match judged {
                Ok(scores) => validation.folds.push(scores),
                Err(reason) if cannot_learn(&reason) => {
                    validation.skipped.push(SkippedFold { fold, reason });
                }
                Err(error) => return Err(error),
            }
        }
        if validation.folds.is_empty() {
            let skipped = validation.skipped.len();
            return Err(EnsembleError::NoFold { skipped });
        }
        Ok(validation)
    }
}
