//! Predictions of a period and what came true.

use super::special::{normal_two_sided, normal_within};
use crate::EnsembleError;
use dafu_core::metrics::{CalibrationLine, ProbabilityLoss, calibration_line};
use dafu_core::regression::logistic;

/// Bins of log odds, and the number of them.
const BIN_WIDTH: f64 = 0.5;
const BINS: usize = 64;
/// Log odds beyond which all are the same.
const FARTHEST: f64 = BIN_WIDTH * (BINS / 2) as f64;

/// How well the probabilities of a period came true.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PeriodCalibration {
    /// First time of the period.
    pub start: i64,
    /// Predictions whose delay has passed.
    pub rows: u64,
    /// Frauds among them.
    pub observed: u64,
    /// Sum of the probabilities.
    pub expected: f64,
    /// Frauds observed by frauds expected; none where none were expected.
    pub ratio: Option<f64>,
    /// Interval of the ratio: that of a Poisson binomial variable by its normal approximation.
    pub ratio_interval: Option<(f64, f64)>,
    /// Frauds observed less those expected, by the standard deviation of a sum of outcomes with these probabilities (Poisson
    /// binomial); none where all probabilities are 0 or 1.
    pub z: Option<f64>,
    /// Chance of such a `z` or one further from 0, where the probabilities are right; approximate below about 10 expected frauds.
    pub p_value: Option<f64>,
    /// The same of the Brier score, which also moves where the sum is right and the spread is wrong.
    ///
    /// Source: Spiegelhalter, "Probabilistic Prediction in Patient Management and Clinical Trials" (1986).
    pub spiegelhalter_z: Option<f64>,
    /// Mean squared error of the probabilities.
    pub brier: f64,
    /// Mean negative logarithm of the probability of what came true.
    pub log_loss: f64,
    /// The line through the log odds; none where it cannot be drawn. From counts in bins of 0.5 log odds, each at its mean; log
    /// odds beyond 16 count as 16.
    pub line: Option<CalibrationLine>,
}

/// Sums of a period.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct PeriodSums {
    rows: u64,
    observed: u64,
    expected: f64,
    variance: f64,
    /// Sum and variance of `(1 - 2 p) (outcome - p)`.
    spread: f64,
    spread_variance: f64,
    loss: ProbabilityLoss,
    bins: Vec<Bin>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Bin {
    rows: u64,
    observed: u64,
    log_odds: f64,
}

impl PeriodSums {
    pub(super) fn new() -> Self {
        Self {
            rows: 0,
            observed: 0,
            expected: 0.0,
            variance: 0.0,
            spread: 0.0,
            spread_variance: 0.0,
            loss: ProbabilityLoss::default(),
            bins: vec![Bin::default(); BINS],
        }
    }

    pub(super) const fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn add(&mut self, probability: f64, fraud: bool) -> Result<(), EnsembleError> {
        let loss = self.loss.extend(&[fraud], &[probability], None);
        loss.map_err(EnsembleError::Metrics)?;
        let observed = u64::from(fraud);
        let variance = probability * (1.0 - probability);
        let lean = 1.0 - 2.0 * probability;
        self.rows += 1;
        self.observed += observed;
        self.expected += probability;
        self.variance += variance;
        self.spread += lean * (f64::from(u8::from(fraud)) - probability);
        self.spread_variance += lean * lean * variance;
        let log_odds = (probability / (1.0 - probability)).ln();
        let log_odds = log_odds.clamp(-FARTHEST, FARTHEST);
        if let Some(bin) = self.bins.get_mut(bin_of(log_odds)) {
            bin.rows += 1;
            bin.observed += observed;
            bin.log_odds += log_odds;
        }
        Ok(())
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.observed += other.observed;
        self.expected += other.expected;
        self.variance += other.variance;
        self.spread += other.spread;
        self.spread_variance += other.spread_variance;
        self.loss.merge(&other.loss);
        for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
            bin.rows += more.rows;
            bin.observed += more.observed;
            bin.log_odds += more.log_odds;
        }
    }

    pub(super) fn report(
        &self,
        start: i64,
        level: f64,
    ) -> Result<PeriodCalibration, EnsembleError> {
        let observed = self.observed as f64;
        let deviation = self.variance.sqrt();
        let by = |sum: f64, variance: f64| (variance > 0.0).then(|| sum / variance.sqrt());
        let z = by(observed - self.expected, self.variance);
        let expected = Some(self.expected).filter(|expected| *expected > 0.0);
        let margin = normal_within(level) * deviation;
        Ok(PeriodCalibration {
            start,
            rows: self.rows,
            observed: self.observed,
            expected: self.expected,
            ratio: expected.map(|expected| observed / expected),
            ratio_interval: expected.map(|expected| {
                let low = (observed - margin).max(0.0);
                (low / expected, (observed + margin) / expected)
            }),
            z,
            p_value: z.map(normal_two_sided),
            spiegelhalter_z: by(self.spread, self.spread_variance),
            brier: self.loss.brier().map_err(EnsembleError::Metrics)?,
            log_loss: self.loss.log_loss().map_err(EnsembleError::Metrics)?,
            line: self.line(),
        })
    }

    /// Rows of a bin count as rows at its mean.
    fn line(&self) -> Option<CalibrationLine> {
        let (mut labels, mut probabilities, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for bin in self.bins.iter().filter(|bin| bin.rows > 0) {
            labels.extend([true, false]);
            probabilities.extend([logistic(bin.log_odds / bin.rows as f64); 2]);
            weights.extend([bin.observed, bin.rows - bin.observed].map(|count| count as f64));
        }
        calibration_line(&labels, &probabilities, Some(&weights)).ok()
    }

    /// Whether sums that were read from somewhere can be.
    #[cfg(feature = "serde")]
    pub(super) fn is_valid(&self) -> bool {
        let sums = [
            self.expected,
            self.variance,
            self.spread,
            self.spread_variance,
        ];
        // Counts below 2^40 do not overflow, however many periods are merged.
        let counts = self.bins.iter().map(|bin| (bin.rows, bin.observed));
        self.bins.len() == BINS
            && sums.iter().all(|sum| sum.is_finite())
            && self.expected >= 0.0
            && self.variance >= 0.0
            && self.spread_variance >= 0.0
            && (self.rows == 0
                || self
                    .loss
                    .brier()
                    .is_ok_and(|brier| (0.0..=1.0).contains(&brier))
                    && self
                        .loss
                        .log_loss()
                        .is_ok_and(|loss| loss >= 0.0 && loss.is_finite()))
            && self.bins.iter().all(|bin| bin.log_odds.is_finite())
            && counts
                .chain([(self.rows, self.observed)])
                .all(|(rows, observed)| observed <= rows && rows < 1 << 40)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at least 0 and below twice the bins"
)]
fn bin_of(log_odds: f64) -> usize {
    (((log_odds + FARTHEST) / BIN_WIDTH) as usize).min(BINS - 1)
}
