//! The reference that windows are compared with.

use super::cells::Cells;
use super::params::{CheckedDriftParams, DriftParams, MAX_COUNTS};
use super::report::{ColumnDrift, DriftBin, DriftLevel, DriftReport};
use super::statistic::{
    KolmogorovSmirnovTest, benjamini_hochberg, chi_square_test, jensen_shannon,
    population_stability_index,
};
use super::window::DriftWindow;
use crate::learner::check_column;
use crate::params::at_most;
use crate::samples::check_length;
use crate::{EnsembleError, threads};
use dafu_core::StableHasher;
use ndarray::ArrayView2;

/// Rows of a reference or a window.
///
/// Shape: `rows x columns`; NaN is missing. Scores and seasons have one entry a row.
#[derive(Debug, Clone, Copy)]
pub struct DriftRows<'a> {
    pub(super) rows: ArrayView2<'a, f64>,
    pub(super) scores: Option<&'a [f64]>,
    pub(super) seasons: Option<&'a [usize]>,
}

impl<'a> DriftRows<'a> {
    /// Rows without scores, all of season 0.
    #[must_use]
    pub const fn new(rows: ArrayView2<'a, f64>) -> Self {
        Self {
            rows,
            scores: None,
            seasons: None,
        }
    }

    /// With the score of each row; NaN is missing.
    ///
    /// # Errors
    ///
    /// When there are not as many scores as rows.
    pub fn with_scores(mut self, scores: &'a [f64]) -> Result<Self, EnsembleError> {
        check_length("scores", self.rows.nrows(), scores.len())?;
        self.scores = Some(scores);
        Ok(self)
    }

    /// With the season of each row, from 0: of the hour of day, the day of week, or both, see
    /// [`hour_of_week`](super::hour_of_week).
    ///
    /// # Errors
    ///
    /// When there are not as many seasons as rows.
    pub fn with_seasons(mut self, seasons: &'a [usize]) -> Result<Self, EnsembleError> {
        check_length("seasons", self.rows.nrows(), seasons.len())?;
        self.seasons = Some(seasons);
        Ok(self)
    }

    pub(super) fn season(&self, row: usize) -> usize {
        let given = self.seasons.and_then(|seasons| seasons.get(row).copied());
        given.unwrap_or(0)
    }

    /// Checks the seasons against their number.
    pub(super) fn check_seasons(&self, seasons: usize) -> Result<(), EnsembleError> {
        if self.seasons.is_none() && seasons > 1 {
            return check_length("seasons", self.rows.nrows(), 0);
        }
        (0..self.rows.nrows())
            .try_for_each(|row| super::check_season(row, self.season(row), seasons))
    }
}

/// Profiles of the columns and the score of a reference, by season.
///
/// What is kept is counts: of numbers between quantiles of the reference, of categories by value. A window is compared with the
/// mix of the seasons that it has itself, so that a Sunday is compared with Sundays. A season with too few rows in the reference
/// is compared with all seasons together.
///
/// Save it in a format that keeps the bits of numbers: `serde_json` does so with its feature `float_roundtrip` only.
///
/// # Examples
///
/// ```
/// use dafu_ensemble::drift::{DriftParams, DriftRows};
/// use ndarray::Array2;
///
/// let reference = Array2::from_shape_fn((1000, 1), |(row, _)| (row % 100) as f64);
/// let baseline = DriftParams::default().fit(&DriftRows::new(reference.view()))?;
/// let report = baseline.report(&DriftRows::new(reference.view()))?;
/// assert!(report.columns[0].psi < 1e-12 && !report.columns[0].alarm);
///
/// let shifted = &reference + 20.0;
/// let report = baseline.report(&DriftRows::new(shifted.view()))?;
/// assert!(report.columns[0].psi > 0.25 && report.columns[0].alarm);
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "SavedBaseline"))]
pub struct DriftBaseline {
    params: DriftParams,
    /// Reference rows of each season.
    season_rows: Vec<u64>,
    columns: Vec<Profile>,
    score: Option<Profile>,
    /// Of the cells: windows of another baseline are told by it.
    #[cfg_attr(feature = "serde", serde(skip_serializing))]
    fingerprint: u64,
}

