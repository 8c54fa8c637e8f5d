//! Numbers of one scale.

use super::Transform;
use dafu_core::portable::{exp, ln};

impl Transform {
    /// Of a finite number; portable, so that every platform gives the same bits.
    pub(super) fn apply(self, number: f64) -> f64 {
        match self {
            Self::Identity => number,
            Self::SignedLog => ln(1.0 + number.abs()).copysign(number),
        }
    }

    /// The number that gives this one.
    pub(super) fn invert(self, number: f64) -> f64 {
        match self {
            Self::Identity => number,
            Self::SignedLog => (exp(number.abs()) - 1.0).copysign(number),
        }
    }
}

/// Mean and deviation of the training events, and whether any of them has no value.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub(super) struct Scale {
    pub(super) mean: f64,
    pub(super) deviation: f64,
    pub(super) missing: bool,
}

impl Scale {
    /// Whether encoded numbers will be finite.
    pub(super) fn is_usable(&self) -> bool {
        self.mean.is_finite() && self.deviation.is_finite() && self.deviation > 0.0
    }

    /// Of a finite number. Never NaN: finite numbers less a finite mean may be infinite, and are then held within the clip.
    pub(super) fn encode(&self, number: f64, clip: f64) -> f32 {
        #[expect(clippy::cast_possible_truncation, reason = "the precision of networks")]
        let encoded = ((number - self.mean) / self.deviation).clamp(-clip, clip) as f32;
        encoded
    }

    pub(super) fn decode(&self, encoded: f32) -> f64 {
        self.mean + f64::from(encoded) * self.deviation
    }
}

/// Mean and squared deviations, number by number.
///
/// Source: Welford, "Note on a Method for Calculating Corrected Sums of Squares and Products", Technometrics 4(3), 1962.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
    missing: bool,
}

impl Moments {
    pub(super) fn push(&mut self, number: Option<f64>) {
        let Some(number) = number else {
            self.missing = true;
            return;
        };
        self.count += 1;
        let distance = number - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (number - self.mean);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Deviation 1 where all numbers are the same, or there is none.
    pub(super) fn scale(&self) -> Scale {
        let deviation = (self.squares / self.count.max(1) as f64).sqrt();
        Scale {
            mean: self.mean,
            // Not `deviation > 0.0`: what is NaN must be seen by `Scale::is_usable`.
            deviation: if deviation == 0.0 { 1.0 } else { deviation },
            missing: self.missing,
        }
    }
}
