//! Judging many candidates.

use super::folds::{Fold, check_folds};
use super::metric::Metric;
use super::space::{Point, Space};
use super::table::{Experiment, ExperimentTable, MetricName, Outcome};
use super::validate::{FoldScores, Job, Validation, judge};
use crate::params::count;
use crate::{EnsembleError, Learner, Samples, threads};
use dafu_core::Progress;
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

/// Most candidates of a search.
pub const MAX_CANDIDATES: usize = 1_000_000;

/// Makes the learner of a point. The second argument is the share of the whole budget, which is 1 unless
/// [`Budget::Learner`] leaves it to the learner to do with less.
pub type Build<'a> = dyn Fn(&Point, f64) -> Result<Box<dyn Learner>, EnsembleError> + Sync + 'a;

/// What candidates are given less of at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Budget {
    /// Training rows: the latest ones of each fold.
    #[default]
    Rows,
    /// What the caller's function makes of the share, such as fewer trees.
    Learner,
}

/// Rows, folds and metrics that candidates are judged with; the first metric decides.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    samples: Samples<'a>,
    folds: &'a [Fold],
    metrics: &'a [Metric<'a>],
    stop: Option<&'a AtomicBool>,
    clock: Option<&'a (dyn Fn() -> f64 + Sync)>,
}

impl fmt::Debug for Judge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge")
            .field("folds", &self.folds.len())
            .field("metrics", &self.metrics)
            .field("stop", &self.stop)
            .finish_non_exhaustive()
    }
}

impl<'a> Judge<'a> {
    /// Judges with these.
    ///
    /// # Errors
    ///
    /// For no fold, folds of other rows, or no metric.
    pub fn new(
        samples: Samples<'a>,
        folds: &'a [Fold],
        metrics: &'a [Metric<'a>],
    ) -> Result<Self, EnsembleError> {
        check_folds(folds, samples.rows().nrows())?;
        count("metrics", metrics.len(), 1, 1_000)?;
        Ok(Self {
            samples,
            folds,
            metrics,
            stop: None,
            clock: None,
        })
    }

    /// Stops before the next candidates once this is true; what was judged until then is in the table.
    #[must_use]
    pub const fn stop(mut self, stop: &'a AtomicBool) -> Self {
        self.stop = Some(stop);
        self
    }

    /// Measures candidates by this clock, in seconds.
    #[must_use]
    pub const fn clock(mut self, clock: &'a (dyn Fn() -> f64 + Sync)) -> Self {
        self.clock = Some(clock);
        self
    }

    pub(super) fn stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    pub(super) fn table(&self, experiments: Vec<Experiment>, stopped: bool) -> ExperimentTable {
        let metrics = self.metrics.iter().map(|metric| MetricName {
            name: metric.name().to_owned(),
            higher_is_better: metric.higher_is_better(),
        });
        let mut table = ExperimentTable {
            metrics: metrics.collect(),
            experiments,
            stopped,
        };
        table.sort();
        table
    }

    /// Judges candidates until stopped.
    pub(super) fn round(
        &self,
        candidates: &[(usize, Point)],
        build: &Build<'_>,
        round: &Round<'_>,
    ) -> Vec<Experiment> {
        let mut experiments = Vec::with_capacity(candidates.len());
        // As many at once as keep all threads at work.
        let block = threads::count().div_ceil(self.folds.len());
        for candidates in candidates.chunks(block) {
            if self.stopped() {
                break;
            }
            experiments.extend(self.block(candidates, build, round.part));
            let done = experiments.len() as u64;
            (round.progress).report(round.step, round.done + done, Some(round.total));
        }
        experiments
    }

    fn block(
        &self,
        candidates: &[(usize, Point)],
        build: &Build<'_>,
        part: Share,
    ) -> Vec<Experiment> {
        let for_learner = match part.budget {
            Budget::Rows => 1.0,
            Budget::Learner => part.share,
        };
        let learners: Vec<_> = candidates
            .iter()
            .map(|(_, point)| build(point, for_learner))
            .collect();
        let folds = self.folds.len();
        let judged = threads::map(candidates.len() * folds, |job| {
            let learner = learners[job / folds].as_deref().ok()?;
            Some(self.fold(learner, job % folds, part))
        });
        let mut judged = judged.into_iter();
        let both = candidates.iter().zip(learners);
        both.map(|((candidate, point), learner)| {
            let (scores, seconds): (Vec<_>, Vec<_>) = judged.by_ref().take(folds).flatten().unzip();
            let outcome = learner.and_then(|_| self.outcome(scores));
            Experiment {
                candidate: *candidate,
                share: part.share,
                point: point.clone(),
                outcome: outcome.unwrap_or_else(|error| Outcome::Failed(causes(&error))),
                seconds: self.clock.map(|_| seconds.iter().sum()),
            }
        })
        .collect()
    }

    /// Judges on one fold, and how long that took.
    fn fold(
        &self,
        learner: &dyn Learner,
        fold: usize,
        part: Share,
    ) -> (Result<FoldScores, EnsembleError>, f64) {
        let now = || self.clock.map_or(0.0, |clock| clock());
        let start = now();
        let Fold { train, test } = &self.folds[fold];
        let train = match part.budget {
            Budget::Rows => latest(train, part.share),
            Budget::Learner => train,
        };
        let scores = judge(
            learner,
            &self.samples,
            Job { fold, train, test },
            self.metrics,
        );
        (scores, now() - start)
    }

    fn outcome(
        &self,
        scores: Vec<Result<FoldScores, EnsembleError>>,
    ) -> Result<Outcome, EnsembleError> {
        let validation = Validation::of(scores, self.metrics)?;
        let metrics = 0..self.metrics.len();
        let metrics: Vec<_> = metrics.map(|metric| validation.summary(metric)).collect();
        if metrics.first().is_some_and(Option::is_some) {
            Ok(Outcome::Judged(metrics))
        } else {
            let skipped = self.folds.len();
            Err(EnsembleError::NoFold { skipped })
        }
    }
}