/// Counts of one column.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Profile {
    pub(super) cells: Cells,
    /// Cell after cell, season after season.
    counts: Vec<u64>,
}

impl DriftParams {
    /// Counts a reference.
    ///
    /// # Errors
    ///
    /// When a parameter is out of range, a categorical column does not exist, there are no rows or no columns, a season is not
    /// below [`DriftParams::seasons`], or the counts are too many.
    ///
    /// # Complexity
    ///
    /// O(n d log n) time for n rows of d columns; memory beside the result is one column a thread. The result has
    /// `seasons * (2 * knots + 2)` counts a column at most.
    pub fn fit(&self, rows: &DriftRows<'_>) -> Result<DriftBaseline, EnsembleError> {
        self.check()?.fit(rows)
    }
}

impl CheckedDriftParams {
    /// As [`DriftParams::fit`].
    ///
    /// # Errors
    ///
    /// As [`DriftParams::fit`], but for the parameters.
    pub fn fit(&self, rows: &DriftRows<'_>) -> Result<DriftBaseline, EnsembleError> {
        let (matrix, params) = (rows.rows, &self.0);
        if matrix.nrows() == 0 {
            return Err(EnsembleError::NoRows);
        }
        if matrix.ncols() == 0 {
            return Err(EnsembleError::NoColumns);
        }
        let width = matrix.ncols();
        for column in &params.categorical {
            check_column("categorical", *column, width)?;
        }
        let widest = 2 * params.knots.max(params.max_categories) + 2;
        let got = widest
            .saturating_mul(params.seasons)
            .saturating_mul(matrix.ncols() + 1);
        let what = "counts (columns times seasons times knots or categories)";
        at_most(what, got, MAX_COUNTS)?;
        rows.check_seasons(params.seasons)?;
        let columns = threads::map(matrix.ncols(), |column| {
            let values = matrix.column(column).to_vec();
            Profile::new(&values, params.categorical.contains(&column), rows, params)
        });
        let mut season_rows = vec![0; params.seasons];
        for row in 0..matrix.nrows() {
            if let Some(count) = season_rows.get_mut(rows.season(row)) {
                *count += 1;
            }
        }
        let score = rows
            .scores
            .map(|scores| Profile::new(scores, false, rows, params));
        Ok(DriftBaseline {
            fingerprint: fingerprint(&columns, score.as_ref(), params.seasons),
            params: params.clone(),
            season_rows,
            columns,
            score,
        })
    }
}

impl Profile {
    fn new(values: &[f64], named: bool, rows: &DriftRows<'_>, params: &DriftParams) -> Self {
        let mut known: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
        let cells = if named {
            Cells::of_categories(&mut known, params)
        } else {
            Cells::of_numbers(&mut known, params)
        };
        let mut counts = vec![0; cells.len() * params.seasons];
        for (row, value) in values.iter().enumerate() {
            let place = rows.season(row) * cells.len() + cells.cell(*value);
            if let Some(count) = counts.get_mut(place) {
                *count += 1;
            }
        }
        Self { cells, counts }
    }

    /// Shares of the cells in a mix of seasons, given as the weight of each season and that of all together.
    fn shares(&self, mix: &Mix) -> Vec<f64> {
        let mut shares = vec![0.0; self.cells.len()];
        let seasons = self.counts.chunks_exact(self.cells.len());
        for (counts, weight) in seasons.zip(&mix.seasons) {
            let weight = weight + mix.together;
            if weight > 0.0 {
                for (share, count) in shares.iter_mut().zip(counts) {
                    *share += weight * *count as f64;
                }
            }
        }
        shares
    }

