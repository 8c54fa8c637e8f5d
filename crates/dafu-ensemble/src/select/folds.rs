//! Training and test rows by time.

use crate::EnsembleError;
use crate::params::{MAX_ROWS, at_most, count};
use crate::samples::check_length;
use std::collections::BTreeMap;
use std::ops::Range;

/// Most folds.
pub const MAX_FOLDS: usize = 1_000;
/// Longest span of time in any unit: 142 years of microseconds.
pub const MAX_SPAN: i64 = 1 << 52;
/// For times in microseconds: [`TimeFolds::in_units_of`].
pub const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Which rows before the delay are learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum TrainingSpan {
    /// The last [`TimeFolds::train`] of them.
    #[default]
    Sliding,
    /// All of them.
    AllEarlier,
}

/// Prequential validation: each fold learns from a span of time, waits until the labels of that span are known, and is
/// judged on the span after.
///
/// Units: lengths are in the unit of the times, days or microseconds or any other. The defaults are those of the Handbook
/// in days ([`Timestamp::day`](dafu_core::Timestamp::day)): four weeks, each judged after a week of training and a week of
/// delay.
///
/// Source: Le Borgne, Siblini, Lebichot and Bontempi, "Reproducible Machine Learning for Credit Card Fraud Detection"
/// (2022), chapter 5, "Prequential validation"; Dawid, "Present Position and Potential Developments: Some Personal Views:
/// Statistical Theory: The Prequential Approach" (1984).
///
/// # Examples
///
/// ```
/// use dafu_ensemble::select::TimeFolds;
///
/// let days: Vec<i64> = (0..30).collect();
/// let folds = TimeFolds::default().folds(2).split(&days)?;
/// assert_eq!(folds[1].test, (23..30).collect::<Vec<_>>());
/// assert_eq!(folds[1].train, (9..16).collect::<Vec<_>>());
/// assert_eq!(folds[0].test, (16..23).collect::<Vec<_>>());
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct TimeFolds {
    /// Length of training.
    pub train: i64,
    /// Length between training and test, in which labels become known.
    pub delay: i64,
    /// Length of the test.
    pub test: i64,
    /// Folds.
    pub folds: usize,
    /// How much later each fold is than the one before it.
    pub step: i64,
    /// Which rows before the delay are learned from.
    pub span: TrainingSpan,
    /// First time after the last test; by default just after the last row. With times finer than days, give a midnight, or
    /// spans begin and end at the hour of the last row.
    pub end: Option<i64>,
}

impl Default for TimeFolds {
    fn default() -> Self {
        Self {
            train: 7,
            delay: 7,
            test: 7,
            folds: 4,
            step: 7,
            span: TrainingSpan::Sliding,
            end: None,
        }
    }
}

/// Times of a fold, ends excluded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoldTimes {
    /// Of the rows to learn from.
    pub train: Range<i64>,
    /// Of the rows to judge with.
    pub test: Range<i64>,
}

/// Rows to learn from and rows to judge with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Rows to learn from, in order of time.
    pub train: Vec<usize>,
    /// Rows to judge with, in order of time; their labels are seen by nothing but metrics.
    pub test: Vec<usize>,
}

impl TimeFolds {
    dafu_core::setters! {
        train: i64,
        delay: i64,
        test: i64,
        folds: usize,
        step: i64,
        span: TrainingSpan,
        end: Option<i64>,
    }

    /// The same with all lengths times `unit`, such as [`MICROS_PER_DAY`] for lengths in days and times in microseconds.
    /// `end` stays: it is a time.
    #[must_use]
    pub const fn in_units_of(mut self, unit: i64) -> Self {
        self.train = self.train.saturating_mul(unit);
        self.delay = self.delay.saturating_mul(unit);
        self.test = self.test.saturating_mul(unit);
        self.step = self.step.saturating_mul(unit);
        self
    }

    /// Whether all lengths are within their intervals.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::CountOutOfRange`] and [`EnsembleError::SpanOutOfRange`] for the first that is not.
    pub fn check(&self) -> Result<(), EnsembleError> {
        count("folds", self.folds, 1, MAX_FOLDS)?;
        for (name, min, got) in [
            ("train", 1, self.train),
            ("delay", 0, self.delay),
            ("test", 1, self.test),
            ("step", 1, self.step),
        ] {
            if !(min..=MAX_SPAN).contains(&got) {
                let max = MAX_SPAN;
                return Err(EnsembleError::SpanOutOfRange {
                    name,
                    min,
                    max,
                    got,
                });
            }
        }
        Ok(())
    }

