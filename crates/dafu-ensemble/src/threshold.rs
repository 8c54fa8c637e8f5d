//! Thresholds with intervals, and decisions by the amount at stake.

use crate::samples::check_length;
use crate::{EnsembleError, threads};
use dafu_core::Probability;
use dafu_core::metrics::{
    Bootstrap, Class, Confusion, Costs, DailyBudget, Interval, MetricsError, Ranking, Resample,
    ThresholdGoal, cost, daily_alerts, daily_threshold,
};

/// How a threshold is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ThresholdRule {
    /// The best at a goal: cost, F-beta, a floor of precision or recall, a budget of alerts in all.
    Goal(ThresholdGoal),
    /// The lowest within a budget of alerts a day. Needs days.
    Daily(DailyBudget),
}

/// Rows that a threshold is chosen or judged on. Where a model is judged, these are other rows than those a threshold was
/// chosen on.
///
/// Shapes: one entry a row everywhere. Scores may be raw or probabilities; a threshold alerts `score >= threshold`.
///
/// # Examples
///
/// ```
/// use dafu_core::metrics::{Bootstrap, DailyBudget};
/// use dafu_ensemble::{ThresholdRows, ThresholdRule};
///
/// let days: Vec<i64> = (0..600).map(|row| row / 20).collect();
/// let scores: Vec<f64> = (0..600).map(|row| f64::from(row * 37 % 101)).collect();
/// let frauds: Vec<bool> = (0..600).map(|row| row * 37 % 101 + row * 11 % 17 > 103).collect();
///
/// let rows = ThresholdRows::new(&frauds, &scores)?.with_days(&days)?;
/// let rule = ThresholdRule::Daily(DailyBudget::Mean { alerts: 2.0 });
/// let chosen = rows.choose(&rule, &Bootstrap::default().resamples(200))?;
/// assert!(chosen.reach.alerts_per_day.is_some_and(|alerts| alerts.value <= 2.0));
/// assert!(chosen.threshold.lower <= chosen.threshold.value);
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ThresholdRows<'a> {
    frauds: &'a [bool],
    scores: &'a [f64],
    weights: Option<&'a [f64]>,
    amounts: Option<&'a [f64]>,
    days: Option<&'a [i64]>,
    costs: Option<Costs>,
}

/// What alerts reach, with bootstrap intervals.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Reach {
    /// Share of frauds among the alerts; 0 without alerts.
    pub precision: Interval,
    /// Share of alerts among the frauds.
    pub recall: Interval,
    /// Total cost of all rows, where costs are known.
    pub cost: Option<Interval>,
    /// Alerts on the mean day, where days are known.
    pub alerts_per_day: Option<Interval>,
    /// Alerts on the day with most of them, where days are known.
    pub most_alerts: Option<Interval>,
    /// Resamples without fraud, which are left out of the intervals.
    pub left_out: usize,
}

/// A threshold, how far it depends on the rows at hand, and what it reaches.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ChosenThreshold {
    /// Chosen on all rows, and its interval when it is chosen anew on each resample.
    pub threshold: Interval,
    /// Resamples on which the rule chooses none (no fraud, a floor not reached), which are left out of that interval.
    pub left_out: usize,
    /// What the threshold chosen on all rows reaches on resamples. It was chosen on these rows, so that other rows will show
    /// somewhat less: see [`ThresholdRows::judge`].
    pub reach: Reach,
}

impl<'a> ThresholdRows<'a> {
    /// Rows by label and score.
    ///
    /// # Errors
    ///
    /// When there are not as many scores as labels.
    pub fn new(frauds: &'a [bool], scores: &'a [f64]) -> Result<Self, EnsembleError> {
        let rows = Self {
            frauds,
            scores,
            weights: None,
            amounts: None,
            days: None,
            costs: None,
        };
        rows.check_length("scores", scores.len())?;
        Ok(rows)
    }