    /// The drift of a window that has these counts.
    fn drift(&self, counts: &[u64], mix: &Mix, params: &DriftParams) -> ColumnDrift {
        let counts: Vec<f64> = counts.iter().map(|count| *count as f64).collect();
        let rows = counts.iter().sum::<f64>().max(1.0);
        let expected = self.shares(mix);
        let reference: Vec<f64> = expected.iter().map(|share| share * mix.rows).collect();
        let kolmogorov_smirnov = if self.cells.are_numbers() {
            compare_functions(&reference, &counts)
        } else {
            None
        };
        let chi_square = chi_square_test(&self.cells.bins(&reference), &self.cells.bins(&counts));
        let expected = self.cells.bins(&expected);
        let mut observed = self.cells.bins(&counts);
        for share in &mut observed {
            *share /= rows;
        }
        let psi = population_stability_index(&expected, &observed, rows, params.smoothing);
        let tests = [
            kolmogorov_smirnov.map(|test| test.p_value),
            chi_square.map(|test| test.p_value),
        ];
        let tests: Vec<f64> = tests.into_iter().flatten().collect();
        let least = tests.iter().copied().fold(1.0, f64::min);
        let p_value = (least * tests.len() as f64).min(1.0);
        let ranges = self.cells.ranges();
        let bins = ranges.iter().zip(expected.iter().zip(&observed));
        ColumnDrift {
            psi,
            level: if psi >= params.major_psi {
                DriftLevel::Major
            } else if psi >= params.moderate_psi {
                DriftLevel::Moderate
            } else {
                DriftLevel::Stable
            },
            jensen_shannon: jensen_shannon(&expected, &observed),
            kolmogorov_smirnov,
            chi_square,
            p_value: if tests.is_empty() { 1.0 } else { p_value },
            q_value: 1.0,
            alarm: false,
            bins: bins
                .map(|(range, (expected, observed))| DriftBin {
                    range: *range,
                    expected: *expected,
                    observed: *observed,
                })
                .collect(),
        }
    }
}

/// KS over the cells after the first, which is what is missing.
fn compare_functions(reference: &[f64], counts: &[f64]) -> Option<KolmogorovSmirnovTest> {
    let (reference, counts) = (reference.get(1..)?, counts.get(1..)?);
    let (m, n) = (reference.iter().sum::<f64>(), counts.iter().sum::<f64>());
    if !(m > 0.0 && n > 0.0) {
        return None;
    }
    let (mut one, mut two, mut distance) = (0.0, 0.0, 0.0_f64);
    for (reference, count) in reference.iter().zip(counts) {
        one += reference;
        two += count;
        distance = distance.max((one / m - two / n).abs());
    }
    Some(KolmogorovSmirnovTest::new(distance.min(1.0), m, n))
}

/// How much each reference row of a season counts, and how many rows the mix is worth.
struct Mix {
    /// Weight of a reference row by its season.
    seasons: Vec<f64>,
    /// Weight of every reference row, for seasons that are compared with all together.
    together: f64,
    rows: f64,
}

impl Mix {
    /// The mix of the seasons of a window.
    ///
    /// A share in it is a sum of shares over seasons, each weighted by the share `w` of the season in the window. Where the
    /// seasons do not differ in a share, the variance of such a sum is that of one sample of `1 / sum(w^2 / rows of the season)`
    /// rows: Cochran, "Sampling Techniques" (1977), theorem 5.3. Where they differ this is an approximation.
    fn new(reference: &[u64], window: &[u64], least: u64) -> Self {
        let total: u64 = reference.iter().sum();
        let rows: u64 = window.iter().fold(0, |sum, rows| sum.saturating_add(*rows));
        let (mut seasons, mut together, mut variance) = (vec![0.0; reference.len()], 0.0, 0.0);
        for (weight, (reference, window)) in seasons.iter_mut().zip(reference.iter().zip(window)) {
            let share = *window as f64 / rows as f64;
            if *reference < least.max(1) {
                together += share;
            } else {
                let reference = *reference as f64;
                *weight = share / reference;
                variance += share * *weight;
            }
        }
        variance += together * together / total as f64;
        Self {
            seasons,
            together: together / total as f64,
            rows: variance.recip(),
        }
    }
}

impl DriftBaseline {
    /// Columns of the reference.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// Rows of the reference.
    pub fn rows(&self) -> u64 {
        self.season_rows.iter().sum()
    }

    /// The parameters.
    pub const fn params(&self) -> &DriftParams {
        &self.params
    }

    /// How rows differ from the reference.
    ///
    /// # Errors
    ///
    /// As [`DriftWindow::extend`], and when there are no rows.
    pub fn report(&self, rows: &DriftRows<'_>) -> Result<DriftReport, EnsembleError> {
        let mut window = DriftWindow::new(self);
        window.extend(self, rows)?;
        window.report(self)
    }

