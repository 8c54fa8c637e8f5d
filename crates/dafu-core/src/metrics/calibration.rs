//! Calibration bins (reliability diagram) and the calibration error.

use super::MetricsError;
use super::input::{check_length, check_not_empty, check_probable, check_total, weight_of};

/// How probabilities are put into bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum CalibrationBinning {
    /// Bins of equal width from 0 to 1. Where frauds are rare most rows are in the first.
    #[default]
    Uniform,
    /// Bins of about equal numbers of rows, their edges at quantiles of the probabilities.
    ///
    /// Without weights the quantiles interpolate linearly, as in scikit-learn. With weights an
    /// edge is the lowest probability whose cumulative weight reaches the share asked for, the
    /// `inverted_cdf` of numpy; so weights that are all 1 may give other edges than no weights.
    Quantile,
}

/// The rows whose probability is within one bin.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CalibrationBin {
    /// Probabilities in the bin are above this edge (the first bin includes it).
    pub lower: f64,
    /// Probabilities in the bin are at most this edge.
    pub upper: f64,
    /// Number of rows with a weight above zero.
    pub rows: u64,
    /// Sum of their weights.
    pub weight: f64,
    /// Weighted mean of the predicted probabilities.
    pub mean_predicted: f64,
    /// Weighted share of frauds.
    pub observed: f64,
}

/// Predicted against observed share of frauds, one bin after the other; empty bins are left out.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Calibration {
    /// The bins that have rows, ascending.
    pub bins: Vec<CalibrationBin>,
}

impl Calibration {
    /// Expected calibration error: the distance of observed share and mean prediction, averaged
    /// over the bins by weight.
    ///
    /// Source: Naeini, Cooper and Hauskrecht 2015, *Obtaining well calibrated probabilities using
    /// Bayesian binning*.
    pub fn expected_error(&self) -> f64 {
        let total: f64 = self.bins.iter().map(|bin| bin.weight).sum();
        self.bins
            .iter()
            .map(|bin| bin.weight / total * (bin.observed - bin.mean_predicted).abs())
            .sum()
    }

    /// Maximum calibration error: the largest distance of observed share and mean prediction.
    ///
    /// Source: as [`Calibration::expected_error`].
    pub fn maximum_error(&self) -> f64 {
        self.bins
            .iter()
            .map(|bin| (bin.observed - bin.mean_predicted).abs())
            .fold(0.0, f64::max)
    }
}

/// The highest number of calibration bins.
const MAX_BINS: usize = 1 << 20;

/// Calibration in bins of equal width, grown by chunks and merged; bounded memory.
///
/// # Examples
///
/// ```
/// use dafu_core::metrics::UniformCalibration;
///
/// let mut bins = UniformCalibration::new(10)?;
/// bins.extend(&[false, true], &[0.05, 0.95], None)?; // one chunk of a file
/// bins.extend(&[false], &[0.15], None)?; // the next
/// assert_eq!(bins.finish()?.bins.len(), 3);
/// # Ok::<(), dafu_core::metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct UniformCalibration {
    sums: BinSums,
}

impl UniformCalibration {
    /// Empty bins.
    ///
    /// # Errors
    ///
    /// [`MetricsError::InvalidParameter`] when `bins` is not from 1 to 2^20.
    ///
    /// # Complexity
    ///
    /// 40 bytes a bin.
    pub fn new(bins: usize) -> Result<Self, MetricsError> {
        check_bins(bins)?;
        Ok(Self {
            sums: BinSums::new(uniform_edges(bins)),
        })
    }

    /// Adds rows.
    ///
    /// # Errors
    ///
    /// Slices of different lengths, a probability outside of 0 to 1, an invalid weight. After an
    /// error the bins are as before.
    ///
    /// # Complexity
    ///
    /// O(n log b) for n rows and b bins.
    pub fn extend(
        &mut self,
        labels: &[bool],
        probabilities: &[f64],
        weights: Option<&[f64]>,
    ) -> Result<(), MetricsError> {
        check_probable(labels.len(), ("probabilities", probabilities), weights)?;
        self.sums.extend(labels, probabilities, weights);
        Ok(())
    }

    /// Adds the rows of another accumulator.
    ///
    /// # Errors
    ///
    /// [`MetricsError::BinsDiffer`].
    pub fn merge(&mut self, other: &Self) -> Result<(), MetricsError> {
        let (expected, got) = (self.sums.bins.len(), other.sums.bins.len());
        if expected != got {
            return Err(MetricsError::BinsDiffer { expected, got });
        }
        for (bin, other) in self.sums.bins.iter_mut().zip(&other.sums.bins) {
            bin.rows += other.rows;
            bin.weight += other.weight;
            bin.predicted += other.predicted;
            bin.fraud += other.fraud;
        }
        Ok(())
    }

    /// The bins so far.
    ///
    /// # Errors
    ///
    /// No rows, all weights zero, or sums beyond `f64`.
    pub fn finish(&self) -> Result<Calibration, MetricsError> {
        self.sums.finish()
    }
}

