//! Validated numbers: scores, probabilities, raw scores and feature indices.

use crate::CoreError;
use std::fmt;

macro_rules! finite_number {
    ($(#[$doc:meta])* $name:ident, $what:literal, $min:expr, $max:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(try_from = "f64", into = "f64"))]
        pub struct $name(f64);

        impl $name {
            /// Checks and wraps a number.
            ///
            /// # Errors
            ///
            /// [`CoreError::OutOfRange`] when the number is not finite or outside the interval.
            pub fn new(value: f64) -> Result<Self, CoreError> {
                if value.is_finite() && ($min..=$max).contains(&value) {
                    Ok(Self(value))
                } else {
                    Err(CoreError::OutOfRange { what: $what, min: $min, max: $max, got: value })
                }
            }

            /// The number.
            pub const fn get(self) -> f64 {
                self.0
            }

            /// Total order, for sorting; there is no NaN inside.
            #[must_use]
            pub fn total_cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.0.total_cmp(&other.0)
            }
        }

        impl TryFrom<f64> for $name {
            type Error = CoreError;
            fn try_from(value: f64) -> Result<Self, CoreError> {
                Self::new(value)
            }
        }

        impl From<$name> for f64 {
            fn from(value: $name) -> f64 {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

finite_number!(
    /// A score from 0 (ordinary) to 1 (most suspicious). It orders; it is no probability.
    Score, "score", 0.0, 1.0
);
finite_number!(
    /// A calibrated probability. Only a calibrator may make one from a score.
    Probability, "probability", 0.0, 1.0
);
finite_number!(
    /// The native score of an algorithm, any finite number, higher is more suspicious.
    RawScore, "raw score", f64::MIN, f64::MAX
);

impl Score {
    /// The lowest score.
    pub const ZERO: Self = Self(0.0);
    /// The highest score.
    pub const ONE: Self = Self(1.0);
}

/// Position of a feature in its [`Schema`](crate::Schema).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FeatureIndex(u32);

impl FeatureIndex {
    /// Wraps a column index.
    ///
    /// # Errors
    ///
    /// [`CoreError::OutOfRange`] above `u32::MAX`.
    pub fn new(index: usize) -> Result<Self, CoreError> {
        u32::try_from(index)
            .map(Self)
            .map_err(|_| CoreError::OutOfRange {
                what: "feature index",
                min: 0.0,
                max: f64::from(u32::MAX),
                got: index as f64,
            })
    }

    /// The column index.
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for FeatureIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
