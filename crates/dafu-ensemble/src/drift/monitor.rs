//! Predictions whose labels come later.

use super::alarm::{CalibrationAlarm, CumulativeSums};
use super::period::{PeriodCalibration, PeriodSums};
use crate::EnsembleError;
use crate::params::{count, number};
use std::collections::{BTreeMap, VecDeque};

/// Alarms that are kept.
const MAX_ALARMS: usize = 100;
/// Most predictions that may be pending, and most periods.
const MAX_PENDING: usize = u32::MAX as usize;
const MAX_PERIODS: usize = 1 << 20;

/// What a prediction is whose delay has passed without a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Unlabelled {
    /// Honest: only frauds are reported, as chargebacks are.
    #[default]
    Honest,
    /// Left out: only some rows are ever checked. What is checked is seldom a fair sample, and the report is of the sample.
    LeftOut,
}

/// Parameters of a [`CalibrationMonitor`]. Times are whole numbers in one unit throughout; the defaults are in microseconds.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct CalibrationMonitorParams {
    /// Time after which a label is final; 30 days by default.
    pub delay: i64,
    /// Length of the periods of the report; 1 day by default.
    pub period: i64,
    /// Predictions that wait for their delay at most.
    pub max_pending: usize,
    /// Periods that are kept at most.
    pub max_periods: usize,
    /// What a prediction is whose delay has passed without a label.
    pub unlabelled: Unlabelled,
    /// Factor of the odds of fraud that the alarm is tuned to find, above 1; its inverse is looked for as well.
    pub odds_ratio: f64,
    /// Rows between two false alarms on average, at least.
    pub rows_between_false_alarms: f64,
    /// Level of the intervals, between 0 and 1.
    pub level: f64,
}

impl Default for CalibrationMonitorParams {
    fn default() -> Self {
        const DAY: i64 = 86_400_000_000;
        Self {
            delay: 30 * DAY,
            period: DAY,
            max_pending: 10_000_000,
            max_periods: 400,
            unlabelled: Unlabelled::Honest,
            odds_ratio: 2.0,
            rows_between_false_alarms: 1e7,
            level: 0.95,
        }
    }
}

impl CalibrationMonitorParams {
    dafu_core::setters! {
        delay: i64,
        period: i64,
        max_pending: usize,
        max_periods: usize,
        unlabelled: Unlabelled,
        odds_ratio: f64,
        rows_between_false_alarms: f64,
        level: f64,
    }

    /// Whether all parameters are within their intervals.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::CountOutOfRange`] or [`EnsembleError::NumberOutOfRange`] for the first that is not.
    pub fn check(&self) -> Result<(), EnsembleError> {
        let got = self.delay;
        number("delay", got as f64, "at least 0", got >= 0)?;
        let got = self.period;
        number("period", got as f64, "above 0", got > 0)?;
        count("max_pending", self.max_pending, 1, MAX_PENDING)?;
        count("max_periods", self.max_periods, 1, MAX_PERIODS)?;
        let got = self.odds_ratio;
        let good = got > 1.0 && got.is_finite();
        number("odds_ratio", got, "finite and above 1", good)?;
        let got = self.rows_between_false_alarms;
        let good = (1.0..=1e15).contains(&got);
        number("rows_between_false_alarms", got, "from 1 to 1e15", good)?;
        let got = self.level;
        let good = got > 0.0 && got < 1.0;
        number("level", got, "between 0 and 1", good)
    }
}

/// Whether probabilities come true, judged on predictions whose labels have had their time.
///
/// Labels of frauds come early and those of honest rows late or never, so a prediction counts when its delay has passed and
/// not when its label is there: else recent days would be all fraud. What is pending is capped; while it is full, further
/// predictions are left out and counted, whatever they are, so that the others stay a fair sample.
///
/// # Examples
///
/// ```
/// use dafu_ensemble::drift::{CalibrationMonitor, CalibrationMonitorParams};
///
/// let params = CalibrationMonitorParams::default().delay(10).period(100);
/// let mut monitor = CalibrationMonitor::new(&params)?;
/// for id in 0..50 {
///     monitor.predict(id, id as i64, 0.1)?;
///     if id % 10 == 0 {
///         monitor.label(id, true);
///     }
/// }
/// monitor.advance(49)?; // predictions up to time 39 are final
/// let report = monitor.report()?;
/// assert_eq!((report.overall.rows, report.overall.observed, report.pending), (40, 4, 10));
/// assert!(report.overall.ratio.is_some_and(|ratio| (ratio - 1.0).abs() < 1e-12));
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(into = "SavedMonitor", try_from = "SavedMonitor")
)]
pub struct CalibrationMonitor {
    params: CalibrationMonitorParams,
    /// By time, then name.
    pending: BTreeMap<(i64, u64), Pending>,
    /// Time of each pending name.
    times: BTreeMap<u64, i64>,
    /// By start divided by length.
    periods: BTreeMap<i64, PeriodSums>,
    sums: CumulativeSums,
    alarms: VecDeque<CalibrationAlarm>,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Pending {
    probability: f64,
    label: Option<bool>,
}

/// What did not come into the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Counts {
    dropped: u64,
    unlabelled: u64,
    unmatched: u64,
    forgotten: u64,
    alarms: u64,
}

