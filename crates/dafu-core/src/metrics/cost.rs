//! What the decisions of a threshold cost.

use super::confusion::check_threshold;
use super::input::{check_amounts, check_length, check_not_empty, check_weights, ratio, weight_of};
use super::ranking::AmountSplit;
use super::{Confusion, MetricsError, Ranking};

/// What each kind of decision costs, in the currency of the amounts. A gain is a negative cost.
///
/// The default is 1 for each error and 0 for the rest, so that the cost counts the errors. A
/// usual choice for cards is the price of a review for both kinds of alert, and the amount for a
/// missed fraud:
///
/// ```
/// use dafu_core::metrics::Costs;
///
/// let costs = Costs::default()
///     .false_positive(4.0)
///     .true_positive(4.0)
///     .false_negative(0.0)
///     .missed_amount(1.0);
/// assert_eq!(costs.false_negative, 0.0);
/// ```
///
/// Source: Elkan 2001, *The foundations of cost-sensitive learning*; costs by row as in Bahnsen
/// et al. 2013, *Cost sensitive credit card fraud detection using Bayes minimum risk*.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Costs {
    /// Cost of an alert on a fraud (the review, less what it saves).
    pub true_positive: f64,
    /// Cost of an alert on an honest row (the review, the annoyed customer).
    pub false_positive: f64,
    /// Cost of an honest row left alone.
    pub true_negative: f64,
    /// Cost of a missed fraud beside its amount (the chargeback fee).
    pub false_negative: f64,
    /// Share of the amount of a missed fraud that is lost; above 0 the rows need amounts.
    pub missed_amount: f64,
}

impl Default for Costs {
    fn default() -> Self {
        Self {
            true_positive: 0.0,
            false_positive: 1.0,
            true_negative: 0.0,
            false_negative: 1.0,
            missed_amount: 0.0,
        }
    }
}

/// The cost of a set of decisions.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Cost {
    /// Sum over the rows, each times its weight.
    pub total: f64,
    /// The total divided by the weight of the rows.
    pub mean: f64,
}

impl Costs {
    /// Sets the cost of an alert on a fraud.
    #[must_use]
    pub fn true_positive(mut self, cost: f64) -> Self {
        self.true_positive = cost;
        self
    }

    /// Sets the cost of an alert on an honest row.
    #[must_use]
    pub fn false_positive(mut self, cost: f64) -> Self {
        self.false_positive = cost;
        self
    }

    /// Sets the cost of an honest row left alone.
    #[must_use]
    pub fn true_negative(mut self, cost: f64) -> Self {
        self.true_negative = cost;
        self
    }

    /// Sets the cost of a missed fraud beside its amount.
    #[must_use]
    pub fn false_negative(mut self, cost: f64) -> Self {
        self.false_negative = cost;
        self
    }

    /// Sets the share of the amount of a missed fraud that is lost.
    #[must_use]
    pub fn missed_amount(mut self, share: f64) -> Self {
        self.missed_amount = share;
        self
    }

    /// The probability above which an alert is the cheaper decision, when the probabilities are
    /// calibrated and no cost goes by amount. `None` when an alert is never or always the cheaper
    /// one, whatever the probability.
    ///
    /// Source: Elkan 2001, equation 2.
    pub fn bayes_threshold(&self) -> Option<f64> {
        let honest = self.false_positive - self.true_negative;
        let fraud = self.false_negative - self.true_positive;
        (honest > 0.0 && fraud > 0.0).then(|| honest / (honest + fraud))
    }

    /// The cost of the given counts; `fraud_amount_missed` is the sum of amount times weight of
    /// the missed frauds (0 where no cost goes by amount).
    pub fn of(&self, confusion: &Confusion, fraud_amount_missed: f64) -> Cost {
        let by_amount = if self.needs_amounts() {
            self.missed_amount * fraud_amount_missed
        } else {
            0.0
        };
        let total = self.true_positive * confusion.true_positives
            + self.false_positive * confusion.false_positives
            + self.true_negative * confusion.true_negatives
            + self.false_negative * confusion.false_negatives
            + by_amount;
        Cost {
            total,
            mean: ratio_signed(total, confusion.total()),
        }
    }

