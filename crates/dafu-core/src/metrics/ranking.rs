//! The rows sorted once by score: every metric of a ranking starts here.

use super::confusion::check_threshold;
use super::input::{check_amounts, check_scored, check_total, weight_of};
use super::{Class, Confusion, MetricsError};

/// Labelled rows sorted by score, highest first, as cumulative counts at each distinct score.
///
/// Built once, then asked for as many metrics as needed: each takes one pass over the distinct
/// scores, none sorts again. A *cut* of the ranking is a threshold: rows with
/// `score >= threshold` are alerted.
///
/// Conventions, the same as in scikit-learn:
///
/// - Rows with equal scores (0.0 and -0.0 are equal) are one step of the sweep; their order in
///   the input plays no part. In fact no result depends on the order of the rows, to the bit.
/// - Rows of weight zero are left out, wherever they stand.
/// - Without weights all counts are exact up to 2^53 rows.
///
/// # Shapes
///
/// `labels`, `scores`, `weights` and `amounts` have one element per row; `labels[i]` is true for
/// a fraud.
///
/// # Examples
///
/// ```
/// use dafu_core::metrics::Ranking;
///
/// let labels = [false, false, true, true];
/// let scores = [0.1, 0.4, 0.35, 0.8];
/// let ranking = Ranking::new(&labels, &scores, None)?;
/// assert_eq!(ranking.roc_auc()?, 0.75);
/// assert_eq!(ranking.precision_at_k(1)?, 1.0);
/// assert_eq!(ranking.confusion_at(0.35)?.recall(), 1.0);
/// # Ok::<(), dafu_core::metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// Distinct scores, descending; the lower edges of the bins for a binned ranking.
    pub(super) thresholds: Vec<f64>,
    /// Weight of the frauds at or above each threshold.
    pub(super) fraud: Vec<f64>,
    /// Weight of the honest rows at or above each threshold.
    pub(super) honest: Vec<f64>,
    /// Rows of weight above zero at or above each threshold.
    pub(super) rows: Vec<u64>,
    pub(super) amounts: Option<CumulativeAmounts>,
}

/// Amount times weight at or above each threshold.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct CumulativeAmounts {
    pub(super) fraud: Vec<f64>,
    pub(super) honest: Vec<f64>,
}

/// How the amounts divide at a threshold, each the sum of amount times weight.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AmountSplit {
    /// Amount of the frauds that were alerted.
    pub fraud_caught: f64,
    /// Amount of the frauds that were missed.
    pub fraud_missed: f64,
    /// Amount of the honest rows that were alerted.
    pub honest_alerted: f64,
    /// Amount of the honest rows that were left alone.
    pub honest_passed: f64,
}

impl AmountSplit {
    /// Share of the fraudulent amount that was alerted (value detection rate); 0 where there is
    /// no fraudulent amount.
    pub fn value_detection_rate(&self) -> f64 {
        super::input::ratio(self.fraud_caught, self.fraud_caught + self.fraud_missed)
    }
}

impl Ranking {
    /// Sorts the rows by score.
    ///
    /// # Errors
    ///
    /// Slices of different lengths or without rows, a NaN or infinite score, a negative or
    /// non-finite weight, all weights zero, a sum of weights beyond `f64`. One class alone is an
    /// error of the metrics that need two, not of the ranking.
    ///
    /// # Complexity
    ///
    /// O(n log n) time for n rows; 16 bytes a row beside the result while sorting without weights.
    pub fn new(
        labels: &[bool],
        scores: &[f64],
        weights: Option<&[f64]>,
    ) -> Result<Self, MetricsError> {
        check_scored(labels.len(), scores, weights)?;
        let ranking = match weights {
            None => rank(labels, scores, |row| Some(order_key(scores[row]))),
            Some(weights) => rank(labels, scores, |row| {
                (weights[row] > 0.0).then(|| (order_key(scores[row]), weights[row].to_bits()))
            }),
        };
        ranking.checked()
    }

    /// Sorts the rows by score and keeps their amounts, for costs by amount.
    ///
    /// An amount is the money at stake in a row, in one currency for all rows. Negative amounts
    /// (refunds) are summed as they are.
    ///
    /// # Errors
    ///
    /// As [`Ranking::new`]; a NaN or infinite amount, a sum of amounts beyond `f64`.
    ///
    /// # Complexity
    ///
    /// O(n log n) time for n rows.
    pub fn with_amounts(
        labels: &[bool],
        scores: &[f64],
        weights: Option<&[f64]>,
        amounts: &[f64],
    ) -> Result<Self, MetricsError> {
        check_scored(labels.len(), scores, weights)?;
        check_amounts(Some(amounts), labels.len())?;
        rank(labels, scores, |row| {
            let weight = weight_of(weights, row);
            (weight > 0.0).then(|| {
                (
                    order_key(scores[row]),
                    weight.to_bits(),
                    amounts[row].to_bits(),
                )
            })
        })
        .checked()
    }

