//! The search for the best threshold.

use super::confusion::check_beta;
use super::input::check_share;
use super::{Confusion, Costs, MetricsError, Ranking};

/// What the best threshold is best at.
///
/// Choose it on rows that are not used to judge the model afterwards.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ThresholdGoal {
    /// The lowest total cost. Alerting nobody and alerting everybody are candidates too.
    MinCost(Costs),
    /// The highest F-beta.
    MaxFBeta {
        /// How many times as much recall counts as precision.
        beta: f64,
    },
    /// The highest recall among the thresholds whose precision is at least the floor.
    PrecisionFloor {
        /// The lowest precision allowed, 0 to 1.
        floor: f64,
    },
    /// The highest precision among the thresholds whose recall is at least the floor.
    RecallFloor {
        /// The lowest recall allowed, 0 to 1.
        floor: f64,
    },
    /// The highest recall among the thresholds that alert at most so many rows.
    AlertBudget {
        /// The highest number of alerts allowed.
        alerts: u64,
    },
}

/// A threshold and what it does on the rows it was chosen on.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ThresholdChoice {
    /// Rows with `score >= threshold` are alerted. One of the distinct scores of the ranking, or
    /// infinity when alerting nobody is best (written as `None` by serde, `null` in JSON).
    #[cfg_attr(feature = "serde", serde(with = "super::infinity"))]
    pub threshold: f64,
    /// What was optimized: the total cost, the F-beta, the recall (precision floor, alert
    /// budget) or the precision (recall floor).
    pub value: f64,
    /// The counts at the threshold.
    pub confusion: Confusion,
}

impl Ranking {
    /// Searches all thresholds for the best one.
    ///
    /// Of several thresholds that are equally good the highest is taken: the fewest alerts.
    ///
    /// # Errors
    ///
    /// [`MetricsError::InvalidParameter`] for a floor outside of 0 to 1, a negative beta or costs
    /// that are not finite; [`MetricsError::AmountsMissing`] when the costs go by amount and the
    /// ranking has no amounts; [`MetricsError::FloorNotReached`] when no threshold has the
    /// precision asked for; [`MetricsError::SingleClass`] without frauds, except for
    /// [`ThresholdGoal::MinCost`]; [`MetricsError::Overflow`] for costs beyond `f64`.
    ///
    /// # Complexity
    ///
    /// O(m) for m distinct scores.
    ///
    /// # Examples
    ///
    /// ```
    /// use dafu_core::metrics::{Ranking, ThresholdGoal};
    ///
    /// let labels = [false, true, false, true, true];
    /// let scores = [0.1, 0.3, 0.5, 0.7, 0.9];
    /// let ranking = Ranking::new(&labels, &scores, None)?;
    /// let choice = ranking.best_threshold(&ThresholdGoal::PrecisionFloor { floor: 0.75 })?;
    /// assert_eq!(choice.threshold, 0.3);
    /// assert_eq!(choice.confusion.recall(), 1.0);
    /// # Ok::<(), dafu_core::metrics::MetricsError>(())
    /// ```
    pub fn best_threshold(&self, goal: &ThresholdGoal) -> Result<ThresholdChoice, MetricsError> {
        match *goal {
            ThresholdGoal::MinCost(costs) => self.min_cost(&costs),
            ThresholdGoal::MaxFBeta { beta } => {
                check_beta(beta)?;
                self.check_positives("the best F-beta")?;
                self.highest(|confusion| Some(confusion.f_beta_unchecked(beta)))
                    .ok_or(MetricsError::Empty)
            }
            ThresholdGoal::PrecisionFloor { floor } => self.precision_floor(floor),
            ThresholdGoal::RecallFloor { floor } => {
                check_share("floor", floor)?;
                self.check_positives("the recall floor")?;
                // Alerting everybody has recall 1, so there is always one.
                self.highest(|confusion| {
                    (confusion.recall() >= floor).then(|| confusion.precision())
                })
                .ok_or(MetricsError::Empty)
            }
            ThresholdGoal::AlertBudget { alerts } => {
                self.check_positives("the alert budget")?;
                let cut = self.rows.partition_point(|&rows| rows <= alerts);
                // Below the last threshold that adds a fraud, the rest would be alerts for nothing.
                let (fraud, _) = self.alerted(cut);
                let cut = if fraud > 0.0 {
                    self.fraud.partition_point(|&sum| sum < fraud) + 1
                } else {
                    0
                };
                let confusion = self.confusion_of_cut(cut);
                Ok(self.choice(cut, confusion.recall()))
            }
        }
    }

    fn min_cost(&self, costs: &Costs) -> Result<ThresholdChoice, MetricsError> {
        costs.check()?;
        self.check_amounts_for(costs)?;
        let mut best = (0, self.cost_of_cut(0, costs).total);
        let mut overflow = !best.1.is_finite();
        for cut in 1..=self.len() {
            let total = self.cost_of_cut(cut, costs).total;
            overflow |= !total.is_finite();
            if total < best.1 {
                best = (cut, total);
            }
        }
        if overflow {
            return Err(MetricsError::Overflow { what: "costs" });
        }
        Ok(self.choice(best.0, best.1))
    }

    fn precision_floor(&self, floor: f64) -> Result<ThresholdChoice, MetricsError> {
        check_share("floor", floor)?;
        self.check_positives("the precision floor")?;
        let mut best_precision: f64 = 0.0;
        let choice = self.highest(|confusion| {
            let precision = confusion.precision();
            best_precision = best_precision.max(precision);
            (precision >= floor).then(|| confusion.recall())
        });
        choice.ok_or(MetricsError::FloorNotReached {
            metric: "precision",
            floor,
            best: best_precision,
        })
    }

    /// The first cut with the highest value among those that have one.
    fn highest(&self, mut value: impl FnMut(&Confusion) -> Option<f64>) -> Option<ThresholdChoice> {
        let mut best: Option<(usize, f64)> = None;
        for cut in 1..=self.len() {
            if let Some(value) = value(&self.confusion_of_cut(cut))
                && best.is_none_or(|(_, highest)| value > highest)
            {
                best = Some((cut, value));
            }
        }
        best.map(|(cut, value)| self.choice(cut, value))
    }

    fn choice(&self, cut: usize, value: f64) -> ThresholdChoice {
        ThresholdChoice {
            threshold: self.threshold_of_cut(cut),
            value,
            confusion: self.confusion_of_cut(cut),
        }
    }
}
