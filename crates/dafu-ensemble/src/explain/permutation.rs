//! How much worse a model gets when columns lose their meaning.

use super::CHUNK;
use crate::learner::{check_column, check_width};
use crate::params::{MAX_ROWS, count};
use crate::samples::check_length;
use crate::{Classifier, EnsembleError, Samples, threads};
use dafu_core::metrics;
use dafu_core::random::Stream;
use ndarray::{ArrayView2, Axis, Slice};

/// What random streams are for.
const PERMUTATIONS: u64 = 0x7065_726d_7574_6531;
/// Most repetitions.
const MAX_REPEATS: usize = 10_000;

/// Columns that are permuted together, because they say the same or only together make sense.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ColumnGroup {
    /// Name in the result.
    pub name: String,
    /// Columns, from 0.
    pub columns: Vec<usize>,
}

impl ColumnGroup {
    /// A group.
    #[must_use]
    pub fn new(name: impl Into<String>, columns: impl Into<Vec<usize>>) -> Self {
        Self {
            name: name.into(),
            columns: columns.into(),
        }
    }

    /// A group for each column, under its name.
    #[must_use]
    pub fn singles<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Vec<Self> {
        let names = names.into_iter().enumerate();
        names
            .map(|(column, name)| Self::new(name, [column]))
            .collect()
    }
}

/// A metric of rows and the log odds that a model gives them; higher is better, so give a loss with its sign turned.
pub type ExplainedMetric<'m> =
    dyn Fn(&Samples<'_>, &[f64]) -> Result<f64, EnsembleError> + Sync + 'm;

/// Average precision, for [`PermutationParams::importance`].
///
/// # Errors
///
/// Rows of one class only, an answer that is not finite.
pub fn average_precision(samples: &Samples<'_>, log_odds: &[f64]) -> Result<f64, EnsembleError> {
    metrics::average_precision(samples.frauds(), log_odds, samples.weights())
        .map_err(EnsembleError::Metrics)
}

/// Area under the ROC curve, for [`PermutationParams::importance`].
///
/// # Errors
///
/// As [`average_precision`].
pub fn roc_auc(samples: &Samples<'_>, log_odds: &[f64]) -> Result<f64, EnsembleError> {
    metrics::roc_auc(samples.frauds(), log_odds, samples.weights()).map_err(EnsembleError::Metrics)
}

/// Permutation importance: what a metric loses when the values of columns are permuted among the rows.
///
/// Where times are given, values stay within their block of time: a model that knows the time of a row by a column that drifts
/// would otherwise lose more than that column says about fraud. Rows that are new to the model tell what helps, training rows
/// only what was learned.
///
/// Determinism: the same bits for any number of threads.
///
/// Source: Breiman, "Random Forests" (2001), section 10; Fisher, Rudin and Dominici, "All Models are Wrong, but Many are Useful"
/// (2019), section 3.
///
/// # Examples
///
/// ```
/// use dafu_ensemble::explain::{ColumnGroup, PermutationParams, average_precision};
/// use dafu_ensemble::{BoostedTreesParams, Learner, Samples};
/// use ndarray::Array2;
///
/// let rows = Array2::from_shape_fn((1000, 2), |(row, column)| (row * [37, 61][column] % 100) as f64);
/// let frauds: Vec<bool> = rows.column(0).iter().map(|value| *value > 90.0).collect();
/// let samples = Samples::new(rows.view(), &frauds)?;
/// let model = BoostedTreesParams::default().n_estimators(5).learn(&samples)?;
///
/// let groups = ColumnGroup::singles(["amount", "noise"]);
/// let params = PermutationParams::new(groups);
/// let found = params.importance(model.as_ref(), &samples, None, &average_precision)?;
/// assert!(found.groups[0].mean > 0.5);
/// assert!(found.groups[1].mean.abs() < 1e-12);
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PermutationParams {
    /// What is permuted, one after the other.
    pub groups: Vec<ColumnGroup>,
    /// Permutations of each group; 2 or more for a standard error.
    pub repeats: usize,
    /// Seed of the permutations.
    pub seed: u64,
}

/// What the metric is and what it loses.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Importances {
    /// The metric of the rows as they are.
    pub metric: f64,
    /// In the order of the groups.
    pub groups: Vec<Importance>,
}

/// What the metric loses without one group.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Importance {
    /// Name of the group.
    pub name: String,
    /// Mean of the losses.
    pub mean: f64,
    /// Standard error of the mean over the permutations; that of the rows is not in it. Infinite for one permutation.
    pub standard_error: f64,
    /// What the metric lost in each permutation.
    pub losses: Vec<f64>,
}

impl PermutationParams {
    /// Ten permutations of each group.
    #[must_use]
    pub const fn new(groups: Vec<ColumnGroup>) -> Self {
        Self {
            groups,
            repeats: 10,
            seed: 0,
        }
    }

    dafu_core::setters! {
        repeats: usize,
        seed: u64,
    }