    /// The totals must be usable before any metric divides by them.
    pub(super) fn checked(self) -> Result<Self, MetricsError> {
        check_total(self.positives() + self.negatives())?;
        if let Some(amounts) = &self.amounts {
            let split = amounts.split(self.len());
            // One sum that went out of range is never finite again.
            if !(split.fraud_caught.is_finite() && split.honest_alerted.is_finite()) {
                return Err(MetricsError::Overflow { what: "amounts" });
            }
        }
        Ok(self)
    }

    /// Number of distinct scores (of bins that are not empty for a binned ranking).
    pub fn len(&self) -> usize {
        self.thresholds.len()
    }

    /// Never true: a ranking without rows cannot be built.
    pub fn is_empty(&self) -> bool {
        self.thresholds.is_empty()
    }

    /// Number of rows with a weight above zero.
    pub fn rows(&self) -> u64 {
        self.rows.last().copied().unwrap_or(0)
    }

    /// Weight of the frauds.
    pub fn positives(&self) -> f64 {
        self.fraud.last().copied().unwrap_or(0.0)
    }

    /// Weight of the honest rows.
    pub fn negatives(&self) -> f64 {
        self.honest.last().copied().unwrap_or(0.0)
    }

    /// The distinct scores, descending: every threshold that makes a difference.
    pub fn thresholds(&self) -> &[f64] {
        &self.thresholds
    }

    /// Confusion counts when rows with `score >= threshold` are alerted.
    ///
    /// In a binned ranking a threshold inside of a bin acts as the next edge above it.
    ///
    /// # Errors
    ///
    /// A NaN threshold.
    ///
    /// # Complexity
    ///
    /// O(log m) for m distinct scores.
    pub fn confusion_at(&self, threshold: f64) -> Result<Confusion, MetricsError> {
        Ok(self.confusion_of_cut(self.cut_of(threshold)?))
    }

    /// How the amounts divide when rows with `score >= threshold` are alerted.
    ///
    /// # Errors
    ///
    /// A NaN threshold; [`MetricsError::AmountsMissing`] for a ranking without amounts.
    ///
    /// # Complexity
    ///
    /// O(log m) for m distinct scores.
    pub fn amounts_at(&self, threshold: f64) -> Result<AmountSplit, MetricsError> {
        let cut = self.cut_of(threshold)?;
        let amounts = self.amounts.as_ref().ok_or(MetricsError::AmountsMissing)?;
        Ok(amounts.split(cut))
    }

    /// The number of distinct scores at or above a threshold: the cut that it makes.
    pub(super) fn cut_of(&self, threshold: f64) -> Result<usize, MetricsError> {
        check_threshold(threshold)?;
        Ok(self.thresholds.partition_point(|&score| score >= threshold))
    }

    /// The threshold of a cut; infinity for the cut that alerts nobody.
    pub(super) fn threshold_of_cut(&self, cut: usize) -> f64 {
        match cut.checked_sub(1) {
            None => f64::INFINITY,
            Some(step) => self.thresholds[step],
        }
    }

    /// Counts when the first `cut` distinct scores are alerted.
    pub(super) fn confusion_of_cut(&self, cut: usize) -> Confusion {
        let (true_positives, false_positives) = self.alerted(cut);
        Confusion {
            true_positives,
            false_positives,
            true_negatives: self.negatives() - false_positives,
            false_negatives: self.positives() - true_positives,
        }
    }

    /// Weight of frauds and of honest rows among the first `cut` distinct scores.
    pub(super) fn alerted(&self, cut: usize) -> (f64, f64) {
        match cut.checked_sub(1) {
            None => (0.0, 0.0),
            Some(step) => (self.fraud[step], self.honest[step]),
        }
    }

    /// Rows among the first `cut` distinct scores.
    pub(super) fn rows_alerted(&self, cut: usize) -> u64 {
        cut.checked_sub(1).map_or(0, |step| self.rows[step])
    }

    /// Both classes must have a weight.
    pub(super) fn check_two_classes(&self, metric: &'static str) -> Result<(), MetricsError> {
        self.check_positives(metric)?;
        if self.negatives() > 0.0 {
            Ok(())
        } else {
            Err(MetricsError::SingleClass {
                metric,
                missing: Class::Negative,
            })
        }
    }

    /// There must be a fraud.
    pub(super) fn check_positives(&self, metric: &'static str) -> Result<(), MetricsError> {
        if self.positives() > 0.0 {
            Ok(())
        } else {
            Err(MetricsError::SingleClass {
                metric,
                missing: Class::Positive,
            })
        }
    }
}

impl CumulativeAmounts {
    pub(super) fn split(&self, cut: usize) -> AmountSplit {
        let total = |sums: &[f64]| sums.last().copied().unwrap_or(0.0);
        let above = |sums: &[f64]| cut.checked_sub(1).map_or(0.0, |step| sums[step]);
        let fraud_caught = above(&self.fraud);
        let honest_alerted = above(&self.honest);
        AmountSplit {
            fraud_caught,
            fraud_missed: total(&self.fraud) - fraud_caught,
            honest_alerted,
            honest_passed: total(&self.honest) - honest_alerted,
        }
    }
}

