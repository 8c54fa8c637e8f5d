//! ROC and precision-recall curves, the areas under them, and the KS statistic.

use super::input::ratio;
use super::{MetricsError, Ranking};

/// Which points of a curve to return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum CurvePoints {
    /// One point per distinct score.
    #[default]
    All,
    /// Without the points that a plot would not show: on the ROC curve those in the middle of a
    /// straight stretch, on the precision-recall curve those in the middle of a stretch of equal
    /// recall. The same as `drop_intermediate=True` in scikit-learn.
    Corners,
}

/// The receiver operating characteristic: one point per threshold, from nobody alerted to
/// everybody alerted.
///
/// With serde the threshold of infinity is written as `None` (`null` in JSON).
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RocCurve {
    /// Share of the honest rows alerted, ascending from 0 to 1.
    pub false_positive_rate: Vec<f64>,
    /// Share of the frauds alerted (recall), ascending from 0 to 1.
    pub true_positive_rate: Vec<f64>,
    /// Descending; the first is infinity (nobody is alerted).
    #[cfg_attr(feature = "serde", serde(with = "super::infinity::list"))]
    pub thresholds: Vec<f64>,
}

/// Precision against recall: one point per threshold, from everybody alerted to nobody alerted.
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PrecisionRecallCurve {
    /// Share of frauds among the alerts. One element more than `thresholds`: the last is 1 by
    /// definition and has no threshold.
    pub precision: Vec<f64>,
    /// Share of the frauds alerted, descending from 1; the last is 0 and has no threshold.
    pub recall: Vec<f64>,
    /// Ascending.
    pub thresholds: Vec<f64>,
}

/// The Kolmogorov-Smirnov statistic and where it is reached.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KolmogorovSmirnov {
    /// The largest distance between the score distributions of the two classes, 0 to 1.
    pub statistic: f64,
    /// The threshold where it is reached; the highest one if there are several.
    pub threshold: f64,
    /// Share of the frauds at or above the threshold. Below `false_positive_rate` when the
    /// ranking is upside down.
    pub true_positive_rate: f64,
    /// Share of the honest rows at or above the threshold.
    pub false_positive_rate: f64,
}

/// An interval that a metric lies in.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bounds {
    /// The metric is at least this.
    pub lower: f64,
    /// The metric is at most this.
    pub upper: f64,
}

impl Ranking {
    /// Area under the ROC curve: the probability that a random fraud scores higher than a random
    /// honest row, ties counted one half.
    ///
    /// # Errors
    ///
    /// [`MetricsError::SingleClass`].
    ///
    /// # Complexity
    ///
    /// O(m) for m distinct scores. Without weights the pairs are counted exactly (up to 2^52
    /// pairs), so a perfect ranking has exactly 1.
    ///
    /// Source: Fawcett 2006, *An introduction to ROC analysis*, algorithm 2; the same as
    /// `roc_auc_score` of scikit-learn.
    pub fn roc_auc(&self) -> Result<f64, MetricsError> {
        self.check_two_classes("ROC AUC")?;
        let (pairs, _, scale) = self.pair_sums();
        Ok((0.5 * pairs / scale).clamp(0.0, 1.0))
    }

    /// The lowest and the highest ROC AUC that any order within the groups of equal scores gives.
    ///
    /// For scores that were rounded, or a [`BinnedRanking`](super::BinnedRanking), this is how
    /// far the value can be from the one of the scores behind; [`Ranking::roc_auc`] lies in the
    /// middle.
    ///
    /// # Errors
    ///
    /// [`MetricsError::SingleClass`].
    ///
    /// # Complexity
    ///
    /// O(m) for m distinct scores.
    pub fn roc_auc_bounds(&self) -> Result<Bounds, MetricsError> {
        self.check_two_classes("ROC AUC")?;
        let (pairs, tied, scale) = self.pair_sums();
        Ok(Bounds {
            lower: (0.5 * (pairs - tied) / scale).clamp(0.0, 1.0),
            upper: (0.5 * (pairs + tied) / scale).clamp(0.0, 1.0),
        })
    }

