//! The cells that the values of a column are counted in.
//!
//! Cell 0 is what is missing. Numbers: cells 1 to 2k + 1 for k knots, in turn what lies before a knot and the knot itself, so
//! that both limits of a distribution function at each knot are sums of cells. Categories: a cell a value, then one for all
//! others.
//!
//! Bins are sums of cells. Numbers below or above all of the reference have bins of their own: a column that was constant and
//! is another constant now must not pass for unchanged.

use super::params::DriftParams;
use super::report::BinRange;
use crate::tree::bin::ColumnBins;
use std::cmp::Ordering;

/// How values become cells, and cells the bins of PSI and chi-square.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Cells {
    Numbers {
        /// Rising and finite.
        knots: Vec<f64>,
        /// Rising positions of the knots that end a bin; the last bin has no end.
        ends: Vec<usize>,
    },
    Categories {
        /// Rising and finite.
        values: Vec<f64>,
    },
}

impl Cells {
    /// For the numbers of a column; `values` hold no NaN and get sorted.
    pub(super) fn of_numbers(values: &mut [f64], params: &DriftParams) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let mut masses: Vec<(f64, u64)> = values.iter().map(|value| (*value, 1)).collect();
        let cut = ColumnBins::cut(&mut masses, params.bins);
        let runs = runs(values);
        let knots = if runs.len() <= params.knots {
            runs.into_iter().map(|(value, _)| value).collect()
        } else {
            spread(&runs, params.knots)
        };
        // An edge between two knots parts no cell when it moves down to the lower one.
        let mut ends: Vec<usize> = (1..)
            .map_while(|bin| cut.edge(bin))
            .filter_map(|edge| knots.partition_point(|knot| *knot <= edge).checked_sub(1))
            .collect();
        ends.dedup();
        Self::Numbers { knots, ends }
    }

    /// For a column of names: the most common values, each with a share of at least [`DriftParams::rare_share`]; `values` hold no
    /// NaN and get sorted.
    pub(super) fn of_categories(values: &mut [f64], params: &DriftParams) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let least = params.rare_share * values.len() as f64;
        let mut runs = runs(values);
        runs.retain(|(_, count)| *count as f64 >= least);
        // Stable: of values as common as each other the lower ones stay.
        runs.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        runs.truncate(params.max_categories);
        let mut values: Vec<f64> = runs.into_iter().map(|(value, _)| value).collect();
        values.sort_unstable_by(f64::total_cmp);
        Self::Categories { values }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Numbers { knots, .. } => 2 * knots.len() + 2,
            Self::Categories { values } => values.len() + 2,
        }
    }

    /// Cell of a value, below [`Self::len`].
    pub(super) fn cell(&self, value: f64) -> usize {
        if value.is_nan() {
            return 0;
        }
        let place = |places: &[f64]| {
            let below = places.partition_point(|place| *place < value);
            // None of the places before is, so this one is the value where it does not exceed it.
            let equal = places.get(below).is_some_and(|place| *place <= value);
            (below, equal)
        };
        match self {
            Self::Numbers { knots, .. } => {
                let (below, equal) = place(knots);
                1 + 2 * below + usize::from(equal)
            }
            Self::Categories { values } => match place(values) {
                (below, true) => 1 + below,
                (_, false) => values.len() + 1,
            },
        }
    }

    /// Sums of the cells of each bin, that of the missing values first.
    pub(super) fn bins(&self, cells: &[f64]) -> Vec<f64> {
        match self {
            Self::Categories { .. } => cells.to_vec(),
            Self::Numbers { knots, ends } => {
                let inner = if knots.is_empty() { 0 } else { ends.len() + 1 };
                let mut bins = vec![0.0; inner + 3];
                for (cell, count) in cells.iter().enumerate() {
                    // The knot of a cell, or the one after it.
                    let knot = cell.saturating_sub(1) / 2;
                    let bin = match cell {
                        0 | 1 => cell,
                        _ if knot == knots.len() => inner + 2,
                        _ => 2 + ends.partition_point(|end| *end < knot),
                    };
                    if let Some(bin) = bins.get_mut(bin) {
                        *bin += count;
                    }
                }
                bins
            }
        }
    }

    /// What each bin holds, in the order of [`Self::bins`].
    pub(super) fn ranges(&self) -> Vec<BinRange> {
        let mut ranges = vec![BinRange::Missing];
        match self {
            Self::Categories { values } => {
                ranges.extend(values.iter().map(|value| BinRange::Value(*value)));
                ranges.push(BinRange::Other);
            }
            Self::Numbers { knots, ends } => {
                let upper = ends.iter().filter_map(|end| knots.get(*end));
                ranges.push(BinRange::Low);
                ranges.extend(upper.chain(knots.last()).map(|edge| BinRange::UpTo(*edge)));
                ranges.push(BinRange::High);
            }
        }
        ranges
    }

    /// Whether there is a distribution function to compare.
    pub(super) const fn are_numbers(&self) -> bool {
        matches!(self, Self::Numbers { .. })
    }

    /// What is wrong with cells that were read from somewhere.
    #[cfg(feature = "serde")]
    pub(super) fn problem(&self) -> Option<&'static str> {
        let rising = |places: &[f64]| {
            places.iter().all(|place| place.is_finite())
                && places.windows(2).all(|pair| pair[0] < pair[1])
        };
        match self {
            Self::Numbers { knots, ends } => {
                let inside = ends.last().is_none_or(|last| *last < knots.len());
                if !rising(knots) {
                    return Some("knots must be finite and rise");
                }
                if !(inside && ends.windows(2).all(|pair| pair[0] < pair[1])) {
                    return Some("ends of bins must be knots and rise");
                }
                None
            }
            Self::Categories { values } if !rising(values) => {
                Some("values must be finite and rise")
            }
            Self::Categories { .. } => None,
        }
    }
}