    /// Asks the model about the rows as they are and with each group permuted. `blocks` has the block of time of each row, its day
    /// for example: any number that names it; by default those of the samples ([`Samples::with_blocks`]).
    ///
    /// # Errors
    ///
    /// No rows, rows of another width than the model, a group without columns or with one that does not exist, not as many blocks
    /// as rows, and what model and metric say.
    ///
    /// # Complexity
    ///
    /// `groups * repeats` times the answers and the metric for all rows; O(n) memory a thread for n rows.
    pub fn importance(
        &self,
        model: &dyn Classifier,
        samples: &Samples<'_>,
        blocks: Option<&[i64]>,
        metric: &ExplainedMetric<'_>,
    ) -> Result<Importances, EnsembleError> {
        let rows = samples.rows();
        count("repeats", self.repeats, 1, MAX_REPEATS)?;
        if rows.nrows() == 0 {
            return Err(EnsembleError::NoRows);
        }
        check_width(model.width(), rows.ncols())?;
        for group in &self.groups {
            count("columns of a group", group.columns.len(), 1, MAX_ROWS)?;
            group
                .columns
                .iter()
                .try_for_each(|column| check_column("groups", *column, rows.ncols()))?;
        }
        let blocks = if let Some(blocks) = blocks {
            check_length("blocks", rows.nrows(), blocks.len())?;
            rows_of_blocks(blocks)
        } else {
            let blocks = (0..rows.nrows()).map(|row| i64::from(samples.block(row)));
            rows_of_blocks(&blocks.collect::<Vec<_>>())
        };
        let same: Vec<usize> = (0..rows.nrows()).collect();
        let whole = metric(samples, &answers(model, rows, &[], &same)?)?;
        let tasks = self.groups.len() * self.repeats;
        let losses = threads::map(tasks, |task| -> Result<f64, EnsembleError> {
            let (group, repeat) = (task / self.repeats, task % self.repeats);
            // All groups share the permutations: what differs between them is not chance.
            let mut stream = Stream::new(self.seed, PERMUTATIONS, repeat as u64);
            let sources = permuted(&blocks, rows.nrows(), &mut stream);
            let log_odds = answers(model, rows, &self.groups[group].columns, &sources)?;
            Ok(whole - metric(samples, &log_odds)?)
        });
        let losses: Vec<f64> = losses.into_iter().collect::<Result<_, _>>()?;
        let each = self.groups.iter().zip(losses.chunks(self.repeats));
        Ok(Importances {
            metric: whole,
            groups: each
                .map(|(group, losses)| Importance::new(&group.name, losses))
                .collect(),
        })
    }
}

impl Importance {
    fn new(name: &str, losses: &[f64]) -> Self {
        let repeats = losses.len() as f64;
        let mean = losses.iter().sum::<f64>() / repeats;
        let squares: f64 = losses.iter().map(|loss| (loss - mean).powi(2)).sum();
        let standard_error = if losses.len() < 2 {
            f64::INFINITY
        } else {
            (squares / (repeats - 1.0) / repeats).sqrt()
        };
        Self {
            name: name.to_owned(),
            mean,
            standard_error,
            losses: losses.to_vec(),
        }
    }
}

/// The rows of each block, blocks in rising order.
fn rows_of_blocks(blocks: &[i64]) -> Vec<Vec<usize>> {
    let mut order: Vec<(i64, usize)> = blocks.iter().copied().zip(0..).collect();
    order.sort_unstable();
    let blocks = order.chunk_by(|one, two| one.0 == two.0);
    blocks
        .map(|block| block.iter().map(|(_, row)| *row).collect())
        .collect()
}

/// The row that each row takes its values from, by the shuffle of Fisher and Yates within each block.
fn permuted(blocks: &[Vec<usize>], rows: usize, stream: &mut Stream) -> Vec<usize> {
    let mut sources = vec![0; rows];
    for block in blocks {
        let mut shuffled = block.clone();
        for last in (1..shuffled.len()).rev() {
            shuffled.swap(last, stream.index_below(last + 1));
        }
        for (row, source) in block.iter().zip(shuffled) {
            if let Some(place) = sources.get_mut(*row) {
                *place = source;
            }
        }
    }
    sources
}

/// What the model says where columns of each row come from another.
fn answers(
    model: &dyn Classifier,
    rows: ArrayView2<'_, f64>,
    columns: &[usize],
    sources: &[usize],
) -> Result<Vec<f64>, EnsembleError> {
    let mut log_odds = vec![0.0; rows.nrows()];
    for (chunk, out) in log_odds.chunks_mut(CHUNK).enumerate() {
        let first = chunk * CHUNK;
        let chunk = Slice::from(first..first + out.len());
        let mut changed = rows.slice_axis(Axis(0), chunk).to_owned();
        for (mut row, source) in changed.rows_mut().into_iter().zip(&sources[first..]) {
            for column in columns {
                row[*column] = rows[[*source, *column]];
            }
        }
        model.log_odds_rows(changed.view(), out)?;
    }
    Ok(log_odds)
}
