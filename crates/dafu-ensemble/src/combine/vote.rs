//! Weighted means.

use super::combiner::{MemberScale, check_weights, keep};
use super::out_of_fold::{MemberScores, WeekScores};
use crate::EnsembleError;
use crate::logistic::chance;
use crate::params::number;
use crate::select::Metric;
use ndarray::ArrayView2;

/// What a vote is the mean of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum VoteKind {
    /// Probabilities: soft voting.
    Probability,
    /// Log odds: a geometric mean of odds, in which a member that is sure counts more.
    #[default]
    LogOdds,
    /// Ranks: for scores of different nature, which need not be log odds.
    Rank,
}

/// A weighted mean of members' probabilities, log odds or ranks, as log odds.
///
/// The mean of ranks is no probability; log odds of it keep its order and its place among others.
///
/// Source: Kittler, Hatef, Duin and Matas, "On Combining Classifiers" (1998), section 2, the sum rule; of log odds: Genest
/// and Zidek, "Combining Probability Distributions" (1986), the logarithmic opinion pool.
#[derive(Debug, Clone, PartialEq)]
pub struct Vote {
    kind: VoteKind,
    scale: MemberScale,
    /// They add up to 1.
    weights: Vec<f64>,
}

impl Vote {
    /// A vote with these weights, which are divided by their sum. [`VoteKind::Rank`] needs [`MemberScale::Ranks`]; with the
    /// other kinds that scale means probabilities or log odds of ranks.
    ///
    /// # Errors
    ///
    /// For no members or too many, not as many weights as members, weights that are negative, not finite or all 0, and
    /// [`EnsembleError::NoRankMaps`].
    pub fn new(kind: VoteKind, scale: MemberScale, weights: &[f64]) -> Result<Self, EnsembleError> {
        scale.check()?;
        check_weights(weights, scale.members())?;
        if kind == VoteKind::Rank && matches!(scale, MemberScale::LogOdds(_)) {
            return Err(EnsembleError::NoRankMaps);
        }
        // Divided by the largest first: the sum of large weights stays finite.
        let largest = weights.iter().copied().fold(0.0, f64::max);
        let sum: f64 = weights.iter().map(|weight| weight / largest).sum();
        Ok(Self {
            kind,
            weights: weights
                .iter()
                .map(|weight| weight / largest / sum)
                .collect(),
            scale,
        })
    }

    /// A vote on ranks, whose maps are fitted to these scores.
    ///
    /// Shape: `rows x members`.
    ///
    /// # Errors
    ///
    /// As [`MemberScale::ranks`] and [`Vote::new`].
    pub fn fit_ranks(scores: ArrayView2<'_, f64>, weights: &[f64]) -> Result<Self, EnsembleError> {
        Self::new(VoteKind::Rank, MemberScale::ranks(scores, None)?, weights)
    }

    /// What it is the mean of.
    pub const fn kind(&self) -> VoteKind {
        self.kind
    }

    /// What scores are before.
    pub const fn scale(&self) -> &MemberScale {
        &self.scale
    }

    /// Weight of each member; they add up to 1.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Of log odds within the limits of the scale.
    pub(super) fn of(&self, odds: &[f64]) -> f64 {
        mean(
            self.kind,
            self.weights.iter().copied().zip(odds.iter().copied()),
        )
    }

    pub(super) fn keep(&self, members: &[usize]) -> Self {
        Self {
            kind: self.kind,
            scale: self.scale.keep(members),
            weights: keep(&self.weights, members),
        }
    }

    /// For saved ones: weights as they are.
    #[cfg(feature = "serde")]
    pub(super) fn restore(
        kind: VoteKind,
        scale: MemberScale,
        weights: Vec<f64>,
    ) -> Result<Self, EnsembleError> {
        let checked = Self::new(kind, scale, &weights)?;
        let sum: f64 = weights.iter().sum();
        let good = (sum - 1.0).abs() <= 1e-9;
        number("sum of weights", sum, "1 in a saved vote", good)?;
        Ok(Self { weights, ..checked })
    }
}

/// Mean of log odds, or log odds of the mean of their probabilities; weights add up to 1.
pub(super) fn mean(kind: VoteKind, weighted: impl Iterator<Item = (f64, f64)>) -> f64 {
    match kind {
        VoteKind::LogOdds => weighted.map(|(weight, odds)| weight * odds).sum(),
        VoteKind::Probability | VoteKind::Rank => {
            // Both sums, since 1 minus a probability close to 1 would lose digits.
            let (mut fraud, mut honest) = (0.0, 0.0);
            for (weight, odds) in weighted {
                fraud += weight * chance(odds);
                honest += weight * chance(-odds);
            }
            fraud.max(f64::MIN_POSITIVE).ln() - honest.max(f64::MIN_POSITIVE).ln()
        }
    }
}

/// Weights by what each member gains by a metric over the week's share of frauds as the score of all rows: proportional to the gain to
/// the power of `power`, and equal where no member gains. The mean over the weeks counts; weeks where the metric is
/// undefined do not.
///
/// # Errors
///
/// For a power that is negative or not finite, for rows that cannot be judged, and [`EnsembleError::NoFold`] where the
/// metric is undefined in all weeks.
///
/// # Complexity
///
/// One metric for each member and week.
pub fn weights_by_gain(
    scores: &MemberScores,
    metric: &Metric<'_>,
    power: f64,
) -> Result<Vec<f64>, EnsembleError> {
    let good = power >= 0.0 && power.is_finite();
    number("power", power, "finite and at least 0", good)?;
    let shares: Vec<f64> = scores
        .weeks()
        .iter()
        .map(WeekScores::log_odds_of_frauds)
        .collect();
    let baseline = scores.merit(metric, |week, _| shares[week])?;
    let gains = (0..scores.members()).map(|member| {
        let own = scores.merit(metric, |week, row| scores.score(week, row, member))?;
        Ok((own - baseline).max(0.0))
    });
    let gains: Vec<f64> = gains.collect::<Result<_, EnsembleError>>()?;
    let largest = gains.iter().copied().fold(0.0, f64::max);
    if largest <= 0.0 {
        return Ok(vec![1.0; gains.len()]);
    }
    // A member without a gain has no weight, even to the power of 0.
    let weight = |gain: &f64| {
        if *gain > 0.0 {
            (gain / largest).powf(power)
        } else {
            0.0
        }
    };
    Ok(gains.iter().map(weight).collect())
}