    /// Training and test times of each fold, the latest last. Times beyond `i64` end at its limits.
    ///
    /// # Errors
    ///
    /// As [`TimeFolds::check`], and without times and without `end`.
    pub fn times(&self, times: &[i64]) -> Result<Vec<FoldTimes>, EnsembleError> {
        self.check()?;
        let last = times.iter().max().map(|last| i128::from(*last) + 1);
        let end = self.end.map(i128::from).or(last);
        let end = end.ok_or(EnsembleError::NoRows)?;
        // No sum of four spans and a thousand steps leaves 128 bits.
        let of = |fold: usize| {
            let test_end = end - i128::from(self.step) * (self.folds - 1 - fold) as i128;
            let test = test_end - i128::from(self.test);
            let train_end = test - i128::from(self.delay);
            let train = match self.span {
                TrainingSpan::Sliding => clamp(train_end - i128::from(self.train)),
                TrainingSpan::AllEarlier => i64::MIN,
            };
            FoldTimes {
                train: train..clamp(train_end),
                test: clamp(test)..clamp(test_end),
            }
        };
        Ok((0..self.folds).map(of).collect())
    }

    /// The rows of each fold, the latest last.
    ///
    /// Shapes: one time a row, in any order.
    ///
    /// # Errors
    ///
    /// As [`TimeFolds::times`], and for a fold without rows to learn from or to judge with.
    ///
    /// # Complexity
    ///
    /// O(n log n + f n) for n rows and f folds.
    pub fn split(&self, times: &[i64]) -> Result<Vec<Fold>, EnsembleError> {
        self.folds_of(times, |_| |_| true)
    }

    /// As [`TimeFolds::split`], without the test rows of groups (customers, cards) that are known as compromised by then,
    /// as in the Handbook: those with a fraud since the start of training whose time plus delay lies before the test row.
    /// Such rows are blocked in practice and would be easy to find.
    ///
    /// Shapes: one time, group and label a row.
    ///
    /// # Errors
    ///
    /// As [`TimeFolds::split`], and for slices of different lengths.
    ///
    /// # Complexity
    ///
    /// O(f n log n) for n rows and f folds.
    pub fn split_without_known(
        &self,
        times: &[i64],
        groups: &[u32],
        frauds: &[bool],
    ) -> Result<Vec<Fold>, EnsembleError> {
        check_length("groups", times.len(), groups.len())?;
        check_length("labels", times.len(), frauds.len())?;
        let delay = i128::from(self.delay);
        self.folds_of(times, |spans: &FoldTimes| {
            let seen = spans.train.start..spans.test.end;
            let mut first: BTreeMap<u32, i64> = BTreeMap::new();
            for ((time, group), fraud) in times.iter().zip(groups).zip(frauds) {
                if *fraud && seen.contains(time) {
                    let known = first.entry(*group).or_insert(*time);
                    *known = (*known).min(*time);
                }
            }
            move |row: usize| {
                first
                    .get(&groups[row])
                    .is_none_or(|known| i128::from(*known) + delay >= i128::from(times[row]))
            }
        })
    }

    /// The rows of each fold; `kept` says by fold which test rows stay.
    fn folds_of<K: Fn(usize) -> bool>(
        &self,
        times: &[i64],
        kept: impl Fn(&FoldTimes) -> K,
    ) -> Result<Vec<Fold>, EnsembleError> {
        let spans = self.times(times)?;
        at_most("rows", times.len(), MAX_ROWS)?;
        let mut order: Vec<usize> = (0..times.len()).collect();
        order.sort_by_key(|row| times[*row]);
        let within = |span: &Range<i64>| {
            let start = order.partition_point(|row| times[*row] < span.start);
            let end = order.partition_point(|row| times[*row] < span.end);
            // A span that ends where it starts, both at the limits of `i64`, has no rows.
            order.get(start..end).unwrap_or_default()
        };
        let folds = spans.iter().enumerate().map(|(fold, spans)| {
            let kept = kept(spans);
            let rows = Fold {
                train: within(&spans.train).to_vec(),
                test: within(&spans.test)
                    .iter()
                    .copied()
                    .filter(|row| kept(*row))
                    .collect(),
            };
            rows.check(fold)?;
            Ok(rows)
        });
        folds.collect()
    }
}

fn clamp(time: i128) -> i64 {
    i64::try_from(time).unwrap_or(if time < 0 { i64::MIN } else { i64::MAX })
}

impl Fold {
    fn check(&self, fold: usize) -> Result<(), EnsembleError> {
        for (what, rows) in [("learn from", &self.train), ("judge with", &self.test)] {
            if rows.is_empty() {
                return Err(EnsembleError::EmptyFold { fold, what });
            }
        }
        Ok(())
    }
}

/// Checks that there are folds, of `rows` rows, and that none judges with rows that it learns from.
pub(crate) fn check_folds(folds: &[Fold], rows: usize) -> Result<(), EnsembleError> {
    count("folds", folds.len(), 1, MAX_FOLDS)?;
    for (fold, rows_of) in folds.iter().enumerate() {
        rows_of.check(fold)?;
        let mut seen = vec![false; rows];
        for row in rows_of.train.iter().chain(&rows_of.test).copied() {
            match seen.get_mut(row) {
                None => return Err(EnsembleError::FoldRow { fold, row, rows }),
                Some(true) => return Err(EnsembleError::FoldRowTwice { fold, row }),
                Some(seen) => *seen = true,
            }
        }
    }
    Ok(())
}
