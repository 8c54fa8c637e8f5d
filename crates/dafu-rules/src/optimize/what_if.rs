//! What another set of rules would change.

use super::judged::{Hits, Judged};
use crate::{Action, Columns, RuleEngine, RuleError};
use std::collections::BTreeMap;

/// Events named for each change.
const EXAMPLES: usize = 10;

/// Events that one set decides like this, and another like that.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Transition {
    /// The action of the old set.
    pub from: Action,
    /// The action of the new set.
    pub to: Action,
    /// How many events, and what became of them.
    pub hits: Hits,
    /// Their amount; 0 without amounts.
    pub amount: f64,
    /// The amount of the frauds among them.
    pub fraud_amount: f64,
    /// The first ten of them.
    pub examples: Vec<usize>,
}

/// What another set of rules would change.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct WhatIf {
    /// Changes, by old and new action from mild to strict; what stays is not there.
    pub transitions: Vec<Transition>,
    /// Events.
    pub events: usize,
}

impl WhatIf {
    /// Events that are decided otherwise.
    pub fn changed(&self) -> usize {
        self.transitions
            .iter()
            .map(|transition| transition.hits.fired)
            .sum()
    }

    /// Changes to something stricter, and to something milder.
    pub fn stricter(&self) -> impl Iterator<Item = &Transition> {
        self.transitions
            .iter()
            .filter(|transition| transition.to > transition.from)
    }

    /// Changes to something milder.
    pub fn milder(&self) -> impl Iterator<Item = &Transition> {
        self.transitions
            .iter()
            .filter(|transition| transition.to < transition.from)
    }
}

impl RuleEngine {
    /// Which past events another set would decide otherwise. Each set gets its own columns, since each may ask for windows
    /// of its own. O(tests x events + alerts).
    ///
    /// # Errors
    ///
    /// As [`RuleEngine::evaluate_columns`]; [`RuleError::Row`] where the numbers of events differ.
    pub fn what_if(
        &self,
        columns: &Columns<'_>,
        (other, other_columns): (&Self, &Columns<'_>),
        judged: &Judged<'_>,
    ) -> Result<WhatIf, RuleError> {
        let (other_columns, _) = &judged.joined(other_columns)?;
        let (columns, judged) = &judged.joined(columns)?;
        let old = self.decided_by(&self.evaluate_columns(columns)?);
        let new = other.decided_by(&other.evaluate_columns(other_columns)?);
        // Few rules decide many events: actions are compared once for each pair of rules.
        let mut pairs = BTreeMap::new();
        let mut transitions: BTreeMap<(Action, Action), Transition> = BTreeMap::new();
        for (row, pair) in old.into_iter().zip(new).enumerate() {
            let actions = pairs.entry(pair).or_insert_with(|| {
                let actions = (self.action_of(pair.0), other.action_of(pair.1));
                (actions.0 != actions.1).then_some(actions)
            });
            let Some((from, to)) = actions else {
                continue;
            };
            let transition = transitions
                .entry((from.clone(), to.clone()))
                .or_insert_with(|| Transition {
                    from: from.clone(),
                    to: to.clone(),
                    hits: Hits::default(),
                    amount: 0.0,
                    fraud_amount: 0.0,
                    examples: Vec::new(),
                });
            let fraud = judged.fraud.contains(row);
            transition.hits.fired += 1;
            transition.hits.true_positives += usize::from(fraud);
            transition.hits.false_positives += usize::from(judged.honest.contains(row));
            transition.amount += judged.amount(row);
            transition.fraud_amount += if fraud { judged.amount(row) } else { 0.0 };
            if transition.examples.len() < EXAMPLES {
                transition.examples.push(row);
            }
        }
        Ok(WhatIf {
            transitions: transitions.into_values().collect(),
            events: judged.rows(),
        })
    }
}