    /// Twice the weight of the pairs in the right order (ties one half), the weight of the tied
    /// pairs, and the weight of all pairs, all scaled by powers of two against overflow.
    fn pair_sums(&self) -> (f64, f64, f64) {
        let fraud_scale = power_of_two_near_inverse(self.positives());
        let honest_scale = power_of_two_near_inverse(self.negatives());
        let (mut pairs, mut tied) = (0.0, 0.0);
        let (mut fraud_before, mut honest_before) = (0.0, 0.0);
        for (&fraud, &honest) in self.fraud.iter().zip(&self.honest) {
            let width = (honest - honest_before) * honest_scale;
            pairs += width * ((fraud + fraud_before) * fraud_scale);
            tied += width * ((fraud - fraud_before) * fraud_scale);
            (fraud_before, honest_before) = (fraud, honest);
        }
        let all = (self.positives() * fraud_scale) * (self.negatives() * honest_scale);
        (pairs, tied, all)
    }

    /// Average precision: the precision at each distinct score, weighted by the recall gained
    /// there. No interpolation, which would be too optimistic (Davis & Goadrich 2006).
    ///
    /// A random ranking has about the share of frauds, a perfect one has 1.
    ///
    /// # Errors
    ///
    /// [`MetricsError::SingleClass`], also without honest rows, where every ranking would have 1.
    ///
    /// # Complexity
    ///
    /// O(m) for m distinct scores.
    ///
    /// Source: `average_precision_score` of scikit-learn, ties included; Davis & Goadrich 2006,
    /// *The relationship between Precision-Recall and ROC curves*.
    pub fn average_precision(&self) -> Result<f64, MetricsError> {
        self.check_two_classes("average precision")?;
        Ok(self.sum_over_recall(|step| ratio(step.fraud, step.fraud + step.honest)))
    }

    /// Bounds of the average precision over every order within the groups of equal scores.
    ///
    /// # Errors
    ///
    /// [`MetricsError::SingleClass`].
    ///
    /// # Complexity
    ///
    /// O(m) for m distinct scores.
    pub fn average_precision_bounds(&self) -> Result<Bounds, MetricsError> {
        self.check_two_classes("average precision")?;
        Ok(Bounds {
            // All honest rows of the group come first, and its first fraud weighs next to nothing.
            lower: self.sum_over_recall(|step| {
                if step.honest > 0.0 {
                    step.fraud_before / (step.fraud_before + step.honest)
                } else {
                    1.0
                }
            }),
            // All frauds of the group come first, and all have the precision of the last.
            upper: self.sum_over_recall(|step| ratio(step.fraud, step.fraud + step.honest_before)),
        })
    }

    fn sum_over_recall(&self, precision: impl Fn(&Step) -> f64) -> f64 {
        let positives = self.positives();
        let mut step = Step::default();
        let mut sum = 0.0;
        for (&fraud, &honest) in self.fraud.iter().zip(&self.honest) {
            step = Step {
                fraud,
                honest,
                fraud_before: step.fraud,
                honest_before: step.honest,
            };
            let gained = fraud - step.fraud_before;
            if gained > 0.0 {
                sum += gained / positives * precision(&step);
            }
        }
        sum.clamp(0.0, 1.0)
    }