    pub(super) fn columns(&self) -> &[Profile] {
        &self.columns
    }

    pub(super) const fn score(&self) -> Option<&Profile> {
        self.score.as_ref()
    }

    pub(super) const fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The report of counts, which have the shape of this baseline.
    pub(super) fn compare(
        &self,
        columns: &[Vec<u64>],
        score: Option<&Vec<u64>>,
        season_rows: &[u64],
    ) -> DriftReport {
        let params = &self.params;
        let mix = Mix::new(&self.season_rows, season_rows, params.min_season_rows);
        let mut found = threads::map(self.columns.len().min(columns.len()), |column| {
            self.columns[column].drift(&columns[column], &mix, params)
        });
        let p_values: Vec<f64> = found.iter().map(|column| column.p_value).collect();
        for (column, q_value) in found.iter_mut().zip(benjamini_hochberg(&p_values)) {
            decide(column, q_value, params);
        }
        let profile = self.score.as_ref().zip(score);
        DriftReport {
            rows: season_rows
                .iter()
                .fold(0, |sum, rows| sum.saturating_add(*rows)),
            columns: found,
            score: profile.map(|(profile, counts)| {
                let mut score = profile.drift(counts, &mix, params);
                let q_value = score.p_value;
                decide(&mut score, q_value, params);
                score
            }),
        }
    }
}

fn decide(column: &mut ColumnDrift, q_value: f64, params: &DriftParams) {
    column.q_value = q_value;
    column.alarm = column.level > DriftLevel::Stable && q_value <= params.false_discovery_rate;
}

/// Hash of what decides in which cell a value is counted.
fn fingerprint(columns: &[Profile], score: Option<&Profile>, seasons: usize) -> u64 {
    let mut hasher = StableHasher::default();
    hasher.number(seasons as u64).number(columns.len() as u64);
    for profile in columns.iter().chain(score) {
        let (kind, places) = match &profile.cells {
            Cells::Numbers { knots, .. } => (1, knots),
            Cells::Categories { values } => (2, values),
        };
        hasher.number(kind).number(places.len() as u64);
        for place in places {
            hasher.number(place.to_bits());
        }
    }
    std::hash::Hasher::finish(&hasher)
}

/// A baseline as it was saved, before its check.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct SavedBaseline {
    params: DriftParams,
    season_rows: Vec<u64>,
    columns: Vec<Profile>,
    score: Option<Profile>,
}

#[cfg(feature = "serde")]
impl TryFrom<SavedBaseline> for DriftBaseline {
    type Error = EnsembleError;

    fn try_from(saved: SavedBaseline) -> Result<Self, EnsembleError> {
        let SavedBaseline {
            params,
            season_rows,
            columns,
            score,
        } = saved;
        params.check()?;
        let damaged = |problem| EnsembleError::Damaged {
            what: "drift baseline",
            problem,
        };
        if columns.is_empty() {
            return Err(EnsembleError::NoColumns);
        }
        if season_rows.len() != params.seasons {
            return Err(damaged("there must be one number of rows a season"));
        }
        let total = |counts: &[u64]| counts.iter().try_fold(0_u64, |sum, n| sum.checked_add(*n));
        if total(&season_rows).is_none_or(|rows| rows == 0) {
            return Err(damaged("there must be rows, fewer than 2^64"));
        }
        for profile in columns.iter().chain(&score) {
            if let Some(problem) = profile.cells.problem() {
                return Err(damaged(problem));
            }
            let cells = profile.cells.len();
            if Some(profile.counts.len()) != cells.checked_mul(params.seasons) {
                return Err(damaged("there must be one count a cell and season"));
            }
            let seasons = profile.counts.chunks_exact(cells);
            if seasons
                .zip(&season_rows)
                .any(|(counts, rows)| total(counts) != Some(*rows))
            {
                return Err(damaged("the counts of a season must be its rows"));
            }
        }
        Ok(Self {
            fingerprint: fingerprint(&columns, score.as_ref(), params.seasons),
            params,
            season_rows,
            columns,
            score,
        })
    }
}