/// How much of the budget candidates are given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub(super) share: f64,
    pub(super) budget: Budget,
}

/// What all candidates of a round have in common.
pub(super) struct Round<'a> {
    pub(super) part: Share,
    pub(super) progress: &'a dyn Progress,
    /// For progress: name, candidates of earlier rounds, and of all rounds.
    pub(super) step: &'a str,
    pub(super) done: u64,
    pub(super) total: u64,
}

/// The latest rows, at least one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and the number of rows"
)]
fn latest(rows: &[usize], share: f64) -> &[usize] {
    let count = (share * rows.len() as f64).ceil() as usize;
    let first = rows.len().saturating_sub(count.max(1));
    rows.get(first..).unwrap_or(rows)
}

/// An error and what caused it.
fn causes(error: &EnsembleError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Random search: independent random points, each with the whole budget. In a small space some may be equal.
///
/// Source: Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization" (2012).
///
/// # Examples
///
/// ```
/// use dafu_core::NoProgress;
/// use dafu_ensemble::select::{Judge, Metric, RandomSearchParams, Space, TimeFolds};
/// use dafu_ensemble::{BoostedTreesParams, Learner, Samples};
/// use ndarray::Array2;
///
/// let rows = Array2::from_shape_fn((3000, 1), |(row, _)| (row * 37 % 500) as f64);
/// let frauds: Vec<bool> = rows.column(0).iter().map(|value| *value > 450.0).collect();
/// let days: Vec<i64> = (0..3000).map(|row| row / 100).collect();
/// let folds = TimeFolds::default().folds(2).split(&days)?;
/// let metrics = [Metric::average_precision(), Metric::log_loss()];
/// let judge = Judge::new(Samples::new(rows.view(), &frauds)?, &folds, &metrics)?;
///
/// let space = Space::default().log_uniform("learning_rate", 0.01, 0.3).integers("max_leaves", 2, 8);
/// let search = RandomSearchParams::default().candidates(3).seed(1);
/// let table = search.run(&space, &judge, &NoProgress, &|point, _| {
///     let params = BoostedTreesParams::default().n_estimators(5);
///     let params = params.learning_rate(point.number("learning_rate")?);
///     Ok(Box::new(params.max_leaves(point.count("max_leaves")?)) as Box<dyn Learner>)
/// })?;
/// assert_eq!(table.experiments.len(), 3);
/// assert!(table.best().is_some());
/// println!("{table}");
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct RandomSearchParams {
    /// Points.
    pub candidates: usize,
    /// Seed of the points.
    pub seed: u64,
}

impl Default for RandomSearchParams {
    fn default() -> Self {
        Self {
            candidates: 30,
            seed: 0,
        }
    }
}

impl RandomSearchParams {
    dafu_core::setters! {
        candidates: usize,
        seed: u64,
    }

    /// Draws points, makes their learners with `build`, and judges these. A candidate that fails stands in the table with
    /// its error. The result is the same for any number of threads.
    ///
    /// # Errors
    ///
    /// For no or too many candidates, and a space that cannot be drawn from.
    ///
    /// # Complexity
    ///
    /// A fit and an answer for each candidate and fold. With the feature `parallel` candidates and folds go at the same
    /// time; `progress` is told after each block of them, on the calling thread.
    pub fn run(
        &self,
        space: &Space,
        judge: &Judge<'_>,
        progress: &dyn Progress,
        build: &Build<'_>,
    ) -> Result<ExperimentTable, EnsembleError> {
        let candidates = draw(space, self.candidates, self.seed)?;
        let round = Round {
            part: Share {
                share: 1.0,
                budget: Budget::Rows,
            },
            progress,
            step: "random search",
            done: 0,
            total: candidates.len() as u64,
        };
        let experiments = judge.round(&candidates, build, &round);
        let stopped = experiments.len() < candidates.len();
        Ok(judge.table(experiments, stopped))
    }
}

/// Random points with their numbers.
pub(super) fn draw(
    space: &Space,
    candidates: usize,
    seed: u64,
) -> Result<Vec<(usize, Point)>, EnsembleError> {
    count("candidates", candidates, 1, MAX_CANDIDATES)?;
    let points = (0..candidates).map(|number| Ok((number, space.draw(seed, number as u64)?)));
    points.collect()
}
