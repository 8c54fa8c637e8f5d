//! Rows drawn with replacement, and metrics of a ranking that is sorted once for all draws.

use dafu_core::random::Stream;
use std::cmp::Ordering;

/// Groups that rows are drawn in.
#[derive(Debug)]
pub(super) enum Draws {
    /// Rows of each class among each other, so that every draw has as many frauds.
    Rows { strata: [Vec<u32>; 2] },
    /// Whole days.
    Days { days: Vec<Vec<u32>> },
}

impl Draws {
    pub(super) fn rows(frauds: &[bool]) -> Self {
        let of_class = |class: bool| {
            let rows = (0..).zip(frauds);
            rows.filter(|(_, fraud)| **fraud == class)
                .map(|(row, _)| row)
                .collect()
        };
        Self::Rows {
            strata: [of_class(false), of_class(true)],
        }
    }

    pub(super) fn days(days: &[i64]) -> Self {
        let mut order: Vec<(i64, u32)> = days.iter().copied().zip(0..).collect();
        order.sort_unstable();
        let days = order.chunk_by(|one, two| one.0 == two.0);
        Self::Days {
            days: days
                .map(|day| day.iter().map(|(_, row)| *row).collect())
                .collect(),
        }
    }

    /// Groups: classes or days.
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Rows { strata } => strata.len(),
            Self::Days { days } => days.len(),
        }
    }

    /// How often each of so many rows is drawn.
    pub(super) fn draw(&self, rows: usize, stream: &mut Stream) -> Vec<u32> {
        let mut times = vec![0; rows];
        let mut add = |row: &u32| {
            if let Some(count) = times.get_mut(*row as usize) {
                *count += 1;
            }
        };
        match self {
            Self::Rows { strata } => {
                for stratum in strata {
                    for _ in 0..stratum.len() {
                        stratum.get(stream.index_below(stratum.len())).map(&mut add);
                    }
                }
            }
            Self::Days { days } => {
                for _ in 0..days.len() {
                    if let Some(day) = days.get(stream.index_below(days.len())) {
                        day.iter().for_each(&mut add);
                    }
                }
            }
        }
        times
    }
}

/// Rows sorted by score. [`dafu_core::metrics::Ranking`] has the same metrics, but would sort for each draw.
#[derive(Debug)]
pub(super) struct Order {
    /// Row, whether it is a fraud, and whether the next one has a lower score; highest score first.
    steps: Vec<(u32, bool, bool)>,
}

impl Order {
    pub(super) fn new(frauds: &[bool], scores: &[f64]) -> Self {
        let mut sorted: Vec<(f64, u32, bool)> = scores
            .iter()
            .zip(0..)
            .zip(frauds)
            .map(|((score, row), fraud)| (*score, row, *fraud))
            .collect();
        sorted.sort_by(|one, two| two.0.total_cmp(&one.0));
        let equal = |one: f64, two: f64| one.partial_cmp(&two) == Some(Ordering::Equal);
        let next = sorted.iter().skip(1).map(|next| Some(next.0));
        let steps = sorted
            .iter()
            .zip(next.chain([None]))
            .map(|((score, row, fraud), next)| {
                let last = next.is_none_or(|next| !equal(*score, next));
                (*row, *fraud, last)
            })
            .collect();
        Self { steps }
    }

    /// ROC AUC and average precision where each row counts so many times; none where a class is missing.
    pub(super) fn areas(&self, times: &[u32]) -> Option<(f64, f64)> {
        let (mut frauds, mut honest) = (0.0, 0.0);
        let (mut tied_frauds, mut tied_honest) = (0.0, 0.0);
        let (mut pairs, mut precision) = (0.0, 0.0);
        for (row, fraud, last) in &self.steps {
            let count = times.get(*row as usize).copied().map_or(0.0, f64::from);
            if *fraud {
                tied_frauds += count;
            } else {
                tied_honest += count;
            }
            if *last {
                pairs += tied_honest * (frauds + tied_frauds / 2.0);
                frauds += tied_frauds;
                honest += tied_honest;
                if tied_frauds > 0.0 {
                    precision += tied_frauds * frauds / (frauds + honest);
                }
                (tied_frauds, tied_honest) = (0.0, 0.0);
            }
        }
        (frauds > 0.0 && honest > 0.0).then(|| (pairs / (frauds * honest), precision / frauds))
    }
}

/// Mean of values where each row counts so many times.
pub(super) fn mean(values: &[f64], times: &[u32]) -> f64 {
    let (sum, rows) = values
        .iter()
        .zip(times)
        .fold((0.0, 0.0), |(sum, rows), (value, times)| {
            let times = f64::from(*times);
            (sum + value * times, rows + times)
        });
    sum / rows
}

#[cfg(test)]
mod tests {
    use super::{Draws, Order};
    use dafu_core::metrics::Ranking;
    use dafu_core::random::Stream;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn areas_are_those_of_the_ranking(
            rows in prop::collection::vec((any::<bool>(), -3..3_i32, 0..4_u32), 1..40),
        ) {
            let frauds: Vec<bool> = rows.iter().map(|row| row.0).collect();
            let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.1) * 0.3).collect();
            let times: Vec<u32> = rows.iter().map(|row| row.2).collect();
            let weights: Vec<f64> = times.iter().map(|times| f64::from(*times)).collect();
            let oracle = Ranking::new(&frauds, &scores, Some(&weights))
                .and_then(|ranking| Ok((ranking.roc_auc()?, ranking.average_precision()?)));
            match (Order::new(&frauds, &scores).areas(&times), oracle) {
                (Some(got), Ok(expected)) => {
                    prop_assert!((got.0 - expected.0).abs() < 1e-12);
                    prop_assert!((got.1 - expected.1).abs() < 1e-12);
                }
                (got, oracle) => prop_assert!(got.is_none() && oracle.is_err()),
            }
        }

        #[test]
        fn draws_keep_what_they_promise(
            rows in prop::collection::vec((any::<bool>(), 0..4_i64), 1..40),
            seed in any::<u64>(),
        ) {
            let frauds: Vec<bool> = rows.iter().map(|row| row.0).collect();
            let days: Vec<i64> = rows.iter().map(|row| row.1).collect();
            let times = Draws::rows(&frauds).draw(rows.len(), &mut Stream::new(seed, 0, 0));
            let drawn = |class: bool| -> u32 {
                let both = times.iter().zip(&frauds);
                both.filter(|(_, fraud)| **fraud == class).map(|(times, _)| times).sum()
            };
            for class in [false, true] {
                let there = frauds.iter().filter(|fraud| **fraud == class).count();
                prop_assert_eq!(drawn(class) as usize, there);
            }
            let times = Draws::days(&days).draw(rows.len(), &mut Stream::new(seed, 0, 0));
            for (one, day) in times.iter().zip(&days) {
                let same = times.iter().zip(&days).filter(|(_, other)| *other == day);
                prop_assert!(same.into_iter().all(|(other, _)| one == other));
            }
        }
    }
}
