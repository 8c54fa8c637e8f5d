//! What the Brier score is made of, and skill against always saying the same.

use super::input::{check_share, ratio, weight_of};
use super::{CalibrationBinning, Class, MetricsError, brier_score, calibration, log_loss};

/// The parts of the Brier score: `reliability - resolution + uncertainty + within_bin_variance - within_bin_covariance`.
///
/// The first three are those of Murphy, exact only where all probabilities of a bin are equal; the last two are what the
/// width of the bins adds, so that the sum is the Brier score whatever the bins.
///
/// Source: Murphy 1973, *A new vector partition of the probability score*; Stephenson, Coelho and Jolliffe 2008, *Two extra
/// components in the Brier score decomposition*, equation 9.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BrierDecomposition {
    /// Mean squared distance of observed share and mean probability of the bins: lower is better.
    pub reliability: f64,
    /// Mean squared distance of the observed share of the bins and of all rows: higher is better.
    pub resolution: f64,
    /// Variance of the labels: the Brier score of always saying the share of frauds.
    pub uncertainty: f64,
    /// Mean squared distance of the probabilities and the mean of their bin.
    pub within_bin_variance: f64,
    /// Twice the mean covariance of probabilities and labels within the bins.
    pub within_bin_covariance: f64,
}

impl BrierDecomposition {
    /// The Brier score.
    pub fn brier(&self) -> f64 {
        self.reliability - self.generalized_resolution() + self.uncertainty
    }

    /// Resolution with that within the bins, which does not fall with the width of the bins.
    ///
    /// Source: Stephenson, Coelho and Jolliffe 2008, equation 10.
    pub fn generalized_resolution(&self) -> f64 {
        self.resolution - self.within_bin_variance + self.within_bin_covariance
    }
}

/// Splits the Brier score into its parts, over the bins of [`calibration`].
///
/// # Errors
///
/// As [`calibration`].
///
/// # Complexity
///
/// As [`calibration`].
///
/// # Examples
///
/// ```
/// use dafu_core::metrics::{CalibrationBinning, brier_decomposition, brier_score};
///
/// let labels = [false, true, false, true];
/// let probabilities = [0.1, 0.3, 0.6, 0.9];
/// let parts = brier_decomposition(&labels, &probabilities, None, 2, CalibrationBinning::Uniform)?;
/// assert_eq!(parts.uncertainty, 0.25);
/// assert!((parts.brier() - brier_score(&labels, &probabilities, None)?).abs() < 1e-15);
/// # Ok::<(), dafu_core::metrics::MetricsError>(())
/// ```
pub fn brier_decomposition(
    labels: &[bool],
    probabilities: &[f64],
    weights: Option<&[f64]>,
    bins: usize,
    binning: CalibrationBinning,
) -> Result<BrierDecomposition, MetricsError> {
    let bins = calibration(labels, probabilities, weights, bins, binning)?.bins;
    let total: f64 = bins.iter().map(|bin| bin.weight).sum();
    let frauds: f64 = bins.iter().map(|bin| bin.weight * bin.observed).sum();
    let share = frauds / total;
    let mut parts = BrierDecomposition {
        reliability: 0.0,
        resolution: 0.0,
        uncertainty: share * (1.0 - share),
        within_bin_variance: 0.0,
        within_bin_covariance: 0.0,
    };
    for bin in &bins {
        let weight = bin.weight / total;
        parts.reliability += weight * (bin.mean_predicted - bin.observed).powi(2);
        parts.resolution += weight * (bin.observed - share).powi(2);
    }
    for (row, (&label, &probability)) in labels.iter().zip(probabilities).enumerate() {
        let weight = weight_of(weights, row) / total;
        // Each row of weight above 0 is in one of these; the others add nothing wherever they are.
        let bin = bins.partition_point(|bin| bin.upper < probability);
        let bin = bins[bin.min(bins.len() - 1)];
        let away = probability - bin.mean_predicted;
        let label = f64::from(u8::from(label));
        parts.within_bin_variance += weight * away * away;
        parts.within_bin_covariance += 2.0 * weight * away * (label - bin.observed);
    }
    Ok(parts)
}

/// Brier skill score: 1 for a perfect prediction, 0 for one as good as always saying `prior`, below 0 for a worse one.
///
/// `prior` is the share of frauds that was known before, for example that of the training rows; `None` takes the share among
/// these rows, which is the hardest to beat.
///
/// # Errors
///
/// As [`brier_score`]; a prior that is not from 0 to 1; [`MetricsError::SingleClass`] without a prior where all rows have one
/// label; [`MetricsError::InvalidParameter`] for a prior that has no loss on these rows, which leaves nothing to gain.
///
/// # Complexity
///
/// O(n) for n rows.
///
/// Source: Murphy 1988, *Skill scores based on the mean square error and their relationships to the correlation coefficient*.
pub fn brier_skill(
    labels: &[bool],
    probabilities: &[f64],
    weights: Option<&[f64]>,
    prior: Option<f64>,
) -> Result<f64, MetricsError> {
    let score = brier_score(labels, probabilities, weights)?;
    let share = share_of(labels, weights);
    let prior = prior_of(share, prior)?;
    skill(
        score,
        share * (1.0 - prior).powi(2) + (1.0 - share) * prior.powi(2),
        prior,
    )
}

/// Log-loss skill score: as [`brier_skill`], of the log loss. With the share among these rows as the prior it is the share
/// of the entropy of the labels that the probabilities explain.
///
/// # Errors
///
/// As [`brier_skill`].
///
/// # Complexity
///
/// O(n) for n rows.
///
/// Source: `McFadden` 1974, *Conditional logit analysis of qualitative choice behavior* (the likelihood ratio index).
pub fn log_loss_skill(
    labels: &[bool],
    probabilities: &[f64],
    weights: Option<&[f64]>,
    prior: Option<f64>,
) -> Result<f64, MetricsError> {
    let score = log_loss(labels, probabilities, weights)?;
    let share = share_of(labels, weights);
    let prior = prior_of(share, prior)?;
    // The same limits as the log loss.
    let nearly = |probability: f64| -probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln();
    let known = share * nearly(prior) + (1.0 - share) * nearly(1.0 - prior);
    skill(score, known, prior)
}

/// The share of frauds; slices were checked before.
fn share_of(labels: &[bool], weights: Option<&[f64]>) -> f64 {
    let (mut frauds, mut total) = (0.0, 0.0);
    for (row, &label) in labels.iter().enumerate() {
        let weight = weight_of(weights, row);
        total += weight;
        frauds += if label { weight } else { 0.0 };
    }
    ratio(frauds, total)
}

fn prior_of(share: f64, prior: Option<f64>) -> Result<f64, MetricsError> {
    if let Some(prior) = prior {
        check_share("prior", prior)?;
        return Ok(prior);
    }
    let missing = if share <= 0.0 {
        Class::Positive
    } else if share >= 1.0 {
        Class::Negative
    } else {
        return Ok(share);
    };
    Err(MetricsError::SingleClass {
        metric: "skill without a prior",
        missing,
    })
}

fn skill(score: f64, known: f64, prior: f64) -> Result<f64, MetricsError> {
    if known > 0.0 {
        Ok(1.0 - score / known)
    } else {
        Err(MetricsError::InvalidParameter {
            name: "prior",
            requirement: "a share that is wrong on at least one row",
            got: prior,
        })
    }
}
