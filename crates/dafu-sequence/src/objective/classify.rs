//! Losses of log odds.

use crate::SequenceError;
use crate::data::SequenceSet;
use crate::network::Objective;

/// What an answer costs.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(rename_all = "snake_case", deny_unknown_fields)
)]
pub enum ClassLoss {
    /// Binary cross entropy: minus the logarithm of the probability of what is the case.
    CrossEntropy {
        /// Factor of the loss of frauds.
        pos_weight: f32,
    },
    /// Cross entropy that cares less about events that are judged well already.
    ///
    /// Source: Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, equation 5.
    Focal {
        /// Exponent of the probability of what is not the case; 0 is cross entropy.
        gamma: f32,
        /// Factor of the loss of frauds, in (0, 1); honest events have the rest to 1.
        alpha: f32,
    },
}

impl Default for ClassLoss {
    /// Cross entropy, frauds as they are.
    fn default() -> Self {
        Self::CrossEntropy { pos_weight: 1.0 }
    }
}

impl ClassLoss {
    /// Checks that all numbers are in range.
    ///
    /// # Errors
    ///
    /// The first number that is not.
    pub fn check(&self) -> Result<(), SequenceError> {
        let outside = |name, expected: &str, got: f32| {
            Err(SequenceError::Parameter {
                name,
                expected: expected.to_owned(),
                got: got.to_string(),
            })
        };
        match *self {
            Self::CrossEntropy { pos_weight } if !(pos_weight > 0.0 && pos_weight <= 1e6) => {
                outside("pos_weight", "above 0 and at most 1e6", pos_weight)
            }
            Self::Focal { gamma, .. } if !(0.0..=10.0).contains(&gamma) => {
                outside("gamma", "0 to 10", gamma)
            }
            Self::Focal { alpha, .. } if !(alpha > 0.0 && alpha < 1.0) => {
                outside("alpha", "above 0 and below 1", alpha)
            }
            _ => Ok(()),
        }
    }

    /// The loss of an event with these log odds, and its derivative by them.
    pub fn of(&self, log_odds: f32, fraud: bool) -> (f32, f32) {
        let sign = if fraud { 1.0 } else { -1.0 };
        // The probability of what is the case, and its logarithm.
        let log_right = -softplus(-sign * log_odds);
        let right = log_right.exp();
        match *self {
            Self::CrossEntropy { pos_weight } => {
                let weight = if fraud { pos_weight } else { 1.0 };
                (-weight * log_right, weight * sign * (right - 1.0))
            }
            Self::Focal { gamma, alpha } => {
                let weight = if fraud { alpha } else { 1.0 - alpha };
                let wrong = softplus(sign * log_odds);
                let scale = weight * (-wrong * gamma).exp();
                let slope = gamma * right * log_right + right - 1.0;
                (-scale * log_right, scale * sign * slope)
            }
        }
    }
}

/// `ln(1 + exp(x))` without overflow.
fn softplus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The loss of events whose label is known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ClassObjective {
    /// What an answer costs.
    pub loss: ClassLoss,
}

impl Objective for ClassObjective {
    fn counts(&self, set: SequenceSet<'_>, event: usize) -> bool {
        set.events().label(event).is_some()
    }

    fn event_loss(
        &self,
        set: SequenceSet<'_>,
        event: usize,
        outputs: &[f32],
        gradient: &mut [f32],
    ) -> f32 {
        let Some(fraud) = set.events().label(event) else {
            return 0.0;
        };
        let (loss, slope) = self.loss.of(outputs[0], fraud);
        gradient[0] = slope;
        loss
    }
}
