//! What all ways of combining have in common.

use super::noisy_or::{Max, NoisyOr};
use super::rank_map::RankMap;
use super::stack::Stack;
use super::vote::Vote;
use crate::EnsembleError;
use crate::params::count;
use ndarray::{ArrayView1, ArrayView2};

/// Most members.
pub const MAX_MEMBERS: usize = 256;
/// Log odds beyond this count as this: probabilities of them are still no less than `f64` can hold.
const MAX_LOG_ODDS: f64 = 700.0;

/// What members' scores are before they are combined.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberScale {
    /// Log odds, taken as they are for so many members.
    LogOdds(usize),
    /// Of any nature: replaced by the log odds of their ranks, one map a member.
    Ranks(Vec<RankMap>),
}

impl MemberScale {
    /// Members.
    pub fn members(&self) -> usize {
        match self {
            Self::LogOdds(members) => *members,
            Self::Ranks(maps) => maps.len(),
        }
    }

    /// Fits a map to each column of scores.
    ///
    /// Shape: `rows x members`.
    ///
    /// # Errors
    ///
    /// As [`RankMap::fit`], and for too many members.
    pub fn ranks(
        scores: ArrayView2<'_, f64>,
        weights: Option<&[f64]>,
    ) -> Result<Self, EnsembleError> {
        count("members", scores.ncols(), 1, MAX_MEMBERS)?;
        let columns = scores.columns().into_iter().enumerate();
        let maps = columns.map(|(member, column)| {
            RankMap::fit(&column.to_vec(), weights).map_err(|error| match error {
                EnsembleError::MemberScore { row, got, .. } => {
                    EnsembleError::MemberScore { row, member, got }
                }
                other => other,
            })
        });
        Ok(Self::Ranks(maps.collect::<Result<_, _>>()?))
    }

    pub(super) fn check(&self) -> Result<(), EnsembleError> {
        count("members", self.members(), 1, MAX_MEMBERS)
    }

    /// Log odds of a member's score.
    pub(super) fn log_odds(&self, member: usize, score: f64) -> f64 {
        let odds = match self {
            Self::LogOdds(_) => score,
            Self::Ranks(maps) => maps.get(member).map_or(0.0, |map| map.log_odds(score)),
        };
        odds.clamp(-MAX_LOG_ODDS, MAX_LOG_ODDS)
    }

    /// Log odds of all scores of a row.
    pub(super) fn row(
        &self,
        row: usize,
        scores: ArrayView1<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), EnsembleError> {
        for (member, (out, got)) in out.iter_mut().zip(scores).enumerate() {
            if !got.is_finite() {
                let got = *got;
                return Err(EnsembleError::MemberScore { row, member, got });
            }
            *out = self.log_odds(member, *got);
        }
        Ok(())
    }

    /// That of some of the members.
    pub(super) fn keep(&self, members: &[usize]) -> Self {
        match self {
            Self::LogOdds(_) => Self::LogOdds(members.len()),
            Self::Ranks(maps) => {
                let kept = members.iter().filter_map(|member| maps.get(*member));
                Self::Ranks(kept.cloned().collect())
            }
        }
    }
}

/// A fitted way of combining members' scores into log odds.
///
/// None of them lets a higher score of a member lower the answer.
///
/// # Examples
///
/// ```
/// use dafu_ensemble::combine::{Combiner, MemberScale, Vote, VoteKind};
///
/// let vote = Vote::new(VoteKind::LogOdds, MemberScale::LogOdds(2), &[3.0, 1.0])?;
/// assert_eq!(Combiner::Vote(vote).combine_row(&[2.0, -2.0])?, 1.0);
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Combiner {
    /// A weighted mean.
    Vote(Vote),
    /// Fraud if any of the members has cause for it.
    NoisyOr(NoisyOr),
    /// The highest.
    Max(Max),
    /// A logistic regression.
    Stack(Stack),
}

impl Combiner {
    /// What scores are before they are combined.
    pub const fn scale(&self) -> &MemberScale {
        match self {
            Self::Vote(vote) => vote.scale(),
            Self::NoisyOr(or) => or.scale(),
            Self::Max(max) => max.scale(),
            Self::Stack(stack) => stack.scale(),
        }
    }

