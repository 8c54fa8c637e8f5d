//! A ranking in bounded memory, for more rows than fit.

use super::input::{check_amounts, check_not_empty, check_probable, weight_of};
use super::ranking::CumulativeAmounts;
use super::{MetricsError, Ranking};

/// Counts of both classes in bins of equal width over the scores 0 to 1; grows by chunks, merges,
/// and becomes a [`Ranking`] with one step per bin.
///
/// # Error
///
/// The number of bins is a power of two, so the edges are exact: a score is in a bin if and only
/// if it is at or above its lower edge, and every point of the binned curves is a point of the
/// exact ones. What is lost is the order within a bin, whose rows count as equal scores:
///
/// - ROC AUC and average precision: at most as far off as [`Ranking::roc_auc_bounds`] and
///   [`Ranking::average_precision_bounds`] of the binned ranking say. For ROC AUC that is half of
///   the share of (fraud, honest) pairs that meet in a bin.
/// - KS: too low by at most the largest share of one class in one bin.
/// - Thresholds: the best among the edges of the bins.
/// - Precision and recall at k: the bin on the border is divided evenly.
///
/// Scores crowded into a few bins (probabilities all below 0.001, say) make the bounds wide; more
/// bins or a monotone map of the scores help, since a ranking does not change by it.
///
/// Sums of weights depend on the order of chunks and merges in their last bits; without weights
/// all counts are exact.
///
/// # Examples
///
/// ```
/// use dafu_core::metrics::BinnedRanking;
///
/// let mut bins = BinnedRanking::default();
/// bins.extend(&[false, true], &[0.1, 0.35], None, None)?; // one chunk of a file
/// bins.extend(&[false, true], &[0.4, 0.8], None, None)?; // the next
/// let ranking = bins.to_ranking()?;
/// assert_eq!(ranking.roc_auc()?, 0.75);
/// # Ok::<(), dafu_core::metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BinnedRanking {
    bins: Vec<Bin>,
    /// One pair per bin; `None` until a chunk with amounts comes.
    amounts: Option<Vec<AmountBin>>,
    rows: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Bin {
    fraud: f64,
    honest: f64,
    rows: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct AmountBin {
    fraud: f64,
    honest: f64,
}

impl Default for BinnedRanking {
    /// 65,536 bins.
    fn default() -> Self {
        Self::with_bins(Self::DEFAULT_BINS)
    }
}

impl BinnedRanking {
    /// The number of bins of [`BinnedRanking::default`]: 1.5 MiB without amounts.
    pub const DEFAULT_BINS: usize = 1 << 16;

    /// The highest number of bins.
    pub const MAX_BINS: usize = 1 << 24;

    /// Empty bins.
    ///
    /// # Errors
    ///
    /// [`MetricsError::InvalidParameter`] when `bins` is not a power of two from 2 to 2^24.
    ///
    /// # Complexity
    ///
    /// 24 bytes a bin, 40 with amounts, whatever the number of rows.
    pub fn new(bins: usize) -> Result<Self, MetricsError> {
        if bins.is_power_of_two() && (2..=Self::MAX_BINS).contains(&bins) {
            Ok(Self::with_bins(bins))
        } else {
            Err(MetricsError::InvalidParameter {
                name: "bins",
                requirement: "a power of two from 2 to 16777216",
                got: bins as f64,
            })
        }
    }

    fn with_bins(bins: usize) -> Self {
        Self {
            bins: vec![Bin::default(); bins],
            amounts: None,
            rows: 0,
        }
    }

    /// The number of bins.
    pub fn bins(&self) -> usize {
        self.bins.len()
    }

    /// The number of rows with a weight above zero.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds a chunk of rows with scores from 0 to 1. An empty chunk is no error.
    ///
    /// Either all chunks come with amounts or none; see [`Ranking::with_amounts`].
    ///
    /// # Errors
    ///
    /// Slices of different lengths, [`MetricsError::ProbabilityOutOfRange`] for a score outside
    /// of 0 to 1 or NaN, an invalid weight or amount, [`MetricsError::AmountsMixed`]. Rows are
    /// counted within the chunk; after an error the bins are as before.
    ///
    /// # Complexity
    ///
    /// O(n) for n rows.
    pub fn extend(
        &mut self,
        labels: &[bool],
        scores: &[f64],
        weights: Option<&[f64]>,
        amounts: Option<&[f64]>,
    ) -> Result<(), MetricsError> {
        check_probable(labels.len(), ("scores", scores), weights)?;
        check_amounts(amounts, labels.len())?;
        if labels.is_empty() {
            return Ok(());
        }
        self.agree_on_amounts(amounts.is_some())?;
        let count = self.bins.len();
        for (row, (&label, &score)) in labels.iter().zip(scores).enumerate() {
            let weight = weight_of(weights, row);
            if weight <= 0.0 {
                continue;
            }
            let index = bin_of(score, count);
            let bin = &mut self.bins[index];
            bin.rows += 1;
            self.rows += 1;
            if label {
                bin.fraud += weight;
            } else {
                bin.honest += weight;
            }
            if let (Some(sums), Some(amounts)) = (&mut self.amounts, amounts) {
                let sum = &mut sums[index];
                if label {
                    sum.fraud += weight * amounts[row];
                } else {
                    sum.honest += weight * amounts[row];
                }
            }
        }
        Ok(())
    }

    /// Adds the rows of another accumulator, for instance of another thread or file.
    ///
    /// # Errors
    ///
    /// [`MetricsError::BinsDiffer`]; [`MetricsError::AmountsMixed`] when one side has amounts and
    /// the other has rows without. After an error the bins are as before.
    ///
    /// # Complexity
    ///
    /// O(b) for b bins.
    pub fn merge(&mut self, other: &Self) -> Result<(), MetricsError> {
        let (expected, got) = (self.bins.len(), other.bins.len());
        if expected != got {
            return Err(MetricsError::BinsDiffer { expected, got });
        }
        if other.rows == 0 {
            return Ok(());
        }
        self.agree_on_amounts(other.amounts.is_some())?;
        self.rows += other.rows;
        for (bin, other) in self.bins.iter_mut().zip(&other.bins) {
            bin.fraud += other.fraud;
            bin.honest += other.honest;
            bin.rows += other.rows;
        }
        if let (Some(sums), Some(others)) = (&mut self.amounts, &other.amounts) {
            for (sum, other) in sums.iter_mut().zip(others) {
                sum.fraud += other.fraud;
                sum.honest += other.honest;
            }
        }
        Ok(())
    }

    /// The first rows decide whether there are amounts.
    fn agree_on_amounts(&mut self, come: bool) -> Result<(), MetricsError> {
        match (come, self.amounts.is_some()) {
            (true, false) if self.rows == 0 => {
                self.amounts = Some(vec![AmountBin::default(); self.bins.len()]);
                Ok(())
            }
            (false, true) if self.rows == 0 => {
                self.amounts = None;
                Ok(())
            }
            (come, kept) if come == kept => Ok(()),
            _ => Err(MetricsError::AmountsMixed),
        }
    }

    /// The ranking of the rows so far, with the lower edges of the bins as thresholds.
    ///
    /// # Errors
    ///
    /// No rows, all weights zero, or sums beyond `f64`.
    ///
    /// # Complexity
    ///
    /// O(b) for b bins.
    pub fn to_ranking(&self) -> Result<Ranking, MetricsError> {
        check_not_empty(usize::from(self.rows > 0))?;
        let mut ranking = Ranking {
            thresholds: Vec::new(),
            fraud: Vec::new(),
            honest: Vec::new(),
            rows: Vec::new(),
            amounts: self.amounts.is_some().then(CumulativeAmounts::default),
        };
        let mut sum = Bin::default();
        let mut amount = AmountBin::default();
        let count = self.bins.len() as f64;
        for (index, bin) in self.bins.iter().enumerate().rev() {
            if bin.rows == 0 {
                continue;
            }
            sum.fraud += bin.fraud;
            sum.honest += bin.honest;
            sum.rows += bin.rows;
            ranking.thresholds.push(index as f64 / count);
            ranking.fraud.push(sum.fraud);
            ranking.honest.push(sum.honest);
            ranking.rows.push(sum.rows);
            if let (Some(sums), Some(amounts)) = (&mut ranking.amounts, &self.amounts) {
                amount.fraud += amounts[index].fraud;
                amount.honest += amounts[index].honest;
                sums.fraud.push(amount.fraud);
                sums.honest.push(amount.honest);
            }
        }
        ranking.checked()
    }
}

/// Exact, since `count` is a power of two; the score 1 is in the last bin.
fn bin_of(score: f64, count: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the score is within 0 to 1, the product within 0 to count"
    )]
    let index = (score * count as f64) as usize;
    index.min(count - 1)
}