    /// With a weight a row.
    ///
    /// # Errors
    ///
    /// When there are not as many as rows.
    pub fn with_weights(mut self, weights: &'a [f64]) -> Result<Self, EnsembleError> {
        self.check_length("weights", weights.len())?;
        self.weights = Some(weights);
        Ok(self)
    }

    /// With the money at stake in each row, in one currency.
    ///
    /// # Errors
    ///
    /// When there are not as many as rows.
    pub fn with_amounts(mut self, amounts: &'a [f64]) -> Result<Self, EnsembleError> {
        self.check_length("amounts", amounts.len())?;
        self.amounts = Some(amounts);
        Ok(self)
    }

    /// With any number of the day of each row.
    ///
    /// # Errors
    ///
    /// When there are not as many as rows.
    pub fn with_days(mut self, days: &'a [i64]) -> Result<Self, EnsembleError> {
        self.check_length("days", days.len())?;
        self.days = Some(days);
        Ok(self)
    }

    /// With costs, so that what alerts cost is told whatever the rule.
    #[must_use]
    pub const fn with_costs(mut self, costs: Costs) -> Self {
        self.costs = Some(costs);
        self
    }

    /// Chooses a threshold, and draws the rows again and again to see how far to trust it.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Metrics`] when the rule has no answer on all rows, as [`Ranking::best_threshold`] and
    /// [`daily_threshold`] say; when there is no fraud; when the rule or the unit that is drawn is days, and there are none.
    ///
    /// # Complexity
    ///
    /// O(n log n) a resample for n rows; resamples on the current rayon pool with feature `parallel`.
    ///
    /// Determinism: the same bits for a seed, on any number of threads.
    pub fn choose(
        &self,
        rule: &ThresholdRule,
        bootstrap: &Bootstrap,
    ) -> Result<ChosenThreshold, EnsembleError> {
        let mut rows = *self;
        if let (None, ThresholdRule::Goal(ThresholdGoal::MinCost(costs))) = (rows.costs, rule) {
            rows.costs = Some(*costs);
        }
        let threshold = rows.threshold(rule).map_err(EnsembleError::Metrics)?;
        let drawn = rows.on_resamples(bootstrap, |resample| {
            let drawn = rows.drawn(resample);
            drawn.rows().threshold(rule).ok()
        })?;
        let (drawn, left_out) = known(drawn);
        Ok(ChosenThreshold {
            threshold: bootstrap.interval(threshold, drawn),
            left_out,
            reach: rows.judge(threshold, bootstrap)?,
        })
    }

    /// What a threshold reaches on these rows.
    ///
    /// # Errors
    ///
    /// As [`ThresholdRows::judge_alerts`], and for a score that is not finite or a threshold that is NaN.
    ///
    /// # Complexity
    ///
    /// As [`ThresholdRows::judge_alerts`].
    pub fn judge(&self, threshold: f64, bootstrap: &Bootstrap) -> Result<Reach, EnsembleError> {
        // For its checks.
        Confusion::at_threshold(self.frauds, self.scores, threshold, self.weights)
            .map_err(EnsembleError::Metrics)?;
        let alerts: Vec<bool> = self
            .scores
            .iter()
            .map(|score| *score >= threshold)
            .collect();
        self.judge_alerts(&alerts, bootstrap)
    }

