//! Scores and actions of many events.

use super::{RowBits, RuleMatrix};
use crate::engine::RuleEngine;
use crate::{Action, Combination, RuleState};

/// Scores and actions of many events.
#[derive(Debug, Clone, PartialEq)]
pub struct Decisions {
    /// One score an event, as in [`RuleReport::risk_score`](crate::RuleReport::risk_score).
    pub risk_scores: Vec<f64>,
    /// The place of the rule whose action counts; `None` where no rule fired.
    pub decided_by: Vec<Option<u32>>,
}

impl RuleEngine {
    /// Score and action of each event of a matrix: the same as one by one, where no rule is silenced. O(events + alerts).
    pub fn decisions(&self, matrix: &RuleMatrix) -> Decisions {
        Decisions {
            risk_scores: self.risk_scores(matrix),
            decided_by: self.decided_by(matrix),
        }
    }

    /// The action that counts for an event of which this rule decides.
    pub fn action_of(&self, decided_by: Option<u32>) -> Action {
        let rule = decided_by.and_then(|place| self.rules().get(place as usize));
        rule.map_or(Action::Approve, |compiled| compiled.rule.action.clone())
    }

    /// Rules with a say, and the events for which they fire.
    fn voices<'a>(&'a self, matrix: &'a RuleMatrix) -> impl Iterator<Item = (usize, &'a RowBits)> {
        let active = |place: &usize| self.rules()[*place].rule.state == RuleState::Active;
        let places = (0..self.rules().len()).filter(active);
        places.filter_map(|place| Some((place, matrix.fired(place)?)))
    }

    fn risk_scores(&self, matrix: &RuleMatrix) -> Vec<f64> {
        let combination = self.rule_set().combination;
        let start = match combination {
            Combination::NoisyOr => 1.0,
            _ => 0.0,
        };
        let mut scores = vec![start; matrix.rows()];
        for (place, fired) in self.voices(matrix) {
            let rule = &self.rules()[place].rule;
            for row in fired.iter() {
                let score = &mut scores[row];
                *score = match combination {
                    Combination::Max => f64::max(*score, rule.risk_score),
                    Combination::CappedSum => *score + rule.risk_score,
                    Combination::NoisyOr => *score * (1.0 - rule.risk_score),
                    Combination::WeightedSum => *score + rule.risk_score * rule.weight,
                };
            }
        }
        for (row, score) in scores.iter_mut().enumerate() {
            let whole = match combination {
                Combination::Max | Combination::CappedSum => *score,
                Combination::NoisyOr => 1.0 - *score,
                Combination::WeightedSum => {
                    let voters = self
                        .voices(matrix)
                        .filter(|(place, _)| matrix.was_asked(*place, row));
                    let weight: f64 = voters
                        .map(|(place, _)| self.rules()[place].rule.weight)
                        .sum();
                    if weight > 0.0 { *score / weight } else { 0.0 }
                }
            };
            // Weights may add up beyond all numbers: 0, as for one event.
            *score = if whole.is_nan() {
                0.0
            } else {
                whole.clamp(0.0, 1.0)
            };
        }
        scores
    }

    pub(crate) fn decided_by(&self, matrix: &RuleMatrix) -> Vec<Option<u32>> {
        let mut decided: Vec<Option<u32>> = vec![None; matrix.rows()];
        for (place, fired) in self.voices(matrix) {
            for row in fired.iter() {
                let wins = decided[row].is_none_or(|before| self.wins(place, before as usize));
                if wins {
                    decided[row] = u32::try_from(place).ok();
                }
            }
        }
        decided
    }
}
