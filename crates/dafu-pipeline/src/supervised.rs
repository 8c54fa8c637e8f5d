//! A combination that is learned from labels: weights of the stages and a calibration, from scores that no stage gave to
//! rows it had learned from.

use crate::combination::{Calibrated, Combination, log_odds, weighted_sums};
use crate::learner_stage::both_classes;
use crate::model::{new_states, stage_scores};
use crate::trainer::HELD_OUT_FRAUDS;
use crate::training_rows::{Rows, known_until};
use crate::{PipelineError, RiskMap};
use dafu_core::{Label, RawScore, Stage, StageError};
use dafu_ensemble::combine::{Combination as Way, Combiner, MemberScores, VoteKind, WeekScores};
use dafu_ensemble::select::Metric;
use dafu_ensemble::{CalibrationMethod, EnsembleError};
use ndarray::Array2;
use std::ops::Range;

/// Parts that the training rows are cut into; the stages learn from the first ones and score the next.
const PARTS: usize = 5;
/// Parts that are never scored.
const FIRST: usize = 2;

/// Fits stages on rows.
type FitStages<'f> = dyn Fn(Rows<'_>) -> Result<Vec<Box<dyn Stage>>, PipelineError> + 'f;

/// Scores of rows by stages that have not seen them.
#[derive(Debug, Default)]
pub(crate) struct OutOfFold {
    /// Training rows, rising.
    rows: Vec<usize>,
    /// Rows of each fold among them.
    folds: Vec<Range<usize>>,
    /// By stage.
    scores: Vec<Vec<f64>>,
}

/// What was learned from out-of-fold scores.
#[derive(Debug)]
pub(crate) struct Blend {
    pub(crate) combination: Combination,
    /// Training rows that it was learned from, and their calibrated log odds.
    pub(crate) rows: Vec<usize>,
    pub(crate) statistic: Vec<f64>,
}

impl OutOfFold {
    /// Scores the later parts of the rows, each by stages that `fit` makes of what came before.
    ///
    /// Where rows have times, labels of the last `delay` microseconds before a part are not yet known, and left out.
    pub(crate) fn new(
        (dataset, records): Rows<'_>,
        delay: i64,
        fit: &FitStages<'_>,
    ) -> Result<Self, PipelineError> {
        let count = dataset.rows();
        let labels = dataset.labels().unwrap_or_default();
        let mut found = Self::default();
        let scored = labels.get(count * FIRST / PARTS..).unwrap_or_default();
        if !enough(scored.iter().copied()) {
            return Ok(found);
        }
        for part in FIRST..PARTS {
            let test = count * part / PARTS..count * (part + 1) / PARTS;
            let known_until = known_until(dataset, test.start, delay);
            let (frauds, honest) = both_classes(labels.iter().take(known_until).copied());
            let known = labels.get(test.clone()).unwrap_or_default();
            if frauds == 0 || honest == 0 || known.iter().all(|label| label.known().is_none()) {
                continue;
            }
            let select = |rows: Range<usize>| dataset.select(&rows.collect::<Vec<_>>());
            let slice = |rows: Range<usize>| records.and_then(|records| records.get(rows));
            let stages = fit((&select(0..known_until)?, slice(0..known_until)))?;
            let mut states = new_states(&stages);
            // Stages with a memory know the past when the part comes.
            let past = select(0..test.start)?;
            stage_scores(&stages, &mut states, &past, slice(0..test.start))?;
            let scores = stage_scores(
                &stages,
                &mut states,
                &select(test.clone())?,
                slice(test.clone()),
            )?;
            found.scores.resize(scores.len(), Vec::new());
            for (all, scores) in found.scores.iter_mut().zip(scores) {
                all.extend(scores);
            }
            let start = found.rows.len();
            found.rows.extend(test);
            found.folds.push(start..found.rows.len());
        }
        Ok(found)
    }

    /// The blend, where there are enough frauds to learn it from.
    pub(crate) fn blend(
        &self,
        labels: &[Label],
        (levels, main): (&[f64], usize),
        (way, calibration): (&Way, CalibrationMethod),
    ) -> Result<Option<Blend>, PipelineError> {
        let label = |at: usize| labels.get(self.rows[at]).copied().unwrap_or_default();
        if !enough((0..self.rows.len()).map(label)) {
            return Ok(None);
        }
        let failed = |error: EnsembleError| StageError::new("combination", error);
        let week = |fold: &Range<usize>| {
            let known = fold.clone().filter_map(|at| Some((at, label(at).known()?)));
            let (rows, frauds): (Vec<usize>, Vec<bool>) = known.unzip();
            let shape = (rows.len(), self.scores.len());
            let scores = Array2::from_shape_fn(shape, |(row, stage)| {
                log_odds(self.scores[stage][rows[row]])
            });
            WeekScores {
                rows,
                frauds,
                weights: None,
                scores,
            }
        };
        let weeks: Vec<WeekScores> = self.folds.iter().map(week).collect();
        let members = MemberScores::new(weeks).map_err(failed)?;
        let metric = Metric::average_precision();
        let (weights, intercept) = sum_of(&way.fit(&members, &metric).map_err(failed)?);
        // What calibrates learns from sums whose weights do not know their rows.
        let of_others = way.fit_to_others(&members, &metric).map_err(failed)?;
        let mut sums = Vec::with_capacity(self.rows.len());
        for (combiner, fold) in of_others.iter().zip(&self.folds) {
            let (weights, intercept) = sum_of(combiner);
            let scores: Vec<Vec<f64>> = (self.scores.iter())
                .map(|scores| scores[fold.clone()].to_vec())
                .collect();
            sums.extend(weighted_sums(&scores, (&weights, intercept)));
        }
        let known = sums.iter().enumerate();
        let (scores, frauds): (Vec<f64>, Vec<bool>) = known
            .filter_map(|(at, sum)| Some((*sum, label(at).known()?)))
            .unzip();
        let calibrator = calibration.fit(&scores, &frauds, None).map_err(failed)?;
        let calibrated = |sum: &f64| RawScore::new(*sum).map(|sum| calibrator.log_odds(sum));
        let statistic: Vec<f64> = sums.iter().map(calibrated).collect::<Result<_, _>>()?;
        Ok(Some(Blend {
            combination: Combination::Calibrated(Calibrated {
                weights,
                intercept,
                shares: RiskMap::fit(statistic.clone(), levels, main),
                calibrator,
            }),
            rows: self.rows.clone(),
            statistic,
        }))
    }
}

/// Whether a way of combining adds up log odds.
pub(crate) const fn adds_up(way: &Way) -> bool {
    match way {
        Way::Stack(params) => !params.ranks,
        Way::Vote { kind, .. } => matches!(kind, VoteKind::LogOdds),
        Way::NoisyOr { .. } | Way::Max { .. } => false,
    }
}

/// Weights of the stages, and what is added to their sum.
fn sum_of(combiner: &Combiner) -> (Vec<f64>, f64) {
    let intercept = match combiner {
        Combiner::Stack(stack) => stack.intercept(),
        _ => 0.0,
    };
    (combiner.weights().unwrap_or_default().to_vec(), intercept)
}

/// Whether a blend can be learned from rows with these labels.
fn enough(labels: impl Iterator<Item = Label>) -> bool {
    let (frauds, honest) = both_classes(labels);
    frauds >= HELD_OUT_FRAUDS as u64 && honest > 0
}