    pub(super) fn needs_amounts(&self) -> bool {
        self.missed_amount != 0.0
    }

    /// Whether all costs are finite.
    ///
    /// # Errors
    ///
    /// [`MetricsError::InvalidParameter`] for the first that is not.
    pub fn check(&self) -> Result<(), MetricsError> {
        for (name, got) in [
            ("true_positive", self.true_positive),
            ("false_positive", self.false_positive),
            ("true_negative", self.true_negative),
            ("false_negative", self.false_negative),
            ("missed_amount", self.missed_amount),
        ] {
            if !got.is_finite() {
                return Err(MetricsError::InvalidParameter {
                    name,
                    requirement: "finite",
                    got,
                });
            }
        }
        Ok(())
    }
}

fn ratio_signed(numerator: f64, denominator: f64) -> f64 {
    if numerator < 0.0 {
        -ratio(-numerator, denominator)
    } else {
        ratio(numerator, denominator)
    }
}

/// The cost of decisions (`true` is an alert) against labels, with optional weights and amounts.
///
/// # Errors
///
/// Slices of different lengths or without rows, invalid weights or amounts, a cost that is not
/// finite; [`MetricsError::AmountsMissing`] when `costs.missed_amount` is not 0 and there are no
/// amounts.
///
/// # Complexity
///
/// O(n) for n rows.
pub fn cost(
    labels: &[bool],
    predicted: &[bool],
    weights: Option<&[f64]>,
    amounts: Option<&[f64]>,
    costs: &Costs,
) -> Result<Cost, MetricsError> {
    check_length("predicted", predicted.len(), labels.len())?;
    check_not_empty(labels.len())?;
    check_weights(weights, labels.len())?;
    check_amounts(amounts, labels.len())?;
    costs.check()?;
    let confusion = Confusion::from_predictions(labels, predicted, weights)?;
    let missed = match amounts {
        None if costs.needs_amounts() => return Err(MetricsError::AmountsMissing),
        None => 0.0,
        Some(amounts) => (0..labels.len())
            .filter(|&row| labels[row] && !predicted[row])
            .map(|row| weight_of(weights, row) * amounts[row])
            .sum(),
    };
    check_cost(costs.of(&confusion, missed))
}

fn check_cost(cost: Cost) -> Result<Cost, MetricsError> {
    if cost.total.is_finite() {
        Ok(cost)
    } else {
        Err(MetricsError::Overflow { what: "costs" })
    }
}

impl Ranking {
    /// The cost when rows with `score >= threshold` are alerted.
    ///
    /// # Errors
    ///
    /// A NaN threshold, a cost that is not finite, [`MetricsError::AmountsMissing`] when
    /// `costs.missed_amount` is not 0 and the ranking has no amounts.
    ///
    /// # Complexity
    ///
    /// O(log m) for m distinct scores.
    pub fn cost_at(&self, threshold: f64, costs: &Costs) -> Result<Cost, MetricsError> {
        check_threshold(threshold)?;
        costs.check()?;
        self.check_amounts_for(costs)?;
        check_cost(self.cost_of_cut(self.cut_of(threshold)?, costs))
    }

    pub(super) fn check_amounts_for(&self, costs: &Costs) -> Result<(), MetricsError> {
        if costs.needs_amounts() && self.amounts.is_none() {
            Err(MetricsError::AmountsMissing)
        } else {
            Ok(())
        }
    }

    pub(super) fn cost_of_cut(&self, cut: usize, costs: &Costs) -> Cost {
        let split = self
            .amounts
            .as_ref()
            .map_or_else(AmountSplit::default, |amounts| amounts.split(cut));
        costs.of(&self.confusion_of_cut(cut), split.fraud_missed)
    }
}
