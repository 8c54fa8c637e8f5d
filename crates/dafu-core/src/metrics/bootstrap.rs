//! Resamples of the rows, and the intervals that they give to any metric.

use super::MetricsError;
use super::input::{check_length, check_not_empty};
use crate::random::Stream;

/// What the random streams are for.
const RESAMPLES: u64 = 0x626f_6f74;

/// Most resamples.
const MAX_RESAMPLES: usize = 1 << 20;

/// What is drawn with replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ResampledUnit {
    /// Frauds among frauds, and honest rows among honest rows: each resample has as many of both.
    #[default]
    Classes,
    /// Rows, whatever their class; a resample may be without fraud.
    Rows,
    /// Whole days, so that what the rows of a day have in common stays together. Needs days, better 20 or more of them.
    Days,
}

/// Parameters of percentile bootstrap intervals. Rows or days have equal chances to be drawn; weights come along with them.
///
/// # Examples
///
/// The interval of any metric:
///
/// ```
/// use dafu_core::metrics::{Bootstrap, roc_auc};
///
/// let labels: Vec<bool> = (0..200).map(|row| row % 10 == 0).collect();
/// let scores: Vec<f64> = (0..200).map(|row| f64::from((row * 7 + 60 * i32::from(row % 10 == 0)) % 101)).collect();
/// let auc = roc_auc(&labels, &scores, None)?;
///
/// let bootstrap = Bootstrap::default().resamples(200);
/// let resampler = bootstrap.resampler(&labels, None)?;
/// let drawn = (0..200).map(|number| {
///     let resample = resampler.draw(number);
///     roc_auc(&resample.gather(&labels), &resample.gather(&scores), None)
/// });
/// let interval = bootstrap.interval(auc, drawn.collect::<Result<_, _>>()?);
/// assert!(interval.lower < auc && auc < interval.upper);
/// # Ok::<(), dafu_core::metrics::MetricsError>(())
/// ```
///
/// Source: Efron and Tibshirani 1993, *An introduction to the bootstrap*, chapter 13 (percentiles) and section 8.6 (blocks).
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Bootstrap {
    /// What is drawn.
    pub unit: ResampledUnit,
    /// How often.
    pub resamples: usize,
    /// Share of the resamples within an interval, above 0 and below 1.
    pub level: f64,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            unit: ResampledUnit::Classes,
            resamples: 1000,
            level: 0.95,
            seed: 0,
        }
    }
}

impl Bootstrap {
    /// Sets what is drawn.
    #[must_use]
    pub const fn unit(mut self, unit: ResampledUnit) -> Self {
        self.unit = unit;
        self
    }

    /// Sets how often.
    #[must_use]
    pub const fn resamples(mut self, resamples: usize) -> Self {
        self.resamples = resamples;
        self
    }

    /// Sets the share of the resamples within an interval.
    #[must_use]
    pub const fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Sets the seed.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Whether all parameters are within their intervals.
    ///
    /// # Errors
    ///
    /// [`MetricsError::InvalidParameter`] for the first that is not.
    pub fn check(&self) -> Result<(), MetricsError> {
        if !(1..=MAX_RESAMPLES).contains(&self.resamples) {
            return Err(MetricsError::InvalidParameter {
                name: "resamples",
                requirement: "from 1 to 1048576",
                got: self.resamples as f64,
            });
        }
        if !(self.level > 0.0 && self.level < 1.0) {
            return Err(MetricsError::InvalidParameter {
                name: "level",
                requirement: "above 0 and below 1",
                got: self.level,
            });
        }
        Ok(())
    }

    /// Groups the rows for draws.
    ///
    /// # Errors
    ///
    /// Parameters that do not pass [`Bootstrap::check`], no rows, days of another length than labels;
    /// [`MetricsError::DaysMissing`] when days are drawn and there are none.
    ///
    /// # Complexity
    ///
    /// O(n log n) for n rows with days, otherwise O(n).
    pub fn resampler(
        &self,
        labels: &[bool],
        days: Option<&[i64]>,
    ) -> Result<Resampler, MetricsError> {
        self.check()?;
        check_not_empty(labels.len())?;
        if let Some(days) = days {
            check_length("days", days.len(), labels.len())?;
        }
        let rows = 0..labels.len();
        let groups = match (self.unit, days) {
            (ResampledUnit::Rows, _) => vec![rows.collect()],
            (ResampledUnit::Classes, _) => {
                let (frauds, honest): (Vec<_>, Vec<_>) = rows.partition(|&row| labels[row]);
                vec![frauds, honest]
            }
            (ResampledUnit::Days, None) => return Err(MetricsError::DaysMissing),
            (ResampledUnit::Days, Some(days)) => {
                let mut rows: Vec<usize> = rows.collect();
                rows.sort_by_key(|&row| days[row]);
                let days = rows.chunk_by(|&one, &other| days[one] == days[other]);
                days.map(<[usize]>::to_vec).collect()
            }
        };
        Ok(Resampler {
            unit: self.unit,
            seed: self.seed,
            groups,
            days: days.map(<[i64]>::to_vec),
        })
    }

