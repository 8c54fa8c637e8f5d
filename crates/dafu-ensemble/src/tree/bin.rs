//! Values of columns cut into bins.
//!
//! Bin 0 holds what is missing. A number is in the first bin whose upper edge it does not exceed, so that a split
//! between two bins is the same as a comparison with an edge. In a column of categories, each has a bin.

use crate::params::MAX_CATEGORIES;
use crate::threads;
use crate::{EnsembleError, Samples};
use ndarray::ArrayView1;
use std::cmp::Ordering;

/// Bins a column at most, that of the missing values included.
pub(crate) const MOST_BINS: usize = 256;
/// Rows that edges are taken from at most.
const SAMPLE: usize = 200_000;

/// The bins of one column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ColumnBins {
    /// Upper edges, rising; the last bin has none.
    Numbers(Vec<f64>),
    /// Codes of the categories, the most common first. Others are together with what is missing.
    Categories(Vec<u32>),
}

impl ColumnBins {
    /// Cuts at so many edges that at most `most` bins hold numbers, about as much mass each; a value that has more mass than
    /// that has a bin of its own. `values` with their masses hold no NaN and get sorted.
    pub(crate) fn cut(values: &mut [(f64, u64)], most: usize) -> Self {
        values.sort_unstable_by(|one, two| one.0.total_cmp(&two.0));
        // -0 and 0 are the same number.
        let runs: Vec<(f64, u64)> = values
            .chunk_by(|one, next| one.0.partial_cmp(&next.0) == Some(Ordering::Equal))
            .filter_map(|run| Some((run.first()?.0, run.iter().map(|value| value.1).sum())))
            .collect();
        let mut edges = Vec::new();
        let mut left: u64 = runs.iter().map(|run| run.1).sum();
        let mut bins_left = most as u64;
        let mut size = left.div_ceil(bins_left.max(1));
        let few = runs.len() <= most;
        let mut held = 0;
        for pair in runs.windows(2) {
            let [(value, mass), (next, next_mass)] = *pair else {
                continue;
            };
            held += mass;
            left -= mass;
            // A common value closes the bin before it and its own.
            if few || held >= size || next_mass >= size {
                if edges.len() + 1 >= most {
                    break;
                }
                edges.push(between(value, next));
                held = 0;
                bins_left -= 1;
                size = left.div_ceil(bins_left.max(1)).max(1);
            }
        }
        Self::Numbers(edges)
    }

    /// A bin for each of the most common categories.
    fn categories(codes: &mut [u32], most: usize) -> Self {
        codes.sort_unstable();
        let mut runs: Vec<(u32, usize)> = codes
            .chunk_by(|one, next| one == next)
            .filter_map(|run| Some((*run.first()?, run.len())))
            .collect();
        runs.sort_by_key(|(code, count)| (std::cmp::Reverse(*count), *code));
        Self::Categories(runs.iter().take(most).map(|(code, _)| *code).collect())
    }

    /// Bins, that of the missing values included.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Numbers(edges) => edges.len() + 2,
            Self::Categories(codes) => codes.len() + 1,
        }
    }

    /// Upper edge of a bin, if it has one.
    pub(crate) fn edge(&self, bin: usize) -> Option<f64> {
        match self {
            Self::Numbers(edges) => edges.get(bin.checked_sub(1)?).copied(),
            Self::Categories(_) => None,
        }
    }

    /// Category of a bin.
    pub(crate) fn code(&self, bin: usize) -> Option<u32> {
        match self {
            Self::Numbers(_) => None,
            Self::Categories(codes) => codes.get(bin.checked_sub(1)?).copied(),
        }
    }
}

/// A finite number between two values, or the lower one. Of the two lowest values there are, negative infinity and
/// `f64::MIN`, it parts neither.
fn between(below: f64, above: f64) -> f64 {
    if below == f64::NEG_INFINITY {
        return f64::MIN;
    }
    let middle = below / 2.0 + above.min(f64::MAX) / 2.0;
    if middle >= below && middle < above {
        middle
    } else {
        below
    }
}

