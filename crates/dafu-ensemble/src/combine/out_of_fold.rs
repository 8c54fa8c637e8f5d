//! Members' scores of rows that they have not seen.

use super::combiner::MAX_MEMBERS;
use crate::params::count;
use crate::samples::{check_length, check_weight};
use crate::select::{Fold, Judged, MAX_FOLDS, Metric, Part, answers, cannot_learn, check_folds};
use crate::{EnsembleError, Learner, Samples, threads};
use ndarray::{Array2, ArrayView2, Axis};

/// Members' scores of one span of time, such as a week.
///
/// Shape of `scores`: `rows x members`.
#[derive(Debug, Clone, PartialEq)]
pub struct WeekScores {
    /// Numbers of the rows among all samples.
    pub rows: Vec<usize>,
    /// Whether each is a fraud.
    pub frauds: Vec<bool>,
    /// Weight of each, where given.
    pub weights: Option<Vec<f64>>,
    /// Each member's log odds, or scores of any nature where they are to be ranked.
    pub scores: Array2<f64>,
}

/// Members' scores of several spans of time: what weights are chosen on.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberScores {
    weeks: Vec<WeekScores>,
    members: usize,
    skipped: usize,
}

impl MemberScores {
    /// Scores that were made elsewhere. They must come from models that have not learned from these rows, or weights
    /// favour members that know them by heart.
    ///
    /// # Errors
    ///
    /// For no or too many weeks or members, weeks without rows or of other members, lengths that differ, scores that are
    /// not finite, and weights that are negative or not finite.
    pub fn new(weeks: Vec<WeekScores>) -> Result<Self, EnsembleError> {
        count("weeks", weeks.len(), 1, MAX_FOLDS)?;
        let members = weeks.first().map_or(0, |week| week.scores.ncols());
        count("members", members, 1, MAX_MEMBERS)?;
        for week in &weeks {
            week.check(members)?;
        }
        Ok(Self {
            weeks,
            members,
            skipped: 0,
        })
    }

    /// Learns each named member on each fold's training rows and keeps what it says of the test rows. Folds from whose training
    /// rows a member cannot learn for want of a class are skipped and counted.
    ///
    /// # Errors
    ///
    /// For no fold, folds of other rows, no or too many members, what goes wrong in a member ([`EnsembleError::Member`]), scores that are not finite, and [`EnsembleError::NoFold`] where all folds were skipped.
    ///
    /// # Complexity
    ///
    /// A fit and an answer for each member and fold; with the feature `parallel` at the same time.
    pub fn learn(
        members: &[(&str, &dyn Learner)],
        samples: &Samples<'_>,
        folds: &[Fold],
    ) -> Result<Self, EnsembleError> {
        check_folds(folds, samples.rows().nrows())?;
        count("members", members.len(), 1, MAX_MEMBERS)?;
        let mut columns = threads::map(folds.len() * members.len(), |job| {
            let (fold, (_, learner)) = (&folds[job / members.len()], members[job % members.len()]);
            answers(
                learner,
                samples,
                &fold.train,
                &Part::new(samples, &fold.test),
            )
        })
        .into_iter();
        let (mut weeks, mut skipped) = (Vec::new(), 0);
        for fold in folds {
            let mut scores = Array2::zeros((fold.test.len(), members.len()));
            let mut complete = true;
            let columns = columns.by_ref().take(members.len());
            let columns = columns.zip(scores.columns_mut()).zip(members);
            for ((column, mut out), (name, _)) in columns {
                match column {
                    Ok(column) => out.assign(&ndarray::ArrayView1::from(&column)),
                    Err(error) if cannot_learn(&error) => complete = false,
                    Err(source) => {
                        return Err(EnsembleError::Member {
                            name: (*name).to_owned(),
                            source: Box::new(source),
                        });
                    }
                }
            }
            if complete {
                let test = Part::new(samples, &fold.test);
                weeks.push(WeekScores {
                    rows: fold.test.clone(),
                    frauds: test.frauds().to_vec(),
                    weights: test.weights().map(<[f64]>::to_vec),
                    scores,
                });
            } else {
                skipped += 1;
            }
        }
        if weeks.is_empty() {
            return Err(EnsembleError::NoFold { skipped });
        }
        Ok(Self {
            skipped,
            ..Self::new(weeks)?
        })
    }

