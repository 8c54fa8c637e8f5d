//! Fitting and scoring.

use crate::average_path::AveragePathTable;
use crate::grow::{GrowPlan, Grower};
use crate::node::{FlatTree, PATH_ONE, PathScale, Trees};
use crate::params::{MAX_HEIGHT, MAX_WIDTH};
use crate::purpose::Purpose;
use crate::threshold::score;
use crate::walk::{Walker, block_rows, check_finite, sum_of_row};
use crate::{
    AveragePath, CheckedIsolationForestParams, ContaminationThreshold, FiniteCheck, HeightLimit,
    IsolationForestError, IsolationForestParams, MaxFeatures, Parallelism, ThresholdRows,
};
use dafu_core::Score;
use dafu_core::random::{FloydSampler, Stream};
use ndarray::{ArrayView2, Axis, Slice};
use std::fmt;

#[cfg(feature = "parallel")]
use rayon::prelude::*;

/// A fitted isolation forest.
///
/// The score of a row x is 2^(-E\[h(x)\] / c(psi)): h(x) is the number of edges from the root of a tree to the
/// leaf of x, plus c(rows of the leaf); E is the mean over the trees; psi is the number of rows a tree was grown
/// from; c is [`average_path_length`](crate::average_path_length). 0.5 is the score of a row as deep as the
/// average, scores towards 1 are isolated early, all scores are strictly between 0 and 1.
///
/// Path lengths are kept as whole multiples of c(psi) / 2^15, so that a score is within 1.1e-5 of the formula
/// (typically 1e-6), and has the same bits for every number of threads, batch size and platform.
///
/// Source: Liu, Ting, Zhou, "Isolation Forest", ICDM 2008, equations 1 and 2, algorithms 1 to 3. Differences: a
/// split feature is drawn among those that are not constant in the node (the paper draws among all and does not
/// say what happens to a constant one; scikit-learn does as this crate); c(n) is exact unless
/// [`AveragePath::Approximate`] is chosen; splits compare with `<=` instead of `<`, with a split value that is at
/// least the smallest and less than the largest value of the node, so that both sides have a row.
#[derive(Clone, PartialEq)]
pub struct IsolationForest {
    pub(crate) trees: Trees,
    pub(crate) width: u32,
    pub(crate) sample_size: u32,
    pub(crate) height_limit: u32,
    pub(crate) average_path: AveragePath,
    pub(crate) seed: u64,
    pub(crate) rows_fitted: u64,
    pub(crate) thresholds: Vec<ContaminationThreshold>,
    pub(crate) parallelism: Parallelism,
}

impl fmt::Debug for IsolationForest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IsolationForest")
            .field("trees", &self.trees.len())
            .field("nodes", &self.trees.node_count())
            .field("width", &self.width)
            .field("sample_size", &self.sample_size)
            .field("height_limit", &self.height_limit)
            .field("average_path", &self.average_path)
            .field("seed", &self.seed)
            .field("rows_fitted", &self.rows_fitted)
            .field("thresholds", &self.thresholds)
            .finish_non_exhaustive()
    }
}

impl IsolationForestParams {
    /// Checks the parameters and fits; see [`CheckedIsolationForestParams::fit`].
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check) and [`CheckedIsolationForestParams::fit`].
    pub fn fit(&self, rows: ArrayView2<'_, f64>) -> Result<IsolationForest, IsolationForestError> {
        self.check()?.fit(rows)
    }
}

