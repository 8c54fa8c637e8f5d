//! The alarm of a calibration that drifts.

/// That more, or fewer, frauds come true than were predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Direction {
    /// More frauds than predicted: probabilities are too low.
    MoreFrauds,
    /// Fewer frauds than predicted: probabilities are too high.
    FewerFrauds,
}

/// An alarm of a [`CalibrationMonitor`](super::CalibrationMonitor).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CalibrationAlarm {
    /// Time of the prediction at which it was raised.
    pub time: i64,
    /// What is wrong.
    pub direction: Direction,
}

/// Two cumulative sums of log likelihood ratios: that the odds of fraud are higher, and lower, than predicted by a factor.
///
/// Residuals of rare events are far from normal: divided by their standard deviation, a single fraud that was predicted at 1 in
/// 1,000 is 30. The log likelihood ratio of the outcome weighs each as it should.
///
/// Source: Steiner, Cook, Farewell and Treasure, "Monitoring Surgical Performance Using Risk-Adjusted Cumulative Sum Charts"
/// (2000), section 2; Page (1954) for the sums; Lorden, "Procedures for Reacting to a Change in Distribution" (1971),
/// theorem 2, for the limit: without drift, at least `e^limit` rows pass on average before one of the sums reaches it, and half
/// as many for two sums.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct CumulativeSums {
    more: f64,
    fewer: f64,
}

impl CumulativeSums {
    pub(super) const fn new() -> Self {
        Self {
            more: 0.0,
            fewer: 0.0,
        }
    }

    /// The limit that is reached without drift after so many rows on average, or more.
    pub(super) fn limit(rows_between: f64) -> f64 {
        (2.0 * rows_between).ln()
    }

    /// Adds an outcome; an alarm sets both sums back.
    pub(super) fn add(
        &mut self,
        probability: f64,
        fraud: bool,
        odds_ratio: f64,
        limit: f64,
    ) -> Option<Direction> {
        let weight = |ratio: f64| {
            let outcome = if fraud { ratio.ln() } else { 0.0 };
            outcome - ((ratio - 1.0) * probability).ln_1p()
        };
        self.more = (self.more + weight(odds_ratio)).max(0.0);
        self.fewer = (self.fewer + weight(odds_ratio.recip())).max(0.0);
        let direction = if self.more >= limit {
            Direction::MoreFrauds
        } else if self.fewer >= limit {
            Direction::FewerFrauds
        } else {
            return None;
        };
        *self = Self::new();
        Some(direction)
    }

    /// Whether sums that were read from somewhere can be.
    #[cfg(feature = "serde")]
    pub(super) fn is_valid(&self) -> bool {
        [self.more, self.fewer]
            .iter()
            .all(|sum| sum.is_finite() && *sum >= 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{CumulativeSums, Direction};
    use dafu_core::random::Stream;

    /// Rows until an alarm, at most so many, with the odds of the outcomes that many times those predicted.
    fn run_length(seed: u64, odds_ratio: f64, most: u32) -> (u32, Option<Direction>) {
        let mut stream = Stream::new(seed, 0, 0);
        let mut sums = CumulativeSums::new();
        let limit = CumulativeSums::limit(500.0);
        for row in 1..=most {
            let predicted = 0.01 + 0.2 * stream.unit().powi(4);
            let odds = predicted / (1.0 - predicted) * odds_ratio;
            let fraud = stream.unit() < odds / (1.0 + odds);
            if let Some(direction) = sums.add(predicted, fraud, 2.0, limit) {
                return (row, Some(direction));
            }
        }
        (most, None)
    }

    #[test]
    fn limits_are_those_of_lorden_for_two_sums() {
        assert!((CumulativeSums::limit(500.0) - 1000.0_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn false_alarms_are_as_rare_as_promised() {
        let runs: u32 = (0..200).map(|seed| run_length(seed, 1.0, 100_000).0).sum();
        assert!(f64::from(runs) / 200.0 >= 500.0, "{runs} rows in 200 runs");
    }

    #[test]
    fn a_shift_of_the_odds_is_found_in_its_direction() {
        for seed in 0..20 {
            let (rows, direction) = run_length(seed, 4.0, 100_000);
            assert_eq!(direction, Some(Direction::MoreFrauds));
            assert!(rows < 1_000, "{rows}");
            let (rows, direction) = run_length(seed, 0.1, 100_000);
            assert_eq!(direction, Some(Direction::FewerFrauds));
            assert!(rows < 2_000, "{rows}");
        }
    }

    #[test]
    fn weights_are_log_likelihood_ratios() {
        let mut sums = CumulativeSums::new();
        // Odds 1 to 4 become 2 to 4, so chances of 0.2 become 1 / 3.
        assert_eq!(sums.add(0.2, true, 2.0, 100.0), None);
        assert!((sums.more - (1.0 / 3.0 / 0.2_f64).ln()).abs() < 1e-15);
        assert!(sums.fewer.abs() < 1e-15);
        assert_eq!(sums.add(0.2, false, 2.0, 100.0), None);
        let expected = (1.0 / 3.0 / 0.2_f64).ln() + (2.0 / 3.0 / 0.8_f64).ln();
        assert!((sums.more - expected).abs() < 1e-15);
        // And 1 to 8, so chances of 1 / 9.
        assert!((sums.fewer - (8.0 / 9.0 / 0.8_f64).ln()).abs() < 1e-15);
    }
}
