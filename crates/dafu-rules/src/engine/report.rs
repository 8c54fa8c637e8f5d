//! What rules said about an event.

use super::{Compiled, RuleEngine};
use crate::program::{Predicate, Row, Truth};
use crate::ruleset::ListsAt;
use crate::{Action, OnMissing};
use dafu_core::{
    EntityId, Reason, ReasonValue, RiskBand, RuleOutcome, RuleRecord, Score, Timestamp,
};

/// What the rules of a set said about one event.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleReport {
    /// What became of each rule, in the order of the set.
    pub outcomes: Vec<RuleOutcome>,
    /// Places of the rules that fired.
    pub(super) fired: Vec<usize>,
    /// One score of all that fired; 0 where none did.
    pub risk_score: Score,
    /// The band of the score.
    pub band: RiskBand,
    /// The action that counts; approve where no rule fired.
    pub action: Action,
    /// The place of the rule whose action counts.
    pub decided_by: Option<usize>,
    /// Identity of the rule set.
    pub rule_set_hash: u64,
    /// When the event happens.
    pub at: Timestamp,
}

impl Default for RuleReport {
    fn default() -> Self {
        Self {
            outcomes: Vec::new(),
            fired: Vec::new(),
            risk_score: Score::ZERO,
            band: RiskBand::Low,
            action: Action::Approve,
            decided_by: None,
            rule_set_hash: 0,
            at: Timestamp::EPOCH,
        }
    }
}

impl RuleReport {
    /// Says nothing, and keeps its room.
    pub(super) fn clear(&mut self) {
        let (mut outcomes, mut fired) = (
            std::mem::take(&mut self.outcomes),
            std::mem::take(&mut self.fired),
        );
        outcomes.clear();
        fired.clear();
        *self = Self {
            outcomes,
            fired,
            ..Self::default()
        };
    }

    /// Places of the rules with this outcome.
    pub fn with(&self, outcome: RuleOutcome) -> impl Iterator<Item = usize> {
        let all = self.outcomes.iter().enumerate();
        all.filter(move |(_, other)| **other == outcome)
            .map(|(place, _)| place)
    }

    /// Places of the rules that fired.
    pub fn fired(&self) -> impl ExactSizeIterator<Item = usize> {
        self.fired.iter().copied()
    }
}

impl RuleEngine {
    /// Rules by name with their outcome, but for those that did not fire or are not in force.
    pub fn named_outcomes(&self, report: &RuleReport) -> Vec<(EntityId, RuleOutcome)> {
        let all = self.rules.iter().zip(&report.outcomes);
        let said = all.filter(|(_, outcome)| {
            !matches!(outcome, RuleOutcome::NotFired | RuleOutcome::Inactive)
        });
        said.map(|(compiled, outcome)| (compiled.name.clone(), *outcome))
            .collect()
    }

    /// Why the score is what it is: one reason for each rule that fired, in the order of the set. The shares of the score
    /// go by the scores of the rules, and by weights where these count. Values are those of variables and windows of its
    /// condition, and why somebody is in a list that it names, where the list says so.
    pub fn reasons(&self, row: Row<'_>, report: &RuleReport) -> Vec<Reason> {
        let fired: Vec<&Compiled> = report
            .fired()
            .filter_map(|place| self.rules.get(place))
            .collect();
        let part = |compiled: &Compiled| match self.set.combination {
            crate::Combination::WeightedSum => compiled.rule.risk_score * compiled.rule.weight,
            _ => compiled.rule.risk_score,
        };
        let whole: f64 = fired.iter().map(|compiled| part(compiled)).sum();
        let risk = report.risk_score.get();
        let reason = |compiled: &&Compiled| {
            let values = self.variables(compiled).into_iter();
            let known =
                values.filter_map(|shown| Some((shown.name.to_string(), shown.value(row)?)));
            let mut values: Vec<(String, ReasonValue)> = known.collect();
            values.extend(self.list_reasons(compiled, row, report.at));
            let mut text = compiled.reason.text(row);
            // A rule may fire because nobody knows whether it holds.
            let lists = ListsAt(&self.lists, report.at);
            if compiled.rule.on_missing == OnMissing::Fire
                && self.logic_truth(&compiled.logic, row, &lists) == Truth::Unknown
            {
                let missing = self.missing_of(compiled, row, report.at);
                let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
                text = format!("{text} (not known: {})", names.join("; "));
            }
            Reason {
                code: compiled.code.clone(),
                text,
                values,
                group: compiled.rule.group,
                contribution: if whole > 0.0 {
                    risk * part(compiled) / whole
                } else {
                    0.0
                },
            }
        };
        fired.iter().map(reason).collect()
    }

    /// Why somebody is in a list that a rule names.
    fn list_reasons(
        &self,
        compiled: &Compiled,
        row: Row<'_>,
        at: Timestamp,
    ) -> Vec<(String, ReasonValue)> {
        let lists = ListsAt(&self.lists, at);
        let mut reasons = Vec::new();
        compiled.logic.for_tests(&mut |place, _| {
            let (text, list, is_address) = match self.predicates.all().get(place) {
                Some(Predicate::Listed { text, list }) => (text, *list, false),
                Some(Predicate::AddressListed { address, list }) => (address, *list, true),
                _ => return,
            };
            let value = text.value(row);
            let reason = value.and_then(|text| lists.reason(list, &text, is_address));
            if let (Some(reason), Some(list)) = (reason, self.set.lists.get(list)) {
                let value = ReasonValue::Text(reason.into());
                reasons.push((format!("@{}", list.name), value));
            }
        });
        reasons
    }

    /// What the rules said, for the record of a decision: named outcomes, what was missing, and the hash of the set.
    pub fn record(&self, row: Row<'_>, report: &RuleReport) -> RuleRecord {
        RuleRecord {
            outcomes: self.named_outcomes(report),
            missing: self.named_missing(row, report),
            rule_set_hash: Some(report.rule_set_hash),
        }
    }
}
