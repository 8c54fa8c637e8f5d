//! Columns made ready for models that know neither missing values nor units.

use crate::Samples;
#[cfg(feature = "serde")]
use crate::{EnsembleError, saved::check};
#[cfg(feature = "serde")]
use dafu_core::model::Limits;

/// Largest size of a standardised input.
const LARGEST: f64 = 1e100;

/// What stands in for a missing value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Imputation {
    /// The median of the column in the training rows.
    #[default]
    Median,
    /// The mean of the column in the training rows.
    Mean,
}

/// One column as the training rows had it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Column {
    /// In the place of missing values.
    fill: f64,
    /// In the place of infinite values.
    low: f64,
    high: f64,
    scaling: Scaling,
    /// Of the flag that says whether the value is missing, where there is one.
    flag: Option<Scaling>,
}

/// To mean 0 and standard deviation 1.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Scaling {
    mean: f64,
    /// 1 / standard deviation, 0 for a constant column.
    factor: f64,
}

impl Scaling {
    /// Of values with weights whose sum is above 0.
    fn of(values: impl Iterator<Item = (f64, f64)> + Clone) -> Self {
        // In units of the largest value, so that squares of huge values stay finite.
        let unit = values
            .clone()
            .fold(0.0_f64, |unit, (value, _)| unit.max(value.abs()));
        if unit == 0.0 {
            return Self {
                mean: 0.0,
                factor: 0.0,
            };
        }
        let total: f64 = values.clone().map(|(_, weight)| weight).sum();
        let sum: f64 = values
            .clone()
            .map(|(value, weight)| value / unit * (weight / total))
            .sum();
        let squares = values.map(|(value, weight)| (value / unit - sum).powi(2) * (weight / total));
        let deviation = squares.sum::<f64>().sqrt();
        let factor = 1.0 / (deviation * unit);
        // Below, the deviation is rounding.
        let varies = deviation > 1e-14 && factor.is_finite();
        Self {
            mean: sum * unit,
            factor: if varies { factor } else { 0.0 },
        }
    }

    fn standardise(self, value: f64) -> f64 {
        if self.factor == 0.0 {
            return 0.0;
        }
        ((value - self.mean) * self.factor).clamp(-LARGEST, LARGEST)
    }

    #[cfg(feature = "serde")]
    fn is_sound(self) -> bool {
        self.mean.is_finite() && self.factor.is_finite() && self.factor >= 0.0
    }
}

/// How rows become inputs: missing values filled in, infinite ones set to the largest or smallest of the training rows,
/// flags of missing values added behind the columns, everything standardised.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Inputs {
    columns: Vec<Column>,
}

impl Inputs {
    /// Learns from rows that [`class_weights`] has checked; flags only for columns with missing values.
    pub(crate) fn fit(samples: &Samples<'_>, imputation: Imputation, flags: bool) -> Self {
        let rows = samples.rows();
        let weights: Vec<f64> = (0..rows.nrows()).map(|row| samples.weight(row)).collect();
        let columns = crate::threads::map(rows.ncols(), |column| {
            let values = rows.column(column).into_iter().copied();
            let weighed = values.zip(weights.iter().copied());
            let weighed = weighed.filter(|(_, weight)| *weight > 0.0);
            let finite: Vec<(f64, f64)> = weighed
                .clone()
                .filter(|(value, _)| value.is_finite())
                .collect();
            let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
            for (value, _) in &finite {
                (low, high) = (low.min(*value), high.max(*value));
            }
            if finite.is_empty() {
                (low, high) = (0.0, 0.0);
            }
            let fill = match imputation {
                Imputation::Mean => Scaling::of(finite.iter().copied()).mean.clamp(low, high),
                Imputation::Median => median(finite),
            };
            let missing = weighed
                .clone()
                .map(|(value, weight)| (f64::from(u8::from(value.is_nan())), weight));
            let any = missing.clone().any(|(flag, _)| flag > 0.0);
            let mut column = Column {
                fill,
                low,
                high,
                scaling: Scaling {
                    mean: 0.0,
                    factor: 0.0,
                },
                flag: (flags && any).then(|| Scaling::of(missing)),
            };
            column.scaling =
                Scaling::of(weighed.map(|(value, weight)| (column.complete(value), weight)));
            column
        });
        Self { columns }
    }

    /// Columns of the rows.
    pub(crate) fn width(&self) -> usize {
        self.columns.len()
    }

    /// Inputs of a row: its columns, and the flags behind them.
    pub(crate) fn len(&self) -> usize {
        self.columns.len() + self.flags().count()
    }

