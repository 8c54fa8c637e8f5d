//! Metrics of a ranking that is sorted once for all draws.

use std::cmp::Ordering;

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
    use super::Order;
    use dafu_core::metrics::Ranking;
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
    }
}