impl CheckedIsolationForestParams {
    /// Grows the trees and takes the thresholds of the contamination levels.
    ///
    /// Shapes: `rows` is rows x columns, in any memory layout. Where there are fewer rows than `sample_size`,
    /// every tree takes all of them.
    ///
    /// # Errors
    ///
    /// [`NoRows`](IsolationForestError::NoRows), [`NoColumns`](IsolationForestError::NoColumns),
    /// [`TooManyColumns`](IsolationForestError::TooManyColumns),
    /// [`TooManyFeatures`](IsolationForestError::TooManyFeatures), and
    /// [`NotFinite`](IsolationForestError::NotFinite) for NaN and infinite values (see [`FiniteCheck`]).
    ///
    /// # Complexity
    ///
    /// O(t psi (d + log psi)) for t trees of psi rows and d columns, whatever the number of rows n; plus O(n d) for
    /// [`FiniteCheck::AllRows`]; plus O(n (t log psi + log n)) with contamination levels.
    ///
    /// # Determinism
    ///
    /// Rows, parameters and seed decide every bit of the forest. Each tree has its own xoshiro256++ stream, seeded
    /// by a hash of seed and tree number.
    ///
    /// ```
    /// use dafu_iforest::IsolationForestParams;
    /// use ndarray::array;
    /// # fn main() -> Result<(), dafu_iforest::IsolationForestError> {
    /// let rows = array![[1.0, 2.0], [1.1, 2.1], [0.9, 1.9], [1.0, 2.2], [9.0, -5.0]];
    /// let forest = IsolationForestParams::default().contamination([0.2]).seed(1).fit(rows.view())?;
    /// assert!(forest.predict_row(&[9.0, -5.0], 0.2)?);
    /// assert!(!forest.predict_row(&[1.0, 2.0], 0.2)?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn fit(&self, rows: ArrayView2<'_, f64>) -> Result<IsolationForest, IsolationForestError> {
        let params = self.params();
        let (count, columns) = rows.dim();
        let features = check_shape(params, count, columns)?;
        if params.finite_check == FiniteCheck::AllRows {
            check_all(rows, params.parallelism)?;
        }
        let sample_size = params.sample_size.min(count);
        let height_limit = height_limit(params.height_limit, sample_size);
        let plan = GrowPlan {
            rows,
            seed: params.seed,
            sample_size,
            features,
            bootstrap: params.bootstrap,
            height_limit,
            finite_check: params.finite_check,
        };
        // Both fit: the checks bound them.
        let width = u32::try_from(columns).unwrap_or(u32::MAX);
        let sample_size = u32::try_from(sample_size).unwrap_or(u32::MAX);
        let grown = grow_all(&plan, params)?;
        let nodes = grown.iter().map(|tree| tree.nodes.len()).sum();
        let mut trees = Trees::with_capacity(grown.len(), nodes);
        let scale = PathScale::new(
            AveragePathTable::new(params.average_path, sample_size),
            sample_size,
        );
        for tree in &grown {
            trees
                .push(tree, (width, sample_size, height_limit), &scale)
                .map_err(IsolationForestError::DamagedModel)?;
        }
        let mut forest = IsolationForest {
            trees,
            width,
            sample_size,
            height_limit,
            average_path: params.average_path,
            seed: params.seed,
            rows_fitted: count as u64,
            thresholds: Vec::new(),
            parallelism: params.parallelism,
        };
        if !params.contamination.is_empty() {
            let mut sums = forest.training_sums(rows, params)?;
            forest.thresholds = ContaminationThreshold::of_levels(
                &params.contamination,
                &mut sums,
                forest.trees.len(),
            );
        }
        Ok(forest)
    }
}

/// Checks the shape of the data and says how many features a tree takes.
fn check_shape(
    params: &IsolationForestParams,
    rows: usize,
    columns: usize,
) -> Result<usize, IsolationForestError> {
    if columns == 0 {
        return Err(IsolationForestError::NoColumns);
    }
    if rows == 0 {
        return Err(IsolationForestError::NoRows);
    }
    if columns > MAX_WIDTH {
        return Err(IsolationForestError::TooManyColumns {
            max: MAX_WIDTH,
            got: columns,
        });
    }
    match params.max_features {
        MaxFeatures::All => Ok(columns),
        MaxFeatures::Fraction(share) => Ok(share_of(share, columns)),
        MaxFeatures::Count(asked) if asked <= columns => Ok(asked),
        MaxFeatures::Count(asked) => Err(IsolationForestError::TooManyFeatures { asked, columns }),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "share is in (0, 1], so the product is a column count"
)]
fn share_of(share: f64, columns: usize) -> usize {
    ((share * columns as f64) as usize).clamp(1, columns)
}

/// Levels that a tree of `sample_size` rows may have.
fn height_limit(limit: HeightLimit, sample_size: usize) -> u32 {
    match limit {
        HeightLimit::Auto => sample_size.max(1).next_power_of_two().trailing_zeros(),
        HeightLimit::Levels(levels) => levels,
        HeightLimit::Unlimited => MAX_HEIGHT,
    }
}

/// The trees in order.
fn grow_all(
    plan: &GrowPlan<'_>,
    params: &IsolationForestParams,
) -> Result<Vec<FlatTree>, IsolationForestError> {
    #[cfg(feature = "parallel")]
    if params.parallelism == Parallelism::Pool {
        let trees: Vec<_> = (0..params.trees)
            .into_par_iter()
            .map_init(Grower::default, |grower, tree| grower.grow(plan, tree))
            .collect();
        // In order, so that always the same error is reported.
        return trees.into_iter().collect();
    }
    let mut grower = Grower::default();
    (0..params.trees)
        .map(|tree| grower.grow(plan, tree))
        .collect()
}

/// Rows that one task checks for finite values.
const CHECK_ROWS: usize = 8192;

fn check_all(
    rows: ArrayView2<'_, f64>,
    parallelism: Parallelism,
) -> Result<(), IsolationForestError> {
    let blocks = rows.nrows().div_ceil(CHECK_ROWS);
    if blocks > 1 && runs_parallel(parallelism) {
        #[cfg(feature = "parallel")]
        return (0..blocks)
            .into_par_iter()
            .filter_map(|block| {
                check_finite(part(rows, block, CHECK_ROWS), block * CHECK_ROWS).err()
            })
            .min_by_key(row_of)
            .map_or(Ok(()), Err);
    }
    check_finite(rows, 0)
}

