//! Scores with a meaning: how many of the normal ones held out are as surprising.

use crate::{SequenceError, check};

/// Turns numbers of which larger ones are more unusual into scores from 0 to 1, by normal ones that were held out.
///
/// With n of these, of which k are at least as large, the p-value of a number is (k + 1) / (n + 1), and its score
/// `1 - cbrt(p)`. If normal numbers to come are exchangeable with those held out, no more than a share (1 - s)^3 of
/// them have a score of s or more:
///
/// | score | at most so many normal ones |
/// |---|---|
/// | 0.5 | 1 of 8 |
/// | 0.8 | 1 of 125 |
/// | 0.9 | 1 of 1,000 |
/// | 0.95 | 1 of 8,000 |
///
/// The cube root spreads the rare ones over the upper half of the scale, where thresholds lie. With n held out no score
/// is above [`highest_score`](Self::highest_score): 124 are needed for one of 0.8.
///
/// Source of the p-value: Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World", 2005, section 2.2.
///
/// # Examples
///
/// ```
/// use dafu_sequence::Conformal;
///
/// let held_out: Vec<f64> = (0..999).map(f64::from).collect();
/// let conformal = Conformal::new(held_out)?;
/// assert_eq!(conformal.p_value(2000.0), 0.001);
/// assert!((conformal.score(2000.0) - 0.9).abs() < 1e-12);
/// assert!((conformal.score(992.0) - 0.8).abs() < 1e-12);
/// # Ok::<(), dafu_sequence::SequenceError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Vec<f64>", into = "Vec<f64>"))]
pub struct Conformal {
    /// Ascending.
    held_out: Vec<f64>,
}

impl Conformal {
    /// By these normal numbers, which no model has learned from.
    ///
    /// # Errors
    ///
    /// When there is none, or one is NaN or infinite.
    pub fn new(mut held_out: Vec<f64>) -> Result<Self, SequenceError> {
        if held_out.is_empty() {
            return Err(SequenceError::Calibration { needed: 1, got: 0 });
        }
        if let Some(number) = held_out.iter().position(|number| !number.is_finite()) {
            let got = held_out[number];
            return Err(SequenceError::HeldOut { number, got });
        }
        held_out.sort_by(f64::total_cmp);
        Ok(Self { held_out })
    }

    /// How many were held out.
    pub const fn len(&self) -> usize {
        self.held_out.len()
    }

    /// Never: there is at least one.
    pub const fn is_empty(&self) -> bool {
        self.held_out.is_empty()
    }

    /// The share of normal numbers that are at least as large, this one counted in. NaN is as unusual as can be.
    ///
    /// # Complexity
    ///
    /// O(log n).
    pub fn p_value(&self, number: f64) -> f64 {
        let below = self.held_out.partition_point(|held| *held < number);
        let as_large = if number.is_nan() {
            0
        } else {
            self.len() - below
        };
        (as_large + 1) as f64 / (self.len() + 1) as f64
    }

    /// The score, `1 - cbrt(p)`.
    pub fn score(&self, number: f64) -> f64 {
        1.0 - self.p_value(number).cbrt()
    }

    /// The score of what is larger than all that was held out: no other is higher.
    pub fn highest_score(&self) -> f64 {
        highest_score(self.len())
    }

    /// Whether scores reach a threshold.
    ///
    /// # Errors
    ///
    /// When none does, with how many would have to be held out.
    pub fn check_threshold(&self, threshold: f64) -> Result<(), SequenceError> {
        check::threshold(threshold)?;
        if self.highest_score() >= threshold {
            return Ok(());
        }
        Err(SequenceError::Calibration {
            needed: needed(threshold, self.len()),
            got: self.len(),
        })
    }
}

/// The highest score with so many held out.
fn highest_score(held_out: usize) -> f64 {
    1.0 - (1.0 / (held_out as f64 + 1.0)).cbrt()
}

/// How many have to be held out for scores to reach a threshold that `too_few` do not reach.
fn needed(threshold: f64, too_few: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count; beyond 2^64 it is as unreachable"
    )]
    let mut enough = ((1.0 - threshold).powi(-3) * 1.001) as usize;
    let mut too_few = too_few;
    // The formula is rounded, and so are scores: the least of those that do reach it.
    while enough.saturating_sub(too_few) > 1 {
        let middle = too_few + (enough - too_few) / 2;
        if highest_score(middle) >= threshold {
            enough = middle;
        } else {
            too_few = middle;
        }
    }
    enough
}

impl TryFrom<Vec<f64>> for Conformal {
    type Error = SequenceError;

    fn try_from(held_out: Vec<f64>) -> Result<Self, SequenceError> {
        Self::new(held_out)
    }
}

impl From<Conformal> for Vec<f64> {
    fn from(conformal: Conformal) -> Self {
        conformal.held_out
    }
}