    /// The percentile interval of a metric: `value` on all rows, `drawn` on resamples.
    ///
    /// Ends are values that were drawn (no interpolation), so that infinite thresholds have a place; NaN counts as the
    /// highest. Without any drawn the interval is the value alone.
    pub fn interval(&self, value: f64, mut drawn: Vec<f64>) -> Interval {
        drawn.sort_unstable_by(f64::total_cmp);
        // So that the rounding of levels like 0.9 does not move an end by a rank.
        let outside = (1.0 - self.level) / 2.0 * drawn.len() as f64 + 1e-6;
        let skipped = (1..=drawn.len())
            .take_while(|rank| *rank as f64 <= outside)
            .count();
        Interval {
            value,
            lower: drawn.get(skipped).copied().unwrap_or(value),
            upper: drawn.iter().rev().nth(skipped).copied().unwrap_or(value),
        }
    }
}

/// A metric and its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Interval {
    /// On all rows. Infinity (the threshold that alerts nobody) is written as `None` by serde.
    #[cfg_attr(feature = "serde", serde(with = "super::infinity"))]
    pub value: f64,
    /// Lower end.
    #[cfg_attr(feature = "serde", serde(with = "super::infinity"))]
    pub lower: f64,
    /// Upper end.
    #[cfg_attr(feature = "serde", serde(with = "super::infinity"))]
    pub upper: f64,
}

/// Rows grouped for draws; see [`Bootstrap::resampler`].
#[derive(Debug, Clone, PartialEq)]
pub struct Resampler {
    unit: ResampledUnit,
    seed: u64,
    /// Days, or what rows are drawn from.
    groups: Vec<Vec<usize>>,
    days: Option<Vec<i64>>,
}

/// One resample: rows by number, some of them several times.
#[derive(Debug, Clone, PartialEq)]
pub struct Resample {
    rows: Vec<usize>,
    days: Option<Vec<i64>>,
}

impl Resampler {
    /// The resample of a number: the same rows whatever else was drawn, on whatever thread.
    ///
    /// # Complexity
    ///
    /// O(n) for n rows; 8 bytes a row, 16 with days.
    pub fn draw(&self, number: usize) -> Resample {
        let mut stream = Stream::new(self.seed, RESAMPLES, number as u64);
        let (mut rows, mut days) = (Vec::new(), Vec::new());
        let by_day = self.unit == ResampledUnit::Days;
        self.draw_each(&mut stream, |day, drawn| {
            rows.extend_from_slice(drawn);
            if by_day {
                // A day that is drawn twice is two days.
                days.resize(rows.len(), day);
            }
        });
        let days = if by_day {
            Some(days)
        } else {
            let days = self.days.as_ref();
            days.map(|days| rows.iter().map(|&row| days[row]).collect())
        };
        Resample { rows, days }
    }

    /// How often each row is in a resample that is drawn from `stream`, for metrics that take counts of rows.
    ///
    /// # Complexity
    ///
    /// As [`Resampler::draw`]; 4 bytes a row.
    pub fn times(&self, stream: &mut Stream) -> Vec<u32> {
        let mut times = vec![0; self.groups.iter().map(Vec::len).sum()];
        self.draw_each(stream, |_, drawn| {
            for &row in drawn {
                times[row] += 1;
            }
        });
        times
    }

    /// Days, or what rows are drawn from: both classes, or all rows.
    pub const fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Hands over what is drawn, a row or a day at a time, with its number.
    fn draw_each(&self, stream: &mut Stream, mut take: impl FnMut(i64, &[usize])) {
        if self.unit == ResampledUnit::Days {
            for (number, _) in (0..).zip(&self.groups) {
                take(number, &self.groups[stream.index_below(self.groups.len())]);
            }
        } else {
            for group in &self.groups {
                for (number, _) in (0..).zip(group) {
                    take(number, &[group[stream.index_below(group.len())]]);
                }
            }
        }
    }
}

impl Resample {
    /// The rows drawn, by their number.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// The day of each row drawn, where days were given; where days are drawn they are numbered anew from 0.
    pub fn days(&self) -> Option<&[i64]> {
        self.days.as_deref()
    }

    /// What the rows drawn have, of what all rows have.
    ///
    /// # Panics
    ///
    /// When `values` is shorter than the labels that were resampled.
    pub fn gather<T: Copy>(&self, values: &[T]) -> Vec<T> {
        self.rows.iter().map(|&row| values[row]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Bootstrap, RESAMPLES, ResampledUnit};
    use crate::random::Stream;

    #[test]
    fn times_count_the_rows_of_a_resample() {
        let labels: Vec<bool> = (0..90).map(|row| row % 7 == 0).collect();
        let days: Vec<i64> = (0..90).map(|row| row * 13 % 9).collect();
        for unit in [
            ResampledUnit::Classes,
            ResampledUnit::Rows,
            ResampledUnit::Days,
        ] {
            let bootstrap = Bootstrap::default().unit(unit).seed(4);
            let resampler = bootstrap.resampler(&labels, Some(&days)).unwrap();
            let mut expected = vec![0; labels.len()];
            for row in resampler.draw(3).rows() {
                expected[*row] += 1;
            }
            assert_eq!(resampler.times(&mut Stream::new(4, RESAMPLES, 3)), expected);
        }
    }
}