/// How well probabilities came true.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CalibrationReport {
    /// All periods that are kept together.
    pub overall: PeriodCalibration,
    /// Each period that has rows, from the first to the last.
    pub periods: Vec<PeriodCalibration>,
    /// The latest alarms, at most 100, in the order they were raised.
    pub alarms: Vec<CalibrationAlarm>,
    /// All alarms there ever were.
    pub alarms_raised: u64,
    /// Predictions whose delay has not passed.
    pub pending: u64,
    /// Predictions left out because too many were pending.
    pub dropped: u64,
    /// Predictions whose delay passed without a label, whatever was made of them.
    pub unlabelled: u64,
    /// Labels that came after the delay, or for a prediction that is not known.
    pub unmatched_labels: u64,
    /// Rows of periods that are no longer kept.
    pub forgotten: u64,
}

impl CalibrationMonitor {
    /// A monitor without predictions.
    ///
    /// # Errors
    ///
    /// As [`CalibrationMonitorParams::check`].
    pub fn new(params: &CalibrationMonitorParams) -> Result<Self, EnsembleError> {
        params.check()?;
        Ok(Self {
            params: params.clone(),
            pending: BTreeMap::new(),
            times: BTreeMap::new(),
            periods: BTreeMap::new(),
            sums: CumulativeSums::new(),
            alarms: VecDeque::new(),
            counts: Counts::default(),
        })
    }

    /// Puts in a prediction under a name: a running number, or a hash of the transaction id. Whether it was kept: it is not while
    /// too many are pending.
    ///
    /// # Errors
    ///
    /// A probability outside 0 to 1, a name that is pending already.
    ///
    /// # Complexity
    ///
    /// O(log n) for n pending predictions, as for [`CalibrationMonitor::label`].
    pub fn predict(&mut self, id: u64, time: i64, probability: f64) -> Result<bool, EnsembleError> {
        let good = (0.0..=1.0).contains(&probability);
        number("probability", probability, "from 0 to 1", good)?;
        if self.times.contains_key(&id) {
            return Err(EnsembleError::PredictionRepeated { id });
        }
        if self.pending.len() >= self.params.max_pending {
            self.counts.dropped += 1;
            return Ok(false);
        }
        self.times.insert(id, time);
        let pending = Pending {
            probability,
            label: None,
        };
        self.pending.insert((time, id), pending);
        Ok(true)
    }

    /// Puts in the label of a prediction; the last one before its delay has passed counts. Whether the prediction was pending.
    pub fn label(&mut self, id: u64, fraud: bool) -> bool {
        let place = self.times.get(&id).map(|time| (*time, id));
        if let Some(pending) = place.and_then(|place| self.pending.get_mut(&place)) {
            pending.label = Some(fraud);
            return true;
        }
        self.counts.unmatched += 1;
        false
    }

    /// Takes all predictions whose delay has passed at this time into the report, in the order of time, then name.
    ///
    /// # Errors
    ///
    /// None on predictions that were accepted; those of [`dafu_core::metrics::ProbabilityLoss::extend`] are passed on.
    ///
    /// # Complexity
    ///
    /// O(m log n) for m of n pending predictions.
    pub fn advance(&mut self, now: i64) -> Result<(), EnsembleError> {
        // A delay is at least 0, so this can only be too small, and then nothing is as old.
        let Some(last) = now.checked_sub(self.params.delay) else {
            return Ok(());
        };
        let limit = CumulativeSums::limit(self.params.rows_between_false_alarms);
        while let Some(entry) = self.pending.first_entry() {
            let (time, id) = *entry.key();
            if time > last {
                break;
            }
            let Pending { probability, label } = entry.remove();
            self.times.remove(&id);
            let fraud = match (label, self.params.unlabelled) {
                (Some(fraud), _) => fraud,
                (None, unlabelled) => {
                    self.counts.unlabelled += 1;
                    if unlabelled == Unlabelled::LeftOut {
                        continue;
                    }
                    false
                }
            };
            let period = time.div_euclid(self.params.period);
            let sums = self.periods.entry(period).or_insert_with(PeriodSums::new);
            sums.add(probability, fraud)?;
            if self.periods.len() > self.params.max_periods
                && let Some((_, oldest)) = self.periods.pop_first()
            {
                self.counts.forgotten += oldest.rows();
            }
            let ratio = self.params.odds_ratio;
            if let Some(direction) = self.sums.add(probability, fraud, ratio, limit) {
                self.counts.alarms += 1;
                self.alarms.push_back(CalibrationAlarm { time, direction });
                if self.alarms.len() > MAX_ALARMS {
                    self.alarms.pop_front();
                }
            }
        }
        Ok(())
    }