/// Distinct finite values and how often each is there; -0 and 0 are the same.
fn runs(sorted: &[f64]) -> Vec<(f64, usize)> {
    sorted
        .chunk_by(|one, next| one.partial_cmp(next) == Some(Ordering::Equal))
        .filter_map(|run| Some((*run.first()?, run.len())))
        .filter(|(value, _)| value.is_finite())
        .collect()
}

/// Values at ranks spread evenly, with the lowest and the highest one.
fn spread(runs: &[(f64, usize)], most: usize) -> Vec<f64> {
    let total: usize = runs.iter().map(|(_, count)| count).sum();
    let mut knots = Vec::with_capacity(most);
    let (mut seen, mut next) = (0, 0);
    for (value, count) in runs {
        seen += count;
        // Knot j of k is the first value with at least j / (k - 1) of the rows at or below it, and knot 0 the lowest. A value as
        // common as several knots is one.
        let due = seen.saturating_mul(most - 1) / total.max(1);
        if due >= next {
            knots.push(*value);
            next = due + 1;
        }
    }
    knots
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn knots_are_spread_over_ranks_and_hold_both_ends() {
        let runs: Vec<(f64, usize)> = (0..=1000).map(|value| (f64::from(value), 1)).collect();
        let knots = spread(&runs, 11);
        assert_eq!(knots.len(), 11);
        for (knot, expected) in knots.iter().zip([0.0, 100.0, 200.0, 300.0, 400.0, 500.0]) {
            assert!((knot - expected).abs() <= 1.0, "{knot} {expected}");
        }
        assert!(knots[10] > 999.5);
        // Nearly all are one value: it takes the ranks of the others.
        let common = [(0.0, 1), (1.0, 1000), (2.0, 1), (3.0, 1)];
        assert!(
            spread(&common, 3)
                .iter()
                .zip([0.0, 1.0, 3.0])
                .all(|(a, b)| (a - b).abs() < 0.5)
        );
    }
}
