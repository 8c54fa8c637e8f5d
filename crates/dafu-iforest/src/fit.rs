//! Fitting.

use crate::grow::{GrowPlan, Grower, RowWeights};
use crate::input::{Accepted, Value};
use crate::node::{Bounds, FlatTree, Trees};
use crate::params::{ColumnWeights, MAX_HEIGHT, MAX_WIDTH};
use crate::prepared::Prepared;
use crate::purpose::Purpose;
use crate::threshold::SortedSums;
use crate::value::{TreeKind, ValueRule, ValueScale};
use crate::{
    CheckedIsolationForestParams, ContaminationThreshold, FiniteCheck, HeightLimit,
    IsolationForest, IsolationForestError, IsolationForestParams, MaxFeatures, Parallelism,
    Scoring, ThresholdRows,
};
use dafu_core::random::{FloydSampler, Stream};
use ndarray::{ArrayView2, Axis};
use std::ops::Range;

#[cfg(feature = "parallel")]
use crate::score::{block_of, row_of};
#[cfg(feature = "parallel")]
use rayon::prelude::*;

impl IsolationForestParams {
    /// Checks the parameters and fits; see [`CheckedIsolationForestParams::fit`].
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check) and [`CheckedIsolationForestParams::fit`].
    pub fn fit<T: Value>(
        &self,
        rows: ArrayView2<'_, T>,
    ) -> Result<IsolationForest, IsolationForestError> {
        self.check()?.fit(rows)
    }

    /// Checks the parameters and fits; see [`CheckedIsolationForestParams::fit_weighted`].
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check) and [`CheckedIsolationForestParams::fit_weighted`].
    pub fn fit_weighted<T: Value>(
        &self,
        rows: ArrayView2<'_, T>,
        weights: &[f64],
    ) -> Result<IsolationForest, IsolationForestError> {
        self.check()?.fit_weighted(rows, weights)
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
    /// [`TooManyFeatures`](IsolationForestError::TooManyFeatures),
    /// [`UnknownColumn`](IsolationForestError::UnknownColumn), [`WeightCount`](IsolationForestError::WeightCount) of columns,
    /// [`NoCategory`](IsolationForestError::NoCategory), and [`NotFinite`](IsolationForestError::NotFinite) for NaN and infinite values (see [`FiniteCheck`]).
    ///
    /// # Complexity
    ///
    /// O(t psi (d + log psi)) for t trees of psi rows and d columns with the default split rule and height limit, whatever the
    /// number of rows n (the [crate page](crate#cost) has the other rules); plus O(n d) for [`FiniteCheck::AllRows`]; plus
    /// that of scoring 2048 rows with several rules; plus O(n (t log psi + log n)) with contamination levels.
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
    pub fn fit<T: Value>(
        &self,
        rows: ArrayView2<'_, T>,
    ) -> Result<IsolationForest, IsolationForestError> {
        self.fit_rows(rows, None)
    }

    /// As [`fit`](Self::fit) with a weight for each row, which says how many rows it stands for.
    ///
    /// Where there are no more rows than a tree takes, every tree takes all of them unless `bootstrap` is set, and weights
    /// count for thresholds only.
    ///
    /// The rows of a tree are drawn one after the other with chances in proportion to their weights, among those that
    /// are left unless `bootstrap` is set; rows of weight 0 are never drawn. A contamination level is a share of the
    /// weight.
    ///
    /// # Errors
    ///
    /// [`WeightCount`](IsolationForestError::WeightCount), [`Weight`](IsolationForestError::Weight) for a weight that is
    /// negative or not finite, [`NoWeight`](IsolationForestError::NoWeight) where all are 0, and as [`fit`](Self::fit).
    ///
    /// # Complexity
    ///
    /// As [`fit`](Self::fit), and O(n + t psi log n).
    ///
    /// ```
    /// use dafu_iforest::IsolationForestParams;
    /// use ndarray::array;
    /// # fn main() -> Result<(), dafu_iforest::IsolationForestError> {
    /// let rows = array![[1.0], [2.0], [3.0], [90.0]];
    /// // The last row is left out of the trees.
    /// let forest = IsolationForestParams::default().fit_weighted(rows.view(), &[5.0, 9.0, 4.0, 0.0])?;
    /// assert_eq!(forest.sample_size(), 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn fit_weighted<T: Value>(
        &self,
        rows: ArrayView2<'_, T>,
        weights: &[f64],
    ) -> Result<IsolationForest, IsolationForestError> {
        let weights = RowWeights::new(weights, rows.nrows())?;
        self.fit_rows(rows, Some(&weights))
    }

    fn fit_rows<T: Value>(
        &self,
        rows: ArrayView2<'_, T>,
        weights: Option<&RowWeights>,
    ) -> Result<IsolationForest, IsolationForestError> {
        let params = self.params();
        let growing = Growing::new(params, rows.view(), weights)?;
        let grown = growing.grow(params, 0..params.trees)?;
        let nodes = grown.iter().map(|tree| tree.nodes.len()).sum();
        let mut trees = Trees::with_capacity(grown.len(), nodes);
        let sample_size = growing.sample_size();
        let width = to_u32(rows.ncols());
        let bounds = Bounds {
            width,
            sample_size,
            height_limit: growing.height_limit,
            categorical: &growing.categorical,
        };
        let rules = to_u32(params.rules.len());
        for (tree, kind) in grown.iter().zip((0..rules).cycle()) {
            trees
                .push(tree, kind, &bounds)
                .map_err(IsolationForestError::DamagedModel)?;
        }
        let kind = TreeKind::new(sample_size, params.average_path);
        let mut forest = IsolationForest {
            trees,
            kinds: vec![kind; params.rules.len()],
            scale: ValueScale::default(),
            scoring: params.scoring,
            missing: params.missing,
            unseen: params.unseen,
            width,
            height_limit: growing.height_limit,
            categorical: growing.categorical,
            average_path: params.average_path,
            seed: params.seed,
            rules,
            trees_grown: params.trees as u64,
            rows_fitted: rows.nrows() as u64,
            thresholds: Vec::new(),
            parallelism: params.parallelism,
            prepared: Prepared::default(),
        };
        forest.set_values();
        if params.rules.len() > 1 && params.scoring != Scoring::Density {
            forest.balance(rows, weights)?;
        }
        if !params.contamination.is_empty() {
            let (sums, drawn) = forest.training_sums(rows, params, weights)?;
            let training = match weights {
                None => SortedSums::new(sums),
                Some(weights) => {
                    let weight =
                        |at: usize| weights.weights()[drawn.get(at).copied().unwrap_or(at)];
                    let pairs = sums.into_iter().enumerate();
                    SortedSums::weighted(pairs.map(|(at, sum)| (sum, weight(at))).collect())
                }
            };
            forest.thresholds =
                ContaminationThreshold::of_levels(&params.contamination, &training, |sum| {
                    forest.score_of_sum(sum)
                });
        }
        Ok(forest)
    }
}