    /// The weeks, in order.
    pub fn weeks(&self) -> &[WeekScores] {
        &self.weeks
    }

    /// Members.
    pub const fn members(&self) -> usize {
        self.members
    }

    /// Folds that were skipped.
    pub const fn skipped(&self) -> usize {
        self.skipped
    }

    /// Scores, labels and weights of all weeks.
    pub(super) fn pooled(&self) -> (Array2<f64>, Vec<bool>, Option<Vec<f64>>) {
        let views: Vec<ArrayView2<'_, f64>> =
            self.weeks.iter().map(|week| week.scores.view()).collect();
        // All have the same columns, which is all that could go wrong.
        let scores = ndarray::concatenate(Axis(0), &views);
        let scores = scores.unwrap_or_else(|_| Array2::zeros((0, self.members)));
        let weeks = || self.weeks.iter();
        let weighted = weeks().any(|week| week.weights.is_some());
        (
            scores,
            weeks()
                .flat_map(|week| week.frauds.iter().copied())
                .collect(),
            weighted.then(|| weeks().flat_map(WeekScores::weights_or_ones).collect()),
        )
    }

    pub(super) fn score(&self, week: usize, row: usize, member: usize) -> f64 {
        let week = self.weeks.get(week);
        let score = week.and_then(|week| week.scores.get((row, member)));
        score.copied().unwrap_or(0.0)
    }

    /// Mean over the weeks of a metric of log odds, turned so that higher is better.
    pub(super) fn merit(
        &self,
        metric: &Metric<'_>,
        log_odds: impl Fn(usize, usize) -> f64,
    ) -> Result<f64, EnsembleError> {
        let (mut sum, mut judged) = (0.0, 0_u32);
        for (place, week) in self.weeks.iter().enumerate() {
            let odds: Vec<f64> = (0..week.rows.len())
                .map(|row| log_odds(place, row))
                .collect();
            let value = metric.of(&Judged {
                rows: &week.rows,
                frauds: &week.frauds,
                log_odds: &odds,
                weights: week.weights.as_deref(),
            })?;
            if let Some(value) = value {
                sum += metric.merit(value);
                judged += 1;
            }
        }
        if judged == 0 {
            let skipped = self.weeks.len() + self.skipped;
            return Err(EnsembleError::NoFold { skipped });
        }
        Ok(sum / f64::from(judged))
    }
}

impl WeekScores {
    fn check(&self, members: usize) -> Result<(), EnsembleError> {
        let rows = self.scores.nrows();
        if rows == 0 {
            return Err(EnsembleError::NoRows);
        }
        if self.scores.ncols() != members {
            return Err(EnsembleError::MemberCount {
                what: "columns of scores",
                expected: members,
                got: self.scores.ncols(),
            });
        }
        for (what, got) in [
            ("row numbers", self.rows.len()),
            ("labels", self.frauds.len()),
            ("weights", self.weights.as_ref().map_or(rows, Vec::len)),
        ] {
            check_length(what, rows, got)?;
        }
        if let Some(((row, member), got)) =
            self.scores.indexed_iter().find(|(_, got)| !got.is_finite())
        {
            let got = *got;
            return Err(EnsembleError::MemberScore { row, member, got });
        }
        let mut weights = self.weights.iter().flatten().enumerate();
        weights.try_for_each(|(row, weight)| check_weight(row, *weight))
    }

    /// Log odds of the share of frauds; 0 for a week of one class.
    pub(super) fn log_odds_of_frauds(&self) -> f64 {
        let weight = |row: usize| self.weights.as_ref().map_or(1.0, |weights| weights[row]);
        let (mut fraud, mut honest) = (0.0, 0.0);
        for (row, is_fraud) in self.frauds.iter().enumerate() {
            *(if *is_fraud { &mut fraud } else { &mut honest }) += weight(row);
        }
        let odds = (fraud / honest).ln();
        if odds.is_finite() { odds } else { 0.0 }
    }

    fn weights_or_ones(&self) -> Vec<f64> {
        let ones = || vec![1.0; self.rows.len()];
        self.weights.clone().unwrap_or_else(ones)
    }
}