    /// Columns that have a flag.
    pub(crate) fn flags(&self) -> impl Iterator<Item = usize> + '_ {
        let columns = self.columns.iter().enumerate();
        columns.filter_map(|(at, column)| column.flag.map(|_| at))
    }

    /// Standardised inputs, one after the other.
    pub(crate) fn standardised(
        &self,
        value_of: impl Fn(usize) -> f64 + Copy,
    ) -> impl Iterator<Item = f64> {
        let columns = self.columns.iter().enumerate();
        let values = columns.clone().map(move |(at, column)| {
            let value = column.complete(value_of(at));
            column.scaling.standardise(value)
        });
        let flags = columns.filter_map(move |(at, column)| {
            let missing = f64::from(u8::from(value_of(at).is_nan()));
            column.flag.map(|flag| flag.standardise(missing))
        });
        values.chain(flags)
    }

    /// A finite value of a column in its units.
    #[cfg(any(feature = "linfa", feature = "smartcore"))]
    pub(crate) fn complete(&self, column: usize, value: f64) -> f64 {
        let column = self.columns.get(column);
        column.map_or(value, |column| column.complete(value))
    }

    /// Finite inputs in the units of the columns, one after the other.
    #[cfg(any(feature = "linfa", feature = "smartcore"))]
    pub(crate) fn completed(
        &self,
        value_of: impl Fn(usize) -> f64 + Copy,
    ) -> impl Iterator<Item = f64> {
        let values = (0..self.width()).map(move |at| self.complete(at, value_of(at)));
        let flags = self.flags();
        values.chain(flags.map(move |at| f64::from(u8::from(value_of(at).is_nan()))))
    }

    /// Mean and factor of each input.
    pub(crate) fn scalings(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let columns = self.columns.iter().map(|column| column.scaling);
        let flags = self.columns.iter().filter_map(|column| column.flag);
        columns
            .chain(flags)
            .map(|scaling| (scaling.mean, scaling.factor))
    }

    /// Checks that numbers from a file can be what a fit gives.
    #[cfg(feature = "serde")]
    pub(crate) fn check(&self, limits: &Limits) -> Result<(), EnsembleError> {
        let most = limits.max_features.min(crate::MAX_COLUMNS as u64);
        let width = self.columns.len() as u64;
        check((1..=most).contains(&width), "its width")?;
        let sound = |column: &Column| {
            column.low.is_finite()
                && column.high.is_finite()
                && (column.low..=column.high).contains(&column.fill)
                && column.scaling.is_sound()
                && column.flag.is_none_or(Scaling::is_sound)
        };
        check(self.columns.iter().all(sound), "columns that no fit gives")
    }
}

impl Column {
    fn complete(&self, value: f64) -> f64 {
        if value.is_nan() {
            self.fill
        } else if value.is_infinite() {
            if value > 0.0 { self.high } else { self.low }
        } else {
            value
        }
    }
}

/// The weighted median of finite values; a weight of 2 is the same as the value twice.
fn median(mut values: Vec<(f64, f64)>) -> f64 {
    values.sort_by(|one, two| one.0.total_cmp(&two.0));
    let half = values.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut below = 0.0;
    let mut values = values.into_iter().peekable();
    while let Some((value, weight)) = values.next() {
        below += weight;
        if below > half {
            return value;
        }
        #[expect(clippy::float_cmp, reason = "exact for whole weights")]
        let between = below == half;
        if between || values.peek().is_none() {
            let next = values.peek().map_or(value, |(next, _)| *next);
            return f64::midpoint(value, next);
        }
    }
    0.0
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; exact by construction"
)]
mod tests {
    use super::{Imputation, Inputs, LARGEST, median};
    use crate::Samples;
    use ndarray::array;

    #[test]
    fn median_of_weights_is_that_of_repeated_values() {
        assert_eq!(median(vec![]), 0.0);
        assert_eq!(median(vec![(3.0, 0.5)]), 3.0);
        assert_eq!(median(vec![(3.0, 1.0), (1.0, 1.0)]), 2.0);
        assert_eq!(median(vec![(3.0, 2.0), (1.0, 1.0)]), 3.0);
        assert_eq!(median(vec![(1.0, 1.0), (5.0, 3.0), (9.0, 2.0)]), 5.0);
        assert_eq!(median(vec![(1.0, 1.0), (5.0, 2.0), (9.0, 3.0)]), 7.0);
    }

    #[test]
    fn missing_and_infinite_values_are_replaced_and_flagged() {
        let rows = array![
            [1.0, 7.0, f64::NAN],
            [f64::NAN, 7.0, f64::NAN],
            [3.0, 7.0, f64::NAN],
            [8.0, f64::INFINITY, f64::NAN]
        ];
        let samples = Samples::new(rows.view(), &[true, false, false, true]).unwrap();
        let inputs = Inputs::fit(&samples, Imputation::Median, true);
        assert_eq!(inputs.width(), 3);
        assert_eq!(inputs.flags().collect::<Vec<_>>(), [0, 2]);
        let of = |row: [f64; 3]| -> Vec<f64> { inputs.standardised(|at| row[at]).collect() };
        // Mean of 1, 3, 3, 8 is 3.75; the second and third column are constant, and so is the flag of the third.
        let deviation =
            ((2.75_f64.powi(2) + 2.0 * 0.75_f64.powi(2) + 4.25_f64.powi(2)) / 4.0).sqrt();
        let first = of([f64::NAN, f64::NEG_INFINITY, 5.0]);
        assert!((first[0] + 0.75 / deviation).abs() < 1e-14);
        assert_eq!(&first[1..3], [0.0, 0.0]);
        assert!((first[3] - 0.75 / 0.1875_f64.sqrt()).abs() < 1e-14);
        assert_eq!(first[4], 0.0);
        assert_eq!(of([f64::INFINITY, 0.0, 0.0]), of([8.0, 0.0, 0.0]));
        assert_eq!(of([1e300, 0.0, 0.0])[0], LARGEST);
        let mean = Inputs::fit(&samples, Imputation::Mean, false);
        assert_eq!(mean.len(), 3);
        assert_eq!(mean.columns[0].fill, 4.0);
    }

    #[test]
    fn huge_and_tiny_values_are_standardised() {
        for unit in [1e-280, 1.0, 1e300] {
            let rows = array![[unit], [-unit], [unit], [-unit]];
            let samples = Samples::new(rows.view(), &[true, false, false, true]).unwrap();
            let inputs = Inputs::fit(&samples, Imputation::Median, true);
            let z: Vec<f64> = inputs.standardised(|_| unit).collect();
            assert!((z[0] - 1.0).abs() < 1e-12, "{unit}: {z:?}");
        }
    }
}