/// Numbers of rows, columns and rules are bounded by the checks.
fn to_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Rows and parameters that were found to go together.
#[derive(Debug)]
pub(crate) struct Growing<'a, T> {
    rows: ArrayView2<'a, T>,
    weights: Option<&'a RowWeights>,
    categorical: Vec<bool>,
    features: usize,
    sample_size: usize,
    height_limit: u32,
}

impl<'a, T: Value> Growing<'a, T> {
    pub(crate) fn new(
        params: &IsolationForestParams,
        rows: ArrayView2<'a, T>,
        weights: Option<&'a RowWeights>,
    ) -> Result<Self, IsolationForestError> {
        let (count, columns) = rows.dim();
        let features = check_shape(params, count, columns)?;
        let categorical = categorical(params, columns)?;
        if params.finite_check == FiniteCheck::AllRows {
            let accepted = Accepted {
                missing: params.missing,
                categorical: &categorical,
            };
            check_all(rows.view(), &accepted, params.parallelism)?;
        }
        let drawable = match weights {
            Some(weights) if !params.bootstrap => weights.positive(),
            _ => count,
        };
        let sample_size = params.sample_size.min(drawable);
        Ok(Self {
            rows,
            weights,
            categorical,
            features,
            sample_size,
            height_limit: height_limit(params.height_limit, sample_size),
        })
    }

