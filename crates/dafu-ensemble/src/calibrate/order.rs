//! The order of scores within blocks of one probability.

use super::sound;
use crate::EnsembleError;

/// How much the log odds grow over the range of the training scores, and by as much again at most on either side. It moves no
/// probability by more than one or two parts in a million.
const RISE: f64 = 1e-6;

/// Log odds that rise with the score wherever they are added, so that equal probabilities keep the order of their scores. A sum
/// of a function that never falls and one that rises is one that rises: no block is crossed.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub(super) struct Order {
    /// Lowest and highest training score.
    low: f64,
    high: f64,
}

impl Order {
    pub(super) const fn new(low: f64, high: f64) -> Self {
        Self { low, high }
    }

    pub(super) fn check(&self) -> Result<(), EnsembleError> {
        let good = self.low.is_finite() && self.high.is_finite() && self.low <= self.high;
        sound("the range of scores is not finite or turned round", good)
    }

    pub(super) fn log_odds(&self, score: f64) -> f64 {
        // Halves, since the range of two finite numbers may be infinite.
        let range = self.high / 2.0 - self.low / 2.0;
        let range = if range > 0.0 { range } else { 1.0 };
        let beyond = |from: f64, to: f64| {
            let share = ((to / 2.0 - from / 2.0) / range).min(f64::MAX);
            share / (1.0 + share)
        };
        let place = if score < self.low {
            -beyond(score, self.low)
        } else if score > self.high {
            1.0 + beyond(self.high, score)
        } else {
            (score / 2.0 - self.low / 2.0) / range
        };
        RISE * (place - 0.5)
    }
}
