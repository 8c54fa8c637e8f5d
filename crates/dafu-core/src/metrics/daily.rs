//! Alerts by day: what a team can check, and the threshold that it leads to.

use super::MetricsError;
use super::input::{
    check_length, check_not_empty, check_scored, check_total, check_weights, weight_of,
};
use super::ranking::order_key;

/// How many alerts a day there may be.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum DailyBudget {
    /// On the mean over the days: what is too much on one day is left for another.
    Mean {
        /// Alerts a day, at least 0.
        alerts: f64,
    },
    /// On the day with most of them.
    Most {
        /// Alerts a day, at least 0.
        alerts: f64,
    },
}

/// How many alerts a day there are. A row of weight 2 counts as two; a day is one that has rows of weight above 0, alerted or
/// not.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DailyAlerts {
    /// Days.
    pub days: u64,
    /// Alerts on the mean day.
    pub mean: f64,
    /// Alerts on the day with most of them.
    pub most: f64,
}

/// A threshold and the alerts that it leads to on the rows that it was chosen on.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DailyThreshold {
    /// Rows with `score >= threshold` are alerted. One of the scores, or infinity when the budget does not allow those with the
    /// highest score (written as `None` by serde).
    #[cfg_attr(feature = "serde", serde(with = "super::infinity"))]
    pub threshold: f64,
    /// Alerts a day.
    pub alerts: DailyAlerts,
}

/// The lowest threshold whose alerts are within a budget a day. No labels are needed, so the newest rows will do.
///
/// `days[i]` is any number of a day. Equal scores are alerted all or none.
///
/// # Errors
///
/// Slices of different lengths or without rows, a NaN or infinite score, an invalid weight, all weights zero; a budget that
/// is negative or NaN.
///
/// # Complexity
///
/// O(n log n) for n rows.
///
/// # Examples
///
/// ```
/// use dafu_core::metrics::{DailyBudget, daily_threshold};
///
/// let days = [1, 1, 1, 2, 2, 2];
/// let scores = [0.9, 0.8, 0.7, 0.6, 0.2, 0.1];
/// let mean = daily_threshold(&days, &scores, None, &DailyBudget::Mean { alerts: 2.0 })?;
/// assert_eq!((mean.threshold, mean.alerts.most), (0.6, 3.0));
/// let most = daily_threshold(&days, &scores, None, &DailyBudget::Most { alerts: 2.0 })?;
/// assert_eq!((most.threshold, most.alerts.mean), (0.8, 1.0));
/// # Ok::<(), dafu_core::metrics::MetricsError>(())
/// ```
pub fn daily_threshold(
    days: &[i64],
    scores: &[f64],
    weights: Option<&[f64]>,
    budget: &DailyBudget,
) -> Result<DailyThreshold, MetricsError> {
    check_scored(days.len(), scores, weights)?;
    let (DailyBudget::Mean { alerts } | DailyBudget::Most { alerts }) = *budget;
    if alerts.is_nan() || alerts < 0.0 {
        return Err(MetricsError::InvalidParameter {
            name: "alerts",
            requirement: "at least 0",
            got: alerts,
        });
    }
    let calendar = Calendar::new(days, weights)?;
    let mut rows = calendar.rows.clone();
    // By day and weight besides, so that sums have one order whatever the order of the rows.
    rows.sort_unstable_by_key(|&(row, day)| {
        (
            order_key(scores[row]),
            day,
            weight_of(weights, row).to_bits(),
        )
    });
    let mut counts = calendar.counts();
    let mut best = (f64::INFINITY, counts.alerts());
    for tied in rows.chunk_by(|one, other| order_key(scores[one.0]) == order_key(scores[other.0])) {
        for &(row, day) in tied {
            counts.add(day, weight_of(weights, row));
        }
        let here = counts.alerts();
        let taken = match budget {
            DailyBudget::Mean { .. } => here.mean,
            DailyBudget::Most { .. } => here.most,
        };
        if taken > alerts {
            break;
        }
        best = (scores[tied[0].0], here);
    }
    Ok(DailyThreshold {
        threshold: best.0,
        alerts: best.1,
    })
}

/// How many alerts a day decisions (`true` is an alert) lead to.
///
/// # Errors
///
/// Slices of different lengths or without rows, an invalid weight, all weights zero.
///
/// # Complexity
///
/// O(n log d) for n rows on d days.
pub fn daily_alerts(
    days: &[i64],
    alerts: &[bool],
    weights: Option<&[f64]>,
) -> Result<DailyAlerts, MetricsError> {
    check_length("alerts", alerts.len(), days.len())?;
    check_not_empty(days.len())?;
    check_weights(weights, days.len())?;
    let calendar = Calendar::new(days, weights)?;
    let mut counts = calendar.counts();
    for &(row, day) in calendar.rows.iter().filter(|(row, _)| alerts[*row]) {
        counts.add(day, weight_of(weights, row));
    }
    Ok(counts.alerts())
}

/// Rows of weight above 0 with the place of their day.
struct Calendar {
    rows: Vec<(usize, usize)>,
    days: usize,
}

impl Calendar {
    fn new(days: &[i64], weights: Option<&[f64]>) -> Result<Self, MetricsError> {
        check_total((0..days.len()).map(|row| weight_of(weights, row)).sum())?;
        let counted = || (0..days.len()).filter(|&row| weight_of(weights, row) > 0.0);
        let mut places: Vec<i64> = Vec::new();
        for row in counted() {
            // Rows mostly come day by day.
            if places.last() != Some(&days[row]) {
                places.push(days[row]);
            }
        }
        places.sort_unstable();
        places.dedup();
        Ok(Self {
            rows: counted()
                .map(|row| (row, places.partition_point(|&day| day < days[row])))
                .collect(),
            days: places.len(),
        })
    }

    fn counts(&self) -> Counts {
        Counts {
            by_day: vec![0.0; self.days],
            total: 0.0,
            most: 0.0,
        }
    }
}

/// Alerts so far.
struct Counts {
    by_day: Vec<f64>,
    total: f64,
    most: f64,
}

impl Counts {
    fn add(&mut self, day: usize, weight: f64) {
        self.by_day[day] += weight;
        self.total += weight;
        self.most = self.most.max(self.by_day[day]);
    }

    fn alerts(&self) -> DailyAlerts {
        DailyAlerts {
            days: self.by_day.len() as u64,
            mean: self.total / self.by_day.len() as f64,
            most: self.most,
        }
    }
}