/// A row as it is sorted. The order is by score, highest first, then by weight and amount, so
/// that the sums within a group of equal scores have one order whatever the order of the input.
trait SortedRow: Ord + Copy {
    const AMOUNTS: bool = false;
    fn key(self) -> u64;
    fn weight(self) -> f64 {
        1.0
    }
    fn amount(self) -> f64 {
        0.0
    }
}

impl SortedRow for u64 {
    fn key(self) -> u64 {
        self
    }
}

impl SortedRow for (u64, u64) {
    fn key(self) -> u64 {
        self.0
    }
    fn weight(self) -> f64 {
        f64::from_bits(self.1)
    }
}

impl SortedRow for (u64, u64, u64) {
    const AMOUNTS: bool = true;
    fn key(self) -> u64 {
        self.0
    }
    fn weight(self) -> f64 {
        f64::from_bits(self.1)
    }
    fn amount(self) -> f64 {
        f64::from_bits(self.2)
    }
}

/// Maps a finite score to an integer that grows as the score falls; 0.0 and -0.0 are equal.
pub(super) fn order_key(score: f64) -> u64 {
    let bits = (score + 0.0).to_bits();
    if bits >> 63 == 0 {
        !(bits | 1 << 63)
    } else {
        bits
    }
}

fn score_of_key(key: u64) -> f64 {
    if key >> 63 == 0 {
        f64::from_bits(!key & !(1 << 63))
    } else {
        f64::from_bits(key)
    }
}

/// Sorts each class by itself (so that no label travels with the keys) and merges the two.
fn rank<R: SortedRow>(
    labels: &[bool],
    scores: &[f64],
    sorted_row: impl Fn(usize) -> Option<R>,
) -> Ranking {
    let frauds = labels.iter().filter(|label| **label).count();
    let mut fraud = Vec::with_capacity(frauds);
    let mut honest = Vec::with_capacity(scores.len() - frauds);
    for (row, &label) in labels.iter().enumerate() {
        if let Some(sorted) = sorted_row(row) {
            if label {
                fraud.push(sorted);
            } else {
                honest.push(sorted);
            }
        }
    }
    fraud.sort_unstable();
    honest.sort_unstable();
    merge(&fraud, &honest)
}

fn distinct_keys<R: SortedRow>(sorted: &[R]) -> usize {
    let changes = sorted
        .windows(2)
        .filter(|pair| pair[0].key() != pair[1].key());
    changes.count() + usize::from(!sorted.is_empty())
}

fn merge<R: SortedRow>(fraud: &[R], honest: &[R]) -> Ranking {
    // Exact unless a fraud and an honest row have equal scores; growing would cost more than
    // counting.
    let steps = distinct_keys(fraud) + distinct_keys(honest);
    let mut ranking = Ranking {
        thresholds: Vec::with_capacity(steps),
        fraud: Vec::with_capacity(steps),
        honest: Vec::with_capacity(steps),
        rows: Vec::with_capacity(steps),
        amounts: R::AMOUNTS.then(|| CumulativeAmounts {
            fraud: Vec::with_capacity(steps),
            honest: Vec::with_capacity(steps),
        }),
    };
    let mut fraud = ClassRows::new(fraud);
    let mut honest = ClassRows::new(honest);
    let mut rows = 0_u64;
    while let Some(key) = match (fraud.next_key(), honest.next_key()) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    } {
        rows += fraud.take(key) + honest.take(key);
        ranking.thresholds.push(score_of_key(key));
        ranking.fraud.push(fraud.weight);
        ranking.honest.push(honest.weight);
        ranking.rows.push(rows);
        if let Some(amounts) = &mut ranking.amounts {
            amounts.fraud.push(fraud.amount);
            amounts.honest.push(honest.amount);
        }
    }
    ranking
}

/// The sorted rows of one class that are still to come, and the sums of those taken.
struct ClassRows<'a, R> {
    rest: &'a [R],
    weight: f64,
    amount: f64,
}

impl<'a, R: SortedRow> ClassRows<'a, R> {
    fn new(rest: &'a [R]) -> Self {
        Self {
            rest,
            weight: 0.0,
            amount: 0.0,
        }
    }

    fn next_key(&self) -> Option<u64> {
        self.rest.first().map(|row| row.key())
    }

    /// Takes the rows with this key and returns how many there were.
    fn take(&mut self, key: u64) -> u64 {
        let mut taken = 0;
        while let Some((row, rest)) = self.rest.split_first()
            && row.key() == key
        {
            self.weight += row.weight();
            if R::AMOUNTS {
                self.amount += row.weight() * row.amount();
            }
            self.rest = rest;
            taken += 1;
        }
        taken
    }
}
