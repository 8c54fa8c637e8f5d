//! What is known about past events.

use crate::{Columns, RowBits, RuleError};
use dafu_core::{Label, Timestamp};

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Past events with what became of them: labels, amounts, times.
///
/// A blocked payment has no label of its own, and its neighbours are honest more often than it was: rules that block look
/// worse or better than they are where only what passed is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged<'a> {
    pub(super) fraud: RowBits,
    pub(super) honest: RowBits,
    pub(super) amounts: Option<&'a [f64]>,
    pub(super) times: Option<&'a [Timestamp]>,
}

impl<'a> Judged<'a> {
    /// Events with these labels.
    pub fn new(labels: &[Label]) -> Self {
        let of =
            |fraud: bool| RowBits::from_fn(labels.len(), |row| labels[row].known() == Some(fraud));
        Self::of(of(true), of(false))
    }

    /// Frauds and honest events among as many.
    pub(super) const fn of(fraud: RowBits, honest: RowBits) -> Self {
        Self {
            fraud,
            honest,
            amounts: None,
            times: None,
        }
    }

    /// Adds one amount an event; one that is no number counts as nothing.
    ///
    /// # Errors
    ///
    /// [`RuleError::Row`] for another length.
    pub fn amounts(mut self, amounts: &'a [f64]) -> Result<Self, RuleError> {
        self.check("amounts", amounts.len())?;
        self.amounts = Some(amounts);
        Ok(self)
    }

    /// Adds one time an event. Without it the times of [`Columns`] are taken.
    ///
    /// # Errors
    ///
    /// [`RuleError::Row`] for another length.
    pub fn times(mut self, times: &'a [Timestamp]) -> Result<Self, RuleError> {
        self.check("times", times.len())?;
        self.times = Some(times);
        Ok(self)
    }

    /// Events and what became of them, each with the times of the other where it has none.
    pub(super) fn joined<'b, 'c>(
        &'b self,
        columns: &'b Columns<'c>,
    ) -> Result<(Columns<'c>, Judged<'b>), RuleError> {
        self.check("events", columns.rows())?;
        let (mut timed, mut judged): (Columns<'c>, Judged<'b>) = (columns.clone(), self.clone());
        match (columns.known_times(), judged.times) {
            (None, Some(times)) => timed = timed.own_times(times.to_vec()),
            (Some(times), None) => judged.times = Some(times),
            _ => {}
        }
        Ok((timed, judged))
    }

    /// How many events there are.
    pub const fn rows(&self) -> usize {
        self.fraud.rows()
    }

    pub(super) const fn check(&self, what: &'static str, got: usize) -> Result<(), RuleError> {
        if got == self.rows() {
            return Ok(());
        }
        Err(RuleError::Row {
            what,
            expected: self.rows(),
            got,
        })
    }

    pub(super) fn amount(&self, row: usize) -> f64 {
        let amount = self.amounts.and_then(|amounts| amounts.get(row)).copied();
        amount.filter(|amount| amount.is_finite()).unwrap_or(0.0)
    }

    /// The first and the last moment.
    pub(super) fn period(&self) -> Option<(Timestamp, Timestamp)> {
        let times = self.times?;
        times.iter().min().copied().zip(times.iter().max().copied())
    }

    /// Days that the events lie in, the first and the last counted whole.
    pub(super) fn days(&self) -> Option<f64> {
        let (first, last) = self.period()?;
        let day = |at: Timestamp| at.as_micros().div_euclid(DAY);
        Some((day(last) - day(first) + 1) as f64)
    }

    /// The week of every event, counted from midnight before the first.
    pub(super) fn weeks(&self) -> Vec<u32> {
        let (Some(times), Some((first, _))) = (self.times, self.period()) else {
            return Vec::new();
        };
        let start = first.as_micros().div_euclid(DAY) * DAY;
        let week = |at: &Timestamp| {
            u32::try_from((at.as_micros() - start) / (7 * DAY)).unwrap_or(u32::MAX)
        };
        times.iter().map(week).collect()
    }
}

/// How many alerts there are, and how many of them are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Hits {
    /// Events for which it fired.
    pub fired: usize,
    /// Frauds among them.
    pub true_positives: usize,
    /// Honest ones among them.
    pub false_positives: usize,
}

impl Hits {
    pub(super) fn of(fired: &RowBits, judged: &Judged<'_>) -> Self {
        Self {
            fired: fired.count(),
            true_positives: fired.count_both(&judged.fraud),
            false_positives: fired.count_both(&judged.honest),
        }
    }

    /// Frauds as a share of the alerts with a label; `None` without one.
    pub fn precision(self) -> Option<f64> {
        share(
            self.true_positives,
            self.true_positives + self.false_positives,
        )
    }

    /// Alerts without a label.
    pub const fn unlabelled(self) -> usize {
        self.fired - self.true_positives - self.false_positives
    }
}

pub(super) fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