/// The bins of all columns.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bins {
    pub(crate) columns: Vec<ColumnBins>,
}

impl Bins {
    /// Cuts each column by its values in rows spread evenly over all of them; columns of categories, by all rows.
    ///
    /// Frauds have as much mass as honest rows: where they are 1 in 100, edges by the number of rows alone would leave next
    /// to none among them.
    pub(crate) fn cut(
        samples: &Samples<'_>,
        most: usize,
        categorical: &[usize],
    ) -> Result<Self, EnsembleError> {
        let rows = samples.rows();
        let step = rows.nrows().div_ceil(SAMPLE).max(1);
        // Rows of weight 0 do not count; other weights move no edge.
        let counts: Vec<bool> = (0..rows.nrows())
            .map(|row| samples.weight(row) > 0.0)
            .collect();
        let drawn = || (samples.frauds().iter().zip(&counts)).step_by(step);
        let classes = |class: bool| drawn().filter(|row| *row == (&class, &true)).count();
        let mass = (classes(false) / classes(true).max(1)).max(1) as u64;
        let cut = |(number, column): (usize, ArrayView1<'_, f64>)| {
            if categorical.contains(&number) {
                let mut codes = codes_of(number, column, &counts)?;
                return Ok(ColumnBins::categories(&mut codes, most));
            }
            let known = column.iter().step_by(step).zip(drawn());
            let known = known.filter(|(value, (_, counts))| **counts && !value.is_nan());
            let masses = known.map(|(value, (fraud, _))| (*value, if *fraud { mass } else { 1 }));
            Ok(ColumnBins::cut(&mut masses.collect::<Vec<_>>(), most))
        };
        let columns = threads::map(rows.ncols(), |column| cut((column, rows.column(column))));
        Ok(Self {
            columns: columns.into_iter().collect::<Result<_, _>>()?,
        })
    }
}

/// The category of a value: none for a missing one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole numbers within the interval"
)]
pub(crate) fn category(value: f64) -> Result<Option<u32>, ()> {
    if value.is_nan() {
        Ok(None)
    } else if value.fract() == 0.0 && value >= 0.0 && value < f64::from(MAX_CATEGORIES) {
        Ok(Some(value as u32))
    } else {
        Err(())
    }
}

/// The codes of a column, in rows that count.
fn codes_of(
    number: usize,
    column: ArrayView1<'_, f64>,
    counts: &[bool],
) -> Result<Vec<u32>, EnsembleError> {
    let mut codes = Vec::new();
    let rows = column.iter().zip(counts).enumerate();
    for (row, (value, _)) in rows.filter(|(_, (_, counts))| **counts) {
        let code = category(*value).map_err(|()| EnsembleError::Category {
            row,
            column: number,
            got: *value,
        })?;
        codes.extend(code);
    }
    Ok(codes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{Bins, ColumnBins};
    use crate::Samples;
    use ndarray::Array2;

    #[test]
    fn half_of_the_edges_are_among_the_frauds() {
        // 20 frauds above 2,000 honest rows: by the number of rows alone they would share one bin.
        let rows = Array2::from_shape_fn((2020, 1), |(row, _)| row as f64);
        let frauds: Vec<bool> = (0..2020).map(|row| row >= 2000).collect();
        let samples = Samples::new(rows.view(), &frauds).unwrap();
        let bins = Bins::cut(&samples, 20, &[]).unwrap();
        let ColumnBins::Numbers(edges) = &bins.columns[0] else {
            unreachable!("a column of numbers");
        };
        let among = edges.iter().filter(|edge| **edge > 2000.0).count();
        assert_eq!(edges.len(), 19);
        assert!((8..=10).contains(&among), "{edges:?}");
    }
}