    pub(crate) fn categorical(&self) -> &[bool] {
        &self.categorical
    }

    /// Rows a tree.
    pub(crate) fn sample_size(&self) -> u32 {
        to_u32(self.sample_size)
    }

    pub(crate) fn height_limit(&self) -> u32 {
        self.height_limit
    }

    /// Grows the trees of these numbers, in their order.
    pub(crate) fn grow(
        &self,
        params: &IsolationForestParams,
        numbers: Range<usize>,
    ) -> Result<Vec<FlatTree>, IsolationForestError> {
        let plan = GrowPlan {
            rows: self.rows.view(),
            accepted: Accepted {
                missing: params.missing,
                categorical: &self.categorical,
            },
            weights: self.weights,
            rules: &params.rules,
            scoring: params.scoring,
            seed: params.seed,
            sample_size: self.sample_size,
            features: self.features,
            bootstrap: params.bootstrap,
            height_limit: self.height_limit,
            finite_check: params.finite_check,
        };
        #[cfg(feature = "parallel")]
        if params.parallelism == Parallelism::Pool {
            let trees: Vec<_> = numbers
                .into_par_iter()
                .map_init(Grower::default, |grower, tree| grower.grow(&plan, tree))
                .collect();
            // In order, so that always the same error is reported.
            return trees.into_iter().collect();
        }
        let mut grower = Grower::default();
        numbers.map(|tree| grower.grow(&plan, tree)).collect()
    }
}

/// Rows from which the weights of several rules are taken.
const BALANCE_ROWS: usize = 2048;

impl IsolationForest {
    /// Sets the values of the leaves from the trees.
    pub(crate) fn set_values(&mut self) {
        let rule = ValueRule {
            scoring: self.scoring,
            average_path: self.average_path,
            kinds: &self.kinds,
        };
        self.scale = rule.apply(&mut self.trees, self.scale.max_bits);
        self.prepared = Prepared::default();
    }

    /// Sets what an edge is worth in the trees of each rule, so that each rule's mean values spread alike over the
    /// training rows, and the mean over all rules is 1.
    fn balance<T: Value>(
        &mut self,
        rows: ArrayView2<'_, T>,
        weights: Option<&RowWeights>,
    ) -> Result<(), IsolationForestError> {
        let mut stream = Stream::new(self.seed, Purpose::Balance as u64, 0);
        let mut drawn = Vec::new();
        match weights {
            Some(weights) => weights.draw(BALANCE_ROWS, false, &mut stream, &mut drawn),
            None => {
                FloydSampler::default().draw(rows.nrows(), BALANCE_ROWS, &mut stream, &mut drawn);
            }
        }
        let values = self.values_by_kind(rows, &drawn)?;
        let moments: Vec<(f64, f64)> = values.iter().map(|values| moments_of(values)).collect();
        // With mean m and deviation s: w = (m / s) / sum of (m / s), and an edge is worth w / m of what it was.
        let ratio = |&(mean, deviation): &(f64, f64)| {
            // What rounding makes of a rule whose values are all alike is no spread.
            if deviation > 1e-9 * mean {
                mean / deviation
            } else {
                0.0
            }
        };
        let total: f64 = moments.iter().map(ratio).sum();
        let rules = moments.len() as f64;
        for (kind, moments) in self.kinds.iter_mut().zip(&moments) {
            let share = if total > 0.0 {
                ratio(moments) / total
            } else {
                1.0 / rules
            };
            kind.unit *= if moments.0 > 0.0 {
                share * rules / moments.0
            } else {
                0.0
            };
        }
        self.set_values();
        Ok(())
    }