    /// What alerts reach on these rows, by whatever they were decided, for example by [`CostPolicy::decide`]. Scores are not
    /// read.
    ///
    /// # Errors
    ///
    /// When there are not as many alerts as rows; [`EnsembleError::Metrics`] for no rows, no fraud, weights or amounts that
    /// are not finite, costs by amount without amounts, days to be drawn and none given.
    ///
    /// # Complexity
    ///
    /// O(n log d) a resample for n rows on d days.
    pub fn judge_alerts(
        &self,
        alerts: &[bool],
        bootstrap: &Bootstrap,
    ) -> Result<Reach, EnsembleError> {
        self.check_length("alerts", alerts.len())?;
        let all = self.figures(alerts).map_err(EnsembleError::Metrics)?;
        let drawn = self.on_resamples(bootstrap, |resample| {
            let drawn = self.drawn(resample);
            drawn.rows().figures(&resample.gather(alerts)).ok()
        })?;
        let (drawn, left_out) = known(drawn);
        let interval = |of: fn(&Figures) -> Option<f64>| {
            let value = of(&all)?;
            Some(bootstrap.interval(value, drawn.iter().filter_map(of).collect()))
        };
        let certain =
            |of: fn(&Figures) -> f64| bootstrap.interval(of(&all), drawn.iter().map(of).collect());
        Ok(Reach {
            precision: certain(|figures| figures.precision),
            recall: certain(|figures| figures.recall),
            cost: interval(|figures| figures.cost),
            alerts_per_day: interval(|figures| figures.daily.map(|(mean, _)| mean)),
            most_alerts: interval(|figures| figures.daily.map(|(_, most)| most)),
            left_out,
        })
    }

    fn threshold(&self, rule: &ThresholdRule) -> Result<f64, MetricsError> {
        match rule {
            ThresholdRule::Goal(goal) => {
                let (frauds, scores) = (self.frauds, self.scores);
                let ranking = match self.amounts {
                    Some(amounts) => Ranking::with_amounts(frauds, scores, self.weights, amounts)?,
                    None => Ranking::new(frauds, scores, self.weights)?,
                };
                Ok(ranking.best_threshold(goal)?.threshold)
            }
            ThresholdRule::Daily(budget) => {
                let days = self.days.ok_or(MetricsError::DaysMissing)?;
                Ok(daily_threshold(days, self.scores, self.weights, budget)?.threshold)
            }
        }
    }

    fn figures(&self, alerts: &[bool]) -> Result<Figures, MetricsError> {
        let confusion = Confusion::from_predictions(self.frauds, alerts, self.weights)?;
        if confusion.true_positives + confusion.false_negatives <= 0.0 {
            return Err(MetricsError::SingleClass {
                metric: "recall",
                missing: Class::Positive,
            });
        }
        let costs = self.costs.as_ref();
        let cost = costs.map(|costs| cost(self.frauds, alerts, self.weights, self.amounts, costs));
        let daily = self
            .days
            .map(|days| daily_alerts(days, alerts, self.weights));
        Ok(Figures {
            precision: confusion.precision(),
            recall: confusion.recall(),
            cost: cost.transpose()?.map(|cost| cost.total),
            daily: daily.transpose()?.map(|alerts| (alerts.mean, alerts.most)),
        })
    }

    fn on_resamples<T: Send>(
        &self,
        bootstrap: &Bootstrap,
        of: impl Fn(&Resample) -> T + Sync + Send,
    ) -> Result<Vec<T>, EnsembleError> {
        let resampler = bootstrap.resampler(self.frauds, self.days);
        let resampler = resampler.map_err(EnsembleError::Metrics)?;
        let drawn = |number| of(&resampler.draw(number));
        Ok(threads::map(bootstrap.resamples, drawn))
    }

    fn drawn(&self, resample: &Resample) -> DrawnRows {
        DrawnRows {
            frauds: resample.gather(self.frauds),
            scores: resample.gather(self.scores),
            weights: self.weights.map(|weights| resample.gather(weights)),
            amounts: self.amounts.map(|amounts| resample.gather(amounts)),
            days: resample.days().map(<[i64]>::to_vec),
            costs: self.costs,
        }
    }

    const fn check_length(&self, what: &'static str, got: usize) -> Result<(), EnsembleError> {
        check_length(what, self.frauds.len(), got)
    }
}

/// The rows of a resample.
struct DrawnRows {
    frauds: Vec<bool>,
    scores: Vec<f64>,
    weights: Option<Vec<f64>>,
    amounts: Option<Vec<f64>>,
    days: Option<Vec<i64>>,
    costs: Option<Costs>,
}

impl DrawnRows {
    fn rows(&self) -> ThresholdRows<'_> {
        ThresholdRows {
            frauds: &self.frauds,
            scores: &self.scores,
            weights: self.weights.as_deref(),
            amounts: self.amounts.as_deref(),
            days: self.days.as_deref(),
            costs: self.costs,
        }
    }
}