/// Bins predicted probabilities and compares each bin with its share of frauds, as
/// `calibration_curve` of scikit-learn does, with weights besides.
///
/// # Errors
///
/// Slices of different lengths or without rows, a probability outside of 0 to 1, an invalid
/// weight, all weights zero; `bins` not from 1 to 2^20.
///
/// # Complexity
///
/// O(n log b) for n rows and b bins; quantile edges sort a copy of the probabilities first.
///
/// Source: Niculescu-Mizil and Caruana 2005, *Predicting good probabilities with supervised
/// learning*, section 4.
pub fn calibration(
    labels: &[bool],
    probabilities: &[f64],
    weights: Option<&[f64]>,
    bins: usize,
    binning: CalibrationBinning,
) -> Result<Calibration, MetricsError> {
    check_bins(bins)?;
    check_length("probabilities", probabilities.len(), labels.len())?;
    check_not_empty(labels.len())?;
    check_probable(labels.len(), ("probabilities", probabilities), weights)?;
    let edges = match binning {
        CalibrationBinning::Uniform => uniform_edges(bins),
        CalibrationBinning::Quantile => quantile_edges(probabilities, weights, bins)?,
    };
    let mut sums = BinSums::new(edges);
    sums.extend(labels, probabilities, weights);
    sums.finish()
}

fn check_bins(bins: usize) -> Result<(), MetricsError> {
    if (1..=MAX_BINS).contains(&bins) {
        Ok(())
    } else {
        Err(MetricsError::InvalidParameter {
            name: "bins",
            requirement: "from 1 to 1048576",
            got: bins as f64,
        })
    }
}

/// Rounded the way `numpy.linspace` rounds, so that a probability on an edge is in the same bin.
fn uniform_edges(bins: usize) -> Vec<f64> {
    let width = 1.0 / bins as f64;
    let mut edges: Vec<f64> = (0..bins).map(|edge| edge as f64 * width).collect();
    edges.push(1.0);
    edges
}

fn quantile_edges(
    probabilities: &[f64],
    weights: Option<&[f64]>,
    bins: usize,
) -> Result<Vec<f64>, MetricsError> {
    let shares = uniform_edges(bins);
    let Some(weights) = weights else {
        let mut sorted = probabilities.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        return Ok(shares
            .into_iter()
            // The way over percent rounds as scikit-learn does.
            .map(|share| linear_quantile(&sorted, share * 100.0 / 100.0))
            .collect());
    };
    let mut sorted: Vec<(f64, f64)> = probabilities
        .iter()
        .copied()
        .zip(weights.iter().copied())
        .filter(|&(_, weight)| weight > 0.0)
        .collect();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut sum = 0.0;
    for (_, weight) in &mut sorted {
        sum += *weight;
        *weight = sum;
    }
    check_total(sum)?;
    let last = sorted.len() - 1;
    Ok(shares
        .into_iter()
        .map(|share| {
            let reached = sorted.partition_point(|&(_, cumulative)| cumulative / sum < share);
            sorted[reached.min(last)].0
        })
        .collect())
}

/// The quantile of sorted values by linear interpolation, rounded the way numpy rounds.
fn linear_quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len() - 1;
    let position = last as f64 * share;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the position is within 0 to last"
    )]
    let below = (position.floor() as usize).min(last);
    let above = (below + 1).min(last);
    let fraction = position - below as f64;
    let distance = sorted[above] - sorted[below];
    if fraction < 0.5 {
        sorted[below] + distance * fraction
    } else {
        sorted[above] - distance * (1.0 - fraction)
    }
}

/// Edges and, between each two, the sums of the rows there.
#[derive(Debug, Clone, PartialEq)]
struct BinSums {
    edges: Vec<f64>,
    bins: Vec<BinSum>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct BinSum {
    rows: u64,
    weight: f64,
    predicted: f64,
    fraud: f64,
}

impl BinSums {
    fn new(edges: Vec<f64>) -> Self {
        let bins = vec![BinSum::default(); edges.len() - 1];
        Self { edges, bins }
    }

    fn extend(&mut self, labels: &[bool], probabilities: &[f64], weights: Option<&[f64]>) {
        let inner = &self.edges[1..self.edges.len() - 1];
        for (row, (&label, &probability)) in labels.iter().zip(probabilities).enumerate() {
            let weight = weight_of(weights, row);
            if weight > 0.0 {
                let bin = &mut self.bins[inner.partition_point(|&edge| edge < probability)];
                bin.rows += 1;
                bin.weight += weight;
                bin.predicted += weight * probability;
                bin.fraud += if label { weight } else { 0.0 };
            }
        }
    }

    fn finish(&self) -> Result<Calibration, MetricsError> {
        check_total(self.bins.iter().map(|bin| bin.weight).sum())?;
        let bins = self.bins.iter().zip(self.edges.windows(2));
        Ok(Calibration {
            bins: bins
                .filter(|(bin, _)| bin.rows > 0)
                .map(|(bin, edges)| CalibrationBin {
                    lower: edges[0],
                    upper: edges[1],
                    rows: bin.rows,
                    weight: bin.weight,
                    mean_predicted: bin.predicted / bin.weight,
                    observed: bin.fraud / bin.weight,
                })
                .collect(),
        })
    }
}