    /// For each kind of tree the mean values of some rows.
    fn values_by_kind<T: Value>(
        &self,
        rows: ArrayView2<'_, T>,
        drawn: &[usize],
    ) -> Result<Vec<Vec<f64>>, IsolationForestError> {
        let rule = self.way_rule();
        let mut values = vec![vec![0.0; drawn.len()]; self.kinds.len()];
        let mut trees = vec![0.0; self.kinds.len()];
        for tree in self.trees.iter() {
            trees[tree.kind as usize] += self.scale.one();
        }
        for (place, &at) in drawn.iter().enumerate() {
            let row = rows.row(at);
            self.accepted().check(row, at)?;
            for tree in self.trees.iter() {
                let value = tree.value(&rule, |column| row[column].into());
                let kind = tree.kind as usize;
                values[kind][place] += value as f64 / trees[kind];
            }
        }
        Ok(values)
    }

    /// Sums of values of the rows that the thresholds are taken from, and which rows these are where not all.
    fn training_sums<T: Value>(
        &self,
        rows: ArrayView2<'_, T>,
        params: &IsolationForestParams,
        weights: Option<&RowWeights>,
    ) -> Result<(Vec<u64>, Vec<usize>), IsolationForestError> {
        let ThresholdRows::Sample(count) = params.threshold_rows else {
            let mut sums = vec![0; rows.nrows()];
            self.map_sums(rows, &mut sums, |sum| sum)?;
            return Ok((sums, Vec::new()));
        };
        let mut stream = Stream::new(params.seed, Purpose::Thresholds as u64, 0);
        let mut drawn = Vec::new();
        // Rows without weight say nothing of shares of the weight.
        let weighty = weights.map(RowWeights::weighty);
        let from = weighty.as_ref().map_or(rows.nrows(), Vec::len);
        FloydSampler::default().draw(from, count, &mut stream, &mut drawn);
        if let Some(weighty) = weighty {
            drawn = drawn.iter().map(|&place| weighty[place]).collect();
        }
        drawn.sort_unstable();
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
        Ok((sums, drawn))
    }
}

/// Mean and standard deviation.
fn moments_of(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values
        .iter()
        .map(|value| (value - mean) * (value - mean))
        .sum();
    (mean, (squares / count).sqrt())
}

/// Which columns hold categories, up to the last one that does.
fn categorical(
    params: &IsolationForestParams,
    columns: usize,
) -> Result<Vec<bool>, IsolationForestError> {
    let mut categorical = Vec::new();
    for &column in &params.categorical {
        if column >= columns {
            return Err(IsolationForestError::UnknownColumn { column, columns });
        }
        if categorical.len() <= column {
            categorical.resize(column + 1, false);
        }
        categorical[column] = true;
    }
    Ok(categorical)
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
    for rule in &params.rules {
        if let ColumnWeights::Given(weights) = &rule.column_weights
            && weights.len() != columns
        {
            return Err(IsolationForestError::WeightCount {
                what: "column",
                expected: columns,
                got: weights.len(),
            });
        }
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

/// Rows that one task checks for finite values.
const CHECK_ROWS: usize = 8192;

fn check_all<T: Value>(
    rows: ArrayView2<'_, T>,
    accepted: &Accepted<'_>,
    parallelism: Parallelism,
) -> Result<(), IsolationForestError> {
    let blocks = rows.nrows().div_ceil(CHECK_ROWS);
    if blocks > 1 && runs_parallel(parallelism) {
        #[cfg(feature = "parallel")]
        return (0..blocks)
            .into_par_iter()
            .filter_map(|block| {
                let rows = block_of(rows, block, CHECK_ROWS);
                accepted.check_training(rows, block * CHECK_ROWS).err()
            })
            .min_by_key(row_of)
            .map_or(Ok(()), Err);
    }
    accepted.check_training(rows, 0)
}

fn runs_parallel(parallelism: Parallelism) -> bool {
    cfg!(feature = "parallel") && parallelism == Parallelism::Pool
}