    /// The ROC curve, the same points as `roc_curve` of scikit-learn.
    ///
    /// # Errors
    ///
    /// [`MetricsError::SingleClass`].
    ///
    /// # Complexity
    ///
    /// O(m) for m distinct scores.
    ///
    /// Source: Fawcett 2006, *An introduction to ROC analysis*, algorithm 1.
    #[expect(
        clippy::float_cmp,
        reason = "a corner is where sums differ at all, as in scikit-learn"
    )]
    pub fn roc_curve(&self, points: CurvePoints) -> Result<RocCurve, MetricsError> {
        self.check_two_classes("the ROC curve")?;
        let (positives, negatives) = (self.positives(), self.negatives());
        let mut curve = RocCurve {
            false_positive_rate: vec![0.0],
            true_positive_rate: vec![0.0],
            thresholds: vec![f64::INFINITY],
        };
        for step in self.kept_steps(points, |before, at, after| {
            self.fraud[at] - self.fraud[before] != self.fraud[after] - self.fraud[at]
                || self.honest[at] - self.honest[before] != self.honest[after] - self.honest[at]
        }) {
            curve
                .false_positive_rate
                .push(self.honest[step] / negatives);
            curve.true_positive_rate.push(self.fraud[step] / positives);
            curve.thresholds.push(self.thresholds[step]);
        }
        Ok(curve)
    }

    /// The precision-recall curve, the same points as `precision_recall_curve` of scikit-learn.
    ///
    /// # Errors
    ///
    /// [`MetricsError::SingleClass`].
    ///
    /// # Complexity
    ///
    /// O(m) for m distinct scores.
    ///
    /// Source: Davis & Goadrich 2006, *The relationship between Precision-Recall and ROC curves*.
    #[expect(
        clippy::float_cmp,
        reason = "a corner is where sums differ at all, as in scikit-learn"
    )]
    pub fn precision_recall_curve(
        &self,
        points: CurvePoints,
    ) -> Result<PrecisionRecallCurve, MetricsError> {
        self.check_two_classes("the precision-recall curve")?;
        let positives = self.positives();
        let mut curve = PrecisionRecallCurve {
            precision: vec![1.0],
            recall: vec![0.0],
            thresholds: Vec::new(),
        };
        for step in self.kept_steps(points, |before, at, after| {
            self.fraud[at] != self.fraud[before] || self.fraud[after] != self.fraud[at]
        }) {
            let (fraud, honest) = (self.fraud[step], self.honest[step]);
            curve.precision.push(ratio(fraud, fraud + honest));
            curve.recall.push(fraud / positives);
            curve.thresholds.push(self.thresholds[step]);
        }
        curve.precision.reverse();
        curve.recall.reverse();
        curve.thresholds.reverse();
        Ok(curve)
    }

    /// The first and the last step, and of those between the ones that are a corner.
    fn kept_steps(
        &self,
        points: CurvePoints,
        is_corner: impl Fn(usize, usize, usize) -> bool,
    ) -> impl Iterator<Item = usize> {
        let last = self.len() - 1;
        (0..=last).filter(move |&step| {
            points == CurvePoints::All
                || step == 0
                || step == last
                || is_corner(step - 1, step, step + 1)
        })
    }

    /// The Kolmogorov-Smirnov statistic: the largest `|true positive rate - false positive rate|`
    /// over all thresholds (Youden's J where the ranking is the right way up).
    ///
    /// # Errors
    ///
    /// [`MetricsError::SingleClass`].
    ///
    /// # Complexity
    ///
    /// O(m) for m distinct scores.
    pub fn kolmogorov_smirnov(&self) -> Result<KolmogorovSmirnov, MetricsError> {
        self.check_two_classes("the KS statistic")?;
        let (positives, negatives) = (self.positives(), self.negatives());
        let mut best = KolmogorovSmirnov {
            statistic: -1.0,
            threshold: f64::INFINITY,
            true_positive_rate: 0.0,
            false_positive_rate: 0.0,
        };
        for (step, &threshold) in self.thresholds.iter().enumerate() {
            let true_positive_rate = self.fraud[step] / positives;
            let false_positive_rate = self.honest[step] / negatives;
            let statistic = (true_positive_rate - false_positive_rate).abs();
            if statistic > best.statistic {
                best = KolmogorovSmirnov {
                    statistic,
                    threshold,
                    true_positive_rate,
                    false_positive_rate,
                };
            }
        }
        Ok(best)
    }
}

/// The sums at one distinct score and at the one before.
#[derive(Default)]
struct Step {
    fraud: f64,
    honest: f64,
    fraud_before: f64,
    honest_before: f64,
}

/// A power of two that brings `value` near 1; multiplying by it is exact.
fn power_of_two_near_inverse(value: f64) -> f64 {
    let exponent = (value.to_bits() >> 52) & 0x7ff;
    f64::from_bits((2046 - exponent.clamp(1, 2045)) << 52)
}

/// Area under the ROC curve of the given rows; see [`Ranking::roc_auc`].
///
/// # Errors
///
/// Those of [`Ranking::new`] and [`Ranking::roc_auc`].
///
/// # Complexity
///
/// O(n log n) for n rows. For more than one metric build a [`Ranking`] once.
pub fn roc_auc(
    labels: &[bool],
    scores: &[f64],
    weights: Option<&[f64]>,
) -> Result<f64, MetricsError> {
    Ranking::new(labels, scores, weights)?.roc_auc()
}

/// Average precision of the given rows; see [`Ranking::average_precision`].
///
/// # Errors
///
/// Those of [`Ranking::new`] and [`Ranking::average_precision`].
///
/// # Complexity
///
/// O(n log n) for n rows. For more than one metric build a [`Ranking`] once.
pub fn average_precision(
    labels: &[bool],
    scores: &[f64],
    weights: Option<&[f64]>,
) -> Result<f64, MetricsError> {
    Ranking::new(labels, scores, weights)?.average_precision()
}