fn runs_parallel(parallelism: Parallelism) -> bool {
    cfg!(feature = "parallel") && parallelism == Parallelism::Pool
}

/// Block number `block` of rows.
fn part(rows: ArrayView2<'_, f64>, block: usize, size: usize) -> ArrayView2<'_, f64> {
    let start = block * size;
    let end = (start + size).min(rows.nrows());
    rows.slice_axis_move(Axis(0), Slice::from(start..end))
}

/// The row that an error names, so that of several errors the first row's can be reported.
#[cfg(feature = "parallel")]
fn row_of(error: &IsolationForestError) -> usize {
    match error {
        IsolationForestError::NotFinite { row, .. } => *row,
        _ => usize::MAX,
    }
}

impl IsolationForest {
    /// The score of one row, strictly between 0 and 1; higher is more anomalous.
    ///
    /// # Errors
    ///
    /// [`WrongWidth`](IsolationForestError::WrongWidth), and [`NotFinite`](IsolationForestError::NotFinite) for
    /// NaN and infinite values.
    ///
    /// # Complexity
    ///
    /// O(t log psi + d), no allocation.
    pub fn score_row(&self, row: &[f64]) -> Result<Score, IsolationForestError> {
        Ok(score(self.sum_of_row(row)?, self.trees.len()))
    }

    /// Writes the score of every row, with the same bits as [`score_row`](Self::score_row).
    ///
    /// Shapes: `rows` is rows x columns, in any memory layout; `out` has one number for each row.
    ///
    /// # Errors
    ///
    /// [`WrongWidth`](IsolationForestError::WrongWidth),
    /// [`WrongOutputLength`](IsolationForestError::WrongOutputLength), and
    /// [`NotFinite`](IsolationForestError::NotFinite) for the first row with such a value; `out` is then written
    /// in part.
    ///
    /// # Complexity
    ///
    /// O(n (t log psi + d)). Memory: one block of rows for each thread, at most 64 KiB or 16 rows.
    ///
    /// ```
    /// use dafu_iforest::IsolationForestParams;
    /// use ndarray::Array2;
    /// # fn main() -> Result<(), dafu_iforest::IsolationForestError> {
    /// let rows = Array2::from_shape_fn((500, 3), |(i, j)| ((i * 7 + j * 3) % 11) as f64);
    /// let forest = IsolationForestParams::default().fit(rows.view())?;
    /// let mut scores = vec![0.0; rows.nrows()];
    /// forest.score_rows(rows.view(), &mut scores)?;
    /// assert!(scores.iter().all(|&score| score > 0.0 && score < 1.0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn score_rows(
        &self,
        rows: ArrayView2<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), IsolationForestError> {
        let trees = self.trees.len();
        self.map_sums(rows, out, |sum| score(sum, trees).get())
    }

    /// The mean path length of a row over the trees, in edges; c(rows of the leaf) included.
    ///
    /// # Errors
    ///
    /// As [`score_row`](Self::score_row).
    pub fn mean_path_length(&self, row: &[f64]) -> Result<f64, IsolationForestError> {
        let sum = self.sum_of_row(row)?;
        let normaliser = AveragePathTable::new(self.average_path, self.sample_size);
        let units = self.trees.len() as f64 * f64::from(PATH_ONE);
        Ok(sum as f64 / units * normaliser.get(self.sample_size))
    }

    /// Whether a row is an anomaly at a contamination level that was listed before the fit.
    ///
    /// # Errors
    ///
    /// [`UnknownContamination`](IsolationForestError::UnknownContamination), and as
    /// [`score_row`](Self::score_row).
    pub fn predict_row(
        &self,
        row: &[f64],
        contamination: f64,
    ) -> Result<bool, IsolationForestError> {
        let threshold = self.threshold(contamination)?;
        Ok(threshold.is_anomaly(self.score_row(row)?))
    }

    /// Writes for every row whether it is an anomaly at a contamination level that was listed before the fit.
    ///
    /// For several levels, score once and ask [`ContaminationThreshold::is_anomaly`].
    ///
    /// # Errors
    ///
    /// [`UnknownContamination`](IsolationForestError::UnknownContamination), and as
    /// [`score_rows`](Self::score_rows).
    pub fn predict_rows(
        &self,
        rows: ArrayView2<'_, f64>,
        contamination: f64,
        out: &mut [bool],
    ) -> Result<(), IsolationForestError> {
        let threshold = *self.threshold(contamination)?;
        let trees = self.trees.len();
        self.map_sums(rows, out, |sum| threshold.is_anomaly(score(sum, trees)))
    }

    /// The thresholds, one for each contamination level, in the order given before the fit.
    pub fn thresholds(&self) -> &[ContaminationThreshold] {
        &self.thresholds
    }

    /// The threshold of a contamination level, which must be one of those given before the fit.
    ///
    /// # Errors
    ///
    /// [`UnknownContamination`](IsolationForestError::UnknownContamination).
    pub fn threshold(
        &self,
        contamination: f64,
    ) -> Result<&ContaminationThreshold, IsolationForestError> {
        self.thresholds
            .iter()
            .find(|threshold| threshold.contamination.total_cmp(&contamination).is_eq())
            .ok_or(IsolationForestError::UnknownContamination { got: contamination })
    }

    /// Number of trees.
    pub fn tree_count(&self) -> usize {
        self.trees.len()
    }

    /// Nodes of all trees together, leaves included.
    pub fn node_count(&self) -> usize {
        self.trees.node_count()
    }

    /// Leaves of all trees together.
    pub fn leaf_count(&self) -> usize {
        self.trees.leaf_count()
    }

    /// Columns that a row must have.
    pub fn width(&self) -> usize {
        self.width as usize
    }

    /// Rows from which each tree was grown (psi).
    pub fn sample_size(&self) -> usize {
        self.sample_size as usize
    }

    /// Rows of the training data.
    pub fn rows_fitted(&self) -> u64 {
        self.rows_fitted
    }

    /// How c(n) was computed.
    pub fn average_path(&self) -> AveragePath {
        self.average_path
    }

    /// The seed of the fit.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Chooses whether scoring shares its work out over threads. Not saved; a loaded forest does.
    #[must_use]
    pub fn with_parallelism(mut self, parallelism: Parallelism) -> Self {
        self.parallelism = parallelism;
        self
    }

    pub(crate) fn check_width(&self, got: usize) -> Result<(), IsolationForestError> {
        let expected = self.width();
        if got == expected {
            Ok(())
        } else {
            Err(IsolationForestError::WrongWidth { expected, got })
        }
    }

    fn sum_of_row(&self, row: &[f64]) -> Result<u64, IsolationForestError> {
        self.check_width(row.len())?;
        sum_of_row(&self.trees, row)
    }

    /// Sums of path lengths of the rows that the thresholds are taken from.
    fn training_sums(
        &self,
        rows: ArrayView2<'_, f64>,
        params: &IsolationForestParams,
    ) -> Result<Vec<u64>, IsolationForestError> {
        let drawn = match params.threshold_rows {
            ThresholdRows::Sample(count) if count < rows.nrows() => {
                let mut stream = Stream::new(params.seed, Purpose::Thresholds as u64, 0);
                let mut drawn = Vec::new();
                FloydSampler::default().draw(rows.nrows(), count, &mut stream, &mut drawn);
                drawn.sort_unstable();
                drawn
            }
            _ => {
                let mut sums = vec![0; rows.nrows()];
                self.map_sums(rows, &mut sums, |sum| sum)?;
                return Ok(sums);
            }
        };
        let mut sums = vec![0; drawn.len()];
        let selected = rows.select(Axis(0), &drawn);
        self.map_sums(selected.view(), &mut sums, |sum| sum)
            .map_err(|error| match error {
                IsolationForestError::NotFinite { row, column, value } => {
                    let row = drawn.get(row).copied().unwrap_or(row);
                    IsolationForestError::NotFinite { row, column, value }
                }
                other => other,
            })?;
        Ok(sums)
    }

    /// Writes what `map` makes of each row's sum of path lengths.
    fn map_sums<T: Send>(
        &self,
        rows: ArrayView2<'_, f64>,
        out: &mut [T],
        map: impl Fn(u64) -> T + Sync,
    ) -> Result<(), IsolationForestError> {
        self.check_width(rows.ncols())?;
        if out.len() != rows.nrows() {
            let (expected, got) = (rows.nrows(), out.len());
            return Err(IsolationForestError::WrongOutputLength { expected, got });
        }
        let size = block_rows(self.width());
        let run = |walker: &mut Walker, block: usize, out: &mut [T]| {
            let sums = walker.sums(&self.trees, part(rows, block, size), block * size)?;
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = map(sum);
            }
            Ok(())
        };
        #[cfg(feature = "parallel")]
        if self.parallelism == Parallelism::Pool && out.len() > size {
            return out
                .par_chunks_mut(size)
                .enumerate()
                .map_init(Walker::default, |walker, (block, out)| {
                    run(walker, block, out)
                })
                .filter_map(Result::err)
                .min_by_key(row_of)
                .map_or(Ok(()), Err);
        }
        let mut walker = Walker::default();
        out.chunks_mut(size)
            .enumerate()
            .try_for_each(|(block, out)| run(&mut walker, block, out))
    }
}
