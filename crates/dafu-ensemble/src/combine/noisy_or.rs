//! Rules that need no labels.

use super::combiner::{MemberScale, check_weights, keep};
use crate::EnsembleError;
use crate::logistic::chance;
use crate::params::number;

/// Fraud if any member has cause for it: 1 - (1 - leak) times the product of 1 - strength * probability over the members.
///
/// Source: Pearl, "Probabilistic Reasoning in Intelligent Systems" (1988), section 4.3.2; with leak: Henrion (1989).
#[derive(Debug, Clone, PartialEq)]
pub struct NoisyOr {
    scale: MemberScale,
    strengths: Vec<f64>,
    leak: f64,
}

impl NoisyOr {
    /// A noisy-or of members of these strengths: how much of a member's probability counts, from 0 to 1. `leak` is the
    /// probability of fraud when no member has cause for it, at least 0 and below 1.
    ///
    /// # Errors
    ///
    /// For no members or too many, not as many strengths as members, and strengths or a leak out of range.
    pub fn new(scale: MemberScale, strengths: &[f64], leak: f64) -> Result<Self, EnsembleError> {
        scale.check()?;
        check_weights(strengths, scale.members())?;
        for strength in strengths {
            number(
                "strength",
                *strength,
                "at least 0 and at most 1",
                *strength <= 1.0,
            )?;
        }
        let good = (0.0..1.0).contains(&leak);
        number("leak", leak, "at least 0 and below 1", good)?;
        Ok(Self {
            scale,
            strengths: strengths.to_vec(),
            leak,
        })
    }

    /// What scores are before.
    pub const fn scale(&self) -> &MemberScale {
        &self.scale
    }

    /// Strength of each member.
    pub fn strengths(&self) -> &[f64] {
        &self.strengths
    }

    /// Probability of fraud when no member has cause for it.
    pub const fn leak(&self) -> f64 {
        self.leak
    }

    pub(super) fn of(&self, odds: &[f64]) -> f64 {
        let mut honest = (-self.leak).ln_1p();
        for (strength, odds) in self.strengths.iter().zip(odds) {
            // Logarithm of 1 - strength * probability, from whichever of the two probabilities is small.
            honest += if *odds <= 0.0 {
                (-strength * chance(*odds)).ln_1p()
            } else {
                (1.0 - strength + strength * chance(-*odds)).ln()
            };
        }
        // Products below what a double holds count as the smallest, as in a vote.
        let honest = honest.min(-f64::MIN_POSITIVE);
        (-honest.exp_m1()).ln() - honest
    }

    pub(super) fn keep(&self, members: &[usize]) -> Self {
        Self {
            scale: self.scale.keep(members),
            strengths: keep(&self.strengths, members),
            leak: self.leak,
        }
    }
}

/// The highest of the members' log odds.
#[derive(Debug, Clone, PartialEq)]
pub struct Max {
    scale: MemberScale,
}

impl Max {
    /// The highest of these.
    ///
    /// # Errors
    ///
    /// For no members or too many.
    pub fn new(scale: MemberScale) -> Result<Self, EnsembleError> {
        scale.check()?;
        Ok(Self { scale })
    }

    /// What scores are before.
    pub const fn scale(&self) -> &MemberScale {
        &self.scale
    }

    pub(super) fn of(odds: &[f64]) -> f64 {
        odds.iter().copied().fold(f64::MIN, f64::max)
    }
}