    /// How well the probabilities came true.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Nothing`] while no delay has passed.
    pub fn report(&self) -> Result<CalibrationReport, EnsembleError> {
        let level = self.params.level;
        let start = |period: i64| period.saturating_mul(self.params.period);
        let Some((first, _)) = self.periods.first_key_value() else {
            return Err(EnsembleError::Nothing {
                what: "predictions whose delay has passed",
            });
        };
        let mut together = PeriodSums::new();
        let mut periods = Vec::with_capacity(self.periods.len());
        for (period, sums) in &self.periods {
            together.merge(sums);
            periods.push(sums.report(start(*period), level)?);
        }
        Ok(CalibrationReport {
            overall: together.report(start(*first), level)?,
            periods,
            alarms: self.alarms.iter().copied().collect(),
            alarms_raised: self.counts.alarms,
            pending: self.pending.len() as u64,
            dropped: self.counts.dropped,
            unlabelled: self.counts.unlabelled,
            unmatched_labels: self.counts.unmatched,
            forgotten: self.counts.forgotten,
        })
    }
}

/// A monitor as it is saved: lists instead of maps, whose keys not every format takes.
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
struct SavedMonitor {
    params: CalibrationMonitorParams,
    pending: Vec<(i64, u64, Pending)>,
    periods: Vec<(i64, PeriodSums)>,
    sums: CumulativeSums,
    alarms: Vec<CalibrationAlarm>,
    counts: Counts,
}

#[cfg(feature = "serde")]
impl From<CalibrationMonitor> for SavedMonitor {
    fn from(monitor: CalibrationMonitor) -> Self {
        let pending = monitor.pending.into_iter();
        Self {
            params: monitor.params,
            pending: pending.map(|((time, id), row)| (time, id, row)).collect(),
            periods: monitor.periods.into_iter().collect(),
            sums: monitor.sums,
            alarms: monitor.alarms.into(),
            counts: monitor.counts,
        }
    }
}

#[cfg(feature = "serde")]
impl TryFrom<SavedMonitor> for CalibrationMonitor {
    type Error = EnsembleError;

    fn try_from(saved: SavedMonitor) -> Result<Self, EnsembleError> {
        let damaged = |problem| EnsembleError::Damaged {
            what: "calibration monitor",
            problem,
        };
        let mut monitor = Self::new(&saved.params)?;
        if saved.pending.len() > saved.params.max_pending
            || saved.periods.len() > saved.params.max_periods
            || saved.alarms.len() > MAX_ALARMS
        {
            return Err(damaged("there is more than its parameters allow"));
        }
        let sums = saved.periods.iter().map(|(_, sums)| sums);
        if !(saved.sums.is_valid() && sums.clone().all(PeriodSums::is_valid)) {
            return Err(damaged("its sums cannot be"));
        }
        let Counts {
            dropped,
            unlabelled,
            unmatched,
            forgotten,
            alarms,
        } = saved.counts;
        // No process counts as far, and from here the counts cannot overflow.
        if [dropped, unlabelled, unmatched, forgotten, alarms]
            .iter()
            .any(|n| *n >= 1 << 60)
        {
            return Err(damaged("its counts cannot be"));
        }
        for (time, id, row) in saved.pending {
            monitor.predict(id, time, row.probability)?;
            if let Some(fraud) = row.label {
                monitor.label(id, fraud);
            }
        }
        monitor.periods = saved.periods.into_iter().collect();
        monitor.sums = saved.sums;
        monitor.alarms = saved.alarms.into();
        monitor.counts = saved.counts;
        Ok(monitor)
    }
}
