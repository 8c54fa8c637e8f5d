//! Thresholds for contamination levels.

use dafu_core::Score;

/// The threshold of one contamination level.
///
/// A row is an anomaly at this level when its score is strictly above the threshold; the threshold is the
/// highest score of a training row that is not flagged. Rows with equal scores are flagged together or not at
/// all: the cut lies where the number of flagged training rows (their weight, where they have weights) is nearest to
/// `contamination` times that of all (the fewer of two equally near), so that data whose rows all score alike have no
/// anomaly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ContaminationThreshold {
    pub(crate) contamination: f64,
    pub(crate) threshold: Score,
    pub(crate) flagged: u64,
    pub(crate) rows: u64,
}

impl ContaminationThreshold {
    /// The level asked for, in (0, 0.5].
    pub const fn contamination(&self) -> f64 {
        self.contamination
    }

    /// The score above which a row is an anomaly.
    pub const fn threshold(&self) -> Score {
        self.threshold
    }

    /// Training rows above the threshold.
    pub const fn flagged(&self) -> u64 {
        self.flagged
    }

    /// Training rows from which the threshold was taken.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether a score is strictly above the threshold.
    pub fn is_anomaly(&self, score: Score) -> bool {
        score > self.threshold
    }

    /// The rows whose sums of values are lowest are the most anomalous; `score` turns a sum into a score. One threshold
    /// for each level, in the order of the levels.
    pub(crate) fn of_levels(
        levels: &[f64],
        training: &SortedSums,
        score: impl Fn(u64) -> Score,
    ) -> Vec<Self> {
        levels
            .iter()
            .map(|&level| Self::of_level(level, training, &score))
            .collect()
    }

    fn of_level(level: f64, training: &SortedSums, score: &impl Fn(u64) -> Score) -> Self {
        let sums = &training.sums;
        let wanted = level * training.weight_before(sums.len());
        let inside = training.reaching(wanted);
        let value = sums.get(inside).copied().unwrap_or(0);
        let fewer = sums.partition_point(|&sum| sum < value);
        let more = sums.partition_point(|&sum| sum <= value);
        let (below, above) = (training.weight_before(fewer), training.weight_before(more));
        let flagged = if wanted - below <= above - wanted {
            fewer
        } else {
            more
        };
        // `more` is all rows only when it is farther away, since a level is at most one half.
        let highest_unflagged = sums.get(flagged).copied().unwrap_or(value);
        Self {
            contamination: level,
            threshold: score(highest_unflagged),
            flagged: flagged as u64,
            rows: sums.len() as u64,
        }
    }
}

/// Sums of values of training rows in ascending order, with the weights of the rows.
#[derive(Debug)]
pub(crate) struct SortedSums {
    sums: Vec<u64>,
    /// Weight of all rows before each, and of all; empty where every row counts 1.
    weights: Vec<f64>,
}

impl SortedSums {
    /// Every row counts 1.
    pub(crate) fn new(mut sums: Vec<u64>) -> Self {
        sums.sort_unstable();
        Self {
            sums,
            weights: Vec::new(),
        }
    }

    /// Each sum with the weight of its row.
    pub(crate) fn weighted(mut pairs: Vec<(u64, f64)>) -> Self {
        // Rows of one sum are flagged together, so their order plays no part but for rounding.
        pairs.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let mut total = 0.0;
        let mut weights = vec![0.0];
        weights.extend(pairs.iter().map(|&(_, weight)| {
            total += weight;
            total
        }));
        Self {
            sums: pairs.into_iter().map(|(sum, _)| sum).collect(),
            weights,
        }
    }

    /// Weight of the first so many rows.
    fn weight_before(&self, rows: usize) -> f64 {
        self.weights.get(rows).copied().unwrap_or(rows as f64)
    }

    /// The row with which the weight exceeds `wanted`; the last at most.
    fn reaching(&self, wanted: f64) -> usize {
        let at = if self.weights.is_empty() {
            floor_index(wanted)
        } else {
            let within = self.weights.partition_point(|&weight| weight <= wanted);
            within.saturating_sub(1)
        };
        at.min(self.sums.len().saturating_sub(1))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a non-negative number below the length of a slice"
)]
fn floor_index(number: f64) -> usize {
    number as usize
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::{ContaminationThreshold, SortedSums};
    use dafu_core::Score;

    fn score(sum: u64) -> Score {
        Score::new(1.0 / (1.0 + sum as f64)).unwrap()
    }

    fn flagged_of(level: f64, training: &SortedSums) -> u64 {
        let threshold = ContaminationThreshold::of_levels(&[level], training, score)[0];
        let sums = training.sums.iter();
        let above = sums
            .filter(|&&sum| threshold.is_anomaly(score(sum)))
            .count() as u64;
        assert_eq!(above, threshold.flagged());
        above
    }

    fn flagged(level: f64, sums: &[u64]) -> u64 {
        let mut sums = sums.to_vec();
        sums.reverse();
        let weighted = sums.iter().map(|&sum| (sum, 0.25)).collect();
        let flagged = flagged_of(level, &SortedSums::new(sums));
        assert_eq!(flagged, flagged_of(level, &SortedSums::weighted(weighted)));
        flagged
    }

    #[test]
    fn weights_say_for_how_many_rows_a_row_stands() {
        // Copies of rows, and the same rows once with weights.
        let rows = [(10, 3), (20, 1), (30, 5), (35, 0), (40, 11), (41, 20)];
        let copies = rows.iter().flat_map(|&(sum, copies)| vec![sum; copies]);
        let copies = SortedSums::new(copies.collect());
        let weighted = rows.iter().map(|&(sum, copies)| (sum, copies as f64));
        let weighted = SortedSums::weighted(weighted.collect());
        for level in (1..=50).map(|level| f64::from(level) / 100.0) {
            let a = ContaminationThreshold::of_levels(&[level], &copies, score)[0];
            let b = ContaminationThreshold::of_levels(&[level], &weighted, score)[0];
            let flagged = |sum: u64| (a.is_anomaly(score(sum)), b.is_anomaly(score(sum)));
            for (sum, copies) in rows {
                let (a, b) = flagged(sum);
                assert!(a == b || copies == 0, "level {level}, sum {sum}");
            }
        }
    }

    #[test]
    fn flags_the_number_of_rows_asked_for_without_ties() {
        let sums: Vec<u64> = (0..100).map(|i| 20_000 + 13 * i).collect();
        for (level, expected) in [
            (0.01, 1),
            (0.29, 29),
            (0.07, 7),
            (0.5, 50),
            (0.004, 0),
            (0.006, 1),
        ] {
            assert_eq!(flagged(level, &sums), expected, "level {level}");
        }
    }

    #[test]
    fn flags_the_nearest_number_with_ties() {
        let mut sums = vec![10_000; 19];
        sums.extend([30_000; 981]);
        assert_eq!(flagged(0.01, &sums), 19);
        assert_eq!(flagged(0.009, &sums), 0);
        assert_eq!(flagged(0.5, &sums), 19);
        assert_eq!(
            flagged(0.0095, &sums),
            0,
            "of two equally near numbers the fewer"
        );
    }

    #[test]
    fn flags_nothing_when_all_rows_score_alike() {
        for level in [0.001, 0.1, 0.5] {
            assert_eq!(flagged(level, &[32_768; 10]), 0);
            assert_eq!(flagged(level, &[32_768]), 0);
        }
    }
}
