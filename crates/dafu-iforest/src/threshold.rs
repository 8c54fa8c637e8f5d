//! Thresholds for contamination levels.

use crate::path_score::score_of_sum;
use dafu_core::Score;

/// The threshold of one contamination level.
///
/// A row is an anomaly at this level when its score is strictly above the threshold; the threshold is the
/// highest score of a training row that is not flagged. Rows with equal scores are flagged together or not at
/// all: the cut lies where the number of flagged training rows is nearest to `contamination` times their
/// number (the fewer of two equally near), so that data whose rows all score alike have no anomaly.
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

    /// One threshold for each level, in the order of the levels. Sorts `sums`; they must not be empty.
    pub(crate) fn of_levels(levels: &[f64], sums: &mut [u64], trees: usize) -> Vec<Self> {
        sums.sort_unstable();
        levels
            .iter()
            .map(|&level| Self::of_level(level, sums, trees))
            .collect()
    }

    fn of_level(level: f64, sorted: &[u64], trees: usize) -> Self {
        let rows = sorted.len();
        let wanted = level * rows as f64;
        let inside = floor_index(wanted).min(rows.saturating_sub(1));
        let value = sorted.get(inside).copied().unwrap_or(0);
        let fewer = sorted.partition_point(|&sum| sum < value);
        let more = sorted.partition_point(|&sum| sum <= value);
        let flagged = if wanted - fewer as f64 <= more as f64 - wanted {
            fewer
        } else {
            more
        };
        // `more` is all rows only when it is farther away, since a level is at most one half.
        let highest_unflagged = sorted.get(flagged).copied().unwrap_or(value);
        Self {
            contamination: level,
            threshold: score(highest_unflagged, trees),
            flagged: flagged as u64,
            rows: rows as u64,
        }
    }
}

/// The score of a sum of path lengths.
pub(crate) fn score(sum: u64, trees: usize) -> Score {
    // Never fails: the number is between 0 and 1.
    Score::new(score_of_sum(sum, trees)).unwrap_or(Score::ZERO)
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
    use super::ContaminationThreshold;

    fn flagged(level: f64, sums: &[u64]) -> u64 {
        let mut sums = sums.to_vec();
        sums.reverse();
        let threshold = ContaminationThreshold::of_levels(&[level], &mut sums, 1)[0];
        let above = sums
            .iter()
            .filter(|&&sum| threshold.is_anomaly(super::score(sum, 1)))
            .count() as u64;
        assert_eq!(above, threshold.flagged());
        above
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
