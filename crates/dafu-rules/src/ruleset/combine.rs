//! One score and one action from many rules.

use dafu_core::Score;

/// How the scores of rules that fired become one.
///
/// | | one score of 0.6 and one of 0.5 |
/// |---|---|
/// | [`Max`](Self::Max) | 0.6 |
/// | [`CappedSum`](Self::CappedSum) | 1, the most there is |
/// | [`NoisyOr`](Self::NoisyOr) | 1 - 0.4 x 0.5 = 0.8 |
/// | [`WeightedSum`](Self::WeightedSum) | (w1 x 0.6 + w2 x 0.5) / sum of the weights of all rules that were asked |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Combination {
    /// The highest.
    #[default]
    Max,
    /// Their sum, at most 1.
    CappedSum,
    /// The chance that one of them is right, were they independent.
    ///
    /// Source: Pearl, "Probabilistic Reasoning in Intelligent Systems" (1988), section 4.3.2, without a leak.
    NoisyOr,
    /// Their sum by weights, as a share of the weights of all rules with a say that fired or did not: not of those that
    /// could not be evaluated, are silenced or not in force.
    WeightedSum,
}

impl Combination {
    /// The score of rules that fired, given as scores and weights, and the weight of all.
    pub(crate) fn score(
        self,
        fired: impl Iterator<Item = (f64, f64)>,
        all: impl Fn() -> f64,
    ) -> Score {
        let score = match self {
            Self::Max => fired.fold(0.0, |most, (score, _)| f64::max(most, score)),
            // A sum of nothing is 0, not -0.
            Self::CappedSum => fired.fold(0.0, |sum, (score, _)| sum + score),
            Self::NoisyOr => 1.0 - fired.fold(1.0, |rest, (score, _)| rest * (1.0 - score)),
            Self::WeightedSum => {
                let sum = fired.fold(0.0, |sum, (score, weight)| sum + score * weight);
                let all = all();
                if all > 0.0 { sum / all } else { 0.0 }
            }
        };
        Score::new(score.clamp(0.0, 1.0)).unwrap_or(Score::ZERO)
    }
}

/// Which action counts where rules that fired want different ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Conflict {
    /// The strictest.
    #[default]
    Strictest,
    /// That of the first rule by priority.
    First,
    /// `approve`, where a rule wants that; otherwise the strictest. Dangerous: one broad rule that approves switches all
    /// others off.
    ApproveOverrides,
}
