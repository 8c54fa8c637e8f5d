//! Confusion counts and the ratios that follow from them.

use super::MetricsError;
use super::input::{
    check_length, check_not_empty, check_scored, check_total, check_weights, ratio, weight_of,
};

/// How many rows were alerted rightly and wrongly: the four cells of the confusion matrix.
///
/// The cells are sums of row weights; without weights they are counts. They are `f64` because
/// weights are, and because an alert budget that ends inside a group of equal scores takes a
/// fraction of that group (see [`Ranking::top_k`](super::Ranking::top_k)).
///
/// Ratios whose denominator is zero (the precision of no alerts, the recall without frauds) are
/// 0, as in scikit-learn with `zero_division=0`. [`Confusion::balanced_accuracy`] says how it
/// differs.
///
/// # Examples
///
/// ```
/// use dafu_core::metrics::Confusion;
///
/// let labels = [true, true, false, false, false];
/// let scores = [0.9, 0.4, 0.8, 0.3, 0.1];
/// let confusion = Confusion::at_threshold(&labels, &scores, 0.5, None)?;
/// assert_eq!(confusion.precision(), 0.5);
/// assert_eq!(confusion.recall(), 0.5);
/// # Ok::<(), dafu_core::metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Confusion {
    /// Frauds that were alerted.
    pub true_positives: f64,
    /// Honest rows that were alerted.
    pub false_positives: f64,
    /// Honest rows that were not alerted.
    pub true_negatives: f64,
    /// Frauds that were not alerted.
    pub false_negatives: f64,
}

impl Confusion {
    /// Counts decisions (`true` is an alert) against labels (`true` is a fraud).
    ///
    /// # Errors
    ///
    /// Slices of different lengths or without rows, a negative or non-finite weight, all weights
    /// zero. One class alone is no error here.
    ///
    /// # Complexity
    ///
    /// O(n) for n rows.
    pub fn from_predictions(
        labels: &[bool],
        predicted: &[bool],
        weights: Option<&[f64]>,
    ) -> Result<Self, MetricsError> {
        check_length("predicted", predicted.len(), labels.len())?;
        check_not_empty(labels.len())?;
        check_weights(weights, labels.len())?;
        Self::count(labels, weights, |row| predicted[row])
    }

    /// Counts the decisions of a threshold: a row is alerted when `score >= threshold`.
    ///
    /// A threshold of positive infinity alerts no row. Where several thresholds are needed, rank
    /// the rows once and ask [`Ranking::confusion_at`](super::Ranking::confusion_at).
    ///
    /// # Errors
    ///
    /// As [`Confusion::from_predictions`]; a NaN or infinite score; a NaN threshold.
    ///
    /// # Complexity
    ///
    /// O(n) for n rows.
    pub fn at_threshold(
        labels: &[bool],
        scores: &[f64],
        threshold: f64,
        weights: Option<&[f64]>,
    ) -> Result<Self, MetricsError> {
        check_scored(labels.len(), scores, weights)?;
        check_threshold(threshold)?;
        Self::count(labels, weights, |row| scores[row] >= threshold)
    }

    fn count(
        labels: &[bool],
        weights: Option<&[f64]>,
        alerted: impl Fn(usize) -> bool,
    ) -> Result<Self, MetricsError> {
        let mut confusion = Self::default();
        for (row, &label) in labels.iter().enumerate() {
            let cell = match (label, alerted(row)) {
                (true, true) => &mut confusion.true_positives,
                (false, true) => &mut confusion.false_positives,
                (false, false) => &mut confusion.true_negatives,
                (true, false) => &mut confusion.false_negatives,
            };
            *cell += weight_of(weights, row);
        }
        check_total(confusion.total())?;
        Ok(confusion)
    }

    /// Adds the counts of other rows, for instance of the next chunk of a file.
    pub fn merge(&mut self, other: &Self) {
        self.true_positives += other.true_positives;
        self.false_positives += other.false_positives;
        self.true_negatives += other.true_negatives;
        self.false_negatives += other.false_negatives;
    }

    /// The weight of all rows.
    pub fn total(&self) -> f64 {
        self.positives() + self.negatives()
    }

    /// The weight of the frauds.
    pub fn positives(&self) -> f64 {
        self.true_positives + self.false_negatives
    }

    /// The weight of the honest rows.
    pub fn negatives(&self) -> f64 {
        self.false_positives + self.true_negatives
    }

    /// The weight of the alerts.
    pub fn alerts(&self) -> f64 {
        self.true_positives + self.false_positives
    }

