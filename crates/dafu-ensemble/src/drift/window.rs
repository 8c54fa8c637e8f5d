//! Counts of rows that come one after another.

use super::baseline::{DriftBaseline, DriftRows, Profile};
use super::report::DriftReport;
use crate::learner::check_width;
use crate::{EnsembleError, threads};

/// Rows counted against a [`DriftBaseline`]: as many counts as the baseline has cells, whatever the number of rows.
///
/// A window does not hold its baseline: every call takes it, and a window of another baseline is refused. Windows of parts of
/// the rows, merged, are the window of all rows: keep one an hour, and merge 24 of them for the last day.
///
/// # Examples
///
/// ```
/// use dafu_ensemble::drift::{DriftParams, DriftRows, DriftWindow};
/// use ndarray::Array2;
///
/// let reference = Array2::from_shape_fn((1000, 2), |(row, column)| (row * (3 + column) % 100) as f64);
/// let baseline = DriftParams::default().fit(&DriftRows::new(reference.view()))?;
///
/// let mut window = DriftWindow::new(&baseline);
/// for row in 0..500 {
///     let value = (row * 7 % 100) as f64;
///     window.observe(&baseline, &[value, value + 60.0], None, 0)?;
/// }
/// assert_eq!(window.report(&baseline)?.alarms(), [1]);
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DriftWindow {
    fingerprint: u64,
    season_rows: Vec<u64>,
    columns: Vec<Vec<u64>>,
    score: Option<Vec<u64>>,
}

impl DriftWindow {
    /// A window without rows.
    #[must_use]
    pub fn new(baseline: &DriftBaseline) -> Self {
        let empty = |profile: &Profile| vec![0; profile.cells.len()];
        Self {
            fingerprint: baseline.fingerprint(),
            season_rows: vec![0; baseline.params().seasons],
            columns: baseline.columns().iter().map(empty).collect(),
            score: baseline.score().map(empty),
        }
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        let rows = self.season_rows.iter();
        rows.fold(0, |sum, rows| sum.saturating_add(*rows))
    }

    /// Counts one row of a season, 0 for a plain baseline.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::OtherBaseline`], [`EnsembleError::WrongWidth`], [`EnsembleError::ScoresMissing`] and
    /// [`EnsembleError::IndexOutOfRange`]; after an error nothing was counted.
    ///
    /// # Complexity
    ///
    /// O(d log k) for d columns and k knots.
    pub fn observe(
        &mut self,
        baseline: &DriftBaseline,
        values: &[f64],
        score: Option<f64>,
        season: usize,
    ) -> Result<(), EnsembleError> {
        self.check(baseline)?;
        check_width(baseline.width(), values.len())?;
        check_scores(baseline, score.is_some())?;
        super::check_season(0, season, self.season_rows.len())?;
        let profiles = baseline.columns().iter();
        for (counts, (profile, value)) in self.columns.iter_mut().zip(profiles.zip(values)) {
            add(counts, profile.cells.cell(*value), 1);
        }
        if let (Some(counts), Some(profile), Some(score)) =
            (&mut self.score, baseline.score(), score)
        {
            add(counts, profile.cells.cell(score), 1);
        }
        add(&mut self.season_rows, season, 1);
        Ok(())
    }

    /// Counts rows; the same as [`DriftWindow::observe`] of each.
    ///
    /// # Errors
    ///
    /// As [`DriftWindow::observe`], and when seasons are missing; after an error nothing was counted.
    ///
    /// # Complexity
    ///
    /// O(n d log k) for n rows of d columns and k knots.
    pub fn extend(
        &mut self,
        baseline: &DriftBaseline,
        rows: &DriftRows<'_>,
    ) -> Result<(), EnsembleError> {
        self.check(baseline)?;
        check_width(baseline.width(), rows.rows.ncols())?;
        check_scores(baseline, rows.scores.is_some())?;
        rows.check_seasons(self.season_rows.len())?;
        let profiles = baseline.columns();
        let counted = threads::map(profiles.len(), |column| {
            let cells = &profiles[column].cells;
            let mut counts = vec![0; cells.len()];
            for value in rows.rows.column(column) {
                add(&mut counts, cells.cell(*value), 1);
            }
            counts
        });
        for (counts, more) in self.columns.iter_mut().zip(&counted) {
            add_all(counts, more);
        }
        if let (Some(counts), Some(profile), Some(scores)) =
            (&mut self.score, baseline.score(), rows.scores)
        {
            for score in scores {
                add(counts, profile.cells.cell(*score), 1);
            }
        }
        for row in 0..rows.rows.nrows() {
            add(&mut self.season_rows, rows.season(row), 1);
        }
        Ok(())
    }

    /// Adds the counts of another window of the same baseline.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::OtherBaseline`].
    pub fn merge(&mut self, other: &Self) -> Result<(), EnsembleError> {
        if self.fingerprint != other.fingerprint || !self.shape().eq(other.shape()) {
            return Err(EnsembleError::OtherBaseline);
        }
        add_all(&mut self.season_rows, &other.season_rows);
        for (counts, more) in self.columns.iter_mut().zip(&other.columns) {
            add_all(counts, more);
        }
        if let (Some(counts), Some(more)) = (&mut self.score, &other.score) {
            add_all(counts, more);
        }
        Ok(())
    }

    /// How the rows differ from the reference.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::OtherBaseline`], and [`EnsembleError::Nothing`] without rows.
    ///
    /// # Complexity
    ///
    /// O(c s) for c cells of all columns and s seasons.
    pub fn report(&self, baseline: &DriftBaseline) -> Result<DriftReport, EnsembleError> {
        self.check(baseline)?;
        if self.rows() == 0 {
            return Err(EnsembleError::Nothing {
                what: "rows in the window",
            });
        }
        Ok(baseline.compare(&self.columns, self.score.as_ref(), &self.season_rows))
    }

    /// Lengths of all counts, those of the score last.
    fn shape(&self) -> impl Iterator<Item = usize> {
        let columns = self.columns.iter().chain(&self.score);
        columns.map(Vec::len).chain([self.season_rows.len()])
    }

    /// A window that was saved may claim any baseline, so the lengths are compared as well.
    fn check(&self, baseline: &DriftBaseline) -> Result<(), EnsembleError> {
        let profiles = baseline.columns().iter().chain(baseline.score());
        let lengths = profiles.map(|profile| profile.cells.len());
        let lengths = lengths.chain([baseline.params().seasons]);
        if self.fingerprint == baseline.fingerprint() && self.shape().eq(lengths) {
            Ok(())
        } else {
            Err(EnsembleError::OtherBaseline)
        }
    }
}

fn check_scores(baseline: &DriftBaseline, given: bool) -> Result<(), EnsembleError> {
    if baseline.score().is_some() == given {
        Ok(())
    } else {
        Err(EnsembleError::ScoresMissing)
    }
}

fn add(counts: &mut [u64], place: usize, more: u64) {
    if let Some(count) = counts.get_mut(place) {
        *count = count.saturating_add(more);
    }
}

fn add_all(counts: &mut [u64], more: &[u64]) {
    for (place, more) in more.iter().enumerate() {
        add(counts, place, *more);
    }
}