struct Figures {
    precision: f64,
    recall: f64,
    cost: Option<f64>,
    /// Alerts on the mean day and on that with most of them.
    daily: Option<(f64, f64)>,
}

/// Those that are known, and how many are not.
fn known<T>(drawn: Vec<Option<T>>) -> (Vec<T>, usize) {
    let all = drawn.len();
    let known: Vec<T> = drawn.into_iter().flatten().collect();
    let left_out = all - known.len();
    (known, left_out)
}

/// Alerts each row whose alert is expected to cost less than none: a threshold of its own for each amount.
///
/// It needs probabilities that are calibrated, since it takes them at their word.
///
/// # Examples
///
/// ```
/// use dafu_core::{Calibrate, RawScore, metrics::Costs};
/// use dafu_ensemble::{Calibrator, CostPolicy};
///
/// // A check costs 4, a missed fraud its amount.
/// let costs = Costs::default().false_positive(4.0).true_positive(4.0).false_negative(0.0).missed_amount(1.0);
/// let policy = CostPolicy::new(costs)?;
/// let one_in_ten = Calibrator::linear(1.0, 0.0)?.calibrate(RawScore::new(-(9.0_f64.ln()))?)?;
/// assert!(!policy.alerts(one_in_ten, 30.0)); // 3 at stake
/// assert!(policy.alerts(one_in_ten, 50.0)); // 5 at stake
/// assert_eq!(policy.threshold(50.0), Some(0.08));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: Elkan 2001, *The foundations of cost-sensitive learning*, section 1 and equation 2; Bahnsen et al. 2013, *Cost
/// sensitive credit card fraud detection using Bayes minimum risk*.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CostPolicy(Costs);

impl CostPolicy {
    /// Decides by costs.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Metrics`] for a cost that is not finite.
    pub fn new(costs: Costs) -> Result<Self, EnsembleError> {
        costs.check().map_err(EnsembleError::Metrics)?;
        Ok(Self(costs))
    }

    /// The costs.
    pub const fn costs(&self) -> &Costs {
        &self.0
    }

    /// The probability above which a row of this amount is alerted; `None` where it is always or never.
    pub fn threshold(&self, amount: f64) -> Option<f64> {
        self.of_amount(amount).bayes_threshold()
    }

    /// Whether a row is alerted. Where both cost the same it is not, nor where the amount is NaN.
    pub fn alerts(&self, probability: Probability, amount: f64) -> bool {
        let (fraud, costs) = (probability.get(), self.of_amount(amount));
        let honest = 1.0 - fraud;
        let alert = fraud * costs.true_positive + honest * costs.false_positive;
        let none = fraud * costs.false_negative + honest * costs.true_negative;
        alert < none
    }

    /// Whether each row is alerted. [`ThresholdRows::judge_alerts`] says what that reaches.
    ///
    /// # Errors
    ///
    /// When there are not as many amounts as probabilities, or one is not finite.
    ///
    /// # Complexity
    ///
    /// O(n) for n rows.
    pub fn decide(
        &self,
        probabilities: &[Probability],
        amounts: &[f64],
    ) -> Result<Vec<bool>, EnsembleError> {
        check_length("amounts", probabilities.len(), amounts.len())?;
        let rows = probabilities.iter().zip(amounts).enumerate();
        let decided = rows.map(|(row, (probability, amount))| {
            if amount.is_finite() {
                return Ok(self.alerts(*probability, *amount));
            }
            let value = *amount;
            let error = MetricsError::NonFiniteAmount { row, value };
            Err(EnsembleError::Metrics(error))
        });
        decided.collect()
    }

    /// The costs of a row, where what goes by amount is known.
    const fn of_amount(&self, amount: f64) -> Costs {
        let mut costs = self.0;
        costs.false_negative += costs.missed_amount * amount;
        costs.missed_amount = 0.0;
        costs
    }
}