    /// Share of frauds among all rows (base rate).
    pub fn prevalence(&self) -> f64 {
        ratio(self.positives(), self.total())
    }

    /// Share of alerts among all rows.
    pub fn alert_rate(&self) -> f64 {
        ratio(self.alerts(), self.total())
    }

    /// Share of right decisions. Says little where frauds are rare: alerting nobody has 0.99.
    pub fn accuracy(&self) -> f64 {
        ratio(self.true_positives + self.true_negatives, self.total())
    }

    /// Share of frauds among the alerts (positive predictive value).
    pub fn precision(&self) -> f64 {
        ratio(self.true_positives, self.alerts())
    }

    /// Share of the frauds that were alerted (true positive rate, sensitivity).
    pub fn recall(&self) -> f64 {
        ratio(self.true_positives, self.positives())
    }

    /// Share of the honest rows that were left alone (true negative rate).
    pub fn specificity(&self) -> f64 {
        ratio(self.true_negatives, self.negatives())
    }

    /// Share of the honest rows that were alerted.
    pub fn false_positive_rate(&self) -> f64 {
        ratio(self.false_positives, self.negatives())
    }

    /// Share of the frauds that were missed.
    pub fn false_negative_rate(&self) -> f64 {
        ratio(self.false_negatives, self.positives())
    }

    /// Honest rows alerted for each fraud found: what an alert costs the honest customers.
    /// Positive infinity when only honest rows were alerted, 0 without alerts.
    pub fn false_alerts_per_fraud(&self) -> f64 {
        if self.true_positives > 0.0 || self.false_positives <= 0.0 {
            ratio(self.false_positives, self.true_positives)
        } else {
            f64::INFINITY
        }
    }

    /// Mean of recall and specificity; where a class is missing, the rate of the class present,
    /// as `balanced_accuracy_score` of scikit-learn does.
    pub fn balanced_accuracy(&self) -> f64 {
        if self.positives() <= 0.0 {
            self.specificity()
        } else if self.negatives() <= 0.0 {
            self.recall()
        } else {
            0.5 * (self.recall() + self.specificity())
        }
    }

    /// Harmonic mean of precision and recall.
    ///
    /// Source: van Rijsbergen 1979, *Information Retrieval*, chapter 7.
    pub fn f1(&self) -> f64 {
        self.f_beta_unchecked(1.0)
    }

    /// Weighted harmonic mean of precision and recall; recall counts `beta` times as much.
    ///
    /// `beta` 0 is the precision, positive infinity the recall.
    ///
    /// # Errors
    ///
    /// A negative or NaN `beta`.
    pub fn f_beta(&self, beta: f64) -> Result<f64, MetricsError> {
        check_beta(beta)?;
        Ok(self.f_beta_unchecked(beta))
    }

    pub(super) fn f_beta_unchecked(&self, beta: f64) -> f64 {
        // Divided by the larger of 1 and beta^2, so that no beta overflows.
        let (precision_part, recall_part) = if beta <= 1.0 {
            (1.0, beta * beta)
        } else {
            (1.0 / (beta * beta), 1.0)
        };
        let hits = (precision_part + recall_part) * self.true_positives;
        let misses = precision_part * self.false_positives + recall_part * self.false_negatives;
        ratio(hits, hits + misses)
    }

    /// Matthews correlation coefficient, from -1 to 1; 0 where a row or column of the matrix is
    /// empty.
    ///
    /// Source: Matthews 1975, *Biochimica et Biophysica Acta* 405, 442-451.
    pub fn mcc(&self) -> f64 {
        let total = self.total();
        if total <= 0.0 {
            return 0.0;
        }
        // Shares instead of counts, so that products of large weights do not overflow.
        let tp = self.true_positives / total;
        let fp = self.false_positives / total;
        let tn = self.true_negatives / total;
        let fneg = self.false_negatives / total;
        let spread = ((tp + fp) * (tn + fneg)).sqrt() * ((tp + fneg) * (tn + fp)).sqrt();
        ratio(tp * tn - fp * fneg, spread).clamp(-1.0, 1.0)
    }
}

pub(super) fn check_beta(beta: f64) -> Result<(), MetricsError> {
    if beta >= 0.0 {
        Ok(())
    } else {
        Err(MetricsError::InvalidParameter {
            name: "beta",
            requirement: "at least 0",
            got: beta,
        })
    }
}

pub(super) fn check_threshold(threshold: f64) -> Result<(), MetricsError> {
    if threshold.is_nan() {
        Err(MetricsError::InvalidParameter {
            name: "threshold",
            requirement: "a number",
            got: threshold,
        })
    } else {
        Ok(())
    }
}