    /// How much each member counts: its weight in a vote or a stack, its strength in a noisy-or; `None` for the maximum,
    /// where all count the same.
    pub fn weights(&self) -> Option<&[f64]> {
        match self {
            Self::Vote(vote) => Some(vote.weights()),
            Self::NoisyOr(or) => Some(or.strengths()),
            Self::Max(_) => None,
            Self::Stack(stack) => Some(stack.weights()),
        }
    }

    /// Log odds of fraud of a row of members' scores.
    ///
    /// # Errors
    ///
    /// For another number of scores than members, and a score that is not finite.
    pub fn combine_row(&self, scores: &[f64]) -> Result<f64, EnsembleError> {
        let mut out = [0.0];
        self.combine_rows(
            ArrayView1::from(scores).insert_axis(ndarray::Axis(0)),
            &mut out,
        )?;
        Ok(out[0])
    }

    /// Writes the log odds of fraud of each row of members' scores.
    ///
    /// Shape: `rows x members`.
    ///
    /// # Errors
    ///
    /// For another number of columns than members, a score that is not finite, and `out` of another length than there are
    /// rows.
    ///
    /// # Complexity
    ///
    /// O(n m log k) for n rows, m members and k knots where scores are ranked, else O(n m).
    pub fn combine_rows(
        &self,
        scores: ArrayView2<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), EnsembleError> {
        let scale = self.scale();
        if scores.ncols() != scale.members() {
            return Err(EnsembleError::MemberCount {
                what: "scores of a row",
                expected: scale.members(),
                got: scores.ncols(),
            });
        }
        if out.len() != scores.nrows() {
            return Err(EnsembleError::WrongOutputLength {
                expected: scores.nrows(),
                got: out.len(),
            });
        }
        let mut odds = vec![0.0; scale.members()];
        for (row, (scores, out)) in scores.rows().into_iter().zip(out).enumerate() {
            scale.row(row, scores, &mut odds)?;
            *out = match self {
                Self::Vote(vote) => vote.of(&odds),
                Self::NoisyOr(or) => or.of(&odds),
                Self::Max(_) => Max::of(&odds),
                Self::Stack(stack) => stack.of(&odds),
            };
        }
        Ok(())
    }

    /// The same without the members that count nothing, and which those are that stay; all, where none counts.
    pub(super) fn without_idle(self) -> (Self, Vec<usize>) {
        let all: Vec<usize> = (0..self.scale().members()).collect();
        let Some(weights) = self.weights() else {
            return (self, all);
        };
        let kept = all.iter().copied().filter(|member| weights[*member] > 0.0);
        let kept: Vec<usize> = kept.collect();
        if kept.is_empty() || kept.len() == all.len() {
            return (self, all);
        }
        let smaller = match self {
            Self::Vote(vote) => Self::Vote(vote.keep(&kept)),
            Self::NoisyOr(or) => Self::NoisyOr(or.keep(&kept)),
            Self::Max(max) => Self::Max(max),
            Self::Stack(stack) => Self::Stack(stack.keep(&kept)),
        };
        (smaller, kept)
    }
}

/// Weights that may be used: one a member, finite and at least 0, one of them above 0.
pub(super) fn check_weights(weights: &[f64], members: usize) -> Result<(), EnsembleError> {
    if weights.len() != members {
        return Err(EnsembleError::MemberCount {
            what: "weights",
            expected: members,
            got: weights.len(),
        });
    }
    let bad = |weight: &f64| !(weight.is_finite() && *weight >= 0.0);
    if let Some(member) = weights.iter().position(bad) {
        return Err(EnsembleError::MemberWeight {
            member,
            got: weights[member],
        });
    }
    if weights.iter().all(|weight| *weight <= 0.0) {
        return Err(EnsembleError::MemberWeight {
            member: 0,
            got: 0.0,
        });
    }
    Ok(())
}

/// Those at some places.
pub(super) fn keep(values: &[f64], places: &[usize]) -> Vec<f64> {
    let kept = places.iter().filter_map(|place| values.get(*place));
    kept.copied().collect()
}
