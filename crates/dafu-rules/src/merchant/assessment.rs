//! The answer for one merchant.

use super::{Factor, FactorKind};
use crate::Action;
use dafu_core::{EntityId, Reason, RiskBand, RuleOutcome, Score, Timestamp};

/// What rules say about a merchant, and what they say it by.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MerchantAssessment {
    /// The merchant.
    pub merchant: EntityId,
    /// The moment up to which records were looked at.
    pub as_of: Timestamp,
    /// One score of all rules that fired; 0 where none did.
    pub risk_score: Score,
    /// The band of the score.
    pub band: RiskBand,
    /// The action that counts; approve where no rule fired.
    pub action: Action,
    /// What was looked at, in the order of [`FactorKind::ALL`].
    pub factors: Vec<Factor>,
    /// Why: one reason for each rule that fired, in the order of the set.
    pub reasons: Vec<Reason>,
    /// Rules by name with what became of them, but for those that did not fire or are not in force.
    pub rules: Vec<(EntityId, RuleOutcome)>,
    /// Identity of the rule set.
    pub rule_set_hash: u64,
}

impl MerchantAssessment {
    /// The factor of a kind; `None` where it was not wanted.
    pub fn factor(&self, kind: FactorKind) -> Option<&Factor> {
        self.factors.iter().find(|factor| factor.kind == kind)
    }

    /// Names of the rules that fired.
    pub fn fired(&self) -> impl Iterator<Item = &EntityId> {
        let all = self.rules.iter();
        all.filter(|(_, outcome)| *outcome == RuleOutcome::Fired)
            .map(|(name, _)| name)
    }
}
